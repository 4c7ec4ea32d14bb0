"""Deliveries for machines, as JSON."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from callboard.errors import InputError, NotFoundError
from callboard.i18n import Translator
from callboard_web.portal import Portal, number_of, portal_of
from callboard_web.routing import guarded
from callboard_web.webhooks import reading, words
from callboard_web.webhooks.asking import moment_in
from callboard_web.webhooks.hooks import hooks_of
from callboard_web.webhooks.masking import readable
from callboard_web.webhooks.parts import READ, REPLAY
from callboard_web.webhooks.reading import Question
from callboard_web.webhooks.replaying import replay
from callboard_web.webhooks.store import Delivery

_: Final = Translator("callboard")

LIMIT: Final = 50
MOST: Final = 500
PARAMETERS: Final = ("hook", "verdict", "state", "event", "since", "until", "limit", "before")


def listed(request: Request) -> Response:
    """Answer deliveries, the newest first; `before` is the number of the last one of a page."""
    portal = portal_of(request)
    given = dict(request.query_params)
    unknown = sorted(given.keys() - set(PARAMETERS))
    if unknown:
        raise InputError(f"Unknown query parameter {unknown[0]!r}.")
    limit = _number(given, "limit", LIMIT, MOST)
    with portal.runtime.database.read() as connection:
        found = reading.page(
            connection,
            _question(given),
            before=_number(given, "before", 0, 10**18),
            limit=limit + 1,
        )
    items = [_plain(portal, request, item) for item in found[:limit]]
    following = found[limit - 1].id if len(found) > limit and limit else None
    return JSONResponse({"items": items, "before": following})


def one(request: Request) -> Response:
    """Answer one delivery with its headers and body, without secrets."""
    portal = portal_of(request)
    number = number_of(request)
    with portal.runtime.database.read() as connection:
        found = reading.find(connection, number)
        body = reading.body_of(connection, number)
    if found is None:
        raise NotFoundError(_("There is no delivery %(number)s.", number=number))
    text, cut = readable(body)
    content = {
        **_plain(portal, request, found),
        "headers": dict(found.headers),
        "query": dict(found.query),
        "body": text,
        "bodyIsCut": cut,
    }
    return JSONResponse(content)


def hooks(request: Request) -> Response:
    """Answer every hook with its address and how it fares."""
    portal = portal_of(request)
    with portal.runtime.database.read() as connection:
        fares = reading.fares(connection)
    items = []
    for hook in hooks_of(portal.runtime):
        found = fares.get(hook.key, reading.UNKNOWN)
        status, text = words.health_of(found)
        items.append(
            {
                "hook": hook.name,
                "title": portal.text(request, hook.address.title),
                "address": f"{portal.origin(request)}{hook.path}",
                "secret": hook.address.secret,
                "status": status,
                "said": portal.text(request, text),
                "lastGood": _time(found.last_good),
                "lastRefused": _time(found.last_refused),
                "refusedSince": found.refused,
                "failedSince": found.failed,
            }
        )
    return JSONResponse({"items": items})


def work_again(request: Request) -> Response:
    """Work a delivery once more; answers the number of the run."""
    return JSONResponse({"run": replay(portal_of(request).runtime, number_of(request))}, 202)


def _question(given: Mapping[str, str]) -> Question:
    for name, known in (("verdict", words.VERDICT_WORDS), ("state", words.STATE_WORDS)):
        if given.get(name) and given[name] not in known:
            raise InputError(f"{name} is not one of {', '.join(known)}.")
    moments = {name: moment_in(given[name]) for name in ("since", "until") if given.get(name)}
    for name, moment in moments.items():
        if moment is None:
            raise InputError(f"{name} is no time such as 2026-03-02T08:30:00Z.")
    plugin, _dot, hook = given.get("hook", "").partition(".")
    return Question(
        plugin=plugin,
        hook=hook,
        verdict=given.get("verdict", ""),
        state=given.get("state", ""),
        event=given.get("event", ""),
        **moments,
    )


def _number(given: Mapping[str, str], name: str, default: int, most: int) -> int:
    text = given.get(name)
    if text is None:
        return default
    if not (text.isascii() and text.isdigit()) or len(text) > 19 or int(text) > most:
        raise InputError(f"{name} is not a number from 0 to {most}.")
    return int(text)


def _plain(portal: Portal, request: Request, item: Delivery) -> dict[str, Any]:
    return {
        "id": item.id,
        "hook": f"{item.plugin}.{item.hook}",
        "delivery": item.key,
        "event": item.event,
        "receivedAt": _time(item.received_at),
        "lastAt": _time(item.last_at),
        "times": item.times,
        "from": item.address,
        "requestId": item.request_id,
        "size": item.size,
        "verdict": item.verdict,
        "reason": portal.text(request, item.reason),
        "state": item.state,
        "outcome": portal.text(request, item.outcome),
        "repository": item.repository,
        "links": [
            {"title": portal.text(request, title), "path": path} for title, path in item.links
        ],
        "attempts": item.attempts,
        "run": item.run,
        "finishedAt": _time(item.finished_at),
    }


def _time(at: datetime | None) -> str | None:
    return at.isoformat() if at else None


ROUTES = [
    guarded("/api/deliveries", listed, READ),
    guarded("/api/deliveries/hooks", hooks, READ),
    guarded("/api/deliveries/{number:int}", one, READ),
    guarded("/api/deliveries/{number:int}/replay", work_again, REPLAY, methods=["POST"]),
]
