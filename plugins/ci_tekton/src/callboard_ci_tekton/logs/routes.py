"""The API of logs: lines by number, lines as they come, a search, and the whole as a file."""

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any, Final

from fastapi import APIRouter, Path, Query, Request
from fastapi.responses import Response, StreamingResponse

from callboard_ci_tekton.logs.reading import (
    Found,
    LogPage,
    find_log,
    lines_so_far,
    may_see,
    messages,
    read_page,
    search,
)

if TYPE_CHECKING:
    from callboard.host import Host
    from callboard_ci_tekton.logs.archive import Line

MOST_LINES: Final = 5000
MOST_NUMBER: Final = 2**31 - 1
MOST_FOUND: Final = 10_000
DOWNLOAD: Final = "ci_tekton.log.download"
_OTHER: Final = re.compile(r"[^A-Za-z0-9._-]+")

Number = Annotated[int, Path(ge=1, le=MOST_NUMBER)]
"""The number of a task's attempt."""


def make_router(host: "Host") -> APIRouter:
    """Give the routes of logs, below `/logs/<number of a task's attempt>/<container>`."""
    router = APIRouter(prefix="/logs/{task}/{container}")

    @router.get("")
    def read_lines(
        task: Number,
        container: str,
        first: Annotated[int, Query(alias="from", ge=1, le=MOST_NUMBER)] = 1,
        count: Annotated[int, Query(ge=1, le=MOST_LINES)] = 1000,
    ) -> dict[str, Any]:
        """Lines from a number on, and the state of the log."""
        page = read_page(host, find_log(host, task, container), first, count)
        return _document(page)

    @router.get("/stream")
    def follow_lines(
        request: Request,
        task: Number,
        container: str,
        after: Annotated[int, Query(ge=0, le=MOST_NUMBER)] = 0,
    ) -> Response:
        """Lines after a number as they come, by server-sent events."""
        found = find_log(host, task, container)
        heard = request.headers.get("last-event-id", "")
        if heard.isdecimal() and len(heard) < 10:
            after = int(heard)
        return host.stream(messages(host, found, after), lambda: may_see(host, found))

    @router.get("/search")
    def search_lines(
        task: Number,
        container: str,
        q: Annotated[str, Query(min_length=1, max_length=200)],
        limit: Annotated[int, Query(ge=1, le=MOST_FOUND)] = 1000,
    ) -> dict[str, Any]:
        """Numbers of lines that hold a text, in whatever case, and how many do."""
        numbers, total = search(host, find_log(host, task, container), q, limit)
        return {"lines": numbers, "total": total}

    @router.get("/download")
    def download_log(task: Number, container: str, times: bool = False) -> Response:
        """The whole log as a text file; with `times`, each line begins with its time."""
        found = find_log(host, task, container)
        lines = lines_so_far(host, found)
        # What cannot be read is told before anything is sent.
        first = next(lines, None)
        with host.write() as connection:
            after = {"run": found.run.name, "task": found.task.name, "container": container}
            host.audit(connection, DOWNLOAD, f"run:{found.run.id}", after=after)
        return StreamingResponse(
            _written(first, lines, times=times),
            media_type="text/plain; charset=utf-8",
            headers={"content-disposition": f'attachment; filename="{_file_name(found)}"'},
        )

    return router


def _document(page: LogPage) -> dict[str, Any]:
    lines = [{"n": number, "at": at or None, "text": text} for number, at, text in page.lines]
    return {
        "state": page.state, "message": str(page.message), "lines": lines,
        "first": lines[0]["n"] if lines else None, "total": page.total, "done": page.done,
        "gap": list(page.gap) if page.gap else None,
    }  # fmt: skip


def _written(first: "Line | None", rest: Iterator["Line"], *, times: bool) -> Iterator[bytes]:
    """Give the file in pieces of some kilobytes, and say where lines are left out."""
    if first is None:
        return
    waiting, size, expected = [], 0, 1
    for number, at, text in _joined(first, rest):
        if number > expected:
            waiting.append(f"[lines {expected} to {number - 1} were not kept]\n")
        expected = number + 1
        waiting.append(f"{at} {text}\n" if times else f"{text}\n")
        size += len(text)
        if size > 64 * 1024:
            yield "".join(waiting).encode(errors="replace")
            waiting, size = [], 0
    yield "".join(waiting).encode(errors="replace")


def _joined(first: "Line", rest: Iterator["Line"]) -> Iterator["Line"]:
    yield first
    yield from rest


def _file_name(found: Found) -> str:
    named = "-".join((found.run.name, found.task.task or found.task.name, found.container))
    return f"{_OTHER.sub('-', named).strip('-') or 'log'}.log"
