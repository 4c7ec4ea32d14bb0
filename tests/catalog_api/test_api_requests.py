"""What is wrong with a request is said in one shape, in bounded time, whatever was sent."""

import time
from typing import Any

import pytest
from api_portal import DATABASES, ApiPortal, Described, open_portal
from hypothesis import given as sent
from hypothesis import settings
from hypothesis import strategies as st

given = pytest.fixture(open_portal, scope="module", params=DATABASES, name="given")
BY_QUERY = "/entities/by-query"


@pytest.fixture(scope="module")
def api(given: ApiPortal) -> Described:
    return given.api


def message(answer: Any, status: int = 400, name: str = "InputError") -> str:
    assert answer.status_code == status, answer.text
    error = answer.json()["error"]
    assert error["name"] == name
    return str(error["message"])


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("/entities?nothing=1", "Unknown query parameter 'nothing'"),
        ("/entities/by-name/component/default/svc-one?x=1", "Unknown query parameter 'x'"),
        ("/entities?limit=", "Empty value found for query parameter 'limit'"),
        ("/entities?filter=", "Empty value found for query parameter 'filter'"),
        (f"{BY_QUERY}?cursor=", "Empty value found for query parameter 'cursor'"),
        ("/entities?limit=2&limit=3", "request/query/limit must be integer"),
        ("/entities?offset=-1", "request/query/offset must be >= 0"),
        (f"/entities?offset={10**17}", "request/query/offset must be <= 9007199254740991"),
        (f"/entities?limit={10**30}", "request/query/limit must be integer"),
        (f"{BY_QUERY}?totalItems=some", "request/query/totalItems must be equal to one of"),
        (f"{BY_QUERY}?orderField=metadata.name,up", "Invalid order"),
        (f"{BY_QUERY}?orderField=,asc", "Invalid order"),
        ("/entities?order=metadata.name", "Invalid order parameter"),
        ("/entities?order=asc:", "Invalid order"),
        ("/entities?fields=metadata.tags[0]", "array type fields are not supported"),
        ("/entity-facets", "request/query must have required property 'facet'"),
        ("/entities?filter=%ff", "The query of the address is not UTF-8"),
        ("/entities?" + "&".join(["filter=kind"] * 1001), "over 1000 query parameters"),
        ("/entity-facets?" + "&".join(["facet=kind"] * 101), "At most 100 facets"),
        ("/entities?filter=" + ",".join(["kind=x"] * 1001), "conditions"),
    ],
)
def test_what_is_not_declared_is_refused_in_words(api: Described, path: str, said: str) -> None:
    assert said in message(api.get(path))


@pytest.mark.parametrize(
    ("path", "body", "said"),
    [
        ("/entities/by-refs", {}, "request/body must have required property 'entityRefs'"),
        ("/entities/by-refs", {"entityRefs": "x"}, "request/body/entityRefs must be array"),
        ("/entities/by-refs", {"entityRefs": ["x", 1]}, "request/body/entityRefs/1 must be string"),
        ("/entities/by-refs", {"entityRefs": ["x"] * 10_001}, "NOT have more than 10000 items"),
        (BY_QUERY, {"limit": -1}, "request/body/limit must be >= 0"),
        (BY_QUERY, {"limit": True}, "request/body/limit must be integer"),
        (
            BY_QUERY,
            {"orderBy": [{"order": "asc"}]},
            "orderBy/0 must have required property 'field'",
        ),
        (
            BY_QUERY,
            {"orderBy": [{"field": "a", "order": "up"}]},
            "orderBy/0/order must be equal to",
        ),
        (BY_QUERY, {"query": {"$nothing": 1}}, "Invalid query"),
        (BY_QUERY, {"query": []}, "request/body/query must be object"),
        (BY_QUERY, [], "request/body must be object"),
        ("/entity-facets", {"facets": []}, "must NOT have fewer than 1 items"),
        ("/refresh", {"entityRef": "a", "b": 1}, "must NOT have additional properties"),
        ("/validate-entity", {"entity": {}}, "must have required property 'location'"),
    ],
)
def test_bodies_follow_their_schemas(api: Described, path: str, body: Any, said: str) -> None:
    assert said in message(api.post(path, body))


def test_other_keys_of_a_body_are_passed_over(api: Described) -> None:
    answer = api.post(BY_QUERY, {"limit": 1.0, "nothing": {"known": 1}})
    assert len(answer.json()["items"]) == 1
    assert len(api.ask("POST", BY_QUERY).json()["items"]) == 8


@pytest.mark.parametrize(
    "content",
    [b"{", b"\xff", b'{"a": "\xc3"}', b"nothing", b'{"a":1}{"b":2}', b"[" * 100_000, b"NaN",
     b'{"query":' * 2000 + b"1" + b"}" * 2000, b'{"limit": 1e999}'],
)  # fmt: skip
def test_what_is_no_json_is_refused(api: Described, content: bytes) -> None:
    headers = {"content-type": "application/json"}
    assert "no JSON" in message(api.ask("POST", BY_QUERY, content=content, headers=headers))


def test_bodies_of_other_kinds_and_sizes_are_refused(api: Described) -> None:
    form = api.ask("POST", BY_QUERY, data={"limit": "1"})
    assert message(form, 415, "UnsupportedMediaTypeError").startswith("unsupported media type")
    large = api.ask("POST", BY_QUERY, content=b" " * (5 * 1024 * 1024 + 1))
    assert message(large, 413, "ContentTooLargeError")
    typed = {"content-type": "application/vnd.example+json; charset=utf-8"}
    assert api.ask("POST", BY_QUERY, content=b"{}", headers=typed).status_code == 200


def test_a_megabyte_for_a_reference_is_nothing_found(api: Described) -> None:
    huge = "component:default/" + "x" * 1024 * 1024
    assert api.post("/entities/by-refs", {"entityRefs": [huge]}).json() == {"items": [None]}
    assert len(message(api.post("/refresh", {"entityRef": huge}), 404, "NotFoundError")) < 1000
    long = "x" * 20_000
    path = f"/entities/by-name/component/default/{long}"
    assert len(message(api.get(path), 404, "NotFoundError")) < 1000


def nested(operator: str, depth: int) -> dict[str, Any]:
    query: dict[str, Any] = {"kind": "component"}
    for _ in range(depth):
        query = {operator: query if operator == "$not" else [query]}
    return query


@pytest.mark.parametrize("operator", ["$any", "$all", "$not"])
def test_deep_and_wide_predicates_are_bounded(api: Described, operator: str) -> None:
    shallow = api.post(BY_QUERY, {"query": nested(operator, 10)})
    assert shallow.status_code == 200
    assert "nested" in message(api.post(BY_QUERY, {"query": nested(operator, 300)}))
    wide = {"query": {"$any": [{"kind": str(number)} for number in range(100_000)]}}
    began = time.process_time()
    assert "Invalid query" in message(api.post(BY_QUERY, wide))
    assert time.process_time() - began < 20


def test_a_huge_limit_is_bounded_and_no_mistake(api: Described) -> None:
    assert len(api.names("/entities?limit=9007199254740991")) == 8
    assert len(api.names(f"{BY_QUERY}?limit=9007199254740991")) == 8
    assert api.names(f"{BY_QUERY}?offset=9007199254740991") == []


@pytest.mark.parametrize("path", ["/", "/nothing", "/entities/by-name/component"])
def test_an_unknown_address_is_404_without_a_word(api: Described, path: str) -> None:
    answer = api.get(path)
    assert (answer.status_code, answer.content) == (404, b"")


def test_other_methods_are_told_which_there_are(api: Described) -> None:
    answer = api.ask("PATCH", BY_QUERY)
    message(answer, 405, "MethodNotAllowedError")
    assert answer.headers["allow"] == "GET, HEAD, POST"


def test_nothing_reaches_sql_unescaped(api: Described) -> None:
    everything = api.names("/entities")
    for evil in ("'", '"', "';--", "%", "_", "\\", "x' OR '1'='1", "\0", "💥", "kind\0"):
        for query in (
            {"filter": f"metadata.name={evil}"}, {"filter": f"{evil}=x"}, {"filter": evil},
            {"orderField": f"{evil},asc"}, {"fields": evil},
            {"fullTextFilterTerm": evil, "fullTextFilterFields": "metadata.name"},
            {"fullTextFilterTerm": "svc", "fullTextFilterFields": evil},
        ):  # fmt: skip
            answer = api.get(BY_QUERY, params=query)
            assert answer.status_code in (200, 400), (query, answer.text)
            if "filter" in query and answer.status_code == 200:
                assert answer.json()["items"] == [], query
        assert api.get("/entity-facets", params={"facet": evil}).status_code == 200
        path = f"/entities/by-uid/{evil}".replace("\0", "%00").replace("%", "%25", evil == "%")
        assert api.get(path).status_code == 404
        refs = {"entityRefs": [evil, f"component:default/{evil}"]}
        assert api.post("/entities/by-refs", refs).json() == {"items": [None, None]}
        predicate: Any = {
            "$any": [{evil.strip() or "x": "x"}, {"kind": evil}, {"kind": {"$hasPrefix": evil}}]
        }
        assert api.post(BY_QUERY, {"query": predicate}).status_code in (200, 400)
    assert api.names("/entities") == everything


@settings(max_examples=60, deadline=None)
@sent(
    json=st.recursive(
        st.none()
        | st.booleans()
        | st.integers()
        | st.floats(allow_nan=False, allow_infinity=False)
        | st.text(),
        lambda inner: st.lists(inner, max_size=4)
        | st.dictionaries(
            st.text() | st.sampled_from(["$all", "$any", "$not", "$in", "kind", "query"]), inner,
            max_size=4,
        ),
    )
)  # fmt: skip
def test_any_predicate_is_taken_or_refused(api: Described, json: Any) -> None:
    for body in ({"query": json}, json):
        answer = api.post(BY_QUERY, body)
        assert answer.status_code in (200, 400), (body, answer.text)
