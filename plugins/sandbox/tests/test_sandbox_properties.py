"""What holds for any history of the store, and for any patch."""

import json
import tempfile
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from callboard_sandbox.api.apply import leaves
from callboard_sandbox.api.failures import ApiError
from callboard_sandbox.api.kinds import Kinds
from callboard_sandbox.api.patches import merged, patched
from callboard_sandbox.api.selectors import selector
from callboard_sandbox.api.stamps import nanoseconds_of_stamp, stamp_of_nanoseconds
from callboard_sandbox.api.store import Store

Json = dict[str, Any]

NAMES = st.sampled_from(["a", "b", "c"])
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.text("ab/~", max_size=3),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text("ab/~", max_size=2), inner, max_size=3)
    ),
    max_leaves=8,
)
OBJECTS = st.dictionaries(st.text("ab/~", max_size=2), VALUES, max_size=4)


def contents(store: Store, version: int | None = None) -> dict[str, str]:
    found = store.scan("configmaps", "default", version=version)
    return {body["metadata"]["name"]: body["metadata"]["resourceVersion"] for body in found}


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(["put", "delete"]), NAMES), max_size=25), st.data())
def test_every_version_that_is_kept_can_be_read_and_gone_on_from(
    acts: list[tuple[str, str]], data: st.DataObject
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        store = Store(Path(folder), clock=lambda: datetime(2026, 1, 1, tzinfo=UTC))
        states = {store.version: contents(store)}
        for number, (act, name) in enumerate(acts):
            _do(store, act, name, number)
            states[store.version] = contents(store)
        compacted = data.draw(st.integers(0, store.version))
        store.compact(compacted)
        for version, state in states.items():
            if version < compacted:
                with pytest.raises(ApiError):
                    store.changes(version)
                continue
            assert contents(store, version) == state
            for change in store.changes(version, resources=["configmaps"]):
                metadata = change.object["metadata"]
                if change.type == "DELETED":
                    del state[metadata["name"]]
                else:
                    state[metadata["name"]] = metadata["resourceVersion"]
            assert state == contents(store)
        store.close()


def _do(store: Store, act: str, name: str, number: int) -> None:
    def change(body: Json) -> None:
        body["data"] = {"n": str(number)}

    there = store.find("configmaps", "default", name) is not None
    if act == "delete" and there:
        store.delete("configmaps", "default", name)
    elif there:
        store.update("configmaps", "default", name, change)
    elif act == "put":
        store.create("configmaps", {"metadata": {"name": name}, "data": {"n": str(number)}})


def difference(before: Json, after: Json) -> Json:
    """Give the merge patch that leads from one object to the other."""
    patch: Json = {key: None for key in before if key not in after}
    for key, value in after.items():
        if isinstance(value, dict) and isinstance(before.get(key), dict):
            patch[key] = difference(before[key], value)
        else:
            patch[key] = value
    return patch


def without_nulls(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: without_nulls(each) for key, each in value.items() if each is not None}
    return value


@given(OBJECTS, OBJECTS)
def test_a_merge_patch_leads_where_it_should(before: Json, after: Json) -> None:
    wanted = without_nulls(after)
    assert merged(before, difference(before, wanted)) == wanted


@given(OBJECTS, OBJECTS)
def test_a_json_patch_leads_where_it_should_and_changes_nothing_itself(
    before: Json, after: Json
) -> None:
    kept = json.dumps(before)

    def pointer(key: str) -> str:
        return "/" + key.replace("~", "~0").replace("/", "~1")

    patch = [{"op": "remove", "path": pointer(key)} for key in before if key not in after]
    patch += [{"op": "add", "path": pointer(key), "value": after[key]} for key in after]
    patch += [{"op": "test", "path": pointer(key), "value": after[key]} for key in after]
    assert patched(before, patch) == after
    assert json.dumps(before) == kept


@given(OBJECTS)
def test_the_managed_fields_of_an_object_are_its_leaves(body: Json) -> None:
    found = set(leaves(body))
    assert all(not (a != b and b[: len(a)] == a) for a in found for b in found)
    assert bool(found) == bool(body)


@given(st.integers(0, 4_000_000_000_000_000_000))
def test_the_times_of_logs_are_read_as_they_are_written(at: int) -> None:
    assert nanoseconds_of_stamp(stamp_of_nanoseconds(at)) == at


@given(st.text("ab=!,() in", max_size=12))
def test_any_text_is_a_selector_or_is_refused(text: str) -> None:
    with suppress(ApiError):
        test = selector(Kinds().get("pods"), text, "")
        assert test is None or test({"metadata": {"labels": {"a": "b"}}}) in (True, False)


@pytest.mark.parametrize(
    ("text", "selected"),
    [
        ("app=x", True),
        ("app==x", True),
        ("app!=x", False),
        ("other!=x", True),
        ("app in (x, y)", True),
        ("app notin (x,y)", False),
        ("app", True),
        ("!app", False),
        ("app,!other", True),
        ("app=x,tier=y", False),
    ],
)
def test_selectors_select(text: str, selected: bool) -> None:
    test = selector(Kinds().get("pods"), text, "")
    assert test is not None
    assert test({"metadata": {"labels": {"app": "x"}}}) is selected
