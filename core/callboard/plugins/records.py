"""What is known of a plugin, whether it runs or not."""

from dataclasses import dataclass, field
from enum import StrEnum
from types import ModuleType
from typing import Final

from callboard.plugins.guard import PluginError

ENTRY_POINT_GROUP: Final = "callboard.plugins"


class PluginState(StrEnum):
    """Whether a plugin takes part."""

    LOADED = "loaded"
    DISABLED = "disabled"
    FAILED = "failed"
    INCOMPATIBLE = "incompatible"


@dataclass(slots=True, kw_only=True)
class PluginRecord:
    """One plugin: where it comes from, its state and why, and what it costs.

    `seconds` is the time its import and its hooks took when the portal started.
    """

    name: str
    distribution: str = ""
    version: str = ""
    summary: str = ""
    builtin: bool = False
    state: PluginState = PluginState.LOADED
    reason: str = ""
    seconds: float = 0.0
    module: ModuleType | None = None
    hooks: tuple[str, ...] = ()
    errors: int = 0
    last_error: PluginError | None = field(default=None)

    def stop(self, state: PluginState, reason: str) -> None:
        """Take the plugin out, saying why in words that tell what to do."""
        self.state = state
        self.reason = reason
