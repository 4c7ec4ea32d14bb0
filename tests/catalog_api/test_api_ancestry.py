"""Which Locations led to an entity: through files, patterns and circles, as the asker sees them."""

from collections.abc import Iterator

import pytest
from api_portal import DATABASES, PEOPLE, ApiPortal, Described, api_portal_at

SETTINGS = {
    "access": {
        "bindings": [
            {
                "role": "administrator", "effect": "deny", "on": {"tag": ["hidden"]},
                "to": ["user:default/vera"],
            }
        ]
    }
}  # fmt: skip
LEAF = "component:default/leaf"


def location(name: str, *targets: str, tags: str = "") -> str:
    listed = ", ".join(f'"{target}"' for target in targets)
    return (
        "apiVersion: backstage.io/v1alpha1\nkind: Location\n"
        f"metadata: {{name: {name}, tags: [{tags}]}}\nspec: {{targets: [{listed}]}}\n"
    )


def component(name: str) -> str:
    return (
        "apiVersion: backstage.io/v1alpha1\nkind: Component\n"
        f"metadata: {{name: {name}}}\nspec: {{type: library, lifecycle: p, owner: team-a}}\n"
    )


@pytest.fixture(scope="module", params=DATABASES)
def given(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[ApiPortal]:
    folder = tmp_path_factory.mktemp("led")
    files = {
        "all.yaml": location("top", "./teams/*.yaml", "./circle.yaml"),
        "circle.yaml": location("circle", "./all.yaml", "./libraries/leaf.yaml"),
        "teams/a.yaml": location("hidden-team", "../libraries/leaf.yaml", tags="hidden"),
        "libraries/leaf.yaml": component("leaf"),
    }
    for path, text in files.items():
        (folder / path).parent.mkdir(exist_ok=True)
        (folder / path).write_text(text, encoding="utf-8")
    source = {"name": "led", "type": "folder", "path": str(folder), "paths": ["all.yaml"]}
    settings = {**SETTINGS, "catalog": {"sources": [source]}}
    with api_portal_at(request, tmp_path_factory.mktemp("api"), settings) as made:
        made.portal.catalog_add(PEOPLE)
        made.portal.runtime.engine.read("led")
        yield made


def parents_of(api: Described, ref: str) -> dict[str, set[str]]:
    kind, _, name = ref.partition(":")
    found = api.all(f"/entities/by-name/{kind}/{name}/ancestry")
    assert found["rootEntityRef"] == ref
    told = {}
    for item in found["items"]:
        entity = item["entity"]
        key = f"{entity['kind']}:{entity['metadata']['namespace']}/{entity['metadata']['name']}"
        told[key.lower()] = set(item["parentEntityRefs"])
    assert next(iter(told)) == ref
    return told


def test_all_that_led_to_an_entity_is_told_up_to_the_first(given: ApiPortal) -> None:
    top, circle, team = (f"location:default/{name}" for name in ("top", "circle", "hidden-team"))
    assert parents_of(given.api, LEAF) == {
        LEAF: {circle, team}, circle: {top}, team: {top}, top: {circle},
    }  # fmt: skip
    assert parents_of(given.api, "component:default/web-app") == {
        "component:default/web-app": set()
    }


def test_what_may_not_be_seen_led_to_nothing(given: ApiPortal) -> None:
    top, circle = (f"location:default/{name}" for name in ("top", "circle"))
    vera = Described(given.client("vera"))
    assert parents_of(vera, LEAF) == {LEAF: {circle}, circle: {top}, top: {circle}}
    assert vera.get("/entities/by-name/location/default/hidden-team/ancestry").status_code == 404
