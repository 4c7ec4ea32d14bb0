"""The event log: facts, written in the transaction of the change they tell of."""

from callboard.events.log import newest, newest_before, oldest, prune, publish, publish_many, read
from callboard.events.stream import Batch, EventStream, Subscription

__all__ = [
    "Batch",
    "EventStream",
    "Subscription",
    "newest",
    "newest_before",
    "oldest",
    "prune",
    "publish",
    "publish_many",
    "read",
]
