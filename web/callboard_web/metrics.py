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
from callboard_web.sessions.model import LOCAL
from callboard_web.sessions.store import open_by_method

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

    def _contributed(self, metrics: Sequence[Contributed[Metric]]) -> Iterable[Family]:
        results = self._runtime.plugins.call_all(
            [(item, f"metric {item.value.name}", partial(self._read, item), list)
             for item in metrics]
        )  # fmt: skip
        for item, result in zip(metrics, results, strict=True):
            if isinstance(result, list):
                yield _family(item, result)

    def _read(self, item: Contributed[Metric]) -> list[Sample]:
        samples = list(item.value.read(self._runtime.host(item.plugin)))
        for sample in samples:
            if set(sample.labels) != set(item.value.labels):
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
