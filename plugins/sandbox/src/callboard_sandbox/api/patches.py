"""Patches: merge (RFC 7386), JSON (RFC 6902), and strategic merge as far as names go."""

from collections.abc import Mapping, Sequence
from typing import Any

from callboard_sandbox.api.failures import ApiError


def merged(target: Any, patch: Any) -> Any:
    """Apply a merge patch; null takes a field away."""
    if not isinstance(patch, Mapping):
        return patch
    result = dict(target) if isinstance(target, Mapping) else {}
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        else:
            result[key] = merged(result.get(key), value)
    return result


def merged_by_name(target: Any, patch: Any) -> Any:
    """Apply a strategic merge patch: lists of named objects are merged by their names.

    Which key a list is merged by is said by each kind's schema; `name` is that of containers,
    variables and volumes. Other lists are replaced.
    """
    if isinstance(patch, Mapping):
        result = dict(target) if isinstance(target, Mapping) else {}
        for key, value in patch.items():
            if value is None:
                result.pop(key, None)
            else:
                result[key] = merged_by_name(result.get(key), value)
        return result
    if isinstance(patch, list) and isinstance(target, list) and _are_named([*patch, *target]):
        found = {item["name"]: item for item in target}
        for item in patch:
            if item.get("$patch") == "delete":
                found.pop(item["name"], None)
            else:
                found[item["name"]] = merged_by_name(found.get(item["name"]), item)
        return list(found.values())
    return patch


def _are_named(items: Sequence[Any]) -> bool:
    return bool(items) and all(isinstance(item, Mapping) and "name" in item for item in items)


def patched(target: Any, operations: Any) -> Any:
    """Apply a JSON patch. Raises `ApiError` 422 where an operation fails, 400 where it is none."""
    if not isinstance(operations, list):
        raise ApiError(400, "error decoding patch: json: cannot unmarshal object into Go value")
    for operation in operations:
        try:
            target = _applied(target, operation)
        except (KeyError, IndexError, ValueError, TypeError, AttributeError) as error:
            raise ApiError(
                422, "the server rejected our request due to an error in our request", details={}
            ) from error
    return target


def _applied(target: Any, operation: Mapping[str, Any]) -> Any:
    path = _pointer(operation["path"])
    match operation["op"]:
        case "add":
            return _added(target, path, operation["value"])
        case "remove":
            return _removed(target, path)
        case "replace":
            _at(target, path)
            return _added(_removed(target, path), path, operation["value"])
        case "move":
            moved = _at(target, _pointer(operation["from"]))
            return _added(_removed(target, _pointer(operation["from"])), path, moved)
        case "copy":
            return _added(target, path, _at(target, _pointer(operation["from"])))
        case "test":
            if _at(target, path) != operation["value"]:
                raise ValueError(operation["path"])
            return target
        case other:
            raise ValueError(other)


def _pointer(text: str) -> list[str]:
    """Read a JSON pointer (RFC 6901)."""
    if text and not text.startswith("/"):
        raise ValueError(text)
    return [part.replace("~1", "/").replace("~0", "~") for part in text.split("/")[1:]]


def _index(items: list[Any], part: str, *, end: bool = False) -> int:
    if part == "-" and end:
        return len(items)
    if not part.isdigit() or int(part) > len(items) - (not end):
        raise IndexError(part)
    return int(part)


def _at(target: Any, path: Sequence[str]) -> Any:
    for part in path:
        target = target[_index(target, part)] if isinstance(target, list) else target[part]
    return target


def _added(target: Any, path: Sequence[str], value: Any) -> Any:
    if not path:
        return value
    first, rest = path[0], path[1:]
    if isinstance(target, list):
        index = _index(target, first, end=not rest)
        if rest:
            return [*target[:index], _added(target[index], rest, value), *target[index + 1 :]]
        return [*target[:index], value, *target[index:]]
    if rest:
        return {**target, first: _added(target[first], rest, value)}
    return {**target, first: value}


def _removed(target: Any, path: Sequence[str]) -> Any:
    if not path:
        return None
    first, rest = path[0], path[1:]
    if isinstance(target, list):
        index = _index(target, first)
        inner = [_removed(target[index], rest)] if rest else []
        return [*target[:index], *inner, *target[index + 1 :]]
    if rest:
        return {**target, first: _removed(target[first], rest)}
    if first not in target:
        raise KeyError(first)
    return {key: value for key, value in target.items() if key != first}
