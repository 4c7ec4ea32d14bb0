"""The tab with the history of an entity."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from callboard.contributions import EntityContext, EntityTab, Fragment, TabNote
from callboard.entities import EntityRef
from callboard.i18n import Text, Translator
from callboard_catalog.history import Version
from callboard_catalog.service import CatalogService
from callboard_web.documents import written_yaml
from callboard_web.entities.places import source_commit
from callboard_web.history.differences import Difference, difference
from callboard_web.history.words import sentences
from callboard_web.parts import Part
from callboard_web.past.asking import past_address

_: Final = Translator("callboard")

LIMIT: Final = 20
SMALL: Final = 40_000
"""Characters of a document whose differences are worked out for the whole list at once."""

LARGE: Final = 2_000_000

ACTIONS: Final[Mapping[str, Text]] = {
    "updated": _("Changed"),
    "removed": _("Taken out of the catalog"),
    "returned": _("Back in the catalog"),
}
MARKS: Final = {"updated": "commit", "removed": "x", "returned": "undo"}


@dataclass(frozen=True, slots=True)
class Change:
    """A version as it is drawn. `commit_url` is the commit's page where its host is known."""

    version: Version
    title: Text
    icon: str
    words: Sequence[Text]
    commit_url: str
    difference: Difference | None
    too_large: bool


def changes_of(
    catalog: CatalogService, found: Sequence[Version], *, largest: int = SMALL
) -> list[Change]:
    """Prepare versions for a page; documents beyond `largest` characters are not compared."""
    sources = {source.name: source for source in catalog.sources()} if found else {}
    texts: dict[int, str] = {}
    changes = []
    for version in found:
        commit = version.commit.hash if version.commit else ""
        url = source_commit(sources.get(version.source), commit) if commit else ""
        drawn = _difference(version, texts, largest)
        both = version.before is not None and version.after is not None
        words = (
            sentences(version.before, version.after, version.changed)
            if version.before is not None and version.after is not None
            else []
        )
        changes.append(
            Change(
                version,
                ACTIONS.get(version.action, version.action),
                MARKS.get(version.action, "commit"),
                words,
                url,
                drawn,
                both and drawn is None,
            )
        )
    return changes


def _difference(version: Version, texts: dict[int, str], largest: int) -> Difference | None:
    if version.before is None or version.after is None:
        return None
    # What one change left behind is what the next one found: each is written once.
    parts = []
    for document in (version.before, version.after):
        if id(document) not in texts:
            if len(str(document.get("spec"))) + len(str(document.get("metadata"))) > largest:
                return None
            texts[id(document)] = written_yaml(document)
        parts.append(texts[id(document)])
    return difference(*parts)


def history_context(
    catalog: CatalogService, ref: EntityRef, upto: str, *, limit: int = LIMIT
) -> dict[str, object]:
    """Give what the template of the list needs; `upto` is the number of the first one, as text."""
    number = int(upto) if upto.isdecimal() and len(upto) < 19 else None
    found = catalog.history(ref, limit=limit + 1, upto=number)
    return {
        "changes": changes_of(catalog, found[:limit]),
        "ref": ref,
        "past_url": past_address,
        "paged": number is not None,
        "following": found[limit].id if len(found) > limit else 0,
    }


def _service(context: EntityContext) -> CatalogService:
    catalog = context.host.catalog
    if not isinstance(catalog, CatalogService):
        raise TypeError("The history needs the catalog service.")
    return catalog


def _history(context: EntityContext) -> Fragment | None:
    catalog, ref = _service(context), context.entity.ref
    rest = context.path.get("rest", "")
    if rest:
        given = one_context(catalog, ref, rest, context.query.get("view", ""))
        return Fragment(template="portal/change.html", context=given) if given else None
    given = history_context(catalog, ref, context.query.get("upto", ""))
    provenance = catalog.provenance(ref)
    return Fragment(template="portal/history.html", context={**given, "provenance": provenance})


def one_context(
    catalog: CatalogService, ref: EntityRef, number: str, view: str
) -> dict[str, object] | None:
    """Give what the template of one change needs; None where there is no such change.

    `view` is `split` for before and after side by side.
    """
    if not number.isdecimal() or len(number) > 18:
        return None
    found = catalog.history(ref, limit=1, upto=int(number))
    if not found or found[0].id != int(number):
        return None
    changes = changes_of(catalog, found, largest=LARGE)
    return {
        "change": changes[0], "ref": ref, "split": view == "split", "past_url": past_address,
    }  # fmt: skip


def _note(context: EntityContext) -> TabNote | None:
    number = _service(context).change_count(context.entity.ref)
    return TabNote(count=number) if number else None


TABS: Final = (
    EntityTab(
        name="history", title=_("History"), render=_history, order=85, subpages=True, note=_note
    ),
)
PART: Final = Part(entity_tabs=TABS)
