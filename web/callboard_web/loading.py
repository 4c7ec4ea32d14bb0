"""Reading the settings and loading the plugins for a process."""

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Final

from pydantic import BaseModel

from callboard.access import AccessSettings
from callboard.audit.settings import AuditSettings
from callboard.errors import SettingsError
from callboard.kinds import EntityField, Kind
from callboard.kubernetes.settings import KubernetesSettings
from callboard.plugins import Guard, Plugins, PluginState, describe, load_plugins, plugin_names_from
from callboard.settings import CORE_SECTIONS, NoSettings, PluginsSettings, Settings, load_settings
from callboard_catalog.descriptors import BUILT_IN_KINDS, KindRegistry
from callboard_catalog.descriptors.declared import DeclarationError
from callboard_catalog.settings import CatalogSettings
from callboard_web.sessions.settings import SessionsSettings
from callboard_web.settings import PortalSettings
from callboard_web.sign_in.settings import SignInSettings
from callboard_web.tokens.settings import TokensSettings
from callboard_web.usage.settings import UsageSettings
from callboard_web.webhooks.settings import WebhooksSettings

SECTIONS: Final[Mapping[str, type[BaseModel]]] = {
    **CORE_SECTIONS,
    "access": AccessSettings,
    "audit": AuditSettings,
    "catalog": CatalogSettings,
    "kubernetes": KubernetesSettings,
    "portal": PortalSettings,
    "tokens": TokensSettings,
    "sessions": SessionsSettings,
    "sign_in": SignInSettings,
    "usage": UsageSettings,
    "webhooks": WebhooksSettings,
}

RESERVED: Final = frozenset(
    (
        "access",
        "about", "activity", "announcements", "api", "audit", "badge", "badges", "callboard",
        "cards", "clusters", "delete", "deleted", "deliveries", "domains", "export", "field",
        "flash", "health", "healthz", "history",
        "hooks", "jobs", "live", "locations", "maintenance", "me", "metrics", "navigation",
        "ownership",
        "people", "plugins",
        "preferences", "problems", "raw", "readyz", "refresh", "register", "relations", "search",
        "service-accounts", "sessions", "settings", "sign-in", "sign-ins", "sign-out", "sources",
        "static", "systems", "tags", "teams", "tokens", "types", "usage", "vendor", "views",
        "watchers",
    )
)  # fmt: skip
"""Parts of the portal's own addresses: a plugin's pages are at `/<plugin>/`, its tab of the same
name ends in `/<plugin>`, its files are below `/static/<plugin>/`."""


def find_config(environ: Mapping[str, str]) -> Path | None:
    """Give the settings file: `CALLBOARD_CONFIG`, or `callboard.yaml` here if there is one."""
    named = environ.get("CALLBOARD_CONFIG")
    if named:
        return Path(named)
    here = Path("callboard.yaml")
    return here if here.exists() else None


def load(
    first: Settings,
    config: Path | None,
    environ: Mapping[str, str],
    own: Mapping[str, object],
    clock: Callable[[], datetime],
    strict: bool | None,
) -> tuple[Plugins, Settings]:
    """Load the plugins, `own` among them, and give them with the settings of all.

    `first` are the host's settings, read without plugins. Raises `SettingsError` with every fault
    of the settings; those of one plugin's own take out that plugin alone, unless `strict`.
    """
    plugins = _load(first.section(PluginsSettings), environ, own, clock, strict)
    _refuse_taken_kinds(plugins)
    settings = _settle(config, environ, plugins)
    _refuse_faulty_kinds(settings, plugins)
    plugins.guard.secrets = settings.secrets()
    return plugins, settings


def _load(
    chosen: PluginsSettings,
    environ: Mapping[str, str],
    own: Mapping[str, object],
    clock: Callable[[], datetime],
    strict: bool | None,
) -> Plugins:
    guard = Guard(
        time_limit=chosen.time_limit,
        strict=chosen.strict if strict is None else strict,
        now=clock,
    )
    return load_plugins(
        builtin=own,
        only=plugin_names_from(environ.get("CALLBOARD_PLUGINS")),
        enable=chosen.enable,
        disable=chosen.disable,
        reserved=RESERVED,
        guard=guard,
    )


def _plugin_sections(plugins: Plugins) -> dict[str, type[BaseModel] | None]:
    models = plugins.settings_models()
    return {
        record.name: models.get(record.name, NoSettings)
        if record.state is PluginState.LOADED
        else None
        for record in plugins.records.values()
    }


def _settle(config: Path | None, environ: Mapping[str, str], plugins: Plugins) -> Settings:
    """Read the settings with those of the plugins; faulty ones take out their plugin alone."""
    while True:
        sections = _plugin_sections(plugins)
        try:
            return load_settings(config, environ, SECTIONS, plugin_sections=sections)
        except SettingsError as error:
            if plugins.guard.strict or not _take_out_faulty(plugins, error):
                raise


def _take_out_faulty(plugins: Plugins, error: SettingsError) -> bool:
    """Fail the plugins whose own settings have faults; False where others have one as well."""
    found: dict[str, list[str]] = {}
    for fault in error.faults:
        owner = _plugin_of(fault.key)
        record = plugins.records.get(owner)
        if record is None or record.state is not PluginState.LOADED:
            return False
        found.setdefault(owner, []).append(str(fault))
    for name, faults in found.items():
        plugins.fail(name, "Its settings have faults: " + "; ".join(faults))
    return bool(found)


def _plugin_of(key: str) -> str:
    """Give the plugin a key such as `plugins.settings.<plugin>.<key>` belongs to, or nothing."""
    match = re.match(r"plugins\.settings\.([a-z0-9_]+)(?=[.\[]|$)", key)
    return match[1] if match else ""


def _refuse_taken_kinds(plugins: Plugins) -> None:
    """Take out plugins with a kind that is none, or that is there already."""
    registry = KindRegistry(BUILT_IN_KINDS)
    for item in plugins.contributions.kinds:
        try:
            registry.declare(item.value)
        except Exception as error:
            if plugins.guard.strict:
                raise
            plugins.fail(item.plugin, f"callboard_kinds: {describe(error)}")


def _refuse_faulty_kinds(settings: Settings, plugins: Plugins) -> None:
    """Raise `SettingsError` where a kind or field of the settings is bad, with its place."""
    chosen = settings.section(CatalogSettings)
    registry = KindRegistry(BUILT_IN_KINDS)
    for item in plugins.contributions.kinds:
        registry.declare(item.value)
    faults = []
    given: Mapping[str, Sequence[Kind | EntityField]] = {
        "kinds": chosen.kinds, "fields": chosen.fields,
    }  # fmt: skip
    for key, listed in given.items():
        for index, declared in enumerate(listed):
            try:
                registry.declare(declared)
            except DeclarationError as error:
                path = ("catalog", key, index, *error.path)
                faults.append(settings.fault(path, str(error)))
    if faults:
        told = "\n".join(f"  {fault}" for fault in faults)
        raise SettingsError(f"The settings have faults:\n{told}", faults=faults)
