"""Cases that were seen on a real Backstage catalog, and are the same here, on both databases."""

from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from api_portal import (
    BAD_AMONG_GOOD,
    DATABASES,
    ApiPortal,
    Described,
    Files,
    files_served,
    open_portal,
)

given = pytest.fixture(open_portal, scope="module", params=DATABASES, name="given")


@pytest.fixture(scope="module")
def api(given: ApiPortal) -> Described:
    return given.api


@pytest.fixture(scope="module")
def files() -> Iterator[Files]:
    with files_served() as served:
        yield served


def error_of(answer: Any, status: int, name: str) -> dict[str, Any]:
    """Hold an answer against the one shape of errors, and give what it tells."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"].startswith("application/json")
    content = answer.json()
    assert content["response"] == {"statusCode": status}
    assert content["error"]["name"] == name
    assert content["request"].keys() == {"method", "url"}
    told: dict[str, Any] = content["error"]
    return told


def link_of(answer: Any) -> str:
    link = answer.headers["link"]
    assert link.startswith("<")
    assert link.endswith('>; rel="next"')
    return str(link[1:].partition(">")[0])


def test_01_a_page_of_entities_links_to_the_next(api: Described) -> None:
    first = api.get("/entities?limit=2&offset=1&order=asc:metadata.name&fields=metadata.name")
    assert first.json() == [
        {"metadata": {"name": "orders-api"}}, {"metadata": {"name": "shop"}},
    ]  # fmt: skip
    link = urlsplit(link_of(first))
    assert (link.scheme, link.netloc, link.path) == ("", "", "/entities")
    query = parse_qs(link.query)
    assert query.pop("after")
    assert query == {
        "limit": ["2"], "order": ["asc:metadata.name"], "fields": ["metadata.name"],
    }  # fmt: skip
    seen, path = ["orders-api", "shop"], link_of(first)
    while path:
        answer = api.get(path)
        seen += [item["metadata"]["name"] for item in answer.json()]
        path = link_of(answer) if "link" in answer.headers else ""
    names = sorted(api.names("/entities"), key=str.lower)
    assert seen == names[1:]


def test_02_a_limit_of_nothing_counts_by_query_and_is_wrong_for_entities(api: Described) -> None:
    told = error_of(api.get("/entities?limit=0"), 400, "InputError")
    assert told["message"] == "request/query/limit must be >= 1"
    counted = api.all("/entities/by-query?limit=0")
    assert counted == {"items": [], "totalItems": 8, "pageInfo": {}}
    for path in ("/entities", "/entities/by-query"):
        for bad in ("-1", "abc", "1.5", "٣"):
            error_of(api.get(path, params={"limit": bad}), 400, "InputError")
    told = error_of(api.get("/entities/by-query?limit=abc"), 400, "InputError")
    assert told["message"] == "request/query/limit must be integer"


def test_03_filters_are_joined_by_or_and_look_at_no_case(api: Described) -> None:
    both = "/entities?filter=kind=component,kind=api&filter=kind=user"
    assert sorted(api.names(both)) == ["Svc-One", "ada", "orders-api", "svc-two", "web-app"]
    assert len(api.names("/entities?filter=KIND=COMPONENT")) == 3
    assert api.names("/entities?filter=%20kind%20=%20component%20,spec.type=website") == ["web-app"]
    error_of(api.get("/entities", params={"filter": "=x"}), 400, "InputError")


def test_04_what_lacks_the_key_of_the_order_is_left_out_and_not_counted(api: Described) -> None:
    found = api.all("/entities/by-query?orderField=metadata.title,asc")
    titles = [item["metadata"]["title"] for item in found["items"]]
    assert titles == ["First service", "Orders", "Shop", "Web"]
    assert found["totalItems"] == 4


def test_05_cursors_go_on_by_get_and_by_post(api: Described) -> None:
    asked = "/entities/by-query?filter=kind=component&orderField=metadata.name&limit=1"
    first = api.all(asked)
    cursor = first["pageInfo"]["nextCursor"]
    assert first["totalItems"] == 3
    assert "prevCursor" not in first["pageInfo"]
    by_get = api.all("/entities/by-query", params={"cursor": cursor, "limit": 5})
    by_post = api.post("/entities/by-query", {"cursor": cursor, "limit": 5}).json()
    assert by_get == by_post
    assert [item["metadata"]["name"] for item in by_get["items"]] == ["svc-two", "web-app"]
    assert by_get["totalItems"] == 3
    assert "nextCursor" not in by_get["pageInfo"]
    bare = {"cursor": cursor, "limit": 1, "fields": ["metadata.name"]}
    assert api.post("/entities/by-query", bare).json()["items"] == [
        {"metadata": {"name": "svc-two"}}
    ]
    back = {"cursor": by_get["pageInfo"]["prevCursor"], "limit": "1"}
    assert api.all("/entities/by-query", params=back)["items"] == first["items"]

    predicate = {
        "query": {"kind": "component"},
        "orderBy": [{"field": "metadata.name"}],
        "limit": 1,
    }
    begun = api.post("/entities/by-query", predicate).json()
    more = {"cursor": begun["pageInfo"]["nextCursor"], "limit": 5}
    went_on = api.all("/entities/by-query", params=more)
    assert went_on["items"] == by_get["items"]
    assert went_on["totalItems"] == 3


def test_06_references_are_taken_in_their_full_lower_case_form_only(api: Described) -> None:
    refs = [
        "component:default/svc-one", "Component:default/Svc-One", "component:svc-one",
        "component:default/nothing",
    ]  # fmt: skip
    items = api.post("/entities/by-refs", {"entityRefs": refs}).json()["items"]
    assert items[0]["metadata"]["name"] == "Svc-One"
    assert items[1:] == [None, None, None]


def test_07_an_entity_is_found_by_its_name_in_any_case(api: Described) -> None:
    for path in (
        "component/default/svc-one",
        "Component/default/Svc-One",
        "COMPONENT/DEFAULT/SVC-ONE",
    ):
        assert api.all(f"/entities/by-name/{path}")["metadata"]["name"] == "Svc-One"
    answer = api.get("/entities/by-name/component/default/nothing?")
    error_of(answer, 404, "NotFoundError")
    assert answer.json()["request"] == {
        "method": "GET", "url": "/entities/by-name/component/default/nothing",
    }  # fmt: skip


def test_08_facets_keep_the_case_and_join_what_differs_by_it_alone(api: Described) -> None:
    asked = "/entity-facets?facet=kind&facet=spec.type&facet=relations.ownedBy&facet=metadata.name"
    found = api.all(f"{asked}&facet=nothing&filter=kind=component")["facets"]
    assert found["kind"] == [{"value": "Component", "count": 3}]
    types = {item["value"].lower(): item["count"] for item in found["spec.type"]}
    assert types == {"service": 2, "website": 1}
    assert {item["value"]: item["count"] for item in found["relations.ownedBy"]} == {
        "group:default/team-a": 1, "group:default/team-b": 1, "user:default/ada": 1,
    }  # fmt: skip
    assert {"value": "Svc-One", "count": 1} in found["metadata.name"]
    assert found["nothing"] == []
    posted = api.post("/entity-facets", {"facets": ["kind"], "query": {"kind": "component"}})
    assert posted.json() == {"facets": {"kind": found["kind"]}}


def test_09_locations_are_registered_once_and_tried_first(api: Described, files: Files) -> None:
    files.contents["/golden/catalog-info.yaml"] = BAD_AMONG_GOOD.partition("---")[0]
    target = f"{files.address}/golden/catalog-info.yaml"
    location = {"type": "url", "target": target}
    tried = api.post("/locations?dryRun=true", location)
    assert tried.status_code == 201, tried.text
    assert tried.json()["exists"] is False
    assert "sibling" in [item["metadata"]["name"] for item in tried.json()["entities"]]
    assert api.all("/locations") == []
    made = api.post("/locations", location)
    assert made.status_code == 201
    assert made.json()["location"]["target"] == target
    error_of(api.post("/locations", location), 409, "ConflictError")
    assert api.post("/locations?onConflict=refresh", location).status_code == 201
    error_of(api.post("/locations", {"type": "file", "target": "/x"}), 400, "InputError")
    unreadable = {"type": "url", "target": f"{files.address}/nothing.yaml"}
    told = error_of(api.post("/locations?dryRun=true", unreadable), 400, "InputError")
    assert "404" in told["message"]
    assert api.ask("DELETE", f"/locations/{made.json()['location']['id']}").status_code == 204


def test_10_what_is_gone_is_deleted_twice_and_a_location_once(api: Described, files: Files) -> None:
    assert api.ask("DELETE", "/entities/by-uid/nonsense").status_code == 204
    location = {"type": "url", "target": f"{files.address}/golden/one.yaml"}
    made = api.post("/locations", location).json()["location"]
    moved = {"type": "url", "target": f"{files.address}/golden/two.yaml"}
    changed = api.ask("PUT", f"/locations/{made['id']}", json=moved)
    assert changed.status_code == 200, changed.text
    assert changed.json()["target"] == moved["target"]
    assert changed.json()["entityRef"] == made["entityRef"]
    assert api.ask("DELETE", f"/locations/{made['id']}").status_code == 204
    error_of(api.ask("DELETE", f"/locations/{made['id']}"), 404, "NotFoundError")


def test_11_entities_are_validated_before_they_are_handed_in(api: Described) -> None:
    def errors(location: str = "url:https://example.com/catalog-info.yaml", **changed: Any) -> Any:
        good = {
            "apiVersion": "backstage.io/v1alpha1", "kind": "Component",
            "metadata": {"name": "good"},
            "spec": {"type": "service", "lifecycle": "production", "owner": "team-a"},
        }  # fmt: skip
        entity = {key: value for key, value in {**good, **changed}.items() if value is not None}
        answer = api.post("/validate-entity", {"entity": entity, "location": location})
        if answer.status_code == 200:
            assert answer.content == b""
            return []
        assert answer.status_code == 400, answer.text
        assert answer.json().keys() == {"errors"}
        assert all(item["name"] and item["message"] for item in answer.json()["errors"])
        return answer.json()["errors"]

    assert errors() == []
    (bad_name,) = errors(metadata={"name": "not a name"})
    assert bad_name["cause"]["name"]
    assert "metadata.name" in bad_name["cause"]["message"]
    (missing,) = errors(spec={"type": "service", "owner": "team-a"})
    assert "missingProperty: lifecycle" in missing["message"]
    assert "no kind" in errors(kind="Nothing")[0]["message"]
    assert "apiVersion" in errors(apiVersion=None)[0]["message"]
    assert errors(location="https://example.com/catalog-info.yaml")
    assert errors(location="file:/catalog-info.yaml")


def test_12_refreshing_and_what_is_wrong_with_requests(given: ApiPortal, api: Described) -> None:
    answer = api.post("/refresh", {"entityRef": "component:default/svc-one"})
    assert (answer.status_code, answer.content) == (200, b"")
    for ref in ("component:default/nothing", "svc-one", "component:svc-one", "", "::"):
        error_of(api.post("/refresh", {"entityRef": ref}), 404, "NotFoundError")
    strict = {"entityRef": "component:default/svc-one", "more": 1}
    error_of(api.post("/refresh", strict), 400, "InputError")
    malformed = {"content": b'{"entityRefs": [', "headers": {"content-type": "application/json"}}
    error_of(api.ask("POST", "/entities/by-refs", **malformed), 400, "InputError")
    bad = {"authorization": "Bearer cbd_nothing"}
    told = error_of(api.get("/entities", headers=bad), 401, "AuthenticationError")
    assert told["cause"]["name"]
    assert told["cause"]["message"]


def test_13_one_bad_document_spoils_nothing_and_is_told_with_its_line(
    given: ApiPortal, api: Described
) -> None:
    with pytest.raises(ValueError, match="line 9"):
        given.portal.catalog_add(BAD_AMONG_GOOD)
    assert api.get("/entities/by-name/component/other/sibling").status_code == 200
    error_of(api.get("/entities/by-name/component/other/bad-tag"), 404, "NotFoundError")
    problems = given.client().get("/api/catalog/problems?kind=rejected").json()["items"]
    (rejected,) = [item for item in problems if item["ref"] == "component:other/bad-tag"]
    assert rejected["path"].endswith(".yaml")
    assert rejected["line"] == 9


def test_14_names_keep_their_case_and_references_have_none(api: Described) -> None:
    found = api.all("/entities/by-name/component/default/svc-one")
    assert found["metadata"]["name"] == "Svc-One"
    reverse = api.all("/entities/by-name/component/default/svc-two")["relations"]
    assert {"type": "dependencyOf", "targetRef": "component:default/svc-one"} in reverse
    assert all(item["targetRef"] == item["targetRef"].lower() for item in reverse)
