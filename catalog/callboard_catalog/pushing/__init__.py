"""Sources that are not read: programs hand in their entities."""

from callboard_catalog.pushing.body import read_entities, read_yaml
from callboard_catalog.pushing.model import (
    EntityResult,
    Push,
    PushedDocument,
    PushedSource,
    PushError,
    PushResult,
    owner_of,
)
from callboard_catalog.pushing.service import Pusher

__all__ = [
    "EntityResult",
    "Push",
    "PushError",
    "PushResult",
    "PushedDocument",
    "PushedSource",
    "Pusher",
    "owner_of",
    "read_entities",
    "read_yaml",
]
