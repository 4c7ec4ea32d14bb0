"""Notes which logs are to be kept, in the transaction that writes down that steps have ended."""

from collections.abc import Container, Iterable, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import Connection, and_, insert, select, update

from callboard_ci_tekton.matching.service import in_parts
from callboard_ci_tekton.models import log
from callboard_ci_tekton.runs.states import FINISHED

if TYPE_CHECKING:
    from callboard.host import Host
    from callboard_ci_tekton.runs.parsing import ParsedTask

JOB: Final = "keep_logs"
SAVE_JOB: Final = "save_logs"
SAVED: Final = "saved"
"""The state of a log that is being written, of which something was saved already."""

EMPTY: Final[Mapping[str, Any]] = {
    "state": "waiting", "address": "", "lines": 0, "bytes": 0, "stored": 0, "digest": "",
    "until": "", "kept_at": None, "attempts": 0, "error": "", "holder": "", "held_until": None,
}  # fmt: skip
"""A log that nobody has read yet."""


def ended_containers(
    parsed: Mapping[int, "ParsedTask"], gone: Container[int], since: datetime
) -> dict[int, list[str]]:
    """Give, by the numbers of attempts, the containers of steps that have ended after a time.

    Those of attempts that are `gone` in the cluster have ended, whatever was seen of them last.
    """
    found: dict[int, list[str]] = {}
    for number, attempt in parsed.items():
        row = attempt.row
        ended = row["state"] in FINISHED or number in gone
        if row["kind"] != "TaskRun" or not row["pod"]:
            continue
        if row["finished_at"] is not None and row["finished_at"] < since:
            continue
        containers = [
            step["container"]
            for step in attempt.steps
            if step["container"] and step["state"] not in ("waiting", "skipped")
            and (ended or step["state"] != "running")
        ]  # fmt: skip
        if containers:
            found[number] = containers
    return found


def ask_to_keep(
    host: "Host", connection: Connection, source: str, containers: Mapping[int, Iterable[str]]
) -> None:
    """Have logs of attempts kept that have ended: containers by the attempt's number.

    `source` is the cluster, or the host of jobs. Those that were asked for before are left alone.
    """
    wanted = {(number, name) for number, names in containers.items() for name in names}
    saved: set[tuple[int, str]] = set()
    for part in in_parts(sorted(containers)):
        query = select(log.c.task_id, log.c.container, log.c.state).where(log.c.task_id.in_(part))
        known = {(row.task_id, row.container): row.state for row in connection.execute(query)}
        saved |= {key for key in wanted & known.keys() if known[key] == SAVED}
        wanted -= known.keys()
    for number, name in sorted(saved):
        mine = and_(log.c.task_id == number, log.c.container == name)
        connection.execute(update(log).where(mine).values(state="waiting"))
    if wanted:
        connection.execute(
            insert(log),
            [{**EMPTY, "task_id": number, "container": name} for number, name in sorted(wanted)],
        )
    if wanted or saved:
        host.submit(JOB, {"cluster": source}, key=source, connection=connection)


def ask_to_save(host: "Host", connection: Connection) -> None:
    """Have logs saved whose steps are about to be ended: they were asked to end just now."""
    host.submit(SAVE_JOB, connection=connection)
