"""How clusters, watches and followers fare, as the tables say. Nothing remote is asked."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import Connection, select

from callboard.contributions import ClusterRule
from callboard.i18n import Text
from callboard.kubernetes import ClusterState
from callboard.kubernetes.followers import behind
from callboard.kubernetes.models import cluster_follower, cluster_watch
from callboard.plugins import Contributed

if TYPE_CHECKING:
    from callboard.kubernetes import Clusters

UNHELD: Final = "unheld"
"""The state of a watch that no process holds at the moment."""


@dataclass(frozen=True, slots=True)
class Followed:
    """A plugin that is told of a watch. `behind` counts objects it has not been told of."""

    name: str
    behind: int
    failing_since: datetime | None
    error: Text

    @property
    def plugin(self) -> str:
        """The plugin's name."""
        return self.name.partition(".")[0]


@dataclass(frozen=True, slots=True)
class Watched:
    """A watch. `lag` is in seconds; `as_of` is how old its objects may be, None for not at all."""

    cluster: str
    resource: str
    namespace: str
    kind: str
    state: str
    error: Text
    objects: int
    events: int
    lag: float
    lists: int
    connects: int
    event_at: datetime | None
    seen_at: datetime | None
    failing_since: datetime | None
    followers: Sequence[Followed]

    @property
    def is_fresh(self) -> bool:
        """Whether what is displayed is what is there."""
        return self.state == "watching"

    @property
    def reconnects(self) -> int:
        """How often the stream was opened again; clean ends are among them."""
        return max(0, self.connects - 1)

    @property
    def relists(self) -> int:
        """How often everything was listed again."""
        return max(0, self.lists - 1)

    @property
    def behind(self) -> int:
        """How many objects the one that is furthest behind has not been told of."""
        return max((item.behind for item in self.followers), default=0)

    @property
    def failing(self) -> Sequence[Followed]:
        """The plugins that do not go on."""
        return [item for item in self.followers if item.failing_since is not None]


@dataclass(frozen=True, slots=True)
class Missing:
    """What the portal may not do in a cluster, and what it is for. `namespaces`: none for all."""

    rule: str
    why: Text
    optional: bool
    namespaces: Sequence[str]


@dataclass(frozen=True, slots=True)
class Overview:
    """A cluster with its watches, those with trouble first, and the rights the portal lacks."""

    state: ClusterState
    watches: Sequence[Watched]
    missing: Sequence[Missing] = ()

    @property
    def needed(self) -> Sequence[Missing]:
        """Rights that plugins cannot do without."""
        return [item for item in self.missing if not item.optional]

    @property
    def optional(self) -> Sequence[Missing]:
        """Rights for what people may do without."""
        return [item for item in self.missing if item.optional]

    @property
    def objects(self) -> int:
        """How many objects are kept of it."""
        return sum(watch.objects for watch in self.watches)

    @property
    def as_of(self) -> datetime | None:
        """How old what is displayed may be: of the watch that was heard from longest ago.

        None where all are followed as it happens, or nothing was ever seen.
        """
        old = [watch.seen_at for watch in self.watches if not watch.is_fresh and watch.seen_at]
        return min(old, default=None)


def overviews(
    connection: Connection,
    clusters: "Clusters",
    now: datetime,
    rules: Iterable[Contributed[ClusterRule]] = (),
) -> Sequence[Overview]:
    """Give every cluster of the settings, in their order; what it lacks is told of `rules`."""
    found = watches(connection, now)
    known = list(rules)
    return [
        Overview(state, found.get(state.name, ()), _missing(state, known))
        for state in clusters.states(connection)
    ]


def _missing(state: ClusterState, rules: Iterable[Contributed[ClusterRule]]) -> Sequence[Missing]:
    """Give what is not granted, in the order of the rules; a rule that is gone is not told of."""
    return [
        Missing(
            rule.key,
            rule.value.why,
            rule.value.optional,
            [name for name in state.lacks[rule.key] if name],
        )
        for rule in rules
        if rule.key in state.lacks
    ]


def watches(connection: Connection, now: datetime) -> Mapping[str, Sequence[Watched]]:
    """Give the watches of each cluster, those with trouble first."""
    followed = _followers(connection)
    found: dict[str, list[Watched]] = {}
    for row in connection.execute(select(cluster_watch)):
        watch = _watched(row, followed.get(row.id, ()), now)
        found.setdefault(row.cluster, []).append(watch)
    for several in found.values():
        several.sort(key=_rank)
    return found


def _followers(connection: Connection) -> Mapping[int, Sequence[Followed]]:
    numbers = behind(connection)
    found: dict[int, list[Followed]] = {}
    for row in connection.execute(select(cluster_follower).order_by(cluster_follower.c.follower)):
        number = numbers.get((row.watch, row.follower), 0)
        one = Followed(row.follower, number, row.failing_since, row.error)
        found.setdefault(row.watch, []).append(one)
    return found


def _watched(row: Any, followed: Sequence[Followed], now: datetime) -> Watched:
    is_held = bool(row.holder) and row.held_until is not None and row.held_until >= now
    return Watched(
        cluster=row.cluster,
        resource=row.resource,
        namespace=row.namespace,
        kind=row.kind or row.resource,
        state=row.state if is_held else UNHELD,
        error=row.error,
        objects=row.objects,
        events=row.events,
        lag=row.lag,
        lists=row.lists,
        connects=row.connects,
        event_at=row.event_at,
        seen_at=row.seen_at,
        failing_since=row.failing_since,
        followers=followed,
    )


def _rank(watch: Watched) -> tuple[bool, bool, str, str]:
    return (watch.is_fresh, not watch.failing, watch.kind, watch.namespace)
