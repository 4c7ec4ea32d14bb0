"""What the portal measures of itself, and the gauges of plugins, for Prometheus."""

from collections.abc import Iterable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from prometheus_client import CollectorRegistry, Histogram
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric as Family
from prometheus_client.platform_collector import PlatformCollector
from prometheus_client.process_collector import ProcessCollector
from prometheus_client.registry import Collector
from starlette.types import Scope

from callboard.contributions import Metric, Sample
from callboard.jobs import counts, oldest_waiting
from callboard.plugins import Contributed, PluginState
from callboard_web.clusters import metrics as clusters
from callboard_web.sessions.model import LOCAL
from callboard_web.sessions.store import open_by_method
from callboard_web.webhooks.reading import fares, kept

if TYPE_CHECKING:
    from callboard_web.runtime import Runtime

BUCKETS: Final = (0.005, 0.01, 0.02, 0.03, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5)
SECONDS_HELP: Final = "Time until a response begins, by view."


class Metrics:
    """The registry of one portal."""

    def __init__(self, runtime: "Runtime") -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        PlatformCollector(registry=self.registry)
        self._seconds = Histogram(
            "callboard_http_request_seconds",
            SECONDS_HELP,
            ("method", "view", "status"),
            buckets=BUCKETS,
            registry=self.registry,
        )
        self.registry.register(_RuntimeCollector(runtime))

    def observe(self, scope: Scope, status: int, seconds: float) -> None:
        """Note a response, by the view that made it: addresses would be without number."""
        method = scope["method"] if scope["method"] in _METHODS else "other"
        self._seconds.labels(method, _view_of(scope), str(status)).observe(seconds)


def _view_of(scope: Scope) -> str:
    route = scope.get("route")
    if route is not None:
        return str(route.path)
    endpoint = scope.get("endpoint")
    if endpoint is None:
        return "none"
    return f"{endpoint.__module__.rpartition('.')[2]}.{endpoint.__name__}"


_METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


class _RuntimeCollector(Collector):
    """Reads plugins and jobs when it is scraped."""

    def __init__(self, runtime: "Runtime") -> None:
        self._runtime = runtime

    def describe(self) -> Iterable[Family]:
        return ()

    def collect(self) -> Iterable[Family]:
        yield from self._plugins()
        yield from self._jobs()
        yield from self._sessions()
        yield from self._deliveries()
        yield from self._usage()
        yield from clusters.families(self._runtime)
        yield from self._contributed(self._runtime.plugins.contributions.metrics)

    def _plugins(self) -> Iterable[Family]:
        plugins = self._runtime.plugins
        states = GaugeMetricFamily("callboard_plugins", "Plugins, by state.", labels=("state",))
        for state in PluginState:
            number = sum(record.state is state for record in plugins.records.values())
            states.add_metric((state.value,), number)
        yield states
        errors = CounterMetricFamily(
            "callboard_plugin_errors", "Calls of plugins that failed.", labels=("plugin", "kind")
        )
        for (plugin, kind), number in list(plugins.guard.counts.items()):
            errors.add_metric((plugin, kind), number)
        yield errors
        seconds = CounterMetricFamily(
            "callboard_plugin_seconds", "Time spent in calls of plugins.", labels=("plugin",)
        )
        for plugin in plugins.records:
            costs = plugins.guard.costs_of(plugin)
            if costs:
                spent = sum(cost.seconds for cost in costs.values())
                seconds.add_metric((plugin,), spent)
        yield seconds

    def _jobs(self) -> Iterable[Family]:
        with self._runtime.database.read() as connection:
            numbers = counts(connection)
            oldest = oldest_waiting(connection, self._runtime.now())
        runs = GaugeMetricFamily("callboard_job_runs", "Runs of jobs kept.", labels=("state",))
        for state, number in numbers.items():
            runs.add_metric((state,), number)
        yield runs
        yield GaugeMetricFamily(
            "callboard_job_oldest_due_seconds",
            "For how long the run that waits longest has been due.",
            value=oldest.total_seconds(),
        )

    def _sessions(self) -> Iterable[Family]:
        """Tell of a local administrator even while there is none: an alarm needs the series."""
        with self._runtime.database.read() as connection:
            numbers = {LOCAL: 0, **open_by_method(connection, self._runtime.now())}
        family = GaugeMetricFamily(
            "callboard_sessions", "Open sessions, by the way people signed in.", labels=("method",)
        )
        for method, number in numbers.items():
            family.add_metric((method,), number)
        yield family

    def _deliveries(self) -> Iterable[Family]:
        with self._runtime.database.read() as connection:
            numbers, found = kept(connection), fares(connection)
        deliveries = GaugeMetricFamily(
            "callboard_webhook_deliveries",
            "Deliveries kept, by hook and state; refused ones that are alike are one.",
            labels=("plugin", "hook", "state"),
        )
        last = GaugeMetricFamily(
            "callboard_webhook_last_good_seconds",
            "When a hook was last sent something that was worked, in seconds since 1970.",
            labels=("plugin", "hook"),
        )
        for plugin, hook, state, number in numbers:
            deliveries.add_metric((plugin, hook, state), number)
        for key, one in found.items():
            if one.last_good:
                last.add_metric(key, one.last_good.timestamp())
        yield deliveries
        yield last
        requests = CounterMetricFamily(
            "callboard_webhook_requests",
            "Deliveries sent to this process, by what became of them at the door.",
            labels=("plugin", "hook", "result"),
        )
        for labels, number in list(self._runtime.receiver.counts.items()):
            requests.add_metric(labels, number)
        yield requests

    def _usage(self) -> Iterable[Family]:
        looks = CounterMetricFamily(
            "callboard_usage_looks",
            "Looks at entities that this process counted, or had to leave out.",
            labels=("by",),
        )
        for name, number in self._runtime.usage.counts.items():
            looks.add_metric((name,), number)
        yield looks

    def _contributed(self, metrics: Sequence[Contributed[Metric]]) -> Iterable[Family]:
        together: dict[Any, list[Contributed[Metric]]] = {}
        for item in metrics:
            together.setdefault((item.plugin, item.value.read), []).append(item)
        results = self._runtime.plugins.call_all(
            [(items[0], f"metric {items[0].value.name}", partial(self._read, items), list)
             for items in together.values()]
        )  # fmt: skip
        for items, result in zip(together.values(), results, strict=True):
            if isinstance(result, list):
                for item in items:
                    yield _family(item, (one for one in result if one.of in ("", item.value.name)))

    def _read(self, items: Sequence[Contributed[Metric]]) -> list[Sample]:
        declared = {item.value.name: set(item.value.labels) for item in items}
        samples = list(items[0].value.read(self._runtime.host(items[0].plugin)))
        for sample in samples:
            name = sample.of or (items[0].value.name if len(items) == 1 else "")
            if name not in declared:
                raise ValueError(f"A sample is of {name!r}, not of one of {sorted(declared)}.")
            if set(sample.labels) != declared[name]:
                raise ValueError(f"The labels are {sorted(sample.labels)}, not those declared.")
        return samples


def _family(item: Contributed[Metric], samples: Iterable[Any]) -> Family:
    metric = item.value
    family = GaugeMetricFamily(
        f"callboard_{item.plugin}_{metric.name}", metric.help, labels=metric.labels
    )
    for sample in samples:
        family.add_metric([str(sample.labels[name]) for name in metric.labels], sample.value)
    return family
