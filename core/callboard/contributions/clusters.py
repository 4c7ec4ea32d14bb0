"""What plugins watch in clusters, and what they ask of them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from callboard.i18n import Text
from callboard.kubernetes.model import Resource

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from callboard.host import Host


@dataclass(frozen=True, slots=True, kw_only=True)
class ObservedObject:
    """An object of a cluster as it was last seen; `gone` where it is deleted, `body` as before.

    The body has no managed fields, and no values of secrets. `cluster` is empty where a context
    names the cluster of all its objects.
    """

    uid: str
    namespace: str
    name: str
    gone: bool
    body: Mapping[str, Any]
    cluster: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ObservedContext:
    """Objects of one kind in one cluster that are new, have changed or are gone, in order.

    Several changes of an object may be one here. The same may be given again after a crash.
    What is written with `connection` is committed together with how far the plugin has come.
    """

    host: "Host"
    connection: "Connection"
    cluster: str
    objects: Sequence[ObservedObject]


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterWatch:
    """Follows the objects of one kind in every cluster that serves it.

    However many plugins ask for a kind, the cluster is asked once. `changed` gets at most 500
    objects at a time; it writes tables and does nothing remote. Where it raises, it gets the same
    again after a pause, and the page of clusters says so. `clusters` limits it, by the settings
    at hand, to some clusters by their names; None means all.
    """

    name: str
    resource: Resource
    changed: Callable[[ObservedContext], None]
    clusters: Callable[["Host"], Sequence[str] | None] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterRule:
    """What a plugin asks for in a cluster, for the manifests of `callboard kubernetes rbac`.

    `resources` are plurals, with their subresource where one is meant: `pods/log`. `why` is a
    sentence for who grants it. A rule that is `optional` serves acts that people may do without.
    One that is not `namespaced` is about kinds of the whole cluster, such as nodes.

    With `names` it is about the objects of these names alone (`resourceNames`), without any about
    all. `named` gives them by the settings at hand; where it gives none, the rule is not asked for:
    that is for rights that are only granted name by name.
    """

    name: str
    group: str
    resources: tuple[str, ...]
    verbs: tuple[str, ...]
    why: Text
    optional: bool = False
    namespaced: bool = True
    names: tuple[str, ...] = ()
    named: Callable[["Host"], Sequence[str]] | None = None
