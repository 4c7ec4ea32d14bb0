"""The tasks of a run as its page shows them: what the pipeline has, and what came of it."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from sqlalchemy import Row

from callboard.contributions import Status
from callboard.i18n import Text, Translator
from callboard_ci_tekton.building import run_path
from callboard_ci_tekton.pages.reading import Attempt, Found, Whole
from callboard_ci_tekton.pages.words import (
    NOT_RUN,
    STATES,
    TO_COME,
    WAITS_FOR_PEOPLE,
    WORST_FIRST,
    took,
    why_skipped,
)
from callboard_ci_tekton.runs.states import FINISHED
from callboard_ci_tekton.runs.values import seconds

_ = Translator("ci_tekton")

_EMPTY: Final[Mapping[str, Any]] = {}


@dataclass(frozen=True, slots=True)
class Node:
    """A task of the pipeline. Where there is a matrix, several of its attempts are current.

    `began` says whether there is anything of it; `after` are places in the list of nodes. `note`
    is the line below its name, `why` says why it was not run, `conditions` what was asked then.
    `matrix` names its parameters. `path` leads to the run that it is, where pipelines are nested.
    """

    name: str
    title: str
    member: str
    kind: str
    reference: str
    after: tuple[int, ...]
    status: Status
    words: Text
    note: Text
    began: bool
    why: Text
    conditions: tuple[str, ...]
    attempts: tuple[Attempt, ...]
    matrix: tuple[str, ...]
    path: str

    @property
    def current(self) -> tuple[Attempt, ...]:
        """The attempts that no other took the place of."""
        return tuple(item for item in self.attempts if item.is_current)


def nodes_of(found: Found, now: Any, asked: Collection[str] = ()) -> list[Node]:
    """Give the tasks in the pipeline's order; those that no pipeline tells of come after them.

    `asked` are the names of those that wait for people: to the cluster they are at work.
    """
    whole = found.run
    given = _declared(whole)
    place = {item["name"]: index for index, item in enumerate(given)}
    attempts: dict[str, list[Attempt]] = {}
    for attempt in whole.attempts:
        attempts.setdefault(attempt.row.task or attempt.row.name, []).append(attempt)
    skipped = {item["name"]: item for item in whole.detail["skipped"]}
    nodes = [
        _node(
            item, tuple(place[name] for name in item["after"] if name in place),
            attempts.get(item["name"], ()), skipped.get(item["name"]),
            found.nested.get(item["name"]), whole.row, now,
        )
        for item in given
    ]  # fmt: skip
    return [
        replace(node, status="wait", words=WAITS_FOR_PEOPLE)
        if node.name in asked and node.status == "run"
        else node
        for node in nodes
    ]


def _declared(whole: Whole) -> list[Mapping[str, Any]]:
    """Give the nodes of the graph, and such for tasks that it does not have.

    Without a graph the members (of GitLab, stages) follow each other.
    """
    graph = whole.detail["graph"] or _EMPTY
    given: list[Mapping[str, Any]] = list(graph.get("nodes", ()))
    known = {item["name"] for item in given}
    members: dict[str, list[str]] = {}
    for attempt in whole.attempts:
        row = attempt.row
        name = row.task or row.name
        if name not in known:
            known.add(name)
            members.setdefault(row.member, []).append(name)
            before = () if given and graph else _last(members, row.member)
            given.append({
                "name": name, "title": "", "member": row.member, "kind": "task",
                "reference": row.reference, "after": before, "when": (), "retries": 0,
            })  # fmt: skip
    return given


def _last(members: Mapping[str, Sequence[str]], member: str) -> Sequence[str]:
    names = list(members)
    place = names.index(member)
    return members[names[place - 1]] if place else ()


def _node(
    item: Mapping[str, Any], after: tuple[int, ...], attempts: Sequence[Attempt],
    skipped: Mapping[str, Any] | None, nested: Row[Any] | None, run: Row[Any], now: Any,
) -> Node:  # fmt: skip
    current = [attempt for attempt in attempts if attempt.is_current]
    why: Text = ""
    if nested is not None:
        status, words = STATES[nested.state]
        note: Text = took(_length(nested, now))
    elif current:
        worst = min((attempt.row.state for attempt in current), key=WORST_FIRST.index)
        status, words = STATES[worst]
        if status == "bad" and all(may_fail(attempt) for attempt in current):
            status = "warn"
        note = _note(item, current, worst, now)
    else:
        is_over = skipped is not None or run.state in FINISHED
        status, words = NOT_RUN if is_over else TO_COME
        note = words
        why = (
            why_skipped(skipped["reason"], failed=run.state == "failed")
            if skipped is not None
            else ""
        )
    return Node(
        name=item["name"], title=item["title"] or item["name"], member=item["member"],
        kind=item["kind"], reference=item["reference"], after=after, status=status, words=words,
        note=note, began=bool(current or nested), why=why,
        conditions=tuple(_conditions((skipped or _EMPTY).get("why") or ())),
        attempts=tuple(attempts), matrix=tuple(item.get("matrix") or ()),
        path=run_path(nested.id) if nested is not None else "",
    )  # fmt: skip


def may_fail(attempt: Attempt) -> bool:
    """Whether a job is allowed to fail (GitLab CI, `allow_failure`)."""
    row = attempt.row
    return row.kind == "job" and any(
        item["name"] == "allow_failure" and item["value"] in (True, "true")
        for item in row.parameters
    )


def _note(item: Mapping[str, Any], current: Sequence[Attempt], worst: str, now: Any) -> Text:
    """Give the line below a name: how long it took, of how many, how often it was tried."""
    if len(current) > 1:
        good = sum(attempt.row.state == "succeeded" for attempt in current)
        return _("%(good)d of %(all)d passed", good=good, all=len(current))
    row = current[0].row
    if worst in ("waiting", "held"):
        return STATES[worst][1]
    length = took(_length(row, now))
    if row.attempt > 1:
        return _("%(took)s, attempt %(number)d", took=length, number=row.attempt)
    return length


def _length(row: Row[Any], now: Any) -> float | None:
    if row.duration is not None:
        return float(row.duration)
    return seconds(row.started_at, row.finished_at or now)


def _conditions(given: Sequence[Mapping[str, Any]]) -> list[str]:
    """Write when-expressions as Tekton's manuals do: `input in [values]`, or their CEL."""
    found = []
    for item in given[:20]:
        if item.get("cel"):
            found.append(str(item["cel"])[:300])
            continue
        values = ", ".join(str(value) for value in item.get("values") or ())
        found.append(f"{item.get('input', '')} {item.get('operator', '')} [{values}]"[:300])
    return found
