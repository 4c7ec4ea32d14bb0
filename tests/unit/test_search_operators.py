"""The language of search: what people type, taken apart."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callboard_catalog.search import OPERATORS, Filter, Query, parse
from callboard_catalog.search.operators import LONGEST_VALUE, MOST_FILTERS, MOST_VALUES


@pytest.mark.parametrize(
    ("text", "filters", "words"),
    [
        ("", "", ""),
        ("order service", "", "order service"),
        ("owner:trade-core", "owner:trade-core", ""),
        ("OWNER:Trade-Core pay", "owner:Trade-Core", "pay"),
        ("pay -owner:a", "-owner:a", "pay"),
        ('owner:"Trade Core",b x', 'owner:"Trade Core",b', "x"),
        ('owner:"Trade Core', 'owner:"Trade Core"', ""),
        ("owner：张三，李四 支付", "owner:张三,李四", "支付"),
        ("owner:“交易 核心”", 'owner:"交易 核心"', ""),
        ("owner:a owner:b", "owner:a,b", ""),
        ("tag:a tag:b tag:a", "tag:a tag:b", ""),
        ("-tag:a -tag:b", "-tag:a,b", ""),
        ("is:mine is:deprecated", "is:mine is:deprecated", ""),
        ("kind:api,,api,", "kind:api", ""),
        ("owner: x", "", "x"),
        ("owner:,", "", ""),
        ('"order service" x', "", "order service x"),
        ("in:docs how-to", "in:docs", "how-to"),
        ("my-owner:x", "", "my-owner:x"),
        ("https://x.example/a component:default/x 12:30", "", None),
        ("-x - -", "", "-x - -"),
        ("a\0b owner:a\0b", "owner:ab", "ab"),
    ],
)
def test_queries(text: str, filters: str, words: str | None) -> None:
    query = parse(text)
    assert " ".join(map(str, query.filters)) == filters
    assert query.words == (text if words is None else words)


def test_phrases_and_names_that_are_no_operators() -> None:
    query = parse('"order  service" owners:x foo:bar http://a component:b "" "')
    assert query.phrases == ("order service",)
    assert query.unknown == ("owners", "foo", "component")
    assert not parse(' "" owner:')
    assert parse("tag:a owner:b x").without("tag") == parse("owner:b x")


def test_bounds() -> None:
    many = parse(" ".join(f"tag:t{at}" for at in range(100)))
    assert len(many.filters) == MOST_FILTERS
    [one] = parse("owner:" + ",".join(f"o{at}" for at in range(100))).filters
    assert len(one.values) == MOST_VALUES
    [long] = parse("owner:" + "x" * 5000).filters
    assert len(long.values[0]) == LONGEST_VALUE


PIECES = [*"\":,-：，“” \t\n\0\ud800\u202e%_\\/'", "a", "é", "支", "owner", "tag:", "is:"]
HOSTILE = st.lists(st.sampled_from(PIECES), max_size=40).map("".join)


@given(st.one_of(st.text(max_size=80), HOSTILE))
def test_any_text_is_a_query_that_is_written_and_read_alike(text: str) -> None:
    query = parse(text)
    assert parse(str(query)) == query
    assert "\0" not in str(query)
    str(query).encode()
    for item in query.filters:
        assert item.operator in OPERATORS
        assert item.values
        assert all(value.strip() == value != "" and '"' not in value for value in item.values)


VALUES = st.text(st.characters(exclude_characters='"“”\0', codec="utf-8"), min_size=1, max_size=20)
FILTERS = st.builds(
    Filter,
    st.sampled_from(OPERATORS),
    st.lists(VALUES.map(lambda text: " ".join(text.split())).filter(bool), min_size=1, max_size=3)
    .map(lambda values: tuple(dict.fromkeys(values))),
    st.booleans(),
)  # fmt: skip


@given(FILTERS)
def test_a_filter_is_read_as_it_is_written(item: Filter) -> None:
    assert parse(str(item)) == Query(filters=(item,))
