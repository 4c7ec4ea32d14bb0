"""The graph of a resolved pipeline: what runs after what, and why.

An edge is a `runAfter`, or a reference to another task's results or status, wherever it stands
in the task (Tekton: "Pipelines", resource dependencies).
"""

import re
from collections.abc import Mapping
from typing import Any, Final

import orjson

from callboard_ci_tekton.runs.values import items, mapping, text

_REFERENCE: Final = re.compile(
    r"\$\(tasks\.(?P<name>[a-z0-9][-a-z0-9.]*?)\.(?:results|status|outputs|reason)[.\[)]"
)


def graph_of(pipeline: Mapping[str, Any]) -> dict[str, Any] | None:
    """Give {nodes: […]} of a `pipelineSpec`, None while it is not resolved.

    A node has name, title, member (`tasks` or `finally`), reference (the Task's name), kind
    (`task`, `custom` or `pipeline`), after (names of tasks), matrix (names of its parameters),
    when (the expressions) and retries. Nodes stand in the pipeline's order.
    """
    if not pipeline:
        return None
    nodes = [
        _node(item, member) for member in ("tasks", "finally") for item in items(pipeline, member)
    ]
    known = {node["name"] for node in nodes}
    for node in nodes:
        node["after"] = [name for name in node["after"] if name in known and name != node["name"]]
    return {"nodes": nodes}


def _node(item: Mapping[str, Any], member: str) -> dict[str, Any]:
    reference = mapping(item, "taskRef")
    version = text(reference, "apiVersion", 253)
    custom = bool(version) and not version.startswith("tekton.dev/")
    embedded = text(mapping(item, "taskSpec"), "apiVersion", 253)
    custom = custom or (bool(embedded) and not embedded.startswith("tekton.dev/"))
    nested = "pipelineRef" in item or "pipelineSpec" in item
    retries = item.get("retries")
    return {
        "name": text(item, "name", 253),
        "title": text(item, "displayName", 300),
        "member": member,
        "reference": text(reference, "name", 253) or text(reference, "kind", 253),
        "kind": "pipeline" if nested else "custom" if custom else "task",
        "after": _after(item),
        "matrix": [text(part, "name", 253) for part in items(mapping(item, "matrix"), "params")],
        "when": [dict(part) for part in items(item, "when")],
        "retries": retries if isinstance(retries, int) else 0,
    }


def _after(item: Mapping[str, Any]) -> list[str]:
    listed = item.get("runAfter")
    found = [name for name in listed if isinstance(name, str)] if isinstance(listed, list) else []
    written = orjson.dumps({key: item.get(key) for key in ("params", "matrix", "when")}).decode()
    found += [match["name"] for match in _REFERENCE.finditer(written)]
    return list(dict.fromkeys(found))
