"""Plugins: found by entry point, loaded one by one, called in isolation.

Nothing else in the host touches pluggy.
"""

from callboard.plugins.contributions import Contributed, Contributions
from callboard.plugins.guard import SPENT, Guard, PluginError, describe
from callboard.plugins.loading import load_plugins, plugin_names_from
from callboard.plugins.manager import Plugins, undeclared
from callboard.plugins.records import ENTRY_POINT_GROUP, PLUGIN_NAME, PluginRecord, PluginState

__all__ = [
    "ENTRY_POINT_GROUP",
    "PLUGIN_NAME",
    "SPENT",
    "Contributed",
    "Contributions",
    "Guard",
    "PluginError",
    "PluginRecord",
    "PluginState",
    "Plugins",
    "describe",
    "load_plugins",
    "plugin_names_from",
    "undeclared",
]
