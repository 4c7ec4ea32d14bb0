"""The pages of deliveries: the inbox, one delivery, one hook, and working one again."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from callboard.contributions import DeliveryContext, DeliveryFollow, DeliveryFollows
from callboard.errors import NotFoundError
from callboard.i18n import Text, Translator
from callboard.plugins import Contributed, PluginError
from callboard.repositories.pushed import comparable
from callboard_web.portal import Crumb, Portal, number_of, portal_of
from callboard_web.routing import guarded
from callboard_web.webhooks import reading, words
from callboard_web.webhooks.asking import LABELS, filters_of
from callboard_web.webhooks.hooks import Hook, find_hook, hook_at, hooks_of
from callboard_web.webhooks.masking import readable
from callboard_web.webhooks.parts import READ, REPLAY
from callboard_web.webhooks.reading import Question
from callboard_web.webhooks.replaying import replay
from callboard_web.webhooks.settings import WebhooksSettings
from callboard_web.webhooks.store import Delivery

_: Final = Translator("callboard")

LIMIT: Final = 50
RECENT: Final = 10
RANK: Final = {"bad": 0, "warn": 1, "todo": 2}


@dataclass(frozen=True, slots=True)
class Follows:
    """What a plugin says followed from a delivery, or the error that stands in its place."""

    title: Text
    items: Sequence[DeliveryFollow]
    error: PluginError | None = None


def deliveries(request: Request) -> Response:
    """List the hooks with how they fare, and what was delivered to them, the newest first."""
    portal = portal_of(request)
    asked = filters_of(request.query_params.multi_items(), portal.reader(request))
    with portal.runtime.database.read() as connection:
        found = reading.page(connection, asked.question, before=asked.before, limit=LIMIT + 1)
        fares = reading.fares(connection)
        events = reading.events_of(connection)
    hooks = hooks_of(portal.runtime)
    context = {
        **_words(),
        "asked": asked,
        "items": found[:LIMIT],
        "following": found[LIMIT - 1].id if len(found) > LIMIT else 0,
        "hooks": _ranked(hooks, fares),
        "names": sorted({hook.name for hook in hooks} | {".".join(key) for key in fares}),
        "events": events,
        "labels": LABELS,
        "keeps": portal.runtime.settings.section(WebhooksSettings).keep,
    }
    return portal.page(request, "webhooks/deliveries.html", context)


def _ranked(hooks: Sequence[Hook], fares: Any) -> list[dict[str, Any]]:
    listed = []
    for hook in hooks:
        one = fares.get(hook.key, reading.UNKNOWN)
        status, text = words.health_of(one)
        listed.append({"hook": hook, "fares": one, "status": status, "words": text})
    return sorted(listed, key=lambda item: (RANK.get(item["status"], 3), item["hook"].name))


def delivery(request: Request) -> Response:
    """Show one delivery: what was sent, what was made of it, and what came of it."""
    portal = portal_of(request)
    number = number_of(request)
    with portal.runtime.database.read() as connection:
        found = reading.find(connection, number)
        body = reading.body_of(connection, number)
    if found is None:
        raise _no_delivery(number)
    shown, cut = readable(body)
    context = {
        **_words(),
        "found": found,
        "hook": find_hook(portal.runtime, found.plugin, found.hook),
        "hook_name": f"{found.plugin}.{found.hook}",
        "body": shown,
        "cut": cut,
        "sources": _sources(portal, found),
        "follows": follows_of(portal, request, number),
        "may_see_jobs": portal.allows(request, "portal.job.read"),
        "may_replay": found.can_be_replayed and portal.allows(request, REPLAY),
        "crumbs": (Crumb(_("Deliveries"), "/deliveries"), Crumb(str(number))),
    }
    return portal.page(request, "webhooks/delivery.html", context)


def follows_of(portal: Portal, request: Request, number: int) -> list[Follows]:
    """Ask plugins what followed from a delivery; those that fail stand with their error."""
    runtime = portal.runtime
    items = portal.slots.permitted(runtime.plugins.contributions.delivery_follows)
    asker = portal.asker(request)
    asked = [
        (item, "delivery",
         partial(_asked, item, DeliveryContext(number=number, **asker.common(
             runtime.host(item.plugin)))), Sequence)
        for item in items
    ]  # fmt: skip
    results = runtime.plugins.call_all(asked)
    return [
        Follows(item.value.title, [], result)
        if isinstance(result, PluginError)
        else Follows(item.value.title, [one for one in result if isinstance(one, DeliveryFollow)])
        for item, result in zip(items, results, strict=True)
        if result
    ]


def _asked(item: Contributed[DeliveryFollows], context: DeliveryContext) -> Any:
    return item.value.read(context)


def _sources(portal: Portal, found: Delivery) -> list[str]:
    """Name the sources that read the repository a delivery tells of, for those who see them."""
    wanted = comparable(found.repository)
    if not wanted or not portal.runtime.services.permits("catalog.source.read"):
        return []
    listed = portal.runtime.catalog.sources()
    return [item.name for item in listed if comparable(item.address) == wanted]


def hook(request: Request) -> Response:
    """Show how one hook fares and how to set up who sends to it."""
    portal = portal_of(request)
    plugin, name = request.path_params["plugin"], request.path_params["name"]
    found = hook_at(portal.runtime, plugin, name)
    with portal.runtime.database.read() as connection:
        fares = reading.fares(connection).get(found.key, reading.UNKNOWN)
        recent = reading.page(connection, Question(plugin=plugin, hook=name), limit=RECENT)
    status, text = words.health_of(fares)
    context = {
        **_words(),
        "hook": found,
        "fares": fares,
        "status_of_hook": status,
        "words_of_hook": text,
        "items": recent,
        "address": f"{portal.origin(request)}{found.path}",
        "crumbs": (Crumb(_("Deliveries"), "/deliveries"), Crumb(found.address.title)),
    }
    return portal.page(request, "webhooks/hook.html", context)


def work_again(request: Request) -> Response:
    """Work a delivery once more, and go back to its page."""
    portal = portal_of(request)
    number = number_of(request)
    replay(portal.runtime, number)
    response = RedirectResponse(f"/deliveries/{number}", 303)
    portal.flash(request, response, _("The delivery is worked again."))
    return response


def _words() -> dict[str, Any]:
    return {
        "state_words": words.STATE_WORDS,
        "state_status": words.STATE_STATUS,
        "verdict_words": words.VERDICT_WORDS,
        "verdict_status": words.VERDICT_STATUS,
    }


def _no_delivery(number: int) -> NotFoundError:
    return NotFoundError(
        _("There is no delivery %(number)s.", number=number),
        hint=_("Old ones are deleted; the list has the rest."),
    )


ROUTES = [
    guarded("/deliveries", deliveries, READ),
    guarded("/deliveries/{number:int}", delivery, READ),
    guarded("/deliveries/{number:int}/replay", work_again, REPLAY, methods=["POST"]),
    guarded("/deliveries/hooks/{plugin}/{name}", hook, READ),
]
