"""What is answered when something goes wrong: a page, a piece for htmx, or JSON."""

import asyncio
import logging
import secrets
from dataclasses import dataclass
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, Response
from starlette.routing import Match

from callboard.errors import CallboardError, NotAllowedError, NotSignedInError
from callboard.i18n import Text, Translator
from callboard_web.catalog_api.model import MOUNT
from callboard_web.denied import Missing, missing_of, note_refusal
from callboard_web.faults import EntityNotFoundError
from callboard_web.maintenance import ANY, MaintenanceError
from callboard_web.portal import Portal, portal_of, wants_fragment
from callboard_web.routing import GuardedRoute
from callboard_web.sessions import refusal
from callboard_web.shell import here_of

log = logging.getLogger(__name__)
_ = Translator("callboard")

INTERNAL = 500
MISSING = 404
OTHER_METHOD = 405
UNKNOWN = 401
"""It is not known who asks."""
CATALOG = f"{MOUNT}/"

HEADLINES: dict[int, Text] = {
    400: _("This cannot be read"),
    403: _("This is not allowed"),
    404: _("There is nothing here"),
    405: _("This address does not take that request"),
    408: _("That took too long to come"),
    409: _("That does not fit the state of things"),
    413: _("That is too large"),
    422: _("Something is missing or wrong"),
    429: _("That was too often"),
    503: _("Something this needs does not answer"),
}
MESSAGES: dict[int, Text] = {
    404: _("The address may be old or mistyped."),
    405: _("Go back and open the page by its link."),
}
TITLES: dict[int, Text] = {
    400: _("Bad request"),
    403: _("Forbidden"),
    404: _("Not found"),
    405: _("Method not allowed"),
    408: _("Too slow"),
    409: _("Conflict"),
    413: _("Too large"),
    422: _("Not valid"),
    429: _("Too many requests"),
    500: _("Server error"),
    503: _("Unavailable"),
}
NAMES = {404: "NotFoundError", 405: "MethodNotAllowedError", 403: "NotAllowedError"}


@dataclass(frozen=True, slots=True)
class Fault:
    """An error as people are told of it."""

    status: int
    name: str
    message: Text
    hint: Text = ""
    id: str = ""
    permission: str = ""
    cause: str = ""


def fault_of(error: Exception) -> Fault:
    """Give what may be told of an error; what is unexpected is logged under a new error id."""
    if isinstance(error, CallboardError) and error.status < INTERNAL:
        permission = error.permission if isinstance(error, NotAllowedError) else ""
        name, cause = error.name, ""
        if isinstance(error, NotSignedInError) and name != NotSignedInError.name:
            name, cause = NotSignedInError.name, name
        return Fault(
            error.status, name, error.message, error.hint, permission=permission, cause=cause
        )
    if isinstance(error, HTTPException) and error.status_code < INTERNAL:
        name = NAMES.get(error.status_code, "InputError")
        message = MESSAGES.get(error.status_code, str(error.detail))
        return Fault(error.status_code, name, message)
    if isinstance(error, MaintenanceError):
        said = error.state.text(ANY)
        return Fault(error.status, error.name, error.message, said)
    fault_id = f"e-{secrets.token_hex(4)}"
    if isinstance(error, CallboardError):
        # Foreseen, and told in words: where it was raised says nothing more.
        log.error("A request failed: %s (%s)", error, fault_id)
        return Fault(error.status, error.name, error.message, error.hint, fault_id)
    log.error("A request failed (%s).", fault_id, exc_info=error)
    return Fault(INTERNAL, "InternalError", "The server could not finish this.", "", fault_id)


async def answer(request: Request, error: Exception) -> Response:
    """Answer an error in the form the request asks for."""
    fault = fault_of(error)
    headers = dict(getattr(error, "headers", None) or {})
    await asyncio.to_thread(note_refusal, portal_of(request), request, fault.status, error)
    for_machines = request.url.path.startswith("/api/") or _is_by_token(request, headers)
    if fault.status == UNKNOWN:
        headers.setdefault(*refusal.CHALLENGE)
    if fault.status == OTHER_METHOD:
        headers["allow"] = _methods(request)
    if isinstance(error, HTTPException) and _is_no_endpoint(request, fault):
        return Response(status_code=MISSING)
    if for_machines:
        return _with(json_fault(request, fault), headers)
    if request.url.path.startswith(("/hooks/", "/metrics", "/healthz", "/readyz", "/static/")):
        return PlainTextResponse(f"{fault.message} {fault.hint}".strip(), fault.status, headers)
    if fault.status == UNKNOWN:
        return _with(await refusal.answer(request, fault.message), headers)
    return _with(await asyncio.to_thread(_page, portal_of(request), request, fault, error), headers)


def _is_no_endpoint(request: Request, fault: Fault) -> bool:
    """Say whether there is nothing at an address of the catalog's API: that is told in no words."""
    return fault.status == MISSING and request.url.path.startswith(CATALOG)


def _methods(request: Request) -> str:
    """Give the methods that an address takes, by all routes to it (RFC 9110, section 15.5.6)."""
    routes = (item for item in request.app.router.routes if isinstance(item, GuardedRoute))
    fitting = (item for item in routes if item.matches(request.scope)[0] is not Match.NONE)
    return ", ".join(sorted({name for item in fitting for name in item.methods or ()}))


def _is_by_token(request: Request, headers: dict[str, str]) -> bool:
    """Say whether a machine asks, by a token that may be good or not: it reads no pages.

    One that stands in the address must not be repeated either, as the links of a page would.
    """
    shown = request.headers.get("authorization", "")[:7].lower() == "bearer "
    return shown or "WWW-Authenticate" in headers


def json_fault(request: Request, fault: Fault) -> JSONResponse:
    """Give the one JSON error shape of the APIs; that of the catalog names paths below its own."""
    told: dict[str, Any] = {
        "name": fault.name, "message": f"{fault.message} {fault.hint}".strip()
    }  # fmt: skip
    if fault.cause:
        told["cause"] = {"name": fault.cause, "message": str(fault.message)}
    if fault.id:
        told["id"] = fault.id
    if fault.permission:
        told["permission"] = fault.permission
    path = request.url.path
    content = {
        "error": told,
        "request": {
            "method": request.method,
            "url": path.removeprefix(MOUNT) if path.startswith(CATALOG) else path,
        },
        "response": {"statusCode": fault.status},
    }
    return JSONResponse(content, fault.status)


def _page(portal: Portal, request: Request, fault: Fault, error: Exception) -> Response:
    told = isinstance(error, EntityNotFoundError | MaintenanceError)
    missing = missing_of(portal, request, error) if isinstance(error, NotAllowedError) else None
    context = {
        "missing": missing,
        "fault": fault,
        "title": TITLES.get(fault.status, ""),
        "closed": error.state if isinstance(error, MaintenanceError) else None,
        "headline": fault.message if told else _headline(fault.status, missing),
        "message": "" if told else fault.message,
        "now": portal.runtime.now(),
        "changed": request.method not in ("GET", "HEAD"),
        "suggestions": getattr(error, "suggestions", ()),
        "query": getattr(error, "query", ""),
    }
    try:
        if wants_fragment(request):
            return portal.fragment(
                request, "_fault.html", {**context, "again": here_of(request)}, status=fault.status
            )
        return portal.page(request, "error.html", context, status=fault.status, counts=False)
    except Exception:
        log.exception("The page for an error could not be drawn.")
        return HTMLResponse(_PLAIN.format(fault.id), INTERNAL)


def _headline(status: int, missing: Missing | None) -> Text:
    if missing:
        return _("This needs a permission that you do not have")
    return HEADLINES.get(status, _("This page could not be built"))


_PLAIN = (
    "<!doctype html><html lang=en><meta charset=utf-8><title>Server error</title>"
    "<h1>This page could not be built</h1><p>Error ID: {}</p>"
)


def _with(response: Response, headers: dict[str, str]) -> Response:
    response.headers.update(headers)
    return response
