"""Where a value stands in the settings, and how people write that."""

import difflib
from collections.abc import Iterable
from typing import Final

KeyPath = tuple[str | int, ...]
"""Keys and list positions from the top, such as `("catalog", "sources", 0, "url")`."""

_LONGEST_SHOWN: Final = 60


def key_text(path: KeyPath) -> str:
    """Write a path as people do: `catalog.sources[0].url`."""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
        else:
            shown = part if part.isprintable() else repr(part)
            shown = shown if len(shown) <= _LONGEST_SHOWN else f"{shown[:_LONGEST_SHOWN]}…"
            text += f".{shown}" if text else shown
    return text


def nearest(name: str, known: Iterable[str]) -> str:
    """Give the known name that is most like `name`, or nothing when none is."""
    by_lower = {candidate.lower(): candidate for candidate in known}
    # Longer names than any setting are no typing slip; comparing them would take long.
    matches = difflib.get_close_matches(name[:200].lower(), by_lower, n=1, cutoff=0.6)
    return by_lower[matches[0]] if matches else ""
