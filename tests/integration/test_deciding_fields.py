"""Tags and labels decide who sees an entity, so all of them are known, however much it says."""

from collections.abc import Mapping
from typing import Any

import pytest
import yaml

from callboard.entities import EntityRef
from callboard.identity import Principal, Subject, acting_for
from callboard_web.testing import PortalUnderTest

PERSON = Subject(principal=Principal(kind="person", name="user:default/ada"))
CROWDED = EntityRef.parse("component:default/crowded")


@pytest.fixture
def portal_plugins() -> list[str]:
    return []


@pytest.fixture
def portal_settings() -> Mapping[str, Any]:
    hide = {"role": "viewer", "to": ["signed-in"], "effect": "deny"}
    return {
        "access": {"bindings": [{**hide, "on": {"tag": ["z-secret"]}},
                                {**hide, "on": {"environment": ["vault"]}}]}
    }  # fmt: skip


@pytest.mark.parametrize("hidden_by", ["tag", "label", "nothing"])
def test_no_crowd_of_fields_hides_what_decides(portal: PortalUnderTest, hidden_by: str) -> None:
    tags = [f"t-{number}" for number in range(300)]
    labels = {f"label-{number}": "x" for number in range(300)}
    document = {
        "apiVersion": "backstage.io/v1alpha1",
        "kind": "Component",
        "metadata": {
            "name": "crowded",
            "annotations": {f"example.com/a-{number}": "x" for number in range(300)},
            "labels": labels | ({"environment": "vault"} if hidden_by == "label" else {}),
            "tags": [*tags, *(["z-secret"] if hidden_by == "tag" else [])],
        },
        "spec": {"type": "service", "lifecycle": "production", "owner": "nobody"},
    }
    portal.catalog_add(yaml.safe_dump(document))
    catalog = portal.runtime.catalog
    with acting_for(PERSON):
        assert (catalog.get(CROWDED) is None) == (hidden_by != "nothing")
        assert len(catalog.find(kind="component")) == (hidden_by == "nothing")
        assert catalog.counts().get("component", 0) == (hidden_by == "nothing")
