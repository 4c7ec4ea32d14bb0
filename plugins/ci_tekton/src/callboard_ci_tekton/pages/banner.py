"""What stands at the head of the page: what stopped the run, or why it does not go on."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import Row

from callboard.contributions import Status
from callboard.i18n import Text, Translator
from callboard_ci_tekton.pages.hints import Hint, first_hint, hint_of, told_by
from callboard_ci_tekton.pages.nodes import Node, may_fail
from callboard_ci_tekton.pages.reading import Attempt, Found
from callboard_ci_tekton.pages.selecting import link_to, step_of
from callboard_ci_tekton.pages.words import STATES, telling
from callboard_ci_tekton.runs.states import UNFINISHED

_ = Translator("ci_tekton")

_BAD: Final = frozenset({"failed", "timed_out"})
_BY_STEP: Final = frozenset({"", "Failed", "StepFailed", "StepOOM", "script_failure"})
PATIENCE: Final = timedelta(minutes=1)
"""How long a run may wait for a controller before it is said that none takes it up."""


@dataclass(frozen=True, slots=True)
class Banner:
    """A note. `said` is what the cluster says, word for word; `link` leads to the step."""

    status: Status
    title: Text
    cause: Text = ""
    todo: Text = ""
    said: str = ""
    link: str = ""


def culprits(nodes: Sequence[Node]) -> list[tuple[Node, Attempt]]:
    """Give the tasks that failed for good, the first first."""
    found = [
        (node, attempt)
        for node in nodes
        for attempt in node.current
        if attempt.row.state in _BAD and not may_fail(attempt)
    ]
    found.sort(key=lambda pair: (pair[1].row.finished_at or pair[1].row.created_at, pair[1].row.id))
    return found


def banner_of(found: Found, nodes: Sequence[Node], now: datetime) -> Banner | None:
    """Give the note at the head of the page; None where there is nothing to tell."""
    row = found.run.row
    if row.state in _BAD:
        return _failed(found, nodes)
    if row.state in UNFINISHED:
        return _stuck(found, nodes, now)
    if row.state == "deleted":
        return Banner("unknown", _("The run was deleted in the cluster before it ended."))
    return None


def _failed(found: Found, nodes: Sequence[Node]) -> Banner:
    row, bad = found.run.row, culprits(nodes)
    if not bad:
        return _failed_whole(found, nodes)
    node, attempt = bad[0]
    hint = _hint(found, attempt)
    step = next((item for item in attempt.steps if item.state in _BAD and not item.sidecar), None)
    title = _title(node, attempt, step)
    if len(bad) > 1:
        title = _.plural(
            "%(first)s %(number)d other task failed too.",
            "%(first)s %(number)d other tasks failed too.",
            len(bad) - 1,
            first=title,
        )
    link = link_to(attempt, step_of(attempt))
    said = telling(attempt.row.message) if hint is None else hint.said
    if hint is not None:
        return Banner("bad", title, hint.cause, hint.todo, said, link)
    todo = _("The end of its log says why.") if step is not None and row.source == "tekton" else ""
    return Banner("bad", title, "", todo, "" if step is not None else said, link)


def _title(node: Node, attempt: Attempt, step: Row[Any] | None) -> Text:
    if attempt.row.state == "timed_out":
        return _("%(task)s stopped the run: it took too long.", task=node.title)
    if step is None or not step.name:
        return _("%(task)s stopped the run.", task=node.title)
    if attempt.row.reason not in _BY_STEP:  # it never came to what the step does
        return _("%(task)s stopped the run.", task=node.title)
    if step.exit_code is None:
        return _("%(task)s stopped the run at step %(step)s.", task=node.title, step=step.name)
    return _(
        "%(task)s stopped the run: step %(step)s ended with exit code %(code)d.",
        task=node.title, step=step.name, code=step.exit_code,
    )  # fmt: skip


def _failed_whole(found: Found, nodes: Sequence[Node]) -> Banner:
    """No task failed: the run could not start, or its time was up."""
    row = found.run.row
    hint = _hint_of(found, row.reason, row.message)
    if row.state == "timed_out":
        title = _("The run took too long.")
    elif found.run.attempts:
        title = _("The run failed.")
    else:
        title = _("The run could not start.")
    stopped = next((attempt for node in nodes for attempt in node.current
                    if attempt.row.state == "cancelled"), None)  # fmt: skip
    link = link_to(stopped, step_of(stopped)) if stopped is not None else ""
    if hint is None:
        return Banner("bad", title, said=telling(row.message), link=link)
    return Banner("bad", title, hint.cause, hint.todo, hint.said, link)


def _stuck(found: Found, nodes: Sequence[Node], now: datetime) -> Banner | None:
    row = found.run.row
    for node in nodes:
        for attempt in node.current:
            if attempt.row.state != "waiting":
                continue
            if attempt.row.kind == "CustomRun":
                title = _("%(task)s waits for %(what)s.", task=node.title,
                          what=attempt.row.reference or node.title)  # fmt: skip
                return Banner("wait", title, link=link_to(attempt, None))
            hint = _hint(found, attempt)
            if hint is not None:
                title = _("%(task)s does not go on.", task=node.title)
                link = link_to(attempt, step_of(attempt))
                return Banner("warn", title, hint.cause, hint.todo, hint.said, link)
    if row.state == "held":
        return Banner("pause", _("The run is held: somebody must let it start."))
    if row.state == "waiting" and not found.run.attempts:
        hint = _hint_of(found, row.reason, row.message)
        if hint is not None:
            return Banner("warn", _("The run does not go on."), hint.cause, hint.todo, hint.said)
        if row.source == "tekton" and now - row.created_at > PATIENCE:
            return Banner(
                "warn", _("The run is not taken up."),
                todo=_("Look whether Tekton's controller runs in the cluster."),
                said=telling(row.message),
            )  # fmt: skip
    return None


def _hint(found: Found, attempt: Attempt) -> Hint | None:
    row = attempt.row
    if found.run.row.source == "gitlab":
        return _hint_of(found, row.reason, row.message)
    # What was found at the pod explains that nothing began, not what came after.
    finding = found.findings.get(row.id) if row.worked_at is None else None
    steps = [step for step in attempt.steps if STATES[step.state][0] == "bad"]
    return first_hint(told_by(row, steps, finding))


def _hint_of(found: Found, reason: str, message: str) -> Hint | None:
    if found.run.row.source == "gitlab":
        from callboard_ci_tekton.gitlab.hints import hint_of as hint_of_job

        todo = hint_of_job(reason)
        return Hint("", todo, telling(message)) if todo else None
    return hint_of(reason, message)
