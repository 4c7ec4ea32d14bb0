"""Checks of what the portal was told: its settings and its plugins."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Protocol

from callboard.doctor.frame import Check, Finding
from callboard.errors import SettingsError
from callboard.plugins.records import PluginRecord, PluginState
from callboard.settings.values import Settings

if TYPE_CHECKING:
    from callboard.contributions import Checks
    from callboard.host import Host
    from callboard.plugins.contributions import Contributed


class KnownPlugins(Protocol):
    """The part of `callboard.plugins.Plugins` that is looked at."""

    @property
    def records(self) -> Mapping[str, PluginRecord]:
        """Every plugin that was found, by its name."""


def settings_check(load: Callable[[], Settings]) -> Check:
    """Look at the settings: one finding for each fault. `load` raises `SettingsError`."""
    return Check("Settings", lambda: _settings(load))


def _settings(load: Callable[[], Settings]) -> Iterator[Finding]:
    try:
        settings = load()
    except SettingsError as error:
        if not error.faults:
            yield Finding("bad", "Settings", str(error.message), str(error.hint))
        for fault in error.faults:
            place = f"{fault.file}, line {fault.line}" if fault.line else fault.file
            title = f"Settings: {place}" if place else "Settings"
            yield Finding("bad", title, fault.message, "Correct it and run callboard doctor again.")
        return
    origin = f"read from {settings.file}" if settings.file else "no file; defaults and environment"
    yield Finding("ok", f"Settings: {origin}")


def plugins_check(plugins: KnownPlugins) -> Check:
    """Look at the state of every plugin."""
    return Check("Plugins", lambda: _plugins(plugins))


def _plugins(plugins: KnownPlugins) -> Iterator[Finding]:
    records = sorted(plugins.records.values(), key=lambda record: record.name)
    loaded = [record for record in records if record.state is PluginState.LOADED]
    disabled = [record.name for record in records if record.state is PluginState.DISABLED]
    detail = f"Disabled: {', '.join(disabled)}." if disabled else ""
    yield Finding("ok", f"Plugins: {len(loaded)} loaded", detail)
    for record in records:
        name = f"Plugin {record.name}" + (f" {record.version}" if record.version else "")
        if record.state in (PluginState.FAILED, PluginState.INCOMPATIBLE):
            disable = f"Correct or update it, or add {record.name} to plugins.disable."
            yield Finding("bad", f"{name} is {record.state.value}", record.reason, disable)
        elif record.errors:
            last = record.last_error.message if record.last_error is not None else ""
            yield Finding(
                "warn", f"{name} had {record.errors} errors", last, "See the plugins page."
            )


def contributed_checks(
    contributed: "Iterable[Contributed[Checks]]", host_for: "Callable[[str], Host]"
) -> list[Check]:
    """Give the checks of plugins. A plugin that fails to give them is a finding of its own."""
    return [
        check for item in contributed for check in _given(item.plugin, item.value.checks, host_for)
    ]


def _given(
    plugin: str,
    checks: "Callable[[Host], Iterable[Check]]",
    host_for: "Callable[[str], Host]",
) -> list[Check]:
    try:
        given = list(checks(host_for(plugin)))
        if all(isinstance(check, Check) for check in given):
            return given
        raise TypeError("expected callboard.doctor.Check")
    except Exception as error:
        failure = error

    def fail() -> Iterable[Finding]:
        raise failure

    return [Check(f"Plugin {plugin}", fail)]
