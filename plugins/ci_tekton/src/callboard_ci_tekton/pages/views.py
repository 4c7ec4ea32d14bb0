"""Draws the page of a run. Everything is read from tables."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any, Final

from callboard.contributions import Fragment, PageContext
from callboard.entities import EntityRef
from callboard.errors import InputError, NotFoundError
from callboard.i18n import Text, Translator
from callboard.repositories import commit_page
from callboard_ci_tekton.building import run_path
from callboard_ci_tekton.crumbs import TAB, of_run
from callboard_ci_tekton.pages.banner import banner_of, culprits
from callboard_ci_tekton.pages.comparing import compare, shown
from callboard_ci_tekton.pages.drawing import picture_of, tree_of
from callboard_ci_tekton.pages.nodes import Node, nodes_of
from callboard_ci_tekton.pages.reading import Found, load
from callboard_ci_tekton.pages.selecting import Chosen, choose
from callboard_ci_tekton.pages.timeline import time_line
from callboard_ci_tekton.pages.words import STATES, TITLES, took
from callboard_ci_tekton.runs.states import UNFINISHED
from callboard_ci_tekton.runs.values import seconds
from callboard_ci_tekton.views import TRIGGER_WORDS, WAITS_FOR_APPROVAL

_ = Translator("ci_tekton")

_LATE: Final = timedelta(minutes=2)
"""How long after its end a run may still change: its tasks are watched apart from it."""


def draw_run(context: PageContext) -> Fragment | None:
    """The page of a run; None where there is none that the reader may see."""
    host, now = context.host, context.host.now()
    try:
        found = load(host, context.path.get("id", ""))
    except NotFoundError:
        return None
    acts = _acts(context, found)
    asked = {item.row.task for item in acts.get("approvals", ())
             if item.row.state == "pending" and not item.row.gone}  # fmt: skip
    nodes = nodes_of(found, now, asked)
    chosen = choose(nodes, context.query, now, is_over=found.run.row.state not in UNFINISHED)
    parts = {**_parts(context, found, chosen), "acts": acts}
    banner = banner_of(found, nodes, now)
    drawn = {
        **_head(found, nodes, now, waits=bool(asked)),
        "banner": banner,
        "picture": picture_of(nodes, chosen),
        "nodes": nodes,
        "tree": tree_of(nodes, chosen, now),
        "chosen": chosen,
        "times": time_line(found.run.row, nodes, now),
        "comparison": compare(found, {node.name: node.title for node in nodes}),
        "detail": found.run.detail,
        "skipped": [node for node in nodes if node.why],
        "commit_page": commit_page, "run_path": run_path, "shown": shown, "took": took,
        **parts,
    }  # fmt: skip
    log = parts["log"] or {}
    return Fragment(
        template="ci_tekton/run.html",
        context=drawn,
        title=found.run.row.name,
        crumbs=of_run(found.entities),
        styles=("ci_tekton/run.css", *log.get("styles", ())),
        scripts=("ci_tekton/run.js", *log.get("scripts", ())),
    )


def _head(found: Found, nodes: Sequence[Node], now: Any, *, waits: bool) -> dict[str, Any]:
    row = found.run.row
    bad = culprits(nodes)
    status, words = STATES[row.state][0], TITLES[row.state]
    if waits and row.state == "running":
        status, words = WAITS_FOR_APPROVAL
    if bad and row.state == "failed":
        words = _("Failed at %(task)s", task=bad[0][0].title)
    over = row.state not in UNFINISHED
    cluster = found.cluster
    return {
        "run": row,
        "heading": _heading(found),
        "mark_of_run": status, "words_of_run": words,
        "entities": [(ref.path(TAB), title) for ref, title in found.entities.items()],
        "by": _by(row),
        "length": took(_length(row, now)), "usual": found.usual, "is_over": over,
        "began": sum(node.began for node in nodes),
        "cluster": cluster if cluster and cluster.state not in ("answering", "unknown") else None,
        "is_live": not over or (row.finished_at is not None and now - row.finished_at < _LATE),
    }  # fmt: skip


def _heading(found: Found) -> Text:
    title: Text = found.run.row.title or found.run.row.pipeline
    names = list(found.entities.values())
    if len(names) != 1:
        return title
    return _("%(entity)s, %(pipeline)s", entity=names[0], pipeline=title)


def _by(row: Any) -> Text:
    """Say who set a run off, and how; nothing where that is not known."""
    person, trigger = _name_of(row.actor) or row.author, TRIGGER_WORDS.get(row.trigger, row.trigger)
    if person:
        return _("%(person)s, %(trigger)s", person=person, trigger=trigger)
    return trigger if row.trigger != "other" else ""


def _name_of(actor: str) -> str:
    """Give the name of a person where the actor is a reference, such as `user:default/ada`."""
    if ":" not in actor:
        return actor
    try:
        return EntityRef.parse(actor).name
    except InputError:
        return actor


def _length(row: Any, now: Any) -> float | None:
    if row.duration is not None:
        return float(row.duration)
    return seconds(row.started_at or row.created_at, row.finished_at or now)


def _acts(context: PageContext, found: Found) -> Mapping[str, Any]:
    from callboard_ci_tekton.acts.offering import offers

    return offers(context, found.run.row)


def _parts(context: PageContext, found: Found, chosen: Chosen | None) -> dict[str, Any]:
    """Ask the other parts of the plugin what they add to the page."""
    # These know the page's reading themselves.
    from callboard_ci_tekton.logs.views import log_of
    from callboard_ci_tekton.push.views import origin

    row, log = found.run.row, None
    if chosen is not None and chosen.step is not None:
        log = {**log_of(context, chosen.task, chosen.step), "title": chosen.title}
    with context.host.read() as connection:
        came = origin(connection, row.id)
    return {"log": log, "origin": came}
