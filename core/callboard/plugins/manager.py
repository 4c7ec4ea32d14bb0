"""Discovery and loading of plugins, and the typed way to what they contribute."""

import importlib.metadata
import inspect
import logging
import re
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, Final, TypeVar

import pluggy

from callboard import CONTRACT, hookspecs
from callboard.plugins.contributions import (
    CONTRIBUTION_TYPES,
    Contributed,
    Contributions,
    arrange,
)
from callboard.plugins.guard import Call, Guard, PluginError
from callboard.plugins.records import ENTRY_POINT_GROUP, PluginRecord, PluginState

if TYPE_CHECKING:
    from pydantic import BaseModel

    from callboard.host import Host

R = TypeVar("R")
log = logging.getLogger(__name__)

PREFIX: Final = "callboard_"
NAME: Final = re.compile(r"[a-z][a-z0-9_]{0,39}")


class Plugins:
    """The plugins of this process.

    `records` has every plugin that was found, in the order of the names, whatever its state.
    """

    def __init__(self, guard: Guard) -> None:
        self.guard = guard
        self.records: dict[str, PluginRecord] = {}
        self.contributions = Contributions()
        self._manager = pluggy.PluginManager("callboard")
        self._manager.add_hookspecs(hookspecs)
        self._collected: dict[str, list[Contributed[Any]]] = {}

    # Loading

    def add(self, record: PluginRecord, module: ModuleType) -> None:
        """Register a plugin's module and collect what it contributes; a fault marks the record."""
        begin = time.perf_counter()
        record.module = module
        self.records[record.name] = record
        try:
            self._register(record, module)
        except Exception as error:
            if self.guard.strict:
                raise
            self._drop(record, PluginState.FAILED, f"{type(error).__name__}: {error}")
            log.error("Plugin %s failed to load.", record.name, exc_info=error)
        record.seconds += time.perf_counter() - begin

    def _register(self, record: PluginRecord, module: ModuleType) -> None:
        contract = getattr(module, "CALLBOARD_CONTRACT", CONTRACT)
        if contract != CONTRACT:
            reason = (
                f"It was written for contract {contract}; this host speaks contract {CONTRACT}. "
                "Install a version of the plugin made for it."
            )
            return record.stop(PluginState.INCOMPATIBLE, reason)
        self._check_hook_names(module)
        self._manager.register(module, name=record.name)
        callers = self._manager.get_hookcallers(module) or []
        record.hooks = tuple(sorted(caller.name for caller in callers))
        collected = {
            field: self._ask(record, field, kind) for field, kind in CONTRIBUTION_TYPES.items()
        }
        for field, items in collected.items():
            self._collected.setdefault(field, []).extend(items)
        return None

    def _check_hook_names(self, module: ModuleType) -> None:
        known = {name for name in vars(hookspecs) if name.startswith(PREFIX)}
        for name, value in vars(module).items():
            if getattr(value, "callboard_impl", None) and name not in known:
                raise TypeError(f"{name} is not a hook of contract {CONTRACT}.")

    def _ask(self, record: PluginRecord, field: str, kind: type) -> list[Contributed[Any]]:
        values = self.hook(record.name, f"{PREFIX}{field}")
        if values is None:
            return []
        if isinstance(values, str | Mapping) or not isinstance(values, Iterable):
            raise TypeError(f"{PREFIX}{field} gave {type(values).__name__}, expected a list.")
        items = list(values)
        names = set()
        for item in items:
            if not isinstance(item, kind):
                raise TypeError(
                    f"{PREFIX}{field} gave {type(item).__name__}, expected {kind.__name__}."
                )
            name = getattr(item, "name", None)
            if name is not None and name in names:
                raise ValueError(f"{PREFIX}{field} gave two named {name!r}.")
            names.add(name)
        return [Contributed(record.name, item) for item in items]

    def _drop(self, record: PluginRecord, state: PluginState, reason: str) -> None:
        record.stop(state, reason)
        if self._manager.has_plugin(record.name):
            self._manager.unregister(name=record.name)
        for field, items in self._collected.items():
            self._collected[field] = [item for item in items if item.plugin != record.name]
        self.contributions = arrange(self._collected)

    def finish(self) -> None:
        """Put the contributions in order once all plugins are added."""
        self.contributions = arrange(self._collected)

    # Hooks that are asked by name

    def hook(self, plugin: str, name: str, **arguments: Any) -> Any:
        """Call one hook of one plugin, unguarded; None where the plugin does not implement it."""
        module = self.records[plugin].module
        if module is None or not self._manager.has_plugin(plugin):
            return None
        others = [item for item in self._manager.get_plugins() if item is not module]
        results = self._manager.subset_hook_caller(name, others)(**arguments)
        return results[0] if results else None

    def loaded(self) -> list[PluginRecord]:
        """Give the plugins that take part."""
        return [item for item in self.records.values() if item.state is PluginState.LOADED]

    def settings_models(self) -> dict[str, "type[BaseModel]"]:
        """Give the settings models by plugin."""
        return self._each("callboard_settings")

    def directories(self, hook: str) -> dict[str, Path]:
        """Give the directories named by a hook such as `callboard_templates`, by plugin."""
        return self._each(hook)

    def _each(self, hook: str) -> dict[str, Any]:
        found = {}
        for record in self.loaded():
            try:
                value = self.hook(record.name, hook)
            except Exception as error:
                if self.guard.strict:
                    raise
                self._drop(record, PluginState.FAILED, f"{hook}: {type(error).__name__}: {error}")
                log.error("Plugin %s: %s failed.", record.name, hook, exc_info=error)
                continue
            if value is not None:
                found[record.name] = value
        return found

    def start(self, host_for: "Callable[[str], Host]") -> None:
        """Tell every plugin that the portal starts; one that raises is taken out."""
        for record in self.loaded():
            begin = time.perf_counter()
            try:
                self.hook(record.name, "callboard_startup", host=host_for(record.name))
            except Exception as error:
                if self.guard.strict:
                    raise
                reason = f"callboard_startup: {type(error).__name__}: {error}"
                self._drop(record, PluginState.FAILED, reason)
                log.error("Plugin %s failed to start.", record.name, exc_info=error)
            record.seconds += time.perf_counter() - begin

    def stop(self, host_for: "Callable[[str], Host]") -> None:
        """Tell every plugin that the process ends."""
        for record in self.loaded():
            try:
                self.hook(record.name, "callboard_shutdown", host=host_for(record.name))
            except Exception:
                log.exception("Plugin %s failed to shut down.", record.name)
        self.guard.close()

    # Guarded calls

    @property
    def errors(self) -> Sequence[PluginError]:
        """The latest errors, the newest last."""
        return list(self.guard.recent)

    def call(
        self,
        contributed: Contributed[Any],
        place: str,
        function: Callable[[], R],
        *,
        expected: type | tuple[type, ...],
        limit: timedelta | None = None,
    ) -> R | PluginError:
        """Call a function of a contribution; see `Guard.call`."""
        result = self.guard.call(
            contributed.plugin, place, function, expected=expected, limit=limit
        )
        self._count(result)
        return result

    def call_all(
        self,
        calls: Sequence[tuple[Contributed[Any], str, Callable[[], Any], type | tuple[type, ...]]],
    ) -> list[Any | PluginError]:
        """Call functions of several contributions side by side, under one limit."""
        results = self.guard.call_all(
            [Call(item.plugin, place, function, kind) for item, place, function, kind in calls]
        )
        for result in results:
            self._count(result)
        return results

    def _count(self, result: object) -> None:
        if isinstance(result, PluginError) and result.plugin in self.records:
            record = self.records[result.plugin]
            record.errors += 1
            record.last_error = result


def plugin_names_from(value: str | None) -> frozenset[str] | None:
    """Read `CALLBOARD_PLUGINS`: None where it is unset, else the only names to load."""
    if value is None:
        return None
    return frozenset(name for name in re.split(r"[\s,]+", value) if name)


def load_plugins(
    *,
    builtin: Mapping[str, ModuleType],
    only: frozenset[str] | None = None,
    enable: Sequence[str] | None = None,
    disable: Sequence[str] = (),
    guard: Guard | None = None,
) -> Plugins:
    """Load the host's own plugins, then those installed, one by one.

    `only` (from `CALLBOARD_PLUGINS`) overrules `enable` and `disable` (from `callboard.yaml`).
    What is not to be loaded is never imported. Raises only in strict mode.
    """
    plugins = Plugins(guard or Guard())
    for name, module in builtin.items():
        version = importlib.metadata.version("callboard")
        record = PluginRecord(name=name, distribution="callboard", version=version, builtin=True)
        plugins.add(record, module)
    entry_points = importlib.metadata.entry_points(group=ENTRY_POINT_GROUP)
    for entry_point in sorted(entry_points, key=lambda item: item.name):
        _load_one(
            plugins, entry_point, _reason_not_to_load(entry_point.name, only, enable, disable)
        )
    plugins.finish()
    return plugins


def _reason_not_to_load(
    name: str,
    only: frozenset[str] | None,
    enable: Sequence[str] | None,
    disable: Sequence[str],
) -> str:
    if only is not None:
        return "" if name in only else "CALLBOARD_PLUGINS does not name it."
    if name in disable:
        return "It is listed under plugins.disable in callboard.yaml."
    if enable is not None and name not in enable:
        return "It is not listed under plugins.enable in callboard.yaml."
    return ""


def _load_one(plugins: Plugins, entry_point: importlib.metadata.EntryPoint, reason: str) -> None:
    record = _record_of(entry_point)
    if entry_point.name in plugins.records:
        taken = plugins.records[entry_point.name]
        log.error(
            "Two plugins are named %s: %s is used, %s is not.",
            record.name,
            taken.distribution,
            record.distribution,
        )
        record = replace(record, name=f"{record.name} ({record.distribution})")
        record.stop(
            PluginState.FAILED,
            f"{taken.distribution} has a plugin of the same name. Uninstall one of the two.",
        )
    elif reason:
        record.stop(PluginState.DISABLED, reason)
    elif not NAME.fullmatch(entry_point.name):
        record.stop(
            PluginState.FAILED,
            "The entry point's name must be lower-case letters, digits and underscores.",
        )
    else:
        _import(plugins, record, entry_point)
        return
    plugins.records[record.name] = record


def _import(
    plugins: Plugins, record: PluginRecord, entry_point: importlib.metadata.EntryPoint
) -> None:
    begin = time.perf_counter()
    try:
        module = entry_point.load()
        if not inspect.ismodule(module):
            raise TypeError(f"The entry point {entry_point.value} does not name a module.")
    except BaseException as error:
        # A plugin may even call sys.exit() when it is imported; only a person's Ctrl-C is let by.
        if plugins.guard.strict or isinstance(error, KeyboardInterrupt):
            raise
        record.seconds = time.perf_counter() - begin
        record.stop(PluginState.FAILED, f"{type(error).__name__}: {error}")
        plugins.records[record.name] = record
        log.error("Plugin %s failed to import.", record.name, exc_info=error)
        return
    record.seconds = time.perf_counter() - begin
    plugins.add(record, module)


def _record_of(entry_point: importlib.metadata.EntryPoint) -> PluginRecord:
    distribution = entry_point.dist
    if distribution is None:
        return PluginRecord(name=entry_point.name)
    return PluginRecord(
        name=entry_point.name,
        distribution=distribution.name,
        version=distribution.version,
        summary=str(distribution.metadata.json.get("summary", "")),
    )
