"""In which form an answer is wanted: whole objects, their metadata only, or a table of columns."""

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final, Literal

from callboard_sandbox.api.failures import ApiError
from callboard_sandbox.api.kinds import Kind

Json = dict[str, Any]
Form = Literal["whole", "metadata", "table"]

_REPRESENTATIONS: Final = (
    "application/json, application/yaml, application/vnd.kubernetes.protobuf,"
    " application/json;stream=watch, application/vnd.kubernetes.protobuf;stream=watch"
)


def form(accept: str) -> Form:
    """Give the first form that is known. Raises `ApiError` 406 where none is."""
    for part in (accept or "*/*").split(","):
        media, *options = [each.strip() for each in part.split(";")]
        if media not in ("application/json", "application/*", "*/*"):
            continue
        named = dict(option.partition("=")[::2] for option in options)
        wanted = named.get("as", "")
        if wanted == "Table":
            return "table"
        if wanted in ("PartialObjectMetadata", "PartialObjectMetadataList"):
            return "metadata"
        if not wanted:
            return "whole"
    raise ApiError(
        406,
        f"406: Not Acceptable\n\nAvailable representations: {_REPRESENTATIONS}",
        details={},
    )


def metadata_of(body: Json) -> Json:
    """Give an object's metadata only."""
    return {
        "kind": "PartialObjectMetadata",
        "apiVersion": "meta.k8s.io/v1",
        "metadata": body["metadata"],
    }


def listed(
    form: Form, kind: Kind, version: str, items: Sequence[Json], metadata: Json, now: datetime
) -> Json:
    """Give a list in a form."""
    if form == "table":
        return table(kind, version, items, metadata, now)
    if form == "metadata":
        return {
            "kind": "PartialObjectMetadataList",
            "apiVersion": "meta.k8s.io/v1",
            "metadata": metadata,
            "items": [metadata_of(item) for item in items],
        }
    head = {"kind": f"{kind.kind}List", "apiVersion": kind.api_version(version)}
    if not kind.is_custom:
        # Items of a typed list do not repeat what they are.
        items = [
            {key: value for key, value in item.items() if key not in ("kind", "apiVersion")}
            for item in items
        ]
    return {**head, "metadata": metadata, "items": list(items)}


def single(form: Form, kind: Kind, version: str, body: Json, now: datetime) -> Json:
    """Give one object in a form."""
    if form == "table":
        metadata = {"resourceVersion": body["metadata"].get("resourceVersion", "")}
        return table(kind, version, [body], metadata, now)
    return metadata_of(body) if form == "metadata" else body


_NAME: Final = {
    "name": "Name",
    "type": "string",
    "format": "name",
    "description": "The name, unique among the objects of a kind in a namespace.",
    "priority": 0,
}
_PODS: Final = ("Ready", "Status", "Restarts", "Age")
_WIDE_PODS: Final = ("IP", "Node", "Nominated Node", "Readiness Gates")


def table(kind: Kind, version: str, items: Sequence[Json], metadata: Json, now: datetime) -> Json:
    """Give objects as rows of the columns that a kind has."""
    custom = [each for each in kind.columns.get(version) or () if each["name"] != "Name"]
    if kind.key == "pods":
        columns = [_column(name) for name in _PODS]
        columns += [_column(name, priority=1) for name in _WIDE_PODS]
        rows = [_pod_cells(item, now) for item in items]
    elif custom:
        columns = [
            {
                "name": each["name"],
                "type": each["type"],
                "format": each.get("format", ""),
                "description": each.get("description")
                or f"Custom resource definition column (in JSONPath format): {each['jsonPath']}",
                "priority": each.get("priority", 0),
            }
            for each in custom
        ]
        rows = [[_cell(each, item, now) for each in custom] for item in items]
    elif kind.is_custom:
        columns = [_column("Age", "date")]
        rows = [[_age(item["metadata"].get("creationTimestamp"), now)] for item in items]
    else:
        columns = [_column("Created At", "date")]
        rows = [[item["metadata"].get("creationTimestamp")] for item in items]
    return {
        "kind": "Table",
        "apiVersion": "meta.k8s.io/v1",
        "metadata": metadata,
        "columnDefinitions": [_NAME, *columns],
        "rows": [
            {"cells": [item["metadata"]["name"], *cells], "object": metadata_of(item)}
            for item, cells in zip(items, rows, strict=True)
        ],
    }


def _column(name: str, type_: str = "string", priority: int = 0) -> Json:
    return {"name": name, "type": type_, "format": "", "description": "", "priority": priority}


def _cell(column: Mapping[str, Any], body: Json, now: datetime) -> Any:
    found = at_path(body, column["jsonPath"])
    if column["type"] == "date":
        return _age(found, now) if found else None
    return found


_STEP: Final = re.compile(r"\.([\w-]+)|\[\?\(@\.([\w.]+)\s*==\s*['\"]([^'\"]*)['\"]\)\]|\[(\d+)\]")


def at_path(body: Any, path: str) -> Any:
    """Give what a JSONPath of a printer column names, None where it names nothing."""
    for key, field, value, index in _STEP.findall(path):
        if key:
            body = body.get(key) if isinstance(body, dict) else None
        elif not isinstance(body, list):
            return None
        elif field:
            body = next((item for item in body if str(item.get(field)) == value), None)
        else:
            body = body[int(index)] if int(index) < len(body) else None
    return body


def _age(stamped: str | None, now: datetime) -> str:
    """Say how long ago, as kubectl does: two units where the first is small."""
    if not stamped:
        return "<unknown>"
    seconds = int((now - datetime.fromisoformat(stamped)).total_seconds())
    if seconds < 0:
        return "0s" if seconds >= -1 else "<invalid>"
    if seconds < 120:
        return f"{seconds}s"
    minutes, rest = divmod(seconds, 60)
    if minutes < 10:
        return f"{minutes}m{rest}s" if rest else f"{minutes}m"
    if minutes < 180:
        return f"{minutes}m"
    hours, rest = divmod(minutes, 60)
    if hours < 8:
        return f"{hours}h{rest}m" if rest else f"{hours}h"
    if hours < 48:
        return f"{hours}h"
    days, rest = divmod(hours, 24)
    if days < 8:
        return f"{days}d{rest}h" if rest else f"{days}d"
    return f"{days}d"


def _pod_cells(pod: Json, now: datetime) -> list[Any]:
    status, spec = pod.get("status") or {}, pod.get("spec") or {}
    containers = status.get("containerStatuses") or []
    ready = sum(bool(each.get("ready")) for each in containers)
    restarts = sum(each.get("restartCount", 0) for each in containers)
    ended = [
        each["lastState"]["terminated"].get("finishedAt")
        for each in containers
        if (each.get("lastState") or {}).get("terminated")
    ]
    told = f"{restarts} ({_age(max(ended), now)} ago)" if restarts and any(ended) else f"{restarts}"
    return [
        f"{ready}/{len(spec.get('containers') or ())}",
        _pod_state(status, containers),
        told,
        _age(pod["metadata"].get("creationTimestamp"), now),
        status.get("podIP") or "<none>",
        spec.get("nodeName") or "<none>",
        status.get("nominatedNodeName") or "<none>",
        "<none>",
    ]


def _pod_state(status: Json, containers: Sequence[Json]) -> str:
    state: str = status.get("reason") or status.get("phase") or "Unknown"
    for each in reversed(containers):
        current = each.get("state") or {}
        reason = (current.get("waiting") or current.get("terminated") or {}).get("reason")
        state = reason or state
    is_running = any((each.get("state") or {}).get("running") for each in containers)
    return "Running" if state == "Completed" and is_running else state
