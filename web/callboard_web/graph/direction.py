"""Which way a relation points in a picture: what is above or in need is on the left."""

from typing import Final

REVERSED: Final = {
    "ownedBy": "ownerOf",
    "partOf": "hasPart",
    "childOf": "parentOf",
    "memberOf": "hasMember",
    "dependencyOf": "dependsOn",
    "apiConsumedBy": "consumesApi",
    "apiProvidedBy": "providesApi",
}
"""Relations that point to the left, and what the same one is called read from there."""

FORWARD: Final = {forward: backward for backward, forward in REVERSED.items()}
"""Well-known relations that point to the right, and their reverse."""


def forward(relation: str) -> str:
    """Give the name of a relation as it is read from left to right."""
    return REVERSED.get(relation, relation)


def both_ways(relation: str) -> frozenset[str]:
    """Give the names of a relation read from either end; of one that is not known, its own."""
    read = forward(relation)
    return frozenset({read, FORWARD.get(read, read)})


def pointed(source: str, relation: str, reverse: str, target: str) -> tuple[str, str, str]:
    """Give left end, name and right end of a relation as it is stored.

    One that a plugin made points as it was declared, unless its reverse is a well-known one.
    """
    if relation in REVERSED or (reverse in FORWARD and relation not in FORWARD):
        return target, forward(relation) if relation in REVERSED else reverse, source
    return source, relation, target
