"""The first page: what waits for the reader, what is theirs, what happened; and arranging it."""

import asyncio
import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

import orjson
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from callboard.contributions import HomeCard, WaitingItem
from callboard.errors import NotFoundError
from callboard.i18n import Text, Translator
from callboard.plugins import Contributed
from callboard_web.activity.runs import Question
from callboard_web.activity.service import ActivityLog, Happenings
from callboard_web.forms import Form, read_form
from callboard_web.home.arrangement import AREAS, Arrangement, Piece
from callboard_web.home.problems import everyone, failing, owned_problems
from callboard_web.home.services import columns_of, read_services
from callboard_web.home.waiting import Waits, waits_for
from callboard_web.portal import Crumb, Portal, portal_of, wants_fragment
from callboard_web.routing import reading
from callboard_web.slots import Drawn
from callboard_web.words import STATUS_WORDS

_: Final = Translator("callboard")

WAITING: Final = 10
STARRED: Final = 8
SEEN: Final = 6
HAPPENED: Final = 8
PAGE: Final = "/me/home"


def home(request: Request) -> Response:
    """Draw the home page, of which only what is shown is asked for.

    `waiting` narrows the list to one group of it, or shows all where it is `all`.
    """
    portal = portal_of(request)
    person = portal.person(request)
    arrangement = Arrangement.of(person.home)
    pieces = arrangement.pieces(_cards_of(portal))
    shown = {piece.key for piece in pieces if piece.shown and _applies(piece, person.mine)}
    found = _content(portal, request, shown)
    context = {
        **found,
        **_asked(portal, request, shown, found),
        "now": portal.runtime.now(),
        "person": person,
        "known": bool(person.mine),
        "pieces": [piece for piece in pieces if piece.key in shown],
        "hidden": sum(not piece.shown for piece in pieces),
        "cards": _cards(portal, request, pieces),
        "status_words": STATUS_WORDS,
    }
    return portal.page(request, "home.html", context)


def _cards_of(portal: Portal) -> Sequence[Contributed[HomeCard]]:
    return portal.slots.permitted(portal.runtime.plugins.contributions.home_cards)


def _applies(piece: Piece, mine: object) -> bool:
    """Say whether a section can say anything to a reader of whom the groups are not known."""
    return bool(mine) or piece.key not in ("services", "problems")


def _content(portal: Portal, request: Request, shown: set[str]) -> dict[str, Any]:
    """Read what the sections show from one state of the catalog."""
    catalog, personal, person = portal.runtime.catalog, portal.personal, portal.person(request)
    stars = personal.stars(person.key) if "starred" in shown else []
    visits = personal.visits(person.key, limit=SEEN) if "seen" in shown else []
    found: dict[str, Any] = {"star_count": len(stars), "visits": visits}
    with catalog.snapshot():
        counts = catalog.counts()
        found["sources"] = catalog.sources()
        found["problem_counts"] = dict(catalog.problem_counts())
        known = catalog.get_many(stars[:STARRED]) if stars else {}
        if "services" in shown:
            found["services"] = read_services(catalog, person.mine)
        if "problems" in shown:
            found["owned"] = owned_problems(catalog, person.mine)
    found["counts"] = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    found["entities"] = sum(counts.values())
    found["stars"] = [(ref, known.get(ref)) for ref in stars[:STARRED]]
    return found


def _asked(
    portal: Portal, request: Request, shown: set[str], found: Mapping[str, Any]
) -> dict[str, Any]:
    """Ask plugins for what they add to the sections, each in isolation."""
    person, asker = portal.person(request), portal.asker(request)
    chosen = request.query_params.get("waiting", "")
    waits = _waits(portal, request, found)
    items = waits.of(chosen)
    given: dict[str, Any] = {
        "waits": waits,
        "waiting_chosen": chosen,
        "waiting": items if chosen else items[:WAITING],
        "waiting_more": 0 if chosen else max(len(items) - WAITING, 0),
    }
    if "services" in shown:
        given["service_columns"] = columns_of(portal, found["services"], asker)
    if "activity" in shown:
        given["mine"] = bool(person.mine) and request.query_params.get("activity") != "all"
        given["activity"] = _activity(portal, request, mine=given["mine"])
    return given


def _waits(portal: Portal, request: Request, found: Mapping[str, Any]) -> Waits:
    asker = portal.asker(request)
    items: list[WaitingItem] = []
    if portal.allows(request, "catalog.source.read"):
        if portal.allows(request, "catalog.source.refresh") or not asker.mine:
            items += failing(found["sources"])
        if not asker.mine:
            items += everyone(found["problem_counts"])
    return waits_for(portal.slots, asker, ("portal", _("The portal"), items))


def _cards(portal: Portal, request: Request, pieces: Sequence[Piece]) -> list[Drawn]:
    places = {piece.key: place for place, piece in enumerate(pieces)}
    hidden = {piece.key for piece in pieces if not piece.shown}
    cards = portal.slots.home_cards(portal.asker(request), without=hidden)
    return sorted(cards, key=lambda card: places.get(card.key, len(places)))


def _activity(portal: Portal, request: Request, *, mine: bool) -> Happenings:
    person = portal.person(request)
    question = Question((), limit=HAPPENED, mine=person.mine if mine else None, windows=1)
    log = ActivityLog(portal.runtime.database, portal.slots, portal.runtime.catalog)
    return log.page(portal.asker(request), question)


def card(request: Request) -> Response:
    """Draw one card again."""
    portal = portal_of(request)
    drawn = portal.slots.home_cards(portal.asker(request), only=request.path_params["key"])
    if not drawn:
        raise NotFoundError(_("There is no such card."))
    context = {"card": drawn[0], "retry": request.url.path, "again": "/"}
    return portal.fragment(request, "_card.html", context)


# Arranging it


def arrange(request: Request) -> Response:
    """Show all parts of the home page, with what moves, hides and shows them."""
    portal = portal_of(request)
    arrangement = Arrangement.of(portal.person(request).home)
    context = {**_arranged(portal, arrangement), "crumbs": (
        Crumb(_("You"), "/me"), Crumb(_("Arrange the home page")),
    )}  # fmt: skip
    return portal.page(request, "home_arrange.html", context)


async def rearrange(request: Request) -> Response:
    """Move (`up`, `down`), hide or show the part that is named, or reset everything."""
    form = await read_form(request)
    return await asyncio.to_thread(_rearrange, request, form)


def _rearrange(request: Request, form: Form) -> Response:
    portal = portal_of(request)
    before = Arrangement.of(portal.person(request).home)
    told: Text
    if "kept" in form:
        after, told = Arrangement.of(_read(form["kept"])), _("The arrangement is back.")
    elif "reset" in form:
        after, told = Arrangement(), _("The home page is as it was at first.")
    else:
        after, told = _changed(portal, before, form)
    response: Response
    if wants_fragment(request):
        said = {} if "reset" in form else {"hx-trigger": _say(portal.text(request, told))}
        context = _arranged(portal, after)
        response = portal.fragment(request, "_home_arrange.html", context, headers=said)
    else:
        response = RedirectResponse(PAGE, 303)
    if "reset" in form:
        _offer_undo(portal, request, response, told, before)
    portal.personal.arrange(portal.remembered(request, response), after.kept())
    return response


def _say(text: str) -> str:
    return json.dumps({"say": text})


def _offer_undo(
    portal: Portal, request: Request, response: Response, told: Text, before: Arrangement
) -> None:
    kept = json.dumps(before.kept())
    fits = len(kept) < 900
    portal.flash(
        request, response, told, undo=PAGE if fits else "", fields={"kept": kept} if fits else None
    )


def _read(text: str) -> Mapping[str, Any]:
    try:
        kept = orjson.loads(text)  # which bounds how deep values may be nested
    except ValueError:
        return {}
    return kept if isinstance(kept, dict) else {}


def _changed(portal: Portal, before: Arrangement, form: Form) -> tuple[Arrangement, Text]:
    pieces = before.pieces(_cards_of(portal))
    for act in ("up", "down", "hide", "show"):
        named = [piece for piece in pieces if piece.key == form[act]]
        if named:
            return _act(act, before, pieces, named[0])
    return before, _("There is no such part.")


def _act(
    act: str, before: Arrangement, pieces: list[Piece], piece: Piece
) -> tuple[Arrangement, Text]:
    if act in ("hide", "show"):
        told = (
            _("%(title)s is hidden", title=piece.title)
            if act == "hide"
            else _("%(title)s is shown", title=piece.title)
        )
        return before.showing(piece.key, act == "show"), told
    after = before.moved(pieces, piece.key, -1 if act == "up" else 1)
    keys = [item for item in after.order if item in {one.key for one in pieces}]
    areas = {one.key: one.area for one in pieces}
    same = [key for key in keys if areas[key] == piece.area]
    told = _(
        "%(title)s is at place %(place)s of %(number)s",
        title=piece.title, place=same.index(piece.key) + 1, number=len(same),
    )  # fmt: skip
    return after, told


def _arranged(portal: Portal, arrangement: Arrangement) -> dict[str, Any]:
    pieces = arrangement.pieces(_cards_of(portal))
    areas = [
        (title, [piece for piece in pieces if piece.area == area]) for area, title in AREAS.items()
    ]
    return {
        "areas": [(title, members) for title, members in areas if members],
        "changed": arrangement != Arrangement(),
    }


ROUTES = [
    reading("/", home),
    reading("/cards/{key}", card),
    reading(PAGE, arrange),
    reading(PAGE, rearrange, methods=["POST"]),
]
