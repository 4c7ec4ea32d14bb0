"""Which objects of the library are in which clusters, as the tables say."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal

from sqlalchemy import Connection

from callboard.contributions import ClusterWatch, ObservedContext
from callboard_ci_tekton.acts.preparing import PIPELINES
from callboard_ci_tekton.library.items import DIGEST_NOTE, TASKS, VERSION, VERSION_NOTE, Item
from callboard_ci_tekton.runs.values import mapping, text

if TYPE_CHECKING:
    from callboard.kubernetes import Clusters

Standing = Literal["current", "settings", "older", "newer", "foreign"]
"""`settings`: of this version, with other images; `foreign`: of this name, from elsewhere."""

MOST: Final = 2000
"""Objects of each kind that are looked at for a page."""


@dataclass(frozen=True, slots=True)
class Found:
    """An object of the library, or one of its name, in a cluster."""

    cluster: str
    namespace: str
    name: str
    version: str
    standing: Standing


def watch() -> ClusterWatch:
    """Give what is followed of tasks; pipelines are followed by those who start them."""
    return ClusterWatch(name="tasks_offered", resource=TASKS, changed=_seen)


def _seen(context: ObservedContext) -> None:
    """Keep nothing of its own: what the core keeps of the kind is enough."""


def load_installed(
    clusters: "Clusters", connection: Connection, items: Mapping[str, Item]
) -> list[Found]:
    """Give what is installed of these, by name, cluster and namespace; two statements."""
    found = []
    for resource in (TASKS, PIPELINES):
        names = [name for name, item in items.items() if item.resource == resource]
        if not names:
            continue
        for seen in clusters.observed(connection, resource, names=names, limit=MOST):
            version, standing = standing_of(items[seen.name], seen.body)
            found.append(Found(seen.cluster, seen.namespace, seen.name, version, standing))
    return sorted(found, key=lambda each: (each.name, each.cluster, each.namespace))


def standing_of(item: Item, body: Mapping[str, Any]) -> tuple[str, Standing]:
    """Compare an object of a cluster with the library's; give its version and how it stands."""
    notes = mapping(body, "metadata", "annotations")
    version = text(notes, VERSION_NOTE, 40)
    if not version:
        return "", "foreign"
    if _number(version) != _number(VERSION):
        return version, "older" if _number(version) < _number(VERSION) else "newer"
    return version, "current" if text(notes, DIGEST_NOTE) == item.digest else "settings"


def _number(version: str) -> tuple[int, ...]:
    parts = version.split(".")
    return tuple(int(part) if part.isdecimal() else 0 for part in parts)
