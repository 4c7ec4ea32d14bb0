"""Who manages which fields, and server-side apply.

Objects are managed down to their leaves; lists are managed as a whole, as schemas that name no
key for them say (`x-kubernetes-list-type: atomic`).
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from callboard_sandbox.api.failures import ApiError

Json = dict[str, Any]
Path = tuple[str, ...]

# What the server itself keeps is nobody's.
_UNMANAGED: Final = frozenset(
    {
        ("apiVersion",),
        ("kind",),
        *(
            ("metadata", key)
            for key in (
                "creationTimestamp", "deletionTimestamp", "generateName", "generation",
                "managedFields", "name", "namespace", "resourceVersion", "uid",
            )
        ),
    }
)  # fmt: skip


def leaves(value: Any, path: Path = ()) -> Iterator[Path]:
    """Yield the paths of an object's fields that are managed one by one."""
    if path in _UNMANAGED:
        return
    if isinstance(value, Mapping) and (value or not path):
        for key, inner in value.items():
            yield from leaves(inner, (*path, key))
    elif path:
        yield path


def _tree(paths: Iterable[Path]) -> Json:
    root: Json = {}
    for path in sorted(paths):
        branch = root
        for part in path:
            branch = branch.setdefault(f"f:{part}", {})
    return root


def _paths(tree: Mapping[str, Any], path: Path = ()) -> Iterator[Path]:
    if not tree and path:
        yield path
    for key, inner in tree.items():
        if key.startswith("f:"):
            yield from _paths(inner, (*path, key[2:]))


def _value(body: Any, path: Path) -> Any:
    for part in path:
        if not isinstance(body, Mapping) or part not in body:
            return None
        body = body[part]
    return body


def touched(before: Json, after: Json, manager: str, *, at: str, subresource: str = "") -> None:
    """Note in `after` that a manager wrote, by an update, what differs from before."""
    was, is_ = set(leaves(before)), set(leaves(after))
    changed = {
        path for path in is_ if path not in was or _value(before, path) != _value(after, path)
    }
    if not changed and is_ == was:
        return
    entries = _without(before.get("metadata", {}).get("managedFields") or [], changed)
    own = next(
        (
            entry
            for entry in entries
            if (entry["manager"], entry["operation"]) == (manager, "Update")
            and entry.get("subresource", "") == subresource
        ),
        None,
    )
    fields = changed | (set(_paths(own["fieldsV1"])) if own else set())
    kept = [_cut(entry, is_) for entry in entries if entry is not own]
    if fields & is_:
        kept.append(_entry(manager, "Update", after, fields & is_, at, subresource))
    after["metadata"]["managedFields"] = [entry for entry in kept if entry["fieldsV1"]]


def _without(entries: Iterable[Json], paths: set[Path]) -> list[Json]:
    """Take fields from those who manage them."""
    return [
        {**entry, "fieldsV1": _tree(set(_paths(entry["fieldsV1"])) - paths)} for entry in entries
    ]


def _cut(entry: Json, paths: set[Path]) -> Json:
    return {**entry, "fieldsV1": _tree(set(_paths(entry["fieldsV1"])) & paths)}


def _entry(
    manager: str, operation: str, body: Json, paths: Iterable[Path], at: str, subresource: str = ""
) -> Json:
    entry: Json = {
        "manager": manager,
        "operation": operation,
        "apiVersion": body["apiVersion"],
        "time": at,
        "fieldsType": "FieldsV1",
        "fieldsV1": _tree(paths),
    }
    if subresource:
        entry["subresource"] = subresource
    return entry


def applied(current: Json, body: Json, manager: str, *, force: bool, at: str) -> Json:
    """Give the object after a server-side apply. Raises `ApiError` 409 for fields of others."""
    wanted = set(leaves(body))
    entries = [*(current["metadata"].get("managedFields") or ())]
    own = [entry for entry in entries if _is_own(entry, manager)]
    others = [entry for entry in entries if not _is_own(entry, manager)]
    differing = {path for path in wanted if _value(current, path) != _value(body, path)}
    if not force:
        _refuse(others, differing)
    others = [entry for entry in _without(others, differing) if entry["fieldsV1"]]
    taken = {path for entry in others for path in _paths(entry["fieldsV1"])}
    given_up = {path for entry in own for path in _paths(entry["fieldsV1"])} - wanted - taken
    result = _merged(current, body, wanted)
    for path in given_up:
        _drop(result, path)
    mine = _entry(manager, "Apply", body, wanted, at)
    if own and own[0]["fieldsV1"] == mine["fieldsV1"] and not differing:
        mine["time"] = own[0]["time"]
    result["metadata"]["managedFields"] = [mine, *others]
    return result


def _is_own(entry: Json, manager: str) -> bool:
    return bool(entry["manager"] == manager and entry["operation"] == "Apply")


def _refuse(others: Iterable[Json], differing: set[Path]) -> None:
    causes = []
    for entry in others:
        who = f'conflict with "{entry["manager"]}"'
        if entry["operation"] != "Apply":
            who += f" using {entry['apiVersion']}"
        for path in sorted(differing & set(_paths(entry["fieldsV1"]))):
            field = "".join(f".{part}" for part in path)
            causes.append({"reason": "FieldManagerConflict", "message": who, "field": field})
    if not causes:
        return
    many = "conflict" if len(causes) == 1 else "conflicts"
    said = ", ".join(f"{cause['message']}: {cause['field']}" for cause in causes)
    raise ApiError(
        409,
        f"Apply failed with {len(causes)} {many}: {said}",
        reason="Conflict",
        details={"causes": causes},
    )


def _merged(current: Json, body: Json, paths: Iterable[Path]) -> Json:
    result: Json = _copied(current)
    for path in paths:
        branch = result
        for part in path[:-1]:
            if not isinstance(branch.get(part), dict):
                branch[part] = {}
            branch = branch[part]
        branch[path[-1]] = _value(body, path)
    return result


def _copied(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _copied(inner) for key, inner in value.items()}
    return [_copied(item) for item in value] if isinstance(value, list) else value


def _drop(body: Json, path: Path) -> None:
    branches: list[Json] = [body]
    for part in path[:-1]:
        inner = branches[-1].get(part)
        if not isinstance(inner, dict):
            return
        branches.append(inner)
    branches[-1].pop(path[-1], None)
    for branch, part in zip(reversed(branches[:-1]), reversed(path[:-1]), strict=True):
        if not branch[part]:
            del branch[part]
