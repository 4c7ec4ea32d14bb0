"""The page of usage, its export and its API, and what a person chooses about their own name."""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, Final
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response, StreamingResponse

from callboard.entities import EntityRef
from callboard.errors import ConflictError, InputError
from callboard.i18n import Translator
from callboard_web.forms import read_form
from callboard_web.portal import Portal, portal_of
from callboard_web.routing import guarded, reading
from callboard_web.usage.looking import number_in
from callboard_web.usage.parts import READ
from callboard_web.usage.recorder import PERSON
from callboard_web.usage.service import Usage, UsagePage, UsageRequest, Used
from callboard_web.usage.settings import UsageSettings
from callboard_web.usage.sums import PERIODS
from callboard_web.views.catalog_export import BYTE_ORDER_MARK, csv_lines

_: Final = Translator("callboard")

LIMIT: Final = 50
MOST: Final = 500
MOST_OFFSET: Final = 1_000_000
COUNTED: Final = 1_000
"""Entities beyond which a page says that there are more."""

SHOWS: Final = ("most", "never")
PARAMETERS: Final = ("show", "days", "kind", "owner", "limit", "offset")
SAMPLE: Final = "usage:\n  enabled: true"
COLUMNS: Final = ("ref", "title", "owner", "looks", "people", "machines", "last")


def usage_of(portal: Portal) -> Usage:
    """Give what reads the counts."""
    runtime = portal.runtime
    chosen = runtime.settings.section(UsageSettings)
    return Usage(runtime.database, runtime.catalog, chosen, runtime.now)


@dataclass(frozen=True, slots=True)
class Asked:
    """What the address asks for; what is not valid in it is passed over."""

    request: UsageRequest

    @classmethod
    def of(cls, request: Request) -> "Asked":
        given = request.query_params
        days = given.get("days", "")
        start = given.get("from", "")
        return cls(
            UsageRequest(
                show="never" if given.get("show") == "never" else "most",
                days=int(days) if days in map(str, PERIODS) else 30,
                kind=given.get("kind", "").lower()[:63].replace("\0", ""),
                owner=_reference(given.get("owner", "")),
                limit=LIMIT,
                offset=int(start) if start.isdecimal() and len(start) < 7 else 0,
                count_to=COUNTED,
            )
        )

    def url(self, path: str = "/usage", start: int = 0, **changes: Any) -> str:
        """Give the address with some of it changed; `start` is where the page begins."""
        asked = self.request
        values = {
            "show": asked.show, "days": asked.days, "kind": asked.kind, "owner": asked.owner,
            "from": start, **changes,
        }  # fmt: skip
        usual = {"show": "most", "days": 30}
        query = urlencode({k: v for k, v in values.items() if v and usual.get(k) != v})
        return f"{path}?{query}" if query else path


def _reference(text: str) -> str:
    try:
        return str(EntityRef.parse(text, default_kind="group")) if text.strip() else ""
    except InputError:
        return ""


def usage(request: Request) -> Response:
    """List what is looked at most, or what nobody looked at."""
    portal, asked = portal_of(request), Asked.of(request)
    found = usage_of(portal)
    page = found.page(asked.request) if found.settings.enabled else UsagePage([], 0, None)
    owners = {EntityRef.parse(item.owner) for item in page.items if item.owner}
    chosen = asked.request.owner
    catalog = portal.runtime.catalog
    titles = catalog.titles(owners | ({EntityRef.parse(chosen)} if chosen else set()))
    context = {
        "asked": asked,
        "chosen": asked.request,
        "page": page,
        "limit": LIMIT,
        "every_day": PERIODS,
        "kinds": sorted(catalog.counts()),
        "owner_titles": {str(ref): title for ref, title in titles.items()},
        "enabled": found.settings.enabled,
        "sample": SAMPLE,
        "keep": found.settings.keep,
    }
    return portal.page(request, "usage/list.html", context)


def export(request: Request) -> Response:
    """Send every row that matches, page by page."""
    portal, asked = portal_of(request), Asked.of(request).request
    found = usage_of(portal)
    # The first page is read before the answer begins, so that an error can still be told.
    asked = replace(asked, limit=MOST, offset=0, count_to=0)
    first = found.page(asked)

    def parts() -> Iterator[bytes]:
        yield (BYTE_ORDER_MARK + csv_lines([COLUMNS])).encode()
        page, offset = first, 0
        while page.items:
            yield csv_lines(map(_cells, page.items)).encode("utf-8", "replace")
            offset += MOST
            if not page.following:
                return
            page = found.page(replace(asked, offset=offset))

    name = f"usage-{portal.runtime.now():%Y-%m-%d}.csv"
    headers = {
        "content-disposition": f'attachment; filename="{name}"',
        "cache-control": "no-store",
    }
    return StreamingResponse(parts(), headers=headers, media_type="text/csv; charset=utf-8")


def _cells(item: Used) -> list[str]:
    return [str(value if value is not None else "") for value in _plain(item).values()]


def _plain(item: Used) -> dict[str, Any]:
    return {
        "ref": str(item.ref),
        "title": item.title,
        "owner": item.owner,
        "looks": item.looks,
        "people": item.people,
        "machines": item.machines,
        "last": item.last.isoformat() if item.last else None,
    }


def api(request: Request) -> Response:
    """Answer entities with how often they were looked at."""
    portal, given = portal_of(request), request.query_params
    unknown = sorted(given.keys() - set(PARAMETERS))
    if unknown:
        raise InputError(f"Unknown query parameter {unknown[0]!r}.")
    show = given.get("show", "most")
    if show not in SHOWS:
        raise InputError(f"show is not one of {', '.join(SHOWS)}.")
    owner = given.get("owner", "")
    asked = UsageRequest(
        show="never" if show == "never" else "most",
        days=number_in(given.get("days"), "days", 30, 1, 400),
        kind=given.get("kind", "").lower().replace("\0", ""),
        owner=str(EntityRef.parse(owner, default_kind="group")) if owner else "",
        limit=number_in(given.get("limit"), "limit", LIMIT, 1, MOST),
        offset=number_in(given.get("offset"), "offset", 0, 0, MOST_OFFSET),
    )
    found = usage_of(portal)
    page = found.page(asked)
    return JSONResponse(
        {
            "enabled": found.settings.enabled,
            "countedSince": page.first.isoformat() if page.first else None,
            "days": asked.days,
            "totalItems": page.total,
            "items": [_plain(item) for item in page.items],
        }
    )


# What a person chooses


async def choose(request: Request) -> Response:
    """Keep and show the reader's name from now on, or no more."""
    form = await read_form(request)

    def act() -> Response:
        portal = portal_of(request)
        key, found = _key(portal, request), usage_of(portal)
        response = RedirectResponse("/me#usage", 303)
        if form["show"] == "yes":
            if not found.settings.enabled:
                raise ConflictError(_("Looks are not counted in this portal."))
            found.show(key)
            portal.flash(request, response, _("Owners see from now on that you looked."))
        else:
            found.hide(key)
            portal.flash(
                request, response, _("Your name is kept no more, and what was is deleted.")
            )
        return response

    return await asyncio.to_thread(act)


def forget(request: Request) -> Response:
    """Delete what is kept under the reader's name."""
    portal = portal_of(request)
    looks = usage_of(portal).forget(_key(portal, request))
    response = RedirectResponse("/me#usage", 303)
    told = _.plural("%(number)s look is deleted", "%(number)s looks are deleted", looks)
    portal.flash(request, response, told)
    return response


def _key(portal: Portal, request: Request) -> str:
    key = portal.key(request)
    if not key.startswith(PERSON):
        raise ConflictError(
            _("Only who has signed in has a name that could be kept."), hint=_("Sign in.")
        )
    return key


ROUTES = [
    guarded("/usage", usage, READ),
    guarded("/usage/export.csv", export, READ),
    guarded("/api/usage", api, READ),
    reading("/me/usage", choose, methods=["POST"]),
    reading("/me/usage/forget", forget, methods=["POST"]),
]
