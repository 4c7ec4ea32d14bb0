"""Defaults, annotations about the origin, and hashes that mean something."""

import copy
from typing import Any

import pytest

from callboard_catalog.descriptors import Origin, finish, stable_json

ORIGIN = Origin(
    location="url:https://example.com/r/a.yaml",
    view_url="https://example.com/r/a.yaml",
    edit_url="https://example.com/edit/a.yaml",
    source_location="url:https://example.com/r/",
)


def document(**spec: Any) -> dict[str, Any]:
    return {
        "apiVersion": "backstage.io/v1alpha1",
        "kind": "Component",
        "metadata": {"name": "Order-Service"},
        "spec": {"type": "service", **spec},
    }


def test_defaults_and_annotations_are_filled_in() -> None:
    given = document()
    before = copy.deepcopy(given)
    finished = finish(given, ORIGIN)
    assert given == before
    assert str(finished.ref) == "component:default/order-service"
    assert finished.document["metadata"] == {
        "name": "Order-Service",
        "namespace": "default",
        "annotations": {
            "backstage.io/managed-by-location": "url:https://example.com/r/a.yaml",
            "backstage.io/managed-by-origin-location": "url:https://example.com/r/a.yaml",
            "backstage.io/view-url": "https://example.com/r/a.yaml",
            "backstage.io/edit-url": "https://example.com/edit/a.yaml",
            "backstage.io/source-location": "url:https://example.com/r/",
        },
        "etag": finished.content_hash,
    }
    assert finished.document["spec"] == given["spec"]


def test_what_the_file_says_wins_and_the_unknown_is_left_out() -> None:
    given = document()
    given["metadata"] |= {
        "namespace": "shop",
        "etag": "mine",
        "annotations": {"backstage.io/view-url": "https://v", "x": "y"},
    }
    finished = finish(given, Origin(location="file:a.yaml", origin="url:https://o"))
    assert finished.document["metadata"]["annotations"] == {
        "backstage.io/managed-by-location": "file:a.yaml",
        "backstage.io/managed-by-origin-location": "url:https://o",
        "backstage.io/view-url": "https://v",
        "x": "y",
    }
    assert finished.document["metadata"]["etag"] == "mine"
    assert str(finished.ref) == "component:shop/order-service"


@pytest.mark.parametrize(
    "url", ["javascript:x", " JavaScript:x", "java\tscript:x", "\x01vbscript:x"]
)
def test_urls_that_run_a_script_are_replaced(url: str) -> None:
    given = document()
    given["metadata"]["annotations"] = {"backstage.io/edit-url": url, "other": url}
    given["metadata"]["links"] = [{"url": url, "title": "T"}, {"url": "https://e.com"}]
    metadata = finish(given, ORIGIN).document["metadata"]
    assert metadata["annotations"]["backstage.io/edit-url"] == "about:blank#rejected-script-url"
    assert metadata["annotations"]["other"] == url
    assert metadata["links"] == [
        {"url": "about:blank#rejected-script-url", "title": "T"},
        {"url": "https://e.com"},
    ]


@pytest.mark.parametrize(
    "field",
    [
        "providesApis",
        "consumesApis",
        "dependsOn",
        "dependencyOf",
        "memberOf",
        "children",
        "members",
    ],
)
def test_order_of_references_is_no_change(field: str) -> None:
    one = finish(document(**{field: ["a", "b"]}), ORIGIN)
    two = finish(document(**{field: ["b", "a"]}), ORIGIN)
    assert one.content_hash == two.content_hash
    assert two.document["spec"][field] == ["b", "a"]
    assert finish(document(**{field: ["a", "c"]}), ORIGIN).content_hash != one.content_hash


def test_order_of_keys_is_no_change_and_all_else_is() -> None:
    given = document(targets=["a", "b"])
    hashes = {finish(given, ORIGIN).content_hash}
    hashes.add(finish(dict(reversed(given.items())), ORIGIN).content_hash)
    assert len(hashes) == 1
    hashes.add(finish(document(targets=["b", "a"]), ORIGIN).content_hash)
    hashes.add(finish(given, Origin(location="file:b.yaml")).content_hash)
    assert len(hashes) == 3
    assert len(hashes.pop()) == 40


def test_stable_json_sorts_keys() -> None:
    assert (
        stable_json({"b": 1, "a": {"d": "支", "c": None}})
        == '{"a":{"c":null,"d":"支"},"b":1}'.encode()
    )
