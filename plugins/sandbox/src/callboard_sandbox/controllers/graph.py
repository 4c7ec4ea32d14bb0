"""Which task of a pipeline waits for which."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from callboard_sandbox.controllers.values import result_references

Json = dict[str, Any]


def parents(tasks: Sequence[Json]) -> dict[str, set[str]]:
    """Give the tasks that each of `spec.tasks` comes after: by `runAfter` and by results."""
    names = {str(task.get("name")) for task in tasks}
    found: dict[str, set[str]] = {}
    for task in tasks:
        used = {key: task.get(key) for key in ("params", "matrix", "when")}
        before = set(task.get("runAfter") or [])
        before.update(name for name, _ in result_references(list(used.values())))
        found[str(task.get("name"))] = before & names
    return found


def cycle(before: Mapping[str, set[str]]) -> tuple[str, str] | None:
    """Give two neighbours of a circle among tasks, None where there is none."""
    done: set[str] = set()
    waiting = dict(before)
    while ready := [name for name, needs in waiting.items() if needs <= done]:
        done.update(ready)
        for name in ready:
            del waiting[name]
    if not waiting:
        return None
    first = min(waiting)
    return first, min(waiting[first] - done)


def combinations(matrix: Json) -> list[dict[str, Any]]:
    """Give the parameters of each run of a matrix; the first parameter changes fastest."""
    runs: list[dict[str, Any]] = [{}] if matrix.get("params") else []
    for parameter in matrix.get("params") or []:
        runs = [
            {**run, parameter["name"]: value}
            for value in parameter.get("value") or []
            for run in runs
        ]
    for addition in matrix.get("include") or []:
        _include(runs, {item["name"]: item["value"] for item in addition.get("params") or []})
    return runs


def _include(runs: list[dict[str, Any]], extra: dict[str, Any]) -> None:
    fitting = list(_fitting(runs, extra))
    for run in fitting:
        run.update(extra)
    if not fitting:
        runs.append(extra)


def _fitting(runs: list[dict[str, Any]], extra: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for run in runs:
        shared = run.keys() & extra.keys()
        if shared and all(run[name] == extra[name] for name in shared):
            yield run
