"""The contract between Callboard and its plugins."""

from typing import Final

import pluggy

__version__: Final = "0.1.0"

CONTRACT: Final = 1
"""The contract version this host speaks. Bumped only by a break, never by an addition."""

hookimpl: Final = pluggy.HookimplMarker("callboard")
"""Marks a plugin's function as the implementation of a hook of `callboard.hookspecs`."""

__all__ = ["CONTRACT", "__version__", "hookimpl"]
