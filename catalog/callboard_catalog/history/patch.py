"""What changes one document into another, as a JSON Patch (RFC 6902).

Lists are compared from both ends, so that an item that came or went is one operation. Nothing is
moved or copied: `add`, `remove` and `replace` say all of it.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from callboard_catalog.history.differences import alike

Operation = Mapping[str, Any]


def json_patch(before: Any, after: Any) -> list[Operation]:
    """Give the operations, in the order in which they are to be done."""
    return list(_value(before, after, ""))


def _value(before: Any, after: Any, path: str) -> Iterator[Operation]:
    if alike(before, after):
        return
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        yield from _object(before, after, path)
    elif isinstance(before, list) and isinstance(after, list):
        yield from _list(before, after, path)
    else:
        yield {"op": "replace", "path": path, "value": after}


def _object(before: Mapping[str, Any], after: Mapping[str, Any], path: str) -> Iterator[Operation]:
    for key in sorted(before.keys() | after.keys()):
        place = f"{path}/{key.replace('~', '~0').replace('/', '~1')}"
        if key not in after:
            yield {"op": "remove", "path": place}
        elif key not in before:
            yield {"op": "add", "path": place, "value": after[key]}
        else:
            yield from _value(before[key], after[key], place)


def _list(before: Sequence[Any], after: Sequence[Any], path: str) -> Iterator[Operation]:
    head = _common(before, after)
    tail = _common(before[head:][::-1], after[head:][::-1])
    old, new = before[head : len(before) - tail], after[head : len(after) - tail]
    shared = min(len(old), len(new))
    for index in range(shared):
        yield from _value(old[index], new[index], f"{path}/{head + index}")
    for index in range(len(old) - 1, shared - 1, -1):
        yield {"op": "remove", "path": f"{path}/{head + index}"}
    for index in range(shared, len(new)):
        yield {"op": "add", "path": f"{path}/{head + index}", "value": new[index]}


def _common(left: Sequence[Any], right: Sequence[Any]) -> int:
    for index, (one, other) in enumerate(zip(left, right, strict=False)):
        if not alike(one, other):
            return index
    return min(len(left), len(right))
