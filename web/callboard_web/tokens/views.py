"""The tokens of one owner: making, rotating and revoking them."""

import asyncio
from collections.abc import Callable
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from callboard.errors import ConflictError, NotFoundError
from callboard.i18n import Translator
from callboard_web.forms import Form, read_form
from callboard_web.portal import Crumb, number_of, portal_of
from callboard_web.routing import guarded
from callboard_web.tokens import accounts, form, words
from callboard_web.tokens.machines import machines_of
from callboard_web.tokens.places import Place, offered, place_of
from callboard_web.tokens.scopes import by_area
from callboard_web.tokens.service import LONGEST_NAME, LONGEST_PURPOSE, MAKE, Token

_: Final = Translator("callboard")

NO_STORE: Final = {"cache-control": "no-store"}
"""Keeps the one answer with a secret in it out of every cache, that of the browser included."""


def mine(request: Request) -> Response:
    """List one's own tokens."""
    portal, place = portal_of(request), place_of(request)
    context = {
        **listed(request, place),
        "place": place,
        "crumbs": (*place.crumbs[:-1], Crumb(_("My tokens"))),
    }
    return portal.page(request, "tokens/mine.html", context)


def listed(request: Request, place: Place) -> dict[str, Any]:
    """Give what the list of one owner's tokens needs."""
    machines = machines_of(request)
    return {
        "tokens": machines.tokens.of(place.owner),
        "place": place,
        "now": machines.tokens.now(),
        "states": words.STATES,
        "narrowed": words.narrowed,
    }


def new(request: Request) -> Response:
    """Show the empty form."""
    place = place_of(request)
    place.require_may_make()
    return _form(request, place, form.first(machines_of(request).settings))


def _make(request: Request, sent: Form) -> Response:
    portal, place, machines = portal_of(request), place_of(request), machines_of(request)
    place.require_may_make()
    wish = form.read_wish(
        sent, machines.settings, machines.tokens.now(), offered(portal, request, place),
        rate=portal.allows(request, accounts.PERMISSION),
    )  # fmt: skip
    if wish is None:
        return _form(request, place, sent, status=422)
    try:
        text = machines.tokens.make(place.owner, wish)
    except ConflictError as error:
        sent.faults["name"] = error.message
        return _form(request, place, sent, status=409)
    return _made(request, place, text, wish.name, _("The token is made"))


def _form(request: Request, place: Place, sent: Form, *, status: int = 200) -> Response:
    portal, settings = portal_of(request), machines_of(request).settings
    context = {
        "place": place,
        "form": sent,
        "checked": form.values_of(sent),
        "areas": by_area(offered(portal, request, place)),
        "ages": form.ages(settings),
        "fields": words.FIELDS,
        "examples": form.EXAMPLES,
        "may_rate": portal.allows(request, accounts.PERMISSION),
        "rate": settings.rate,
        "longest_name": LONGEST_NAME,
        "longest_purpose": LONGEST_PURPOSE,
        "crumbs": (*place.crumbs, Crumb(_("New token"))),
    }
    return portal.page(request, "tokens/new.html", context, status=status)


def _made(request: Request, place: Place, text: str, name: str, title: Any) -> Response:
    portal = portal_of(request)
    context = {
        "place": place, "text": text, "name": name, "title": title,
        "origin": portal.origin(request), "crumbs": (*place.crumbs, Crumb(name)), "live": False,
    }  # fmt: skip
    return portal.page(request, "tokens/made.html", context, headers=NO_STORE)


def rotation(request: Request) -> Response:
    """Ask how long the old secret and the new one shall be good."""
    place = place_of(request)
    token = _find(request, place)
    settings = machines_of(request).settings
    days = str((token.expires_at - token.created_at).days)
    known = dict(form.ages(settings))
    sent = Form.of(
        {
            "hours": "24" if "24" in dict(form.overlaps(settings)) else "0",
            "days": days if days in known else str(settings.default_age.days or 1),
            "rotations": str(token.rotations),
        }
    )
    return _rotation(request, place, token, sent)


def _rotation(
    request: Request, place: Place, token: Token, sent: Form, status: int = 200
) -> Response:
    settings = machines_of(request).settings
    context = {
        "place": place,
        "token": token,
        "form": sent,
        "ages": form.ages(settings),
        "overlaps": form.overlaps(settings),
        "crumbs": (*place.crumbs, Crumb(token.name)),
    }
    return portal_of(request).page(request, "tokens/rotate.html", context, status=status)


def _rotate(request: Request, sent: Form) -> Response:
    place, machines = place_of(request), machines_of(request)
    place.require_may_make()
    token = _find(request, place)
    expires_at = form.end_of(sent, machines.settings, machines.tokens.now())
    overlap = form.overlap_of(sent, machines.settings)
    rotations = int(sent["rotations"]) if sent["rotations"][:9].isdecimal() else -1
    if sent.faults:
        return _rotation(request, place, token, sent, 422)
    text = machines.tokens.rotate(token.id, rotations, overlap=overlap, expires_at=expires_at)
    return _made(request, place, text, token.name, _("The token has a new secret"))


def _revoke(request: Request, sent: Form) -> Response:
    portal, place = portal_of(request), place_of(request)
    token = _find(request, place)
    if not sent.confirmed:
        return portal.confirm(
            request, sent,
            title=_("Revoke %(name)s?", name=token.name),
            text=_("Whatever uses it is refused from now on. This cannot be taken back."),
            verb=_("Revoke the token"), back=place.path,
        )  # fmt: skip
    machines_of(request).tokens.revoke(token.id)
    response = RedirectResponse(place.path, 303)
    portal.flash(request, response, _("The token %(name)s is revoked.", name=token.name))
    return response


def _find(request: Request, place: Place) -> Token:
    """Give the token in the path; one of somebody else's is none here."""
    number = number_of(request)
    token = machines_of(request).tokens.get(number)
    if not place.has(token):
        raise NotFoundError(_("There is no token %(number)s.", number=number))
    return token


def posted(act: Callable[[Request, Form], Response]) -> Callable[[Request], Any]:
    """Read the form, then act in a thread, as the database is asked there."""

    async def answer(request: Request) -> Response:
        return await asyncio.to_thread(act, request, await read_form(request))

    return answer


make, rotate, revoke = posted(_make), posted(_rotate), posted(_revoke)
ACCOUNT: Final = "/service-accounts/{account}/tokens"

ROUTES = [
    guarded("/me/tokens", mine, MAKE),
    *(
        route
        for base in ("/me/tokens", ACCOUNT)
        for route in (
            guarded(f"{base}/new", new, MAKE),
            guarded(f"{base}/new", make, MAKE, methods=["POST"]),
            guarded(f"{base}/{{number:int}}/rotate", rotation, MAKE),
            guarded(f"{base}/{{number:int}}/rotate", rotate, MAKE, methods=["POST"]),
            guarded(f"{base}/{{number:int}}/revoke", revoke, MAKE, methods=["POST"]),
        )
    ),
]
