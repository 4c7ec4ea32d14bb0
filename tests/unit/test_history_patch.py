"""A JSON Patch (RFC 6902) turns one document into the other."""

import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callboard_catalog.history.patch import json_patch

keys = st.sampled_from(["a", "b", "a/b", "~", "~1", ""])
values = st.recursive(
    st.none() | st.sampled_from(["x", "", "1"]) | st.integers(0, 2),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(keys, inner, max_size=4),
    max_leaves=12,
)


def applied(document: Any, operations: Any) -> Any:
    """Apply operations as section 4 of the RFC says, with pointers as RFC 6901 says."""
    root = {"root": copy.deepcopy(document)}
    for operation in operations:
        parts = [
            part.replace("~1", "/").replace("~0", "~") for part in operation["path"].split("/")[1:]
        ]
        target: Any = root
        for part in ["root", *parts][:-1]:
            target = target[int(part)] if isinstance(target, list) else target[part]
        last: Any = ["root", *parts][-1]
        if isinstance(target, list):
            last = int(last)
            assert last <= len(target)
        if operation["op"] == "add":
            if isinstance(target, list):
                target.insert(last, operation["value"])
            else:
                target[last] = operation["value"]
        elif operation["op"] == "remove":
            del target[last]
        else:
            assert operation["op"] == "replace"
            target[last]  # It must be there.
            target[last] = operation["value"]
    return root["root"]


@given(values, values)
def test_a_patch_turns_one_document_into_the_other(before: Any, after: Any) -> None:
    assert applied(before, json_patch(before, after)) == after


@given(values)
def test_nothing_changes_what_is_alike(document: Any) -> None:
    assert json_patch(document, copy.deepcopy(document)) == []


@pytest.mark.parametrize(
    ("before", "after", "wanted"),
    [
        (["a", "b", "c"], ["a", "c"], [{"op": "remove", "path": "/1"}]),
        (["a", "c"], ["a", "b", "c"], [{"op": "add", "path": "/1", "value": "b"}]),
        ({"a/b": 1}, {"a/b": 2}, [{"op": "replace", "path": "/a~1b", "value": 2}]),
        ({"a": True}, {"a": 1}, [{"op": "replace", "path": "/a", "value": 1}]),
        ({"a": 1, "b": 2}, {"b": 2}, [{"op": "remove", "path": "/a"}]),
    ],
)
def test_the_smallest_change_is_told(before: Any, after: Any, wanted: Any) -> None:
    assert json_patch(before, after) == wanted
