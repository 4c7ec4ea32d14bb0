"""How the portal fares, from what this process and the tables know. Nothing remote is asked."""

import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Final

from sqlalchemy import text

from callboard.contributions import Status
from callboard.database import inspect_schema
from callboard.i18n import Text, Translator
from callboard.jobs import counts, oldest_waiting
from callboard.plugins import PluginState
from callboard_web.administration import rights
from callboard_web.audit.state import findings as audit_findings
from callboard_web.clusters.service import overviews
from callboard_web.clusters.words import is_troubled

if TYPE_CHECKING:
    from callboard_web.runtime import Runtime

_: Final = Translator("callboard")

SLOW_ANSWER: Final = 0.25
LATE: Final = timedelta(minutes=2)
VERY_LATE: Final = timedelta(minutes=15)
LITTLE_SPACE: Final = 1024**3
TOO_LITTLE_SPACE: Final = 100 * 1024**2


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing looked at: what was found and, unless it is good, what to do."""

    status: Status
    title: Text
    detail: Text = ""
    next_step: Text = ""
    path: str = ""


def look(runtime: "Runtime") -> list[Finding]:
    """Look at everything a running portal needs; a look that fails is a finding itself."""
    looks: tuple[tuple[Text, Callable[[Runtime], Iterator[Finding]]], ...] = (
        (_("Database"), _database),
        (_("Tables"), _tables),
        (_("Disk"), _disk),
        (_("Jobs"), _jobs),
        (_("Sources"), _sources),
        (_("Plugins"), _plugins),
        (_("Clusters"), _clusters),
        (_("Access"), _access),
        (_("Audit log"), audit_findings),
    )
    found: list[Finding] = []
    for title, examine in looks:
        try:
            found.extend(examine(runtime))
        except Exception as error:
            reason = type(error).__name__
            step = _("See the log of the portal; callboard doctor on the machine says more.")
            found.append(
                Finding("bad", title, _("The check failed: %(reason)s.", reason=reason), step)
            )
    return found


def _database(runtime: "Runtime") -> Iterator[Finding]:
    begin = time.perf_counter()
    with runtime.database.read() as connection:
        connection.execute(text("SELECT 1"))
    seconds = time.perf_counter() - begin
    name = "SQLite" if runtime.database.path else "PostgreSQL"
    detail = _("%(name)s answered in %(time)s ms.", name=name, time=f"{seconds * 1000:.1f}")
    if seconds > SLOW_ANSWER:
        step = _("Look at the load of the database and of its disk.")
        yield Finding("warn", _("The database answers slowly"), detail, step)
    else:
        yield Finding("ok", _("The database answers"), detail)


def _tables(runtime: "Runtime") -> Iterator[Finding]:
    states = inspect_schema(runtime.database, runtime.branches())
    behind = [state.branch for state in states if state.state != "current"]
    if behind:
        detail = _("Of another version: %(names)s.", names=", ".join(behind))
        yield Finding("bad", _("The tables are not up to date"), detail, "callboard db upgrade")
    else:
        yield Finding("ok", _("The tables are up to date"))


def _disk(runtime: "Runtime") -> Iterator[Finding]:
    path = runtime.database.path
    folder = path.absolute().parent if path else Path(runtime.base)
    free = shutil.disk_usage(folder).free
    detail = _("%(size)s GiB free", size=f"{free / 1024**3:.1f}")
    if free < LITTLE_SPACE:
        status: Status = "bad" if free < TOO_LITTLE_SPACE else "warn"
        step = _("Free some space where the database and the copies of repositories are.")
        yield Finding(status, _("The disk is almost full"), detail, step)
    else:
        yield Finding("ok", _("There is room on the disk"), detail)


def _jobs(runtime: "Runtime") -> Iterator[Finding]:
    with runtime.database.read() as connection:
        late = oldest_waiting(connection, runtime.now())
        numbers = counts(connection)
    minutes = int(late.total_seconds() // 60)
    if late > LATE:
        step = _("Start callboard worker, or give jobs.workers more threads.")
        detail = _("A run has been due for %(minutes)s min.", minutes=minutes)
        status: Status = "bad" if late > VERY_LATE else "warn"
        yield Finding(status, _("Jobs are late"), detail, step, "/jobs?state=waiting")
    else:
        detail = _("%(running)s running, %(waiting)s waiting", **numbers)
        yield Finding("ok", _("Jobs run in time"), detail, path="/jobs")
    if numbers["failed"]:
        title = _.plural("%(number)s run failed", "%(number)s runs failed", numbers["failed"])
        yield Finding("warn", title, "", _("Each says why."), "/jobs?state=failed")


def _sources(runtime: "Runtime") -> Iterator[Finding]:
    failing = [item.name for item in runtime.catalog.sources() if item.state == "failing"]
    if failing:
        title = _.plural(
            "%(number)s source cannot be read", "%(number)s sources cannot be read", len(failing)
        )
        step = _("The last good state is shown until it can be read again.")
        yield Finding("bad", title, ", ".join(failing[:10]), step, "/sources")
    else:
        yield Finding("ok", _("Every source is read"), path="/sources")


def _clusters(runtime: "Runtime") -> Iterator[Finding]:
    """Say how clusters fare; nothing where none is in the settings."""
    with runtime.database.read() as connection:
        rules = runtime.plugins.contributions.cluster_rules
        found = overviews(connection, runtime.services.clusters, runtime.now(), rules)
    troubled = [item.state.name for item in found if is_troubled(item)]
    if troubled:
        title = _.plural(
            "%(number)s cluster needs a look", "%(number)s clusters need a look", len(troubled)
        )
        step = _("What is shown of it is as old as its page says.")
        yield Finding("warn", title, ", ".join(troubled[:10]), step, "/clusters")
    elif found:
        yield Finding("ok", _("Every cluster is followed"), path="/clusters")


def _access(runtime: "Runtime") -> Iterator[Finding]:
    found = [
        Finding("warn", title, detail, step, "/access")
        for title, detail, step in rights.oddities(runtime)
    ]
    yield from found or [Finding("ok", _("Strangers only look; somebody is an administrator"))]


def _plugins(runtime: "Runtime") -> Iterator[Finding]:
    bad = (PluginState.FAILED, PluginState.INCOMPATIBLE)
    records = runtime.plugins.records.values()
    out = [record.name for record in records if record.state in bad]
    erring = [record.name for record in records if record.errors and record.state not in bad]
    if out:
        title = _.plural("%(number)s plugin is out", "%(number)s plugins are out", len(out))
        yield Finding("bad", title, ", ".join(out), _("Each says why."), "/plugins")
    if erring:
        title = _.plural(
            "%(number)s plugin had errors", "%(number)s plugins had errors", len(erring)
        )
        yield Finding("warn", title, ", ".join(erring), _("Each says why."), "/plugins")
    if not out and not erring:
        yield Finding("ok", _("Every plugin works"), path="/plugins")
