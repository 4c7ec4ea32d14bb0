"""Signing in with a provider, and out again when the provider says so."""

import asyncio
from typing import Final
from urllib.parse import parse_qs, urlsplit

from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, RedirectResponse, Response

from callboard.errors import InputError
from callboard.i18n import Translator
from callboard_web.csrf import read_body
from callboard_web.formats import address
from callboard_web.forms import read_form
from callboard_web.middleware import POLICY
from callboard_web.portal import Portal, portal_of
from callboard_web.routing import public
from callboard_web.sessions.cookie import is_loopback_name
from callboard_web.sign_in.faults import SignInFailedError
from callboard_web.sign_in.pending import LASTS, UnknownStateError, fresh_browser
from callboard_web.sign_in.service import SignIn
from callboard_web.sign_in.settings import ProviderSettings

_: Final = Translator("callboard")

COOKIE: Final = "callboard_sign_in"
"""Binds a sign-in under way to the browser it began in."""

LONGEST_SECRET: Final = 100
MOST_BEGUN: Final = 600
"""Sign-ins begun from one address in a quarter of an hour: a company may have but one address."""

MOST_REFUSED: Final = 30
"""Answers nobody asked for, and wrong logout tokens, that are written down in the same time."""

LOGOUT_BYTES: Final = 300 * 1024
LONGEST_ANSWER: Final = 8_000
"""Characters of a parameter of an answer."""


async def begin(request: Request) -> Response:
    """Send a person to the provider. The form has a token: nobody else can begin it for them."""
    portal = portal_of(request)
    form = await read_form(request)
    return await asyncio.to_thread(_begin, portal, request, form["next"])


def _begin(portal: Portal, request: Request, wanted: str) -> Response:
    sign_in, provider = _asked(portal, request)
    portal.sessions.cookie.require_safe(request)
    if not portal.runtime.portal.base_url and not is_loopback_name(request):
        raise InputError(
            _("The portal does not know its own address."),
            hint=_("Set portal.base_url to the address that people use."),
        )
    portal.sessions.attempts.take(counted_as="begun", most=MOST_BEGUN)
    browser = _browser(request) or fresh_browser()
    try:
        target = sign_in.begin(provider, browser, address(wanted), _callback(portal, request))
    except SignInFailedError as error:
        return _failed(portal, request, sign_in, provider, error)
    # A page, not a redirect: the policy of pages lets forms lead within the portal only, and
    # browsers hold redirects after a form to it.
    response = portal.page(
        request, "sign_in/going.html", {"provider": provider, "target": target}, counts=False,
        headers={"cache-control": "no-store", "refresh": f"0; url={target}"},
    )  # fmt: skip
    response.set_cookie(
        COOKIE, browser, max_age=int(LASTS.total_seconds()), httponly=True, samesite="lax",
        secure=portal.is_secure(request),
    )  # fmt: skip
    return response


def callback(request: Request) -> Response:
    """Take the provider's answer and begin a session."""
    portal = portal_of(request)
    sign_in, provider = _asked(portal, request)
    answer = {
        name: value[:LONGEST_ANSWER] for name, value in request.query_params.items()
    }  # of a parameter that is there twice, the last
    try:
        taken = sign_in.take(provider, answer.get("state", ""), _browser(request))
        found = sign_in.complete(provider, taken, answer, _callback(portal, request))
    except UnknownStateError as error:
        # Anyone can send such an answer: only so many are written down.
        portal.sessions.attempts.take(counted_as="refused", most=MOST_REFUSED)
        return _failed(portal, request, sign_in, provider, error)
    except SignInFailedError as error:
        return _failed(portal, request, sign_in, provider, error)
    response = RedirectResponse(address(found.next), 303, {"cache-control": "no-store"})
    portal.sessions.sign_in(request, response, found.signed_in)
    sign_in.succeeded(provider, found)
    return response


def _failed(
    portal: Portal,
    request: Request,
    sign_in: SignIn,
    provider: ProviderSettings,
    error: SignInFailedError,
) -> Response:
    number = sign_in.failed(provider, error)
    context = {"provider": provider, "message": error.message, "number": number}
    headers = {"cache-control": "no-store"}
    return portal.page(
        request, "sign_in/failed.html", context, status=error.status, counts=False, headers=headers
    )


def front_channel(request: Request) -> Response:
    """End the sessions of a provider's session, asked by a frame in the provider's page.

    OpenID Connect Front-Channel Logout 1.0: the browser sends no cookie of ours from a frame, so
    it is `iss` and `sid` that tell which.
    """
    portal = portal_of(request)
    sign_in, provider = _asked(portal, request)
    issuer = request.query_params.get("iss", "")
    session = request.query_params.get("sid", "")[:LONGEST_ANSWER]
    if issuer == sign_in.client(provider).issuer and session:
        portal.sessions.end_of_provider(provider.name, provider_session=session)
    parts = urlsplit(provider.where)
    framed = f"frame-ancestors {parts.scheme}://{parts.netloc}"
    policy = POLICY.replace("frame-ancestors 'none'", framed)
    return PlainTextResponse(
        "",
        headers={
            "cache-control": "no-store",
            "content-security-policy": policy,
            "cross-origin-resource-policy": "cross-origin",
        },
    )


async def back_channel(request: Request) -> Response:
    """End sessions by a signed logout token (OpenID Connect Back-Channel Logout 1.0)."""
    portal = portal_of(request)
    body = (await read_body(request, LOGOUT_BYTES)).decode("utf-8", "replace")
    token = (parse_qs(body).get("logout_token") or [""])[0]
    return await asyncio.to_thread(_back_channel, portal, request, token)


def _back_channel(portal: Portal, request: Request, token: str) -> Response:
    sign_in, provider = _asked(portal, request)
    headers = {"cache-control": "no-store"}
    try:
        subject, session = sign_in.obey(provider, token)
    except SignInFailedError as error:
        portal.sessions.attempts.take(counted_as="logout", most=MOST_REFUSED)
        sign_in.failed(provider, error)
        told = {"error": "invalid_request", "error_description": str(error.message)}
        return JSONResponse(told, 400, headers)
    portal.sessions.end_of_provider(provider.name, subject=subject, provider_session=session)
    return Response(status_code=200, headers=headers)


def _asked(portal: Portal, request: Request) -> tuple[SignIn, ProviderSettings]:
    sign_in = portal.sign_in
    return sign_in, sign_in.provider(request.path_params["provider"])


def _browser(request: Request) -> str:
    value = request.cookies.get(COOKIE, "")
    return value if 0 < len(value) <= LONGEST_SECRET else ""


def _callback(portal: Portal, request: Request) -> str:
    """Give the one address of the portal to which a provider sends its answers."""
    return f"{portal.origin(request)}/sign-in/callback/{request.path_params['provider']}"


_WHY: Final = "people sign in here; what is sent is bound to their browser, and each once"
_SIGNED: Final = "a provider ends sessions; what it sends names them, and is signed where it counts"

ROUTES = [
    public("/sign-in/with/{provider}", begin, why=_WHY, methods=["POST"]),
    public("/sign-in/callback/{provider}", callback, why=_WHY),
    public("/sign-out/frontchannel/{provider}", front_channel, why=_SIGNED),
    public("/sign-out/backchannel/{provider}", back_channel, why=_SIGNED, methods=["POST"]),
]
