"""How much a descriptor may cost before it is refused."""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Bounds on one descriptor file; whatever passes one is rejected and its neighbours are kept.

    `file_size` is in bytes, `depth` counts nested lists and objects, `nodes` counts values after
    aliases are expanded, `aliases`, `depth` and `nodes` are for each document.
    """

    file_size: int = 5 * 1024 * 1024
    documents: int = 1_000
    depth: int = 64
    aliases: int = 100
    nodes: int = 500_000


DEFAULT_LIMITS: Final = Limits()
