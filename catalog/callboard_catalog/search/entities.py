"""The words by which an entity is found."""

from collections.abc import Mapping
from typing import Any, Final

from callboard_catalog.search.index import TextRow
from callboard_catalog.search.pinyin import pinyin_words
from callboard_catalog.search.words import words_of

ALIASES: Final = "callboard.io/aliases"
"""The annotation with other names of an entity, separated by commas."""

PLACES: Final = (
    "backstage.io/managed-by-", "backstage.io/view-url", "backstage.io/edit-url",
)  # fmt: skip
"""Annotations that begin so say where an entity was read; nobody looks for it by that."""

_LONGEST_BODY: Final = 4_000
_WORDS_OF_BODY: Final = 150


def title_of(metadata: Mapping[str, Any], spec: Mapping[str, Any]) -> str:
    """Give what an entity is called: its title, else its display name, else its name."""
    return str(metadata.get("title") or _display_name(spec) or metadata["name"])


def _display_name(spec: Mapping[str, Any]) -> str:
    profile = spec.get("profile")
    return str(profile.get("displayName") or "") if isinstance(profile, dict) else ""


def text_row(entity_id: int, document: Mapping[str, Any]) -> TextRow:
    """Give the words by which an entity is found.

    What it is called is its name, title, display name and what `callboard.io/aliases` lists.
    """
    metadata, spec = document["metadata"], document.get("spec") or {}
    annotations = metadata.get("annotations") or {}
    names = (metadata["name"], title_of(metadata, spec), _display_name(spec))
    called = " ".join(dict.fromkeys([*names, annotations.get(ALIASES, "")]))
    facts = [document["kind"], *(metadata.get("tags") or ())]
    facts += [spec[key] for key in ("type", "owner", "system") if isinstance(spec.get(key), str)]
    body = [str(metadata.get("description") or "")]
    body += [str(link.get("title") or "") for link in metadata.get("links") or ()]
    body += [value for key, value in annotations.items() if not key.startswith(PLACES)]
    return TextRow(
        entity_id,
        words_of(called),
        words_of(" ".join(facts)) + pinyin_words(called),
        words_of(" ".join(body)[:_LONGEST_BODY], _WORDS_OF_BODY),
    )
