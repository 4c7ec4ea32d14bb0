"""Core events about runs and pods, counted instead of repeated as the event recorder does."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from callboard_sandbox.api.store import Store
from callboard_sandbox.controllers.names import digest
from callboard_sandbox.controllers.times import stamp

Json = dict[str, Any]

_NAME_OF_OBJECT: Final = 200


def record(
    store: Store, about: Mapping[str, Any], now: datetime, type_: str, reason: str, message: str
) -> None:
    """Write an event about an object, or count the one that says the same."""
    metadata = about["metadata"]
    key = digest(metadata["uid"], type_, reason, message, length=16)
    name = f"{metadata['name'][:_NAME_OF_OBJECT]}.{key}"
    namespace = metadata["namespace"]

    def again(event: Json) -> None:
        event["count"] = event.get("count", 1) + 1
        event["lastTimestamp"] = stamp(now)

    if store.find("events", namespace, name) is not None:
        store.update("events", namespace, name, again)
        return
    store.create("events", _event(about, name, now, type_, reason, message))


def condition_changed(
    store: Store, about: Mapping[str, Any], now: datetime, old: Json | None, new: Json
) -> None:
    """Write the event of a change of the condition `Succeeded`."""
    same = ("status", "reason", "message")
    if old is not None and all(old.get(key) == new.get(key) for key in same):
        return
    if old is None:
        record(store, about, now, "Normal", "Started", "")
    match new["status"]:
        case "True":
            record(store, about, now, "Normal", "Succeeded", new["message"])
        case "False":
            record(store, about, now, "Warning", "Failed", new["message"])
        case _:
            record(store, about, now, "Normal", new["reason"], new["message"])


def _event(
    about: Mapping[str, Any], name: str, now: datetime, type_: str, reason: str, message: str
) -> Json:
    metadata = about["metadata"]
    kind = about.get("kind", "Pod")
    source = "kubelet" if kind == "Pod" else kind
    event: Json = {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"name": name, "namespace": metadata["namespace"]},
        "involvedObject": {
            "kind": kind,
            "namespace": metadata["namespace"],
            "name": metadata["name"],
            "uid": metadata["uid"],
            "apiVersion": about.get("apiVersion", "v1"),
            "resourceVersion": metadata.get("resourceVersion", ""),
        },
        "reason": reason,
        "source": {"component": source},
        "firstTimestamp": stamp(now),
        "lastTimestamp": stamp(now),
        "count": 1,
        "type": type_,
        "eventTime": None,
        "reportingComponent": source,
        "reportingInstance": "",
    }
    if message:
        event["message"] = message
    return event
