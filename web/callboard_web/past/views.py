"""The catalog as it was: a list, what changed since, and each entity."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import Response

from callboard.entities import Entity, EntityRef
from callboard.errors import InputError, NotFoundError
from callboard.i18n import Text, Translator
from callboard_catalog.descriptors.relations import relations
from callboard_catalog.history import changed_paths
from callboard_catalog.history.asking import History
from callboard_catalog.history.values import Difference
from callboard_web.documents import written_yaml
from callboard_web.formats import entity_url
from callboard_web.history.differences import difference
from callboard_web.history.parts import LARGE
from callboard_web.history.words import sentences
from callboard_web.past.asking import PATH, Asked, past_address, read_moment, written
from callboard_web.portal import Crumb, Portal, portal_of
from callboard_web.routing import reading

_: Final = Translator("callboard")

LIMIT: Final = 50
TITLES: Final[Mapping[str, Text]] = {
    "was": _("As it was"),
    "came": _("Came since"),
    "changed": _("Changed since"),
    "left": _("Left since"),
}
SUGGESTED: Final = (
    (timedelta(days=1), _("A day ago")),
    (timedelta(days=7), _("A week ago")),
    (timedelta(days=30), _("A month ago")),
)
SINCE: Final[Mapping[str, tuple[str, Text]]] = {
    "same": ("skip", _("As now")),
    "changed": ("unknown", _("Changed since")),
    "gone": ("warn", _("Gone since")),
}


@dataclass(frozen=True, slots=True)
class Row:
    """An entity of a list. `words` say what changed, `since` what became of it."""

    ref: EntityRef
    entity: Entity
    address: str
    since: str = ""
    exact: bool = True
    words: Sequence[Text] = ()


def past(request: Request) -> Response:
    """Draw the list of a past time, or what has come, changed or left since."""
    portal = portal_of(request)
    reader = portal.reader(request)
    asked = Asked.of(request.query_params, reader)
    catalog = portal.runtime.catalog
    context: dict[str, Any] = {
        "asked": asked,
        "titles": TITLES,
        "suggested": [
            (title, asked.url(text=_local(reader.now - ago, reader), after=""))
            for ago, title in SUGGESTED
        ],
        "typed": _local(asked.at, reader) if asked.at else asked.text,
        "kinds": sorted(catalog.counts()),
        "crumbs": (Crumb(_("Catalog"), "/catalog"), Crumb(_("The past"))),
        "rows": None,
    }
    if asked.at is not None:
        context |= _listed(portal, asked, asked.at)
    return portal.page(request, "past/list.html", context, status=400 if asked.fault else 200)


def _local(at: datetime, reader: Any) -> str:
    """Write a time as the form's field has it, in the reader's zone."""
    return at.astimezone(reader.zone).strftime("%Y-%m-%dT%H:%M")


def _listed(portal: Portal, asked: Asked, at: datetime) -> dict[str, Any]:
    history = History(portal.runtime.catalog)
    request = asked.request(at, LIMIT)
    with portal.runtime.catalog.snapshot():
        if asked.show == "was":
            page = history.page(request)
            rows = [
                Row(item.entity.ref, item.entity, past_address(item.entity.ref, at),
                    item.since, item.exact)
                for item in page.entities
            ]  # fmt: skip
            following = page.following
        else:
            rows, following = _differing(history, asked, at)
        counts = history.counts(request)
        begin = history.exact_from()
    return {
        "rows": rows,
        "since": SINCE,
        "counts": asdict(counts),
        "exact_from": begin,
        "is_exact": begin is None or at >= begin,
        "following": asked.url(after=following) if following else "",
    }


def _differing(history: History, asked: Asked, at: datetime) -> tuple[list[Row], str]:
    chosen: Difference = asked.show  # type: ignore[assignment]
    page = history.differences(chosen, asked.request(at, LIMIT))
    rows = []
    for item in page.items:
        entity = item.now or item.before
        if entity is None:
            continue
        words: Sequence[Text] = ()
        if item.before and item.now:
            was, now = item.before.document, item.now.document
            words = sentences(was, now, changed_paths(was, now))
        gone = chosen == "left"
        address = past_address(item.ref, at) if item.before else entity_url(item.ref)
        rows.append(Row(item.ref, entity, address, "gone" if gone else "", words=words))
    return rows, page.following


def entity(request: Request) -> Response:
    """Draw an entity as it was, and how it differs from what it is."""
    portal = portal_of(request)
    reader = portal.reader(request)
    catalog = portal.runtime.catalog
    ref = EntityRef.parse(request.query_params.get("ref", ""))
    at = read_moment(request.query_params.get("at", ""), reader)
    if at is None or at > reader.now:
        raise InputError(_("The address names no past time."), hint=_("Choose one on this page."))
    history = History(catalog)
    with catalog.snapshot():
        found = history.entity(ref, at)
        now = catalog.get(ref) if found else None
        begin = history.exact_from()
    if found is None:
        raise NotFoundError(
            _("%(ref)s was not in the catalog at this time.", ref=str(ref)),
            hint=_("Its history says when it came."),
        )
    was = found.entity
    text = written_yaml(was.document)
    small = len(text) <= LARGE
    compared = difference(text, written_yaml(now.document)) if now and small else None
    declared = relations(was.document, portal.runtime.engine.registry).pairs
    context = {
        "entity": was,
        "ref": ref,
        "at": at,
        "since": SINCE[found.since],
        "now": now,
        "is_exact": found.exact and (begin is None or at >= begin),
        "split": request.query_params.get("view") == "split",
        "here": past_address(ref, at),
        "difference": compared if compared and compared.added + compared.removed else None,
        "declared": [(pair.type, pair.target, past_address(pair.target, at)) for pair in declared],
        "text": text if len(text) <= LARGE else "",
        "crumbs": (
            Crumb(_("Catalog"), "/catalog"),
            Crumb(_("The past"), f"{PATH}?{urlencode({'at': written(at)})}"),
            Crumb(was.title),
        ),
    }
    return portal.page(request, "past/entity.html", context)


ROUTES = [reading(PATH, past), reading(f"{PATH}/entity", entity)]
