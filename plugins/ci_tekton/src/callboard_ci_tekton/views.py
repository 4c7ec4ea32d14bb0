"""What the plugin draws. Everything is read from its own tables."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, Final
from urllib.parse import urlencode

from sqlalchemy import Row

from callboard.contributions import (
    Cell,
    ColumnContext,
    EntityContext,
    FormContext,
    Fragment,
    PageContext,
    Status,
    TabNote,
)
from callboard.entities import EntityRef
from callboard.errors import InputError, NotFoundError
from callboard.i18n import Text, Translator
from callboard.repositories import commit_page
from callboard_ci_tekton.building import run_path, start_path
from callboard_ci_tekton.crumbs import PIPELINES
from callboard_ci_tekton.gitlab.views import PERMISSION as READ_PROJECTS
from callboard_ci_tekton.gitlab.views import troubles_of
from callboard_ci_tekton.models import latest, match
from callboard_ci_tekton.queries import (
    PAGE,
    STATES,
    TRIGGERS,
    Chosen,
    load_all,
    load_claimable,
    load_entities,
    load_failing,
    load_latest,
    load_of_entity,
    load_unmatched,
)
from callboard_ci_tekton.service import claim_runs
from callboard_ci_tekton.statistics import (
    HEIGHT,
    SMALL_HEIGHT,
    draw_days,
    load_days,
)

_ = Translator("ci_tekton")

WORDS: Final[Mapping[str, tuple[Status, Text]]] = {
    "waiting": ("wait", _("Waiting")),
    "held": ("pause", _("Held")),
    "running": ("run", _("Running")),
    "stopping": ("run", _("Stopping")),
    "succeeded": ("ok", _("Passed")),
    "failed": ("bad", _("Failed")),
    "cancelled": ("skip", _("Cancelled")),
    "timed_out": ("bad", _("Timed out")),
    "skipped": ("skip", _("Skipped")),
    "deleted": ("unknown", _("Deleted before it ended")),
}
WAITS_FOR_APPROVAL: Final[tuple[Status, Text]] = ("wait", _("Waiting for approval"))
"""What is said of a run that is at work, to the cluster, and waits for people."""

TRIGGER_WORDS: Final[Mapping[str, Text]] = {
    "push": _("push"),
    "tag": _("tag"),
    "merge_request": _("merge request"),
    "person": _("person"),
    "schedule": _("schedule"),
    "other": _("other"),
}
READ: Final = "ci_tekton.run.read"
START: Final = "ci_tekton.run.start"


def words_of(row: Row[Any]) -> tuple[Status, Text]:
    """Give the mark and the words of a run in a list."""
    return WAITS_FOR_APPROVAL if row.asked else WORDS[row.state]


def draw_tab(context: EntityContext) -> Fragment:
    """The runs of an entity, and how they fared in thirty days."""
    ref, chosen, now = context.entity.ref, _chosen(context.query), context.host.now()
    with context.host.read() as connection:
        rows = list(load_of_entity(connection, str(ref), chosen))
        ended = load_days(connection, str(ref), now)
        troubles = troubles_of(context.host, connection, str(ref))
    days, figures = draw_days(ended, now)
    return Fragment(
        template="ci_tekton/tab.html",
        context={
            **_listed(rows, chosen, ref.path("ci_tekton.runs")),
            "days": days,
            "height": HEIGHT,
            "small_height": SMALL_HEIGHT,
            "figures": figures,
            "troubles": troubles,
            "start": start_path(ref) if context.host.allows(START, ref) else "",
        },
    )


def note_tab(context: EntityContext) -> TabNote | None:
    """Whether the newest run of any pipeline failed."""
    with context.host.read() as connection:
        found = load_latest(connection, [str(context.entity.ref)])
    rows = found.get(str(context.entity.ref), ())
    bad = [row for row in rows if WORDS[row.state][0] == "bad"]
    return TabNote(status="bad", words=_("last run failed")) if bad else None


def draw_runs(context: PageContext) -> Fragment:
    """Runs of all entities the reader may see."""
    chosen = _chosen(context.query)
    seen = context.host.catalog.seen(match.c.entity, READ)
    with context.host.read() as connection:
        rows = list(load_all(connection, seen, chosen))
        belongs = load_entities(connection, [row.id for row in rows[:PAGE]], seen)
    refs = [EntityRef.parse(ref) for found in belongs.values() for ref in found]
    titles = context.host.catalog.titles(refs)
    owners = {number: [titles.get(EntityRef.parse(ref), ref) for ref in found]
              for number, found in belongs.items()}  # fmt: skip
    shown = _listed(rows, chosen, "/ci_tekton/")
    return Fragment(template="ci_tekton/runs.html", context={
        **shown, "owners": owners, "may_claim": context.host.allows("ci_tekton.unmatched.read"),
        "may_see_projects": context.host.settings.gitlab.enabled
        and context.host.allows(READ_PROJECTS),
        "may_see_pushes": context.host.allows("ci_tekton.push.read")})  # fmt: skip


def draw_unmatched(context: PageContext) -> Fragment:
    """Runs that belong to no entity."""
    return _unmatched(context, "", {})


def submit_unmatched(context: FormContext) -> Fragment:
    """Claim runs for an entity."""
    given = {name: (context.form.get(name) or ("",))[0].strip()[:600] for name in ("key", "entity")}
    try:
        ref = EntityRef.parse(given["entity"], default_kind="component")
        number = claim_runs(context.host, given["key"], ref)
    except (InputError, NotFoundError) as error:
        return replace(_unmatched(context, error.message, given), rejected=True)
    told = _.plural(
        "%(number)d run belongs to %(ref)s now.",
        "%(number)d runs belong to %(ref)s now.",
        number,
        ref=str(ref),
    )
    return _unmatched(context, "", {}, told)


def _unmatched(
    context: PageContext, fault: Text, given: Mapping[str, str], told: Text = ""
) -> Fragment:
    chosen = _chosen(context.query)
    with context.host.read() as connection:
        rows = list(load_unmatched(connection, chosen))
        claimable = load_claimable(connection, [row.id for row in rows[:PAGE]])
    return Fragment(
        template="ci_tekton/unmatched.html",
        crumbs=(PIPELINES,),
        rejected=bool(fault),
        styles=("ci_tekton/lists.css",),
        context={
            **_listed(rows, chosen, "/ci_tekton/unmatched"),
            "claimable": claimable, "fault": fault, "given": given, "told": told,
        },
    )  # fmt: skip


def last_runs(context: ColumnContext) -> Mapping[EntityRef, Cell]:
    """The newest run of each entity of the page, by one query; one that failed goes first."""
    with context.host.read() as connection:
        found = load_latest(connection, [str(entity.ref) for entity in context.entities])
    cells = {}
    for entity in context.entities:
        rows = found.get(str(entity.ref), ())
        bad = [row for row in rows if WORDS[row.state][0] == "bad"]
        if rows:
            row = (bad or rows)[0]
            status, words = words_of(row)
            cells[entity.ref] = Cell(
                status=status, text=words, path=entity.ref.path("ci_tekton.runs")
            )
    return cells


def draw_failing(context: PageContext) -> Fragment | None:
    """What fails on the reader's services; nothing where nothing does."""
    seen = context.host.catalog.seen(latest.c.entity, READ)
    with context.host.read() as connection:
        rows = load_failing(connection, [str(ref) for ref in context.mine], seen)
    if not rows:
        return None
    titles = context.host.catalog.titles({EntityRef.parse(row.entity) for row in rows})
    failing = [
        {"row": row, "title": titles[ref]}
        for row in rows
        if (ref := EntityRef.parse(row.entity)) in titles
    ]
    context_of = {"failing": failing, "words": WORDS, "path_of": run_path}
    return Fragment(template="ci_tekton/home.html", context=context_of)


def _chosen(query: Mapping[str, str]) -> Chosen:
    state, trigger = query.get("state", ""), query.get("trigger", "")
    return Chosen(
        state if state in STATES else "",
        trigger if trigger in TRIGGERS else "",
        query.get("branch", "").strip()[:250],
        query.get("pipeline", "").strip()[:253],
        _after(query.get("after", "")),
    )


def _after(text: str) -> tuple[datetime, int] | None:
    at, _mark, number = text[:60].partition("~")
    try:
        moment = datetime.fromisoformat(at)
    except ValueError:
        return None
    if moment.tzinfo is None or not number.isdecimal() or int(number) >= 2**31:
        return None
    return moment, int(number)


def _listed(rows: Sequence[Row[Any]], chosen: Chosen, path: str) -> dict[str, Any]:
    following = ""
    if len(rows) > PAGE:
        last = rows[PAGE - 1]
        following = _link(path, chosen, after=f"{last.created_at.isoformat()}~{last.id}")
    return {
        "rows": rows[:PAGE], "chosen": chosen, "path": path, "following": following,
        "first": _link(path, replace(chosen, after=None)) if chosen.after else "",
        "filtered": bool(chosen.state or chosen.trigger or chosen.branch or chosen.pipeline),
        "states": STATES, "triggers": TRIGGERS, "words": WORDS, "words_of": words_of,
        "trigger_words": TRIGGER_WORDS,
        "path_of": run_path, "commit_page": commit_page,
    }  # fmt: skip


def _link(path: str, chosen: Chosen, **more: str) -> str:
    kept = {"state": chosen.state, "trigger": chosen.trigger, "branch": chosen.branch,
            "pipeline": chosen.pipeline, **more}  # fmt: skip
    query = urlencode({name: value for name, value in kept.items() if value})
    return f"{path}?{query}" if query else path
