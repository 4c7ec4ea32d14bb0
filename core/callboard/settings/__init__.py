"""Settings: `callboard.yaml`, the environment over it, secrets by reference."""

from callboard.errors import SettingsError, SettingsFault
from callboard.settings.loader import NoSettings, load_settings
from callboard.settings.models import (
    CORE_SECTIONS,
    DatabaseSettings,
    GitCredential,
    GitSettings,
    HttpSettings,
    JobsSettings,
    LogSettings,
    PluginsSettings,
)
from callboard.settings.types import Duration, SettingsModel, Size
from callboard.settings.values import Settings, ShownSetting

__all__ = [
    "CORE_SECTIONS",
    "DatabaseSettings",
    "Duration",
    "GitCredential",
    "GitSettings",
    "HttpSettings",
    "JobsSettings",
    "LogSettings",
    "NoSettings",
    "PluginsSettings",
    "Settings",
    "SettingsError",
    "SettingsFault",
    "SettingsModel",
    "ShownSetting",
    "Size",
    "load_settings",
]
