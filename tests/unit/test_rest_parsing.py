"""Filters and predicates of the REST API, read by the rules of the Backstage catalog."""

from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from callboard.errors import InputError
from callboard_catalog.rest import predicates
from callboard_catalog.rest.expressions import All, Exists, Expression, In, Not, Prefix
from callboard_catalog.rest.expressions import Any as AnyOf
from callboard_catalog.rest.filters import MOST_CONDITIONS, parse_filters
from callboard_catalog.rest.predicates import parse_predicate

KIND = In("kind", ("component",))
FILTERS: list[tuple[list[str], Expression]] = [
    ([], All()),
    (["", " , "], All()),
    (["kind=component"], KIND),
    (["", "KIND = Component"], KIND),
    (["kind=component,kind=API"], In("kind", ("component", "api"))),
    (["kind=component,spec.type"], All((KIND, Exists("spec.type")))),
    (["kind,kind=component"], KIND),
    (["spec.type="], In("spec.type", ("",))),
    (["a=b=c, d"], All((In("a", ("b=c",)), Exists("d")))),
    (["kind=component,kind=component"], KIND),
    (["kind=component", "kind=component"], AnyOf((KIND,))),
    (["kind=component,a=b", "kind=user"],
     AnyOf((All((KIND, In("a", ("b",)))), In("kind", ("user",))))),
    (["metadata.annotations.backstage.io/orphan=true"],
     In("metadata.annotations.backstage.io/orphan", ("true",))),
]  # fmt: skip


@pytest.mark.parametrize(("texts", "expected"), FILTERS)
def test_filters(texts: list[str], expected: Expression) -> None:
    assert parse_filters(texts) == expected


@pytest.mark.parametrize("text", ["=x", " = x", "kind=component,=x", "="])
def test_a_filter_has_a_key(text: str) -> None:
    with pytest.raises(InputError, match="Invalid filter"):
        parse_filters([text])


def test_filters_are_not_endless() -> None:
    parse_filters(["a"] * MOST_CONDITIONS)
    with pytest.raises(InputError, match="Invalid filter"):
        parse_filters(["a"] * MOST_CONDITIONS + ["b"])


PREDICATES: list[tuple[Any, Expression]] = [
    ({}, All()),
    ({"kind": "Component"}, KIND),
    ({"kind": "Component", "a": {"$exists": True}}, All((KIND, Exists("a")))),
    ({" Spec.Type ": {"$exists": False}}, Not(Exists("spec.type"))),
    ({"a": 1, "b": True}, All((In("a", ("1",)), In("b", ("true",))))),
    ({"a": 1.0}, In("a", ("1",))),
    ({"a": {"$in": ["X", 2, False]}}, In("a", ("x", "2", "false"))),
    ({"a": {"$in": []}}, In("a", ())),
    ({"a": {"$hasPrefix": "Pre"}}, Prefix("a", "pre")),
    ({"metadata.tags": {"$contains": "Java"}}, In("metadata.tags", ("java",))),
    ({"$all": []}, All()),
    ({"$any": []}, AnyOf()),
    ({"$all": [{"kind": "component"}]}, KIND),
    ({"$any": [{"kind": "component"}, {}]}, AnyOf((KIND, All()))),
    ({"$not": {"kind": "component"}}, Not(KIND)),
    ({"relations": {"$contains": {"type": "ownedBy", "targetRef": "Group:default/X"}}},
     In("relations.ownedby", ("group:default/x",))),
    ({"relations": {"$contains": {"type": "ownedBy", "targetRef": {"$in": ["a", "B"]}}}},
     In("relations.ownedby", ("a", "b"))),
    ({"relations": {"$contains": {"type": "partOf"}}}, Exists("relations.partof")),
]  # fmt: skip


@pytest.mark.parametrize(("given_", "expected"), PREDICATES)
def test_predicates(given_: Any, expected: Expression) -> None:
    assert parse_predicate(given_) == expected


@pytest.mark.parametrize(
    "given_",
    [
        None, [], "kind", 1, {"$all": {}}, {"$any": "x"}, {"$not": []}, {"$or": []},
        {"$all": [], "kind": "x"}, {"kind": "x", "$not": {}}, {"$all": [1]}, {"a": None},
        {"a": ["x"]}, {"a": {}}, {"a": {"$in": ["x"], "$exists": True}}, {"a": {"b": "c"}},
        {"a": {"$exists": "true"}}, {"a": {"$in": "x"}}, {"a": {"$in": [None]}},
        {"a": {"$in": [["x"]]}}, {"a": {"$hasPrefix": 1}}, {"a": {"$contains": None}},
        {"a": {"$contains": {"type": "x", "targetRef": "y"}}}, {"a": {"$like": "x"}},
        {"relations": {"$contains": {"targetRef": "x"}}}, {"": "x"}, {"$exists": True},
        {"relations": {"$contains": {"type": "x", "targetRef": 1}}},
        {"relations": {"$contains": {"type": "x", "targetRef": "y", "more": "z"}}},
    ],
)  # fmt: skip
def test_what_is_no_predicate(given_: Any) -> None:
    with pytest.raises(InputError, match="Invalid query: "):
        parse_predicate(given_)


def test_predicates_are_bounded() -> None:
    deep: Any = {"a": "b"}
    for _ in range(predicates.DEEPEST):
        deep = {"$not": deep}
    parse_predicate(deep)
    wide = [{"a": str(number)} for number in range(predicates.MOST_CONDITIONS)]
    for given_ in (
        {"$not": deep},
        {"$any": wide},
        {"a": {"$in": list(range(predicates.MOST_VALUES + 1))}},
    ):
        with pytest.raises(InputError, match="Invalid query: "):
            parse_predicate(given_)
    # As deep as its reader lets a body be.
    body = orjson.loads(b'{"$any":[' * 500 + b'{"a":"b"}' + b"]}" * 500)
    with pytest.raises(InputError, match="Invalid query: "):
        parse_predicate(body)


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["$all", "$any", "$not", "$in", "$exists", "$hasPrefix", "$contains", "relations"]
            )
            | st.text(max_size=3),
            inner,
            max_size=3,
        )
    ),
)


@given(_JSON)
def test_any_json_is_a_predicate_or_refused(given_: Any) -> None:
    try:
        hash(parse_predicate(given_))
    except InputError as error:
        assert str(error.message).startswith("Invalid query: ")  # noqa: PT017


@given(st.lists(st.text(max_size=20), max_size=4))
def test_any_text_is_a_filter_or_refused(texts: list[str]) -> None:
    try:
        hash(parse_filters(texts))
    except InputError as error:
        assert str(error.message).startswith("Invalid filter")  # noqa: PT017
