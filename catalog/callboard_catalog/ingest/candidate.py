"""A good document that asks to be served."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from callboard_catalog.descriptors import RelationPair


@dataclass(slots=True)
class Candidate:
    """A finished document, its place in its file, and the relations it declares."""

    ref: str
    position: int
    line: int
    document: dict[str, Any]
    hash: str
    pairs: Sequence[RelationPair]
