"""What is done with the rows that are selected in the catalog's list."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from callboard.audit import record
from callboard.entities import EntityRef
from callboard.errors import InputError
from callboard.i18n import Text, Translator
from callboard.identity import asking
from callboard_catalog.query import ListRequest
from callboard_web.catalog_query import CatalogQuery
from callboard_web.forms import Form, read_form
from callboard_web.portal import Portal, portal_of
from callboard_web.routing import reading
from callboard_web.views.catalog import asked_of

_: Final = Translator("callboard")

MOST_ROWS: Final = 200
"""How many rows can be chosen one by one: those of the largest page."""

MOST_STARS: Final = 200
MOST_ASKED: Final = 2000
"""Entities of which it is asked one by one whether their sources may be read again."""

REFRESH: Final = "catalog.entity.refresh"
NAMED: Final = 8
"""How many sources are named before the others are only counted."""


async def select(request: Request) -> Response:
    """Do what `act` says with the entities `ref`, or with all of `query` where `all` is set."""
    form = await read_form(request)
    return await asyncio.to_thread(_select, request, form)


def _select(request: Request, form: Form) -> Response:
    chosen = _chosen(request, form)
    if not portal_of(request).runtime.catalog.total(chosen):
        raise InputError(_("No row is selected."), hint=_("Check the boxes of some rows first."))
    if form["act"] == "refresh":
        return _refresh(request, form, chosen)
    if form["act"] in ("star", "unstar"):
        return _star(request, form, chosen)
    raise InputError(_("It is not known what to do with the selected rows."))


def _chosen(request: Request, form: Form) -> ListRequest:
    if form["all"]:
        return asked_of(request, _query(form)).request()
    refs = [str(EntityRef.parse(ref)) for ref in form.all("ref")[:MOST_ROWS]]
    return ListRequest(refs=tuple(dict.fromkeys(refs)))


def _query(form: Form) -> CatalogQuery:
    return CatalogQuery.read(form["query"])


def _back(form: Form) -> RedirectResponse:
    return RedirectResponse(_query(form).url(), 303)


def _refresh(request: Request, form: Form, chosen: ListRequest) -> Response:
    """Ask for the sources of what is selected to be read again, after saying which they are."""
    portal = portal_of(request)
    chosen, refused = _permitted(portal, chosen)
    if chosen.refs == ():
        portal.require(request, REFRESH, refused[0])
    counts = portal.runtime.catalog.source_counts(chosen)
    number = len(counts)
    if not form.confirmed:
        named = ", ".join(list(counts)[:NAMED])
        return portal.confirm(
            request,
            form,
            title=_.plural("Read %(number)s source again?", "Read %(number)s sources again?",
                           number),
            text=_consequence(number, named, refused),
            verb=_("Read again"),
            quiet=_("Go back"),
            back=_query(form).url(),
        )  # fmt: skip
    _submit(portal, list(counts))
    response = _back(form)
    told = _.plural(
        "%(number)s source is read again. The page Jobs shows how it goes.",
        "%(number)s sources are read again. The page Jobs shows how it goes.",
        number,
    )
    portal.flash(request, response, _with(told, refused))
    return response


def _permitted(portal: Portal, chosen: ListRequest) -> tuple[ListRequest, list[EntityRef]]:
    """Give what is left of a choice, and those of it whose sources the asker may not have read."""
    services, catalog = portal.runtime.services, portal.runtime.catalog
    subject = asking()
    if subject is None or services.access.filter(subject, REFRESH).everything:
        return chosen, []
    if catalog.total(chosen) > MOST_ASKED:
        raise InputError(
            _("Of more than %(most)s entities it is not asked which you may do this with.",
              most=MOST_ASKED),
            hint=_("Narrow the list by a filter first."),
        )  # fmt: skip
    refs = [entity.ref for page in catalog.walk(chosen) for entity in page.entities]
    fit = services.permitted(REFRESH, refs)
    left = ListRequest(refs=tuple(str(ref) for ref in refs if ref in fit))
    return left, [ref for ref in refs if ref not in fit]


def _with(told: Text, refused: Sequence[EntityRef]) -> Text:
    """Add what was left out, as the asker may not do it."""
    if not refused:
        return told
    named = ", ".join(ref.name for ref in refused[:NAMED])
    left = _.plural(
        "You may not have the source of %(number)s of them read: %(names)s.",
        "You may not have the sources of %(number)s of them read, among them %(names)s.",
        len(refused),
        names=named,
    )
    return _("%(told)s %(left_out)s", told=told, left_out=left)


def _consequence(number: int, named: str, refused: Sequence[EntityRef]) -> Text:
    return _with(_sources(number, named), refused)


def _sources(number: int, named: str) -> Text:
    if number > NAMED:
        return _(
            "What is selected comes from %(number)s sources, among them %(sources)s. They are read "
            "whole; only what has changed there changes here.",
            number=number, sources=named,
        )  # fmt: skip
    return _.plural(
        "What is selected comes from %(sources)s. It is read whole; only what has changed there "
        "changes here.",
        "What is selected comes from %(number)s sources: %(sources)s. They are read whole; only "
        "what has changed there changes here.",
        number, sources=named,
    )  # fmt: skip


def _submit(portal: Portal, sources: list[str]) -> None:
    runtime = portal.runtime
    with runtime.database.write() as connection:
        for source in sources:
            runtime.jobs.submit(connection, "catalog", "refresh", {"source": source}, key=source)
            record(connection, REFRESH, source, at=runtime.now())


def _star(request: Request, form: Form, chosen: ListRequest) -> Response:
    portal = portal_of(request)
    on = form["act"] == "star"
    pages = portal.runtime.catalog.walk(replace(chosen, sort="name"), step=MOST_STARS)
    first = next(pages)
    if first.total > MOST_STARS:
        raise InputError(
            _("At most %(most)s entities can be starred at once.", most=MOST_STARS),
            hint=_("Narrow the list by a filter first."),
        )
    response = _back(form)
    key = portal.remembered(request, response)
    for entity in first.entities:
        portal.personal.star(key, entity.ref, on)
    number = len(first.entities)
    told = (
        _.plural("%(number)s entity is starred", "%(number)s entities are starred", number)
        if on
        else _.plural(
            "%(number)s entity has no star any more",
            "%(number)s entities have no star any more",
            number,
        )
    )
    portal.flash(request, response, told)
    return response


ROUTES = [reading("/catalog/select", select, methods=["POST"])]
