"""Which parts of a document differ from those of another."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

MOST_PATHS: Final = 100
LONGEST_PATH: Final = 200
DEEPEST: Final = 5
MADE_HERE: Final = frozenset({"metadata.etag", "metadata.uid"})
"""Set by the catalog itself: that they differ says nothing of what a person changed."""


def changed_paths(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    """Give the dotted paths of what differs, sorted, at most `MOST_PATHS`; lists count as one."""
    found = sorted(_paths(before, after, "", 0))
    return found[:MOST_PATHS]


def alike(one: Any, other: Any) -> bool:
    """Say whether two values are the same JSON: to Python, `true` is `1` as well."""
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        return one.keys() == other.keys() and all(alike(one[key], other[key]) for key in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(alike, one, other))
    return type(one) is type(other) and bool(one == other)


def _paths(before: Any, after: Any, path: str, depth: int) -> Iterator[str]:
    if path in MADE_HERE or alike(before, after):
        return
    if depth < DEEPEST and isinstance(before, Mapping) and isinstance(after, Mapping):
        for key in before.keys() | after.keys():
            below = f"{path}.{key}" if path else str(key)
            yield from _paths(before.get(key), after.get(key), below, depth + 1)
        return
    yield path[:LONGEST_PATH]
