"""Where descriptors come from, all read the same way: a version, a list of files, their bytes."""

from callboard_catalog.sources.base import ChangeCommit, FoundFile, Snapshot, Source
from callboard_catalog.sources.build import configured_sources, contributed_sources

__all__ = [
    "ChangeCommit",
    "FoundFile",
    "Snapshot",
    "Source",
    "configured_sources",
    "contributed_sources",
]
