"""What is measured of clusters, for Prometheus; from the tables, so that every process tells it."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric as Family

from callboard.kubernetes.states import ANSWERING
from callboard_web.clusters import service

if TYPE_CHECKING:
    from callboard_web.runtime import Runtime

_WATCH: Final = ("cluster", "resource", "namespace")
_FOLLOWER: Final = (*_WATCH, "follower")


def families(runtime: "Runtime") -> Iterable[Family]:
    """Give the families, without samples where no cluster is in the settings."""
    now = runtime.now()
    with runtime.database.read() as connection:
        found = service.overviews(connection, runtime.services.clusters, now)
    answering = GaugeMetricFamily(
        "callboard_cluster_answering",
        "Whether a cluster answered when it was last asked.",
        labels=("cluster",),
    )
    for item in found:
        answering.add_metric((item.state.name,), item.state.state == ANSWERING)
    yield answering
    watches = [watch for item in found for watch in item.watches]
    yield from _gauges(watches, now.timestamp())
    yield from _counters(watches)
    yield from _followers(watches, now.timestamp())


def _gauges(watches: Iterable[service.Watched], now: float) -> Iterable[Family]:
    followed = GaugeMetricFamily(
        "callboard_cluster_watching", "Whether a watch is followed as it happens.", labels=_WATCH
    )
    objects = GaugeMetricFamily(
        "callboard_cluster_objects", "Objects kept of a watch.", labels=_WATCH
    )
    lag = GaugeMetricFamily(
        "callboard_cluster_lag_seconds",
        "Time between the arrival of the last event of a watch and its commit.",
        labels=_WATCH,
    )
    age = GaugeMetricFamily(
        "callboard_cluster_last_event_age_seconds",
        "Time since the last event of a watch.",
        labels=_WATCH,
    )
    for watch in watches:
        key = (watch.cluster, watch.resource, watch.namespace)
        followed.add_metric(key, watch.is_fresh)
        objects.add_metric(key, watch.objects)
        lag.add_metric(key, watch.lag)
        if watch.event_at is not None:
            age.add_metric(key, max(0.0, now - watch.event_at.timestamp()))
    return followed, objects, lag, age


def _counters(watches: Iterable[service.Watched]) -> Iterable[Family]:
    events = CounterMetricFamily("callboard_cluster_events", "Events of a watch.", labels=_WATCH)
    lists = CounterMetricFamily(
        "callboard_cluster_lists", "Lists of all objects of a watch.", labels=_WATCH
    )
    reconnects = CounterMetricFamily(
        "callboard_cluster_reconnects",
        "How often the stream of a watch was opened again, also after clean ends.",
        labels=_WATCH,
    )
    for watch in watches:
        key = (watch.cluster, watch.resource, watch.namespace)
        events.add_metric(key, watch.events)
        lists.add_metric(key, watch.lists)
        reconnects.add_metric(key, watch.reconnects)
    return events, lists, reconnects


def _followers(watches: Iterable[service.Watched], now: float) -> Iterable[Family]:
    behind = GaugeMetricFamily(
        "callboard_cluster_follower_behind",
        "Objects of a watch that a plugin has not been told of.",
        labels=_FOLLOWER,
    )
    failing = GaugeMetricFamily(
        "callboard_cluster_follower_failing_seconds",
        "For how long a plugin has failed at what changed in a watch; 0 where it does not.",
        labels=_FOLLOWER,
    )
    for watch in watches:
        for item in watch.followers:
            key = (watch.cluster, watch.resource, watch.namespace, item.name)
            behind.add_metric(key, item.behind)
            since = item.failing_since
            failing.add_metric(key, 0.0 if since is None else max(0.0, now - since.timestamp()))
    return behind, failing
