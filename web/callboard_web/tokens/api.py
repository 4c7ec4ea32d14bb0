"""What machines ask about themselves."""

from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from callboard.errors import InputError
from callboard.i18n import Translator
from callboard.identity import Principal, Selector, Subject
from callboard_web.portal import Portal, portal_of
from callboard_web.routing import public
from callboard_web.tokens.credential import STATE, Bearer
from callboard_web.tokens.machines import machines_of

_ = Translator("callboard")


def whoami(request: Request) -> Response:
    """Answer who asks, until when, and what they may do here and now."""
    portal = portal_of(request)
    subject = portal.subject(request)
    bearer = _bearer(request)
    content = {
        "principal": _principal(subject.principal),
        "title": subject.title,
        "onBehalfOf": _principal(subject.on_behalf_of) if subject.on_behalf_of else None,
        "owns": [str(ref) for ref in subject.mine],
        "names": sorted(subject.names),
        "expiresAt": bearer.expires_at.isoformat() if bearer else None,
        "requestsPerMinute": bearer.rate if bearer else None,
        "limits": None
        if subject.limits is None
        else [
            {"permissions": list(limit.permissions), "on": _selector(limit.on)}
            for limit in subject.limits
            if limit.permissions
        ],
        "permissions": _permissions(portal, subject),
    }
    return JSONResponse(content, headers={"cache-control": "no-store"})


def _permissions(portal: Portal, subject: Subject) -> list[dict[str, str]]:
    """Give what may be done: `everywhere`, or with `some` entities."""
    access = portal.runtime.services.access
    found = []
    for name, declared in sorted(access.permissions.items()):
        if declared.about == "portal":
            where = "everywhere" if access.decide(subject, name).allowed else ""
        else:
            chosen = access.filter(subject, name)
            where = "everywhere" if chosen.everything else "" if chosen.nothing else "some"
        if where:
            found.append({"name": name, "on": where})
    return found


def end(request: Request) -> Response:
    """Revoke the token that is shown: whoever finds one can end it."""
    bearer = _bearer(request)
    if bearer is None or bearer.number is None:
        raise InputError(
            _("There is no token of this portal in the request."),
            hint=_("Send the token that shall end in the header Authorization."),
        )
    machines_of(request).tokens.revoke(bearer.number)
    return Response(status_code=204)


def _bearer(request: Request) -> Bearer | None:
    bearer: Bearer | None = request.scope["state"].get(STATE)
    return bearer


def _principal(principal: Principal) -> dict[str, str]:
    return {"kind": principal.kind, "name": principal.name}


def _selector(on: Selector) -> dict[str, Any]:
    """Give what a selector asks for, under the names of the settings."""
    lists = {
        "kind": on.kinds, "type": on.types, "owner": on.owners, "system": on.systems,
        "domain": on.domains, "namespace": on.namespaces, "tag": on.tags,
        "environment": on.environments, "entity": on.refs,
    }  # fmt: skip
    told: dict[str, Any] = {name: sorted(values) for name, values in lists.items() if values}
    return {**told, "owned": True} if on.owned else told


ROUTES = [
    public("/api/whoami", whoami, why="It tells who asks only of themselves."),
    public("/api/token", end, methods=["DELETE"], why="Whoever has a token may end it."),
]
