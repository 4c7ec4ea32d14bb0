"""What entities were before: written with every change, read by their pages, bounded by a job."""

from callboard_catalog.history.differences import changed_paths
from callboard_catalog.history.record import Recorder
from callboard_catalog.history.service import (
    Version,
    change_count,
    last_change,
    prune,
    versions,
)

__all__ = [
    "Recorder",
    "Version",
    "change_count",
    "changed_paths",
    "last_change",
    "prune",
    "versions",
]
