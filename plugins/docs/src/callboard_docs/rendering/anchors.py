"""Names of places within a page."""

import unicodedata
from typing import Final
from urllib.parse import quote, unquote

PREFIX: Final = "doc-"
"""Stands before every id of a page, so that none can take the place of one of the portal's."""


def anchor_of(title: str) -> str:
    """Give the anchor GitHub makes of a heading; letters of every script stay."""
    kept = (
        character
        for character in unicodedata.normalize("NFC", title.strip().lower())
        if character in "-_ " or unicodedata.category(character)[0] in "LMN"
    )
    return "".join(kept).replace(" ", "-")[:100] or "section"


def fragment_of(target: str) -> str:
    """Give the part of a link after `#` as it is on the portal's pages, or nothing."""
    fragment = unquote(target.partition("#")[2])
    return f"#{PREFIX}{quote(fragment.removeprefix(PREFIX))}" if fragment else ""
