"""Which plugins are loaded, one by one, and why the others are not."""

import inspect
import logging
import re
from collections.abc import Collection, Mapping, Sequence
from functools import partial
from importlib.metadata import EntryPoint, version
from types import ModuleType

from callboard.plugins.discovery import find_plugins
from callboard.plugins.guard import Guard
from callboard.plugins.manager import Plugins
from callboard.plugins.records import PLUGIN_NAME, PluginRecord, PluginState

log = logging.getLogger(__name__)


def plugin_names_from(value: str | None) -> frozenset[str] | None:
    """Read `CALLBOARD_PLUGINS`: None where it is unset, else the only names to load."""
    if value is None:
        return None
    return frozenset(name for name in re.split(r"[\s,]+", value) if name)


def load_plugins(
    *,
    builtin: Mapping[str, object],
    only: frozenset[str] | None = None,
    enable: Sequence[str] | None = None,
    disable: Sequence[str] = (),
    reserved: Collection[str] = (),
    guard: Guard | None = None,
) -> Plugins:
    """Load the host's own plugins, then those installed, one by one.

    `only` (from `CALLBOARD_PLUGINS`) overrules `enable` and `disable` (from `callboard.yaml`).
    What is not to be loaded is never imported. `reserved` are names the host uses itself. Raises
    only in strict mode.
    """
    plugins = Plugins(guard or Guard())
    for name, module in builtin.items():
        record = PluginRecord(
            name=name, distribution="callboard", version=version("callboard"), builtin=True
        )
        plugins.add(record, module)
    for record, entry in find_plugins():
        if not _is_refused(plugins, record, reserved):
            reason = _reason_not_to_load(record.name, only, enable, disable)
            if reason:
                record.stop(PluginState.DISABLED, reason)
                plugins.records[record.name] = record
            else:
                plugins.load(record, partial(_import, entry))
    _note_missing(plugins, only, enable)
    plugins.finish()
    return plugins


def _import(entry: EntryPoint) -> ModuleType:
    module = entry.load()
    if not inspect.ismodule(module):
        raise TypeError(f"The entry point {entry.value} does not name a module.")
    return module


def _is_refused(plugins: Plugins, record: PluginRecord, reserved: Collection[str]) -> bool:
    """Refuse a name that is taken or is none; the plugin is listed with its distribution."""
    taken = plugins.records.get(record.name)
    if not PLUGIN_NAME.fullmatch(record.name):
        reason = "The entry point's name must be lower-case letters, digits and underscores."
    elif record.name in reserved or (taken is not None and taken.builtin):
        reason = "The portal uses this name itself. The plugin needs another one."
    elif taken is not None:
        reason = f"{taken.distribution} has a plugin of the same name. Uninstall one of the two."
    else:
        return False
    log.error("Plugin %s of %s is not loaded: %s", record.name, record.distribution, reason)
    record.name = f"{record.name} ({record.distribution})"
    record.stop(PluginState.FAILED, reason)
    plugins.records[record.name] = record
    return True


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


def _note_missing(
    plugins: Plugins, only: frozenset[str] | None, enable: Sequence[str] | None
) -> None:
    """List names that were asked for and are not installed: they may be misspelt."""
    place = "plugins.enable in callboard.yaml" if only is None else "CALLBOARD_PLUGINS"
    wanted = (enable or ()) if only is None else sorted(only)
    for name in wanted:
        if name not in plugins.records:
            record = PluginRecord(name=name)
            record.stop(
                PluginState.FAILED, f"{place} names it, but no installed distribution has it."
            )
            plugins.records[name] = record
