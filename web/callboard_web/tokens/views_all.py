"""The tokens of everyone, for those who look after security."""

from typing import Final
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from callboard.audit import record
from callboard.entities import EntityRef
from callboard.errors import InputError
from callboard.i18n import Translator
from callboard_web.forms import Form
from callboard_web.portal import Crumb, number_of, portal_of
from callboard_web.routing import guarded
from callboard_web.tokens import words
from callboard_web.tokens.accounts import PREFIX
from callboard_web.tokens.machines import machines_of
from callboard_web.tokens.service import READ, REVOKE, Token
from callboard_web.tokens.views import posted

_: Final = Translator("callboard")

LIMIT: Final = 50


def everyone(request: Request) -> Response:
    """List the tokens of everyone; that somebody looked is written down."""
    portal, machines = portal_of(request), machines_of(request)
    parameters = request.query_params
    state = parameters.get("state", "") if parameters.get("state") in words.FILTERS else ""
    owner = parameters.get("owner", "").strip()[:100]
    before = parameters.get("before", "")
    number = int(before) if before.isdecimal() and len(before) < 19 else 0
    found = machines.tokens.search(state=state, owner=owner, before=number, limit=LIMIT + 1)
    shown = found[:LIMIT]
    with portal.runtime.database.write() as connection:
        looked = {"owners": sorted({token.owner for token in shown})}
        record(
            connection, READ, owner or state or "everyone", after=looked, at=portal.runtime.now()
        )
    context = {
        "tokens": shown,
        "owner_path": owner_path,
        "more": len(found) > LIMIT,
        "paged": bool(number),
        "state": state,
        "owner": owner,
        "filters": words.FILTERS,
        "query": lambda **more: urlencode(
            {key: value for key, value in {"state": state, "owner": owner, **more}.items() if value}
        ),
        "now": machines.tokens.now(),
        "states": words.STATES,
        "narrowed": words.narrowed,
        "may_revoke": portal.allows(request, REVOKE),
        "crumbs": (Crumb(_("Tokens")),),
    }
    return portal.page(request, "tokens/everyone.html", context)


def owner_path(token: Token) -> tuple[str, str]:
    """Give what the owner of a token is called, and where their page is, if they have one."""
    if token.service_account_id is not None:
        name = token.owner.removeprefix(PREFIX)
        return name, f"/service-accounts/{name}"
    name = token.owner.removeprefix("person:")
    try:
        return name, EntityRef.parse(name).path() if name.startswith("user:") else ""
    except InputError:
        return name, ""


def _revoke(request: Request, sent: Form) -> Response:
    portal, machines = portal_of(request), machines_of(request)
    token = machines.tokens.get(number_of(request))
    if not sent.confirmed:
        return portal.confirm(
            request, sent,
            title=_("Revoke %(name)s?", name=token.name),
            text=_("It is a token of %(owner)s. Whatever uses it is refused from now on. "
                   "This cannot be taken back.", owner=owner_path(token)[0]),
            verb=_("Revoke the token"), back="/tokens",
        )  # fmt: skip
    machines.tokens.revoke(token.id)
    response = RedirectResponse("/tokens", 303)
    portal.flash(request, response, _("The token %(name)s is revoked.", name=token.name))
    return response


ROUTES = [
    guarded("/tokens", everyone, READ),
    guarded("/tokens/{number:int}/revoke", posted(_revoke), REVOKE, methods=["POST"]),
]
