"""Where the source of an entity is, and the pages of its host that show it.

It loads no Git library: contributions may ask it whether they apply to an entity.
"""

from callboard.repositories.pages import (
    commit_page,
    edit_page,
    edit_page_of,
    file_page,
    folder_page,
    line_page,
)
from callboard.repositories.places import (
    ANNOTATIONS,
    Place,
    default_branch,
    described_place,
    has_source,
    parse_location,
    place_of,
    short_name,
)

__all__ = [
    "ANNOTATIONS",
    "Place",
    "commit_page",
    "default_branch",
    "described_place",
    "edit_page",
    "edit_page_of",
    "file_page",
    "folder_page",
    "has_source",
    "line_page",
    "parse_location",
    "place_of",
    "short_name",
]
