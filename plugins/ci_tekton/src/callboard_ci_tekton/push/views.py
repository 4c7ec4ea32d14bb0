"""What is drawn of push to run: the page of what was pushed, and the origin of a run."""

from collections.abc import Mapping, Sequence
from typing import Any, Final
from urllib.parse import urlencode

from sqlalchemy import Connection, Row, or_, select

from callboard.contributions import (
    DeliveryContext,
    DeliveryFollow,
    Fragment,
    PageContext,
    Status,
)
from callboard.i18n import Text, Translator
from callboard.repositories import commit_page
from callboard_ci_tekton.building import run_path
from callboard_ci_tekton.crumbs import PIPELINES
from callboard_ci_tekton.models import delivery, push, run

_ = Translator("ci_tekton")

PAGE: Final = 50
KINDS: Final[Mapping[str, Text]] = {
    "push": _("push"),
    "tag": _("tag"),
    "merge_request": _("merge request"),
}
PUSH_STATES: Final[Mapping[str, tuple[Status, Text]]] = {
    "waiting": ("wait", _("Not looked at yet")),
    "decided": ("ok", _("Looked at")),
    "ignored": ("skip", _("Nothing runs")),
    "failed": ("bad", _("Failed")),
}
STATES: Final[Mapping[str, tuple[Status, Text]]] = {
    "waiting": ("wait", _("About to start")),
    "started": ("ok", _("Started")),
    "forwarded": ("ok", _("Forwarded")),
    "ignored": ("skip", _("Does not fit")),
    "failed": ("bad", _("Failed")),
}
TOLD: Final[Mapping[str, Text]] = {
    "pending": _("Waiting"),
    "running": _("Running"),
    "success": _("Passed"),
    "failed": _("Failed"),
    "cancelled": _("Cancelled"),
}


def draw_pushes(context: PageContext) -> Fragment:
    """What was pushed, the newest first, with what each rule said to it."""
    query = context.query
    state = query.get("state", "") if query.get("state") in PUSH_STATES else ""
    asked = query.get("repository", "").strip()[:300]
    before = query.get("before", "")
    chosen = select(push).order_by(push.c.id.desc()).limit(PAGE + 1)
    if state:
        chosen = chosen.where(push.c.state == state)
    if asked:
        chosen = chosen.where(push.c.repository.contains(asked, autoescape=True))
    if before.isdecimal() and len(before) < 10:
        chosen = chosen.where(push.c.id < int(before))
    with context.host.read() as connection:
        rows = connection.execute(chosen).all()
        answers = _answers(connection, [row.id for row in rows[:PAGE]])
    following = ""
    if len(rows) > PAGE:
        kept = {"state": state, "repository": asked, "before": str(rows[PAGE - 1].id)}
        following = f"?{urlencode({name: value for name, value in kept.items() if value})}"
    settings = context.host.settings.push
    return Fragment(
        template="ci_tekton/pushes.html",
        crumbs=(PIPELINES,),
        styles=("ci_tekton/lists.css",),
        context={
            **_shown(),
            "rows": rows[:PAGE], "answers": answers, "state": state, "asked": asked,
            "first": bool(before), "following": following, "filtered": bool(state or asked),
            "configured": bool(settings.rules or settings.files),
        },
    )  # fmt: skip


def _answers(connection: Connection, numbers: Sequence[int]) -> dict[int, list[Row[Any]]]:
    query = select(delivery).where(delivery.c.push_id.in_(numbers)).order_by(delivery.c.position)
    found: dict[int, list[Row[Any]]] = {}
    for row in connection.execute(query):
        found.setdefault(row.push_id, []).append(row)
    return found


def origin(connection: Connection, run_id: int) -> dict[str, Any] | None:
    """Give what set a run off by a push, for `_origin.html`; None for other runs."""
    event = select(run.c.event).where(run.c.id == run_id, run.c.event != "").scalar_subquery()
    names = ("kind", "repository", "address", "branch", "source", "tag", "commit", "before",
             "number", "actor", "title", "received_at")  # fmt: skip
    query = (
        select(
            delivery,
            push.c.delivery.label("inbox"),
            *(push.c[name].label(f"push_{name}") for name in names),
        )
        .join(push, push.c.id == delivery.c.push_id)
        .where(or_(delivery.c.run_id == run_id, delivery.c.event == event))
        .order_by(delivery.c.id.desc())
        .limit(1)
    )
    row = connection.execute(query).one_or_none()
    return None if row is None else {"row": row, **_shown()}


def follows(context: DeliveryContext) -> list[DeliveryFollow]:
    """Tell on the page of a delivery what rules said to it."""
    query = (
        select(delivery, push.c.state.label("push_state"), push.c.reason.label("push_reason"))
        .select_from(push.outerjoin(delivery, delivery.c.push_id == push.c.id))
        .where(push.c.delivery == context.number)
        .order_by(push.c.id, delivery.c.position)
        .limit(PAGE)
    )
    with context.host.read() as connection:
        rows = connection.execute(query).all()
    return [_follow(row) for row in rows]


def _follow(row: Row[Any]) -> DeliveryFollow:
    page = "/ci_tekton/pushes"
    if row.id is None:
        status, words = PUSH_STATES[row.push_state]
        return DeliveryFollow(status=status, text=words, path=page, detail=row.push_reason)
    status, words = STATES[row.state]
    return DeliveryFollow(
        status=status,
        text=_("Rule %(rule)s: %(words)s", rule=row.rule, words=words),
        path=run_path(row.run_id) if row.run_id else page,
        detail=row.reason or row.name,
    )


def _shown() -> dict[str, Any]:
    return {
        "push_kinds": KINDS, "push_states": PUSH_STATES, "answer_states": STATES,
        "told_words": TOLD, "path_of": run_path, "commit_page": commit_page,
    }  # fmt: skip
