"""How changes are told: in words, and line by line at a bounded cost."""

from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from callboard_catalog.history import changed_paths
from callboard_web.documents import json_lines, written_yaml, yaml_lines
from callboard_web.entities.grid import COLUMNS, Place, arrange
from callboard_web.entities.words import readable
from callboard_web.history.differences import SHOWN, difference
from callboard_web.history.words import MOST, sentences

lines = st.lists(st.sampled_from(["a", "b", "c: 1", "  d", ""]), max_size=30)


@given(lines, lines)
def test_a_difference_turns_one_text_into_the_other(old: list[str], new: list[str]) -> None:
    before, after = "\n".join(old), "\n".join(new)
    older, newer = before.splitlines(), after.splitlines()
    found = difference(before, after)
    for line in found.lines:
        if line.sign == "-":
            assert older[line.number - 1] == line.text
        elif line.sign in "+ ":
            assert newer[line.number - 1] == line.text
    removed = {line.number - 1 for line in found.lines if line.sign == "-"}
    added = {line.number - 1 for line in found.lines if line.sign == "+"}
    kept_old = [text for index, text in enumerate(older) if index not in removed]
    kept_new = [text for index, text in enumerate(newer) if index not in added]
    assert kept_old == kept_new
    assert (len(removed), len(added)) == (found.removed, found.added)


def test_huge_texts_are_compared_in_bounds() -> None:
    before = "\n".join(f"line {number % 7}" for number in range(60_000))
    after = "\n".join(f"line {number % 5}" for number in range(60_000))
    found = difference(before, after)
    assert found.cut
    assert len(found.lines) == SHOWN
    assert found.added > SHOWN


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ({"spec": {"owner": "a"}}, {"spec": {"owner": "group:default/b"}}, ["Owner from a to b"]),
        ({"spec": {"x": 1}}, {"spec": {"x": 1, "owner": "b"}}, ["Owner set to b"]),
        ({"spec": {"x": 1, "system": "s"}}, {"spec": {"x": 1}}, ["Taken out of the system s"]),
        (
            {"metadata": {"tags": ["a", "b"]}},
            {"metadata": {"tags": ["b", "c"]}},
            ["Tags added: c", "Tags removed: a"],
        ),
        (
            {"metadata": {"annotations": {"github.com/project-slug": "a/b"}}},
            {"metadata": {"annotations": {"github.com/project-slug": "a/c"}}},
            ["GitHub project from a/b to a/c"],
        ),
        (
            {"metadata": {"annotations": {"x.example/team-name": "a"}}},
            {"metadata": {}},
            ["Team name taken out"],
        ),
        (
            {"metadata": {"annotations": {"backstage.io/view-url": "a"}}},
            {"metadata": {"annotations": {"backstage.io/view-url": "b"}}},
            ["Read from another place, or by another address"],
        ),
        ({"spec": {"definition": "a"}}, {"spec": {"definition": "b"}}, ["Definition changed"]),
        ({"spec": {"odd": [1]}}, {"spec": {"odd": [2]}}, ["spec.odd changed"]),
        (
            {"spec": {"x": 1, "dependsOn": ["component:default/a"]}},
            {"spec": {"x": 1, "dependsOn": ["resource:b"]}},
            ["Now depends on b", "No longer depends on a"],
        ),
    ],
)
def test_changes_in_words(before: dict[str, Any], after: dict[str, Any], said: list[str]) -> None:
    found = sentences(before, after, changed_paths(before, after))
    assert [str(text) for text in found] == said


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3)
    ),
    max_leaves=8,
)
metadata = st.sampled_from(["title", "tags", "labels", "annotations"])
specs = st.sampled_from(["owner", "dependsOn", "definition", "x"])
documents = st.fixed_dictionaries(
    {"metadata": st.dictionaries(metadata, values), "spec": st.dictionaries(specs, values)}
)


@given(documents, documents)
def test_any_change_can_be_told(before: dict[str, Any], after: dict[str, Any]) -> None:
    paths = changed_paths(before, after)
    found = sentences(before, after, paths)
    assert len(found) <= MOST
    assert bool(found) == bool(paths)
    assert all(str(text) for text in found)


@given(
    st.dictionaries(
        st.sampled_from(["title", "description", "x"]),
        st.text(st.characters(exclude_categories=("Cs", "Cc")) | st.just("\n"), max_size=60),
    )
)
def test_lines_of_yaml_are_its_lines(metadata: dict[str, str]) -> None:
    text = written_yaml({"kind": "Component", "metadata": {"name": "a", **metadata}})
    assert yaml.safe_load(text)["metadata"] == {"name": "a", **metadata}
    found = [line.before + line.key + line.rest for line in yaml_lines(text)]
    assert found == text.splitlines()


def test_keys_are_told_from_text() -> None:
    text = "a: b\ntext: |\n  key: value\n  - x\nlist:\n- c: d\n  url: https://e\n- plain\n"
    keys = [line.key for line in yaml_lines(text) if line.key]
    assert keys == ["a", "text", "list", "c", "url"]
    found = [(line.key, line.rest) for line in json_lines('{\n  "a\\"b": "c: d",\n  "e"\n}')]
    assert found == [("", ""), ('"a\\"b"', ': "c: d",'), ("", ""), ("", "")]


@given(st.lists(st.sampled_from([3, 4, 5, 6, 7, 8, 12]), max_size=12))
def test_cards_fill_their_rows_in_order(widths: list[int]) -> None:
    places = arrange(widths)
    assert len(places) == len(widths)
    for sizes in ([place.wide for place in places], [place.medium for place in places]):
        row = 0
        for size in sizes:
            row += size
            assert row <= COLUMNS
            row %= COLUMNS
        assert row == 0
    assert all(place.wide >= width for place, width in zip(places, widths, strict=True))
    assert [Place.parse(place.key) for place in places] == places


@pytest.mark.parametrize("text", ["", "4", "4-5", "a-b", "13-6", "0-6", "-1-6", "4-6-6", "444-6"])
def test_places_that_were_never_given(text: str) -> None:
    assert Place.parse(text) is None


def test_keys_as_words() -> None:
    assert readable("yunhe.example.com/data-class") == "Data class"
    assert readable("a/") == "a/"
