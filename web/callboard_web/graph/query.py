"""What a person asks of the picture of relations, as its address says."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final, Literal
from urllib.parse import urlencode

from callboard_web.graph.direction import forward

DEPTHS: Final = (1, 2, 3, 4)
ALL: Final = 12
"""Steps of `depth=all`: as far as the picture has room."""

MOST_VALUES: Final = 20
MOST_CHARACTERS: Final = 63
Direction = Literal["both", "out", "in"]


@dataclass(frozen=True, slots=True, kw_only=True)
class GraphQuery:
    """How far to go (`depth`, in steps), along which relations, to which kinds, which way.

    `out` follows what an entity needs or holds, `in` what needs or holds it. Relations are named
    as they are read from left to right; empty means any.
    """

    depth: int = 1
    relations: tuple[str, ...] = ()
    kinds: tuple[str, ...] = ()
    direction: Direction = "both"

    @classmethod
    def of(cls, values: Mapping[str, str]) -> "GraphQuery":
        """Read the parameters of an address; values that mean nothing are passed over."""
        depth = values.get("depth", "")
        direction = values.get("direction", "")
        return cls(
            depth=ALL if depth == "all" else int(depth) if depth in map(str, DEPTHS) else 1,
            relations=tuple(dict.fromkeys(forward(name) for name in _list(values, "relation"))),
            kinds=tuple(dict.fromkeys(name.lower() for name in _list(values, "kind"))),
            direction="out" if direction == "out" else "in" if direction == "in" else "both",
        )

    def parameters(self) -> dict[str, str]:
        """Give the parameters of the shortest address that means the same."""
        depth = "all" if self.depth == ALL else str(self.depth)
        pairs = {
            "depth": depth if self.depth != 1 else "",
            "direction": self.direction if self.direction != "both" else "",
            "relation": ",".join(self.relations),
            "kind": ",".join(self.kinds),
        }
        return {name: value for name, value in pairs.items() if value}

    def url(self, base: str) -> str:
        """Give the address below the page of relations at `base`."""
        parameters = urlencode(self.parameters(), safe=",")
        return f"{base}?{parameters}" if parameters else base

    def at_depth(self, depth: int) -> "GraphQuery":
        return replace(self, depth=depth)

    def with_relation(self, name: str) -> "GraphQuery":
        """Add a relation, or take it out where it is chosen."""
        return replace(self, relations=_toggled(self.relations, name))

    def with_kind(self, name: str) -> "GraphQuery":
        """Add a kind, or take it out where it is chosen."""
        return replace(self, kinds=_toggled(self.kinds, name))

    def is_filtered(self) -> bool:
        return bool(self.relations or self.kinds or self.direction != "both")

    def cleared(self) -> "GraphQuery":
        """Leave out every filter but the depth."""
        return GraphQuery(depth=self.depth)


def _list(values: Mapping[str, str], name: str) -> list[str]:
    given = [part.strip() for part in values.get(name, "").replace("\0", "").split(",")]
    return [part[:MOST_CHARACTERS] for part in given if part][:MOST_VALUES]


def _toggled(values: tuple[str, ...], name: str) -> tuple[str, ...]:
    if name in values:
        return tuple(value for value in values if value != name)
    return (*values, name)
