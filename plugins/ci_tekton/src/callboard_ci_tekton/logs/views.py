"""What the page of a run shows of a log before any script runs."""

from datetime import datetime
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

from callboard.i18n import Text, Translator
from callboard_ci_tekton.logs.archive import DamagedError, Line
from callboard_ci_tekton.logs.hub import hub_of
from callboard_ci_tekton.logs.places import place_of
from callboard_ci_tekton.logs.reading import KEPT, Found, archive_of
from callboard_ci_tekton.logs.showing import SCRIPTS, STYLES, show
from callboard_ci_tekton.models import log
from callboard_ci_tekton.views import WORDS

if TYPE_CHECKING:
    from callboard.contributions import PageContext
    from callboard.host import Host

_ = Translator("ci_tekton")

SHOWN: Final = 200


def log_of(context: "PageContext", task_row: Any, step_row: Any) -> dict[str, Any]:
    """Give what the log of a step is drawn with; nothing remote is asked.

    Lines are those that are at hand: of an archive on disk, or of a log that somebody follows. They
    begin with that of the query `line`; without it they are the first, of a failed step the last.
    """
    host, container = context.host, step_row.container
    found = _found(host, task_row, step_row)
    state, message, lines, total, gap = _at_hand(host, found, _wanted(context, step_row))
    settings = host.settings.logs
    return {
        "title": f"{task_row.task or task_row.name} / {step_row.name}",
        "address": f"/api/plugins/ci_tekton/logs/{task_row.id}/{quote(container, safe='')}",
        "link": f"/ci_tekton/runs/{task_row.run_id}?task={task_row.id}"
                f"&step={quote(container, safe='')}",
        "state": state,
        "open": not found.has_ended,
        "total": total,
        "zone": context.time_zone,
        "lines": show([(number, _moment(at), text) for number, at, text in lines],
                      context.time_zone),
        "first": lines[0][0] if lines else 1,
        "gap": gap,
        "exit_code": step_row.exit_code,
        "ended_at": step_row.finished_at,
        "keep_for": settings.keep_for if state in KEPT else None,
        "error": message,
        "styles": STYLES,
        "scripts": SCRIPTS,
    }  # fmt: skip


def _found(host: "Host", task_row: Any, step_row: Any) -> Found:
    from sqlalchemy import select

    wanted = select(log).where(log.c.task_id == task_row.id, log.c.container == step_row.container)
    with host.read() as connection:
        kept = connection.execute(wanted).one_or_none()
    return Found(task_row, task_row, step_row.container, step_row, kept)


def _wanted(context: "PageContext", step_row: Any) -> int:
    """Give the number of the first line to show; 0 stands for the last ones."""
    asked = context.query.get("line", "")
    if asked.isdecimal() and len(asked) < 10 and int(asked):
        return int(asked)
    return 0 if WORDS.get(step_row.state, ("", ""))[0] == "bad" else 1


def _at_hand(
    host: "Host", found: Found, first: int
) -> tuple[str, Text, list[Line], int, tuple[int, int] | None]:
    kept = found.kept
    if kept is None or not found.is_over:
        spool = hub_of(host).seen((found.task.id, found.container))
        if spool is None:
            return found.state, kept.error if kept is not None else "", [], 0, None
        total = spool.total
        begin = first or max(1, total - SHOWN + 1)
        return found.state, "", spool.read(begin, SHOWN), total, spool.gap
    if kept.state not in KEPT or place_of(host).is_remote:
        return kept.state, kept.error, [], kept.lines, None
    try:
        archive = archive_of(host, kept)
        total = archive.index.lines
        lines = archive.lines(first or max(1, total - SHOWN + 1), SHOWN)
    except DamagedError as error:
        return "damaged", error.message, [], 0, None
    return kept.state, kept.error, lines, total, archive.index.gap


def _moment(at: str) -> datetime | None:
    if not at:
        return None
    try:
        return datetime.fromisoformat(at)
    except ValueError:
        return None
