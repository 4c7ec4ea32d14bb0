"""What is known of a plugin, whether it runs or not."""

import re
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Final

from callboard.plugins.guard import PluginError

if TYPE_CHECKING:
    from pydantic import BaseModel

ENTRY_POINT_GROUP: Final = "callboard.plugins"
PLUGIN_NAME: Final = re.compile(r"[a-z][a-z0-9_]{0,39}")


class PluginState(StrEnum):
    """Whether a plugin takes part."""

    LOADED = "loaded"
    DISABLED = "disabled"
    FAILED = "failed"
    INCOMPATIBLE = "incompatible"


@dataclass(slots=True, kw_only=True)
class PluginRecord:
    """One plugin: where it comes from, its state and why, and what it costs.

    `seconds` is the time its import and its hooks took when the portal started. `directories` has
    what hooks such as `callboard_templates` named, by hook.
    """

    name: str
    distribution: str = ""
    version: str = ""
    summary: str = ""
    builtin: bool = False
    state: PluginState = PluginState.LOADED
    reason: str = ""
    seconds: float = 0.0
    module: object | None = None
    hooks: tuple[str, ...] = ()
    settings_model: "type[BaseModel] | None" = None
    directories: dict[str, Path] = field(default_factory=dict)
    errors: int = 0
    last_error: PluginError | None = None

    def stop(self, state: PluginState, reason: str) -> None:
        """Take the plugin out, saying why in words that tell what to do."""
        self.state = state
        self.reason = reason
