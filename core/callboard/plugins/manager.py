"""The plugins of a process, and the typed way to what they contribute."""

import inspect
import logging
import threading
import time
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import timedelta
from functools import partial
from pathlib import Path
from types import UnionType
from typing import TYPE_CHECKING, Any, Final, TypeVar

import pluggy

from callboard import CONTRACT, hookspecs
from callboard.identity import Permission
from callboard.plugins.contributions import (
    CONTRIBUTION_TYPES,
    Contributed,
    Contributions,
    arrange,
    check_contribution,
)
from callboard.plugins.guard import Call, Guard, PluginError, describe
from callboard.plugins.records import PluginRecord, PluginState

if TYPE_CHECKING:
    from pydantic import BaseModel

    from callboard.host import Host

R = TypeVar("R")
log = logging.getLogger(__name__)

PREFIX: Final = "callboard_"
SETTINGS_HOOK: Final = "callboard_settings"
DIRECTORY_HOOKS: Final = (
    "callboard_migrations",
    "callboard_static",
    "callboard_templates",
    "callboard_translations",
)
SHUTDOWN_LIMIT: Final = timedelta(seconds=1)


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
        self._lock = threading.Lock()

    # Loading

    def add(self, record: PluginRecord, module: object) -> None:
        """Register a plugin's module and collect what it contributes; a fault marks the record."""
        self.load(record, lambda: module)

    def load(self, record: PluginRecord, load: Callable[[], object]) -> None:
        """Import a plugin and add it; a fault marks the record."""
        begin = time.perf_counter()
        self.records[record.name] = record
        try:
            record.module = load()
            self._register(record, record.module)
        except BaseException as error:
            # A plugin may even call sys.exit(); only a person's Ctrl-C is let by.
            if self.guard.strict or isinstance(error, KeyboardInterrupt):
                raise
            self.fail(record.name, describe(error), error)
        record.seconds += time.perf_counter() - begin

    def fail(self, name: str, reason: str, error: BaseException | None = None) -> None:
        """Take a plugin out with all it contributes."""
        record = self.records[name]
        record.stop(PluginState.FAILED, reason)
        if self._manager.has_plugin(name):
            self._manager.unregister(name=name)
        for field, items in self._collected.items():
            self._collected[field] = [item for item in items if item.plugin != name]
        self.finish()
        log.error("Plugin %s failed: %s", name, reason, exc_info=error)

    def finish(self) -> None:
        """Put the contributions in order once all plugins are added.

        A plugin that names a permission which nobody declares is taken out: what it adds would be
        refused to all but administrators, or shown to all where the name is mistyped.
        """
        self.contributions = arrange(self._collected)
        declared = {item.value.name for item in self.contributions.permissions}
        for record in self.loaded():
            unknown = None if record.builtin else self._undeclared(record.name, declared)
            if unknown:
                if self.guard.strict:
                    raise ValueError(unknown)
                self.fail(record.name, unknown)
                return

    def _undeclared(self, plugin: str, declared: Collection[str]) -> str:
        """Give the reason why a plugin cannot be used, or nothing."""
        for field, items in self._collected.items():
            for item in items:
                name = getattr(item.value, "permission", "")
                if item.plugin == plugin and name and name not in declared:
                    return undeclared(f"{PREFIX}{field}", name)
        return ""

    def _register(self, record: PluginRecord, module: object) -> None:
        contract = getattr(module, "CALLBOARD_CONTRACT", CONTRACT)
        if contract != CONTRACT:
            reason = (
                f"It was written for contract {contract}; this host speaks contract {CONTRACT}. "
                "Install a version of the plugin made for it."
            )
            record.stop(PluginState.INCOMPATIBLE, reason)
            return
        _check_hook_names(module)
        self._manager.register(module, name=record.name)
        callers = self._manager.get_hookcallers(module) or []
        record.hooks = tuple(sorted(caller.name for caller in callers))
        record.settings_model = self._ask_model(record)
        record.directories = self._ask_directories(record)
        collected = {
            field: self._ask(record, field, kind) for field, kind in CONTRIBUTION_TYPES.items()
        }
        for field, items in collected.items():
            self._collected.setdefault(field, []).extend(items)

    def _ask(
        self, record: PluginRecord, field: str, kind: type | UnionType
    ) -> list[Contributed[Any]]:
        hook = f"{PREFIX}{field}"
        values = self._call(record.name, hook)
        if values is None:
            return []
        if isinstance(values, str | Mapping) or not isinstance(values, Iterable):
            raise TypeError(f"{hook} gave {type(values).__name__}, expected a list.")
        items = list(values)
        names = set()
        for item in items:
            try:
                check_contribution(item, kind)
                _check_owner(item, record)
            except (TypeError, ValueError) as error:
                raise type(error)(f"{hook} {error}.") from None
            name = getattr(item, "name", None)
            if name is not None and name in names:
                raise ValueError(f"{hook} gave two named {name!r}.")
            names.add(name)
        return [Contributed(record.name, item) for item in items]

    def _ask_model(self, record: PluginRecord) -> "type[BaseModel] | None":
        from pydantic import BaseModel

        model = self._call(record.name, SETTINGS_HOOK)
        if model is None or (isinstance(model, type) and issubclass(model, BaseModel)):
            return model
        raise TypeError(f"{SETTINGS_HOOK} gave {model!r}, expected a pydantic model (the class).")

    def _ask_directories(self, record: PluginRecord) -> dict[str, Path]:
        found = {}
        for hook in DIRECTORY_HOOKS:
            path = self._call(record.name, hook)
            if path is None:
                continue
            if not isinstance(path, Path):
                raise TypeError(f"{hook} gave {type(path).__name__}, expected a pathlib.Path.")
            found[hook] = path
        return found

    def _call(self, plugin: str, hook: str, **arguments: Any) -> Any:
        """Call one hook of one plugin; None where the plugin does not implement it."""
        record = self.records[plugin]
        if hook not in record.hooks:
            return None
        others = [item for item in self._manager.get_plugins() if item is not record.module]
        results = self._manager.subset_hook_caller(hook, others)(**arguments)
        return results[0] if results else None

    # What was collected

    def loaded(self) -> list[PluginRecord]:
        """Give the plugins that take part."""
        return [item for item in self.records.values() if item.state is PluginState.LOADED]

    def settings_models(self) -> "dict[str, type[BaseModel]]":
        """Give the settings models of the loaded plugins."""
        models = ((record.name, record.settings_model) for record in self.loaded())
        return {name: model for name, model in models if model is not None}

    def directories(self, hook: str) -> dict[str, Path]:
        """Give the directories named by a hook such as `callboard_templates`, by plugin."""
        return {
            record.name: record.directories[hook]
            for record in self.loaded()
            if hook in record.directories
        }

    # Lifecycle

    def start(self, host_for: "Callable[[str], Host]") -> None:
        """Tell every plugin that the portal starts; one that raises is taken out."""
        for record in self.loaded():
            begin = time.perf_counter()
            try:
                self._call(record.name, "callboard_startup", host=host_for(record.name))
            except BaseException as error:
                if self.guard.strict or isinstance(error, KeyboardInterrupt):
                    raise
                self.fail(record.name, f"callboard_startup: {describe(error)}", error)
            record.seconds += time.perf_counter() - begin

    def stop(self, host_for: "Callable[[str], Host]") -> None:
        """Tell every plugin that the process ends; all of them have `SHUTDOWN_LIMIT` for it."""
        hook = "callboard_shutdown"
        calls = [
            Call(
                record.name,
                hook,
                partial(self._call, record.name, hook, host=host_for(record.name)),
                object,
            )
            for record in self.loaded()
            if hook in record.hooks
        ]
        try:
            self.guard.call_all(calls, limit=SHUTDOWN_LIMIT)
        finally:
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
        """Call a function of a contribution; see `call_all`."""
        result: R | PluginError = self.call_all(
            [(contributed, place, function, expected)], limit=limit
        )[0]
        return result

    def call_all(
        self,
        calls: Sequence[tuple[Contributed[Any], str, Callable[[], Any], type | tuple[type, ...]]],
        *,
        limit: timedelta | None = None,
    ) -> list[Any | PluginError]:
        """Call functions of several contributions side by side, under one limit.

        The host's own are called in this thread, and are not limited; see `Guard.call_all`.
        """
        results = self.guard.call_all(
            [Call(item.plugin, place, function, kind, self._is_own(item.plugin))
             for item, place, function, kind in calls],
            limit=limit,
        )  # fmt: skip
        for result in results:
            self._count(result)
        return results

    def _is_own(self, plugin: str) -> bool:
        record = self.records.get(plugin)
        return record is not None and record.builtin

    def note(self, plugin: str, place: str, error: BaseException) -> None:
        """Count and list what a plugin raised where no page waits for it."""
        self._count(self.guard.note(plugin, place, error))

    def _count(self, result: object) -> None:
        if isinstance(result, PluginError) and result.plugin in self.records:
            record = self.records[result.plugin]
            with self._lock:
                record.errors += 1
                record.last_error = result


def undeclared(place: str, permission: str) -> str:
    """Give the reason for which a plugin that names an unknown permission is not used."""
    return (
        f"{place} names the permission {permission!r}, which nobody declares. Declare it in "
        "callboard_permissions, or name one that is there."
    )


def _check_owner(item: Any, record: PluginRecord) -> None:
    """Raise for a permission of somebody else's: a plugin cannot give away what is not its own."""
    own = record.builtin or not isinstance(item, Permission)
    if not own and not item.name.startswith(f"{record.name}."):
        raise ValueError(f"gave {item.name!r}, expected a name that begins with {record.name}.")


def _check_hook_names(module: object) -> None:
    """Refuse what pluggy would pass over: a hook that is not one, or one without its mark."""
    known = {name for name in vars(hookspecs) if name.startswith(PREFIX)}
    for name, value in inspect.getmembers(module, inspect.isroutine):
        marked = bool(getattr(value, "callboard_impl", None))
        if marked and name not in known:
            raise TypeError(f"{name} is not a hook of contract {CONTRACT}.")
        if not marked and name in known:
            raise TypeError(f"{name} is not marked with @hookimpl.")
