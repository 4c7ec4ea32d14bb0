"""Lines of logs where they are written: containers of Tekton's pods, jobs of GitLab CI.

Secrets are hidden here, before anybody sees a line or keeps it. Lines are numbered from 1 by those
who read them from the beginning, so what gives them must always give the same ones.
"""

import contextlib
import threading
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, Protocol

from callboard.errors import CallboardError, NotFoundError, NotReadyError
from callboard.i18n import Text, Translator
from callboard.kubernetes import ClusterError, LogQuery, LogStream, Resource
from callboard_ci_tekton.logs.hiding import secrets_of

if TYPE_CHECKING:
    from callboard.host import Host
    from callboard.redaction import LineRedactor

_ = Translator("ci_tekton")

PODS: Final = Resource("", "v1", "pods", "Pod")
TOGETHER: Final = 500
"""Lines that are looked through for secrets at once."""
MARGIN: Final = 16 * 1024
"""Characters that are taken off the end of a part of a line: a secret may be cut there."""
POLL_SECONDS: Final = 2.0
"""Seconds between two looks at the log of a job that runs."""

_CUT: Final = " … (the rest of this line is left out: it is longer than 64 KiB)"


class LostError(CallboardError):
    """A log is not there any more, or never was."""

    status = 410
    name = "LostError"


@dataclass(frozen=True, slots=True)
class Part:
    """A line as it comes; of a longer one than can be taken, `cut`, its beginning."""

    at: str
    text: str
    cut: bool = False


class Source(Protocol):
    """Lines as they come. Any thread may close it, which ends who waits for one."""

    def __iter__(self) -> Iterator[Part]:
        """Give the lines, once. Raises `LostError`, or `CallboardError` for what may pass."""

    def close(self) -> None:
        """End it."""


def hidden(redactor: "LineRedactor", parts: Sequence[Part]) -> list[tuple[str, str]]:
    """Give (time, text) of lines without secrets; lines that were too long end earlier."""
    texts = redactor.hide([part.text for part in parts])
    return [
        (part.at, text[: max(0, len(text) - MARGIN)] + _CUT if part.cut else text)
        for part, text in zip(parts, texts, strict=True)
    ]


def lines_of(host: "Host", task: Any, container: str) -> Iterator[tuple[str, str]]:
    """Yield (time, text) of all that a container or job that has ended wrote, without secrets.

    Times are ISO 8601 in UTC, empty where there is none. Raises `LostError` where the log is not
    there (any more), other `CallboardError` for what may pass: then it begins anew.
    """
    with contextlib.closing(source_of(host, task, container, follow=False)) as source:
        yield from readable(host, task, source)


def readable(host: "Host", task: Any, source: Source) -> Iterator[tuple[str, str]]:
    """Yield (time, text) of what a source of a task gives, without secrets."""
    redactor = host.line_redactor(secrets_of(host, task))
    waiting: list[Part] = []
    try:
        for part in source:
            waiting.append(part)
            if len(waiting) >= TOGETHER:
                yield from hidden(redactor, waiting)
                waiting = []
    except CallboardError:
        yield from hidden(redactor, waiting)  # what came before it broke off
        raise
    yield from hidden(redactor, waiting)


def source_of(host: "Host", task: Any, container: str, *, follow: bool) -> Source:
    """Give the log of a task's container; following, to its end."""
    if task.kind in ("TaskRun", "CustomRun"):
        return PodLog(host, task, container, follow=follow)
    return JobTrace(host, task, follow=follow)


class PodLog:
    """The log of a container of a pod."""

    def __init__(self, host: "Host", task: Any, container: str, *, follow: bool) -> None:
        if not task.pod:
            raise LostError(_("The task had no pod, so nothing was written."))
        self._cluster = host.clusters.get(task.cluster)
        self._place = (task.namespace, task.pod)
        query = LogQuery(container, follow=follow)
        self._stream: LogStream = self._cluster.log(*self._place, query)

    def close(self) -> None:
        self._stream.close()

    def __iter__(self) -> Iterator[Part]:
        try:
            yield from _whole_lines(self._stream)
        except ClusterError as error:
            reason = _reason_of(error)
            if reason is None:
                raise
            raise LostError(reason) from error

    def is_there(self) -> bool:
        """Say whether the pod is still there; so where the account may not look."""
        try:
            self._cluster.get(PODS, *self._place)
        except ClusterError as error:
            return error.state != "missing"
        return True


def _reason_of(error: ClusterError) -> Text | None:
    """Say why a log is lost, None for what may pass or can be mended."""
    if error.state == "missing":
        return _("The pod was deleted in the cluster, and its log with it.")
    if error.state == "invalid":
        return _("The cluster has no such log: %(said)s", said=error.said)
    return None


def _whole_lines(stream: Iterable[Any]) -> Iterator[Part]:
    """Put lines together; of one that comes in several parts only the first is taken."""
    within = False
    for line in stream:
        if not within:
            yield Part(_utc(line.at), line.text.rstrip("\r"), cut=line.more)
        within = line.more


def _utc(at: str) -> str:
    if not at or at.endswith("Z"):
        return at
    try:
        return datetime.fromisoformat(at).astimezone(UTC).isoformat().replace("+00:00", "Z")
    except ValueError:
        return ""


class JobTrace:
    """The log of a job of GitLab CI, which is always given whole."""

    def __init__(self, host: "Host", task: Any, *, follow: bool) -> None:
        self._host = host
        self._task = task
        self._follow = follow
        self._closed = threading.Event()

    def close(self) -> None:
        self._closed.set()

    def __iter__(self) -> Iterator[Part]:
        seen = 0
        while not self._closed.is_set():
            ended = not self._follow or self._has_ended()
            # What comes next may still go on the last line there is.
            held: Part | None = None
            for number, part in enumerate(self._look(ended=ended)):
                if number < seen:
                    continue
                if held is not None:
                    seen += 1
                    yield held
                held = part
            if ended:
                if held is not None:
                    yield held
                return
            self._closed.wait(POLL_SECONDS)

    def _look(self, *, ended: bool) -> Iterator[Part]:
        from callboard_ci_tekton.gitlab.traces import lines, trace

        try:
            for at, text in lines(trace(self._host, self._task), ended=ended):
                if self._closed.is_set():
                    return
                begun = text[: 4 * MARGIN]
                yield Part(_stamp(at), begun, cut=len(begun) < len(text))
        except NotFoundError as error:
            raise LostError(error.message) from error
        except NotReadyError:
            if ended:
                raise

    def _has_ended(self) -> bool:
        from sqlalchemy import select

        from callboard_ci_tekton.models import task
        from callboard_ci_tekton.runs.states import FINISHED

        with self._host.read() as connection:
            found = connection.execute(select(task.c.state).where(task.c.id == self._task.id))
            state = found.scalar_one_or_none()
        return state is None or state in FINISHED


def _stamp(at: datetime | None) -> str:
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z") if at else ""
