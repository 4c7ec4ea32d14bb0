"""The logs of jobs, as GitLab keeps them.

GitLab marks parts of a log (GitLab: "CI/CD job logs", custom collapsible sections):
`section_start:<UNIX time>:<name>[options]`, a carriage return and `ESC[0K`, then the heading;
`section_end` likewise. Newer runners begin each line with its time, a number of the stream and
`O` or `E`, and `+` where it goes on the line before (feature flag `FF_TIMESTAMPS`).
"""

import re
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

from sqlalchemy import select

from callboard.errors import NotFoundError
from callboard.i18n import Translator
from callboard_ci_tekton.models import run

if TYPE_CHECKING:
    from callboard.host import Host

_ = Translator("ci_tekton")

LONGEST: Final = 1 << 20
"""Bytes of a line; a longer one is cut into several."""
_SECTION: Final = re.compile(
    r"(?:\x1b\[0K)?section_(?P<kind>start|end):\d{1,12}:(?P<name>[\w.-]{1,200})"
    r"(?:\[[^\]\r\n]{0,500}\])?\r?(?:\x1b\[0K)?"
)
_TIME: Final = re.compile(
    rb"(\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(?:\.\d{1,9})?Z) [0-9a-f]{2}[OE](?P<on>[+ ])"
)


def trace(host: "Host", task_row: Any) -> Iterator[bytes]:
    """Give the log of a job, as far as there is one now, in pieces as they come.

    Raises `NotFoundError` for one that was erased or whose host is not configured any more, and
    what `CodeHost.stream` raises. Remote.
    """
    with host.read() as connection:
        repository = connection.execute(
            select(run.c.repository).where(run.c.id == task_row.run_id)
        ).scalar()
    code = host.code_host(repository) if repository else None
    if code is None or code.kind != "gitlab" or not str(task_row.uid).isdecimal():
        raise NotFoundError(
            _("The host %(name)s is no longer in the settings.", name=task_row.cluster)
        )
    path = quote(task_row.namespace, safe="")
    yield from code.stream(f"/projects/{path}/jobs/{task_row.uid}/trace")


def lines(pieces: Iterable[bytes], *, ended: bool = True) -> Iterator[tuple[datetime | None, str]]:
    """Cut a log into lines, each with its time where the runner wrote it down.

    Colours stay; what marks a section is left out, and a section without a heading has its name.
    Of a log that has not `ended` all lines but the last one stay what they are, however it goes on.
    """
    joined: tuple[datetime | None, str] | None = None
    for line in _cut(pieces, ended=ended):
        match = _TIME.match(line)
        if match is None:
            if joined is not None:
                yield from _folded(*joined)
                joined = None
            yield from _folded(None, line.decode(errors="replace"))
            continue
        at = datetime.fromisoformat(match[1].decode()[:26].rstrip("Z") + "+00:00")
        rest = line[match.end() :].decode(errors="replace")
        if match["on"] == b"+" and joined is not None:
            joined = (joined[0], joined[1] + rest)
            continue
        if joined is not None:
            yield from _folded(*joined)
        joined = (at, rest)
    if joined is not None:
        yield from _folded(*joined)


def _folded(at: datetime | None, text: str) -> Iterator[tuple[datetime | None, str]]:
    """Leave out the marks of sections, and lines that held nothing else."""
    begun: list[str] = []

    def name(match: re.Match[str]) -> str:
        if match["kind"] == "start":
            begun.append(match["name"])
        return ""

    plain, marks = _SECTION.subn(name, text)
    if marks and not plain.strip():
        if begun:
            yield at, "\x1b[1m" + begun[-1].replace("_", " ") + "\x1b[0m"
        return
    yield at, plain


def _cut(pieces: Iterable[bytes], *, ended: bool) -> Iterator[bytes]:
    rest = b""
    for piece in pieces:
        rest += piece
        *whole, rest = rest.split(b"\n")
        for line in whole:
            yield line.removesuffix(b"\r")
        while len(rest) > LONGEST:
            yield rest[:LONGEST]
            rest = rest[LONGEST:]
    # Nobody knows yet whether what stands after the last line end goes on the line before.
    if rest and ended:
        yield rest.removesuffix(b"\r")
