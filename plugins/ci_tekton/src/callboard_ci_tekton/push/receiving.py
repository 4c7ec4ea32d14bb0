"""Takes in what hosts of repositories tell, and has rules answer it."""

import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from callboard.contributions import Event, EventContext
from callboard.errors import CallboardError
from callboard.i18n import Text, Translator
from callboard.repositories import merge_requests, pushed
from callboard.repositories.merge_requests import MergeRequest
from callboard.repositories.pushed import Pushed, comparable
from callboard_ci_tekton.push.model import News
from callboard_ci_tekton.push.rules import fits, useless
from callboard_ci_tekton.push.settings import PushSettings
from callboard_ci_tekton.push.store import add_pushes, known_keys, set_push
from callboard_ci_tekton.push.words import plain_name

if TYPE_CHECKING:
    from callboard.host import Host

_ = Translator("ci_tekton")
log = logging.getLogger(__name__)

KINDS: Final = (pushed.KIND, merge_requests.KIND)
DECIDE: Final = "decide_push"


def on_news(context: EventContext) -> None:
    """Keep what was told, and have those looked at that a rule may be for.

    The same delivery told again, as it was worked once more, is looked at once more; what it has
    started stays.
    """
    settings: PushSettings = context.host.settings.push
    if not (settings.rules or settings.files):
        return
    rows: dict[str, dict[str, Any]] = {}
    for event in context.events:
        found = _row(event, settings)
        if found is not None:
            rows[found["key"]] = found
    keep(context.host, list(rows.values()))


def keep(host: "Host", rows: Sequence[dict[str, Any]]) -> None:
    """Write rows of `push` and ask for those that wait to be decided, in one transaction."""
    if not rows:
        return
    with host.write() as connection:
        known = known_keys(connection, [row["key"] for row in rows])
        add_pushes(connection, [row for row in rows if row["key"] not in known])
        after = known_keys(connection, [row["key"] for row in rows])
        for row in rows:
            number = after[row["key"]].id
            if row["key"] in known:
                set_push(connection, number, state=row["state"], reason=row["reason"])
            if row["state"] == "waiting":
                host.submit(DECIDE, {"push": number}, key=str(number), connection=connection)


def _row(event: Event, settings: PushSettings) -> dict[str, Any] | None:
    try:
        news, number = _read(event)
    except ValueError as error:
        log.warning("Event %d: %s", event.id, error)
        return None
    reason = useless(news, settings.ignore_actors) or _nobody(news, settings)
    return {
        "key": f"delivery:{number}" if number else f"event:{event.id}",
        "delivery": number,
        **{name: getattr(news, name) for name in News.__dataclass_fields__},
        "files": None if news.files is None else list(news.files),
        "state": "ignored" if reason else "waiting",
        "reason": reason or "",
        "received_at": event.at,
    }


def _nobody(news: News, settings: PushSettings) -> Text | None:
    """Say that no rule is for a repository, None where one is."""
    patterns = [rule.repositories for rule in settings.rules]
    patterns += [allowed.repositories for allowed in settings.files]
    try:
        found = any(fits(one, news.repository) for one in patterns)
    except CallboardError as error:
        return error.message
    return None if found else _("No rule is for this repository.")


def _read(event: Event) -> tuple[News, int]:
    """Give what an event tells, and the number of its delivery."""
    if event.kind == merge_requests.KIND:
        told = MergeRequest.of(event.data)
        return News(
            kind="merge_request", action=told.action, number=told.number, fork=told.fork,
            branch=plain_name(told.target)[:250], source=plain_name(told.source)[:250],
            commit=told.commit, actor=told.actor[:250], title=told.title[:300],
            **_place(told.addresses),
        ), told.delivery  # fmt: skip
    moved = Pushed.of(event.data)
    return News(
        kind="tag" if moved.tag else "push",
        branch=plain_name(moved.branch)[:250], tag=plain_name(moved.tag)[:250],
        commit=moved.commit, before=moved.before, actor=moved.actor[:250],
        title=moved.title[:300], files=moved.files, **_place(moved.addresses),
    ), moved.delivery  # fmt: skip


def _place(addresses: Sequence[str]) -> dict[str, Any]:
    address = addresses[0] if addresses else ""
    return {"address": address, "repository": comparable(address)[:500]}
