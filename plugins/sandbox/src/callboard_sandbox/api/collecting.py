"""What goes after something else went: children, and the content of namespaces."""

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from callboard_sandbox.api.failures import ApiError

if TYPE_CHECKING:
    from callboard_sandbox.api.store import Store

Json = dict[str, Any]

FOREGROUND: Final = "foregroundDeletion"
EVENTS: Final = timedelta(hours=1)


def collect(store: "Store") -> int:
    """Delete what has lost its owners, and finish deletions; give how many objects went."""
    gone = 0
    while orphans := store.orphans():
        gone += sum(_remove(store, *key) for key in orphans)
    for resource, body in store.deleting():
        gone += _end(store, resource, body)
    return gone + _forget_events(store)


def _forget_events(store: "Store") -> int:
    """Delete events that are older than a real cluster keeps them."""
    oldest = store.clock() - EVENTS
    gone = 0
    for body in store.oldest("events", 100):
        metadata = body["metadata"]
        at = body.get("lastTimestamp") or metadata["creationTimestamp"]
        if datetime.fromisoformat(at) < oldest:
            gone += _remove(store, "events", metadata["namespace"], metadata["name"])
    return gone


def _end(store: "Store", resource: str, body: Json) -> int:
    """Take away what a deletion waits for, then the object itself."""
    metadata = body["metadata"]
    name, namespace = metadata["name"], metadata.get("namespace", "")
    if resource == "namespaces":
        inside = store.content(name)
        gone = sum(_remove(store, *key) for key in inside)
        return gone + (0 if store.content(name) else _let_go(store, resource, "", name))
    if FOREGROUND not in (metadata.get("finalizers") or ()):
        return 0
    gone = 0
    for child, below in store.children(metadata["uid"]):
        inner = below["metadata"]
        gone += _remove(store, child, inner.get("namespace", ""), inner["name"])
    if not store.children(metadata["uid"]):
        gone += _let_go(store, resource, namespace, name)
    return gone


def _remove(store: "Store", resource: str, namespace: str, name: str) -> int:
    """Delete an object that another thread may be deleting too."""
    try:
        return int(store.delete(resource, namespace, name) is None)
    except ApiError:
        return 0


def _let_go(store: "Store", resource: str, namespace: str, name: str) -> int:
    def change(body: Json) -> None:
        finalizers = body["metadata"].get("finalizers") or []
        body["metadata"]["finalizers"] = [each for each in finalizers if each != FOREGROUND]
        if resource == "namespaces":
            body["spec"]["finalizers"] = []

    try:
        store.update(resource, namespace, name, change)
    except ApiError:
        return 0
    return int(store.find(resource, namespace, name) is None)
