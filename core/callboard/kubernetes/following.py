"""Reading a container's log, and following it through breaks."""

import contextlib
import random
import threading
import time
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, Final, Self

from callboard.kubernetes.answer import Answer
from callboard.kubernetes.cluster import LogLine, LogQuery
from callboard.kubernetes.connection import Connection
from callboard.kubernetes.failures import ClusterError
from callboard.kubernetes.lines import Seen, log_lines, moment_of
from callboard.kubernetes.model import Resource

PODS: Final = Resource("", "v1", "pods", "Pod")
QUIET_SECONDS: Final = 300.0
"""After so long without a byte a stream is taken up again: nobody tells of a lost connection."""
GIVE_UP_SECONDS: Final = 60.0
"""How long a cluster that does not answer is tried before whoever follows is told."""
FIRST_PAUSE: Final = 0.25
LONGEST_PAUSE: Final = 4.0
LONGEST_WAIT: Final = 1.0
"""Seconds between two looks at a container that has not started: its first line is due then."""
LONGEST_ASKED: Final = 20.0
"""Seconds that a busy server may ask for."""

_STATUSES: Final = ("containerStatuses", "initContainerStatuses", "ephemeralContainerStatuses")


class ContainerLog:
    """`callboard.kubernetes.LogStream` of one container. One thread reads, any may close."""

    def __init__(self, connection: Connection, namespace: str, pod: str, query: LogQuery) -> None:
        self._connection = connection
        self._namespace = namespace
        self._pod = pod
        self._query = query
        self._seen = Seen(tail=query.tail is not None)
        self._closed = threading.Event()
        self._answer: Answer | None = None
        self._opened = False
        self._pause = FIRST_PAUSE
        follows = query.follow and query.limit is None
        self._lines = self._follow() if follows else self._read()

    def __iter__(self) -> Iterator[LogLine]:
        return self

    def __next__(self) -> LogLine:
        return next(self._lines)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_raised: object) -> None:
        self.close()

    def close(self) -> None:
        """End it, from any thread."""
        self._closed.set()
        answer = self._answer
        if answer is not None:
            answer.stop()

    def _follow(self) -> Iterator[LogLine]:
        failing_since = 0.0
        while not self._closed.is_set():
            wanted, longest = 0.0, LONGEST_PAUSE
            try:
                yield from self._read()
                if self._closed.is_set() or self._query.previous or self._has_ended():
                    return
                failing_since = 0.0
                if self._seen.since is None:
                    longest = LONGEST_WAIT
            except ClusterError as error:
                if self._closed.is_set() or (error.state == "missing" and self._opened):
                    return  # with the pod its log is gone
                if not self._may_pass(error):
                    raise
                wanted = min(error.retry_after or 0.0, LONGEST_ASKED)
                if error.state == "waiting":
                    longest = LONGEST_WAIT
                else:
                    failing_since = failing_since or time.monotonic()
                    if time.monotonic() - failing_since > GIVE_UP_SECONDS:
                        raise
            self._wait(wanted, longest)
            self._seen.resume()

    def _may_pass(self, error: ClusterError) -> bool:
        """Say whether to try again: a token that expires midway may be renewed a little later."""
        return error.passes or (error.state == "unauthenticated" and self._opened)

    def _read(self) -> Iterator[LogLine]:
        """Yield what one request gives and has not come before."""
        begin = None if self._query.since is None else moment_of(self._query.since)
        with self._open() as answer:
            for moment, line in log_lines(answer.pieces()):
                before = begin is not None and moment is not None and moment < begin
                if not before and self._seen.is_new(moment, line):
                    self._pause = FIRST_PAUSE
                    yield line

    def _open(self) -> Answer:
        answer = self._connection.ask(
            "GET",
            PODS.path(self._namespace, self._pod, "log"),
            self._parameters(),
            accept="text/plain,application/json,*/*",
            read_seconds=QUIET_SECONDS,
        )
        self._opened = True
        # Whoever closes this at the same moment either sees the answer, or is seen here.
        self._answer = answer
        if self._closed.is_set():
            answer.stop()
        return answer

    def _parameters(self) -> list[tuple[str, str]]:
        query, since = self._query, self._seen.since
        given: dict[str, Any] = {"container": query.container, "timestamps": "true"}
        if query.follow:
            given["follow"] = "true"
        if query.previous:
            given["previous"] = "true"
        if since is not None:
            given["sinceTime"] = _second(datetime.fromtimestamp(since, UTC))
            return list(given.items())
        if query.since is not None:
            given["sinceTime"] = _second(query.since.astimezone(UTC))
        if query.tail is not None:
            given["tailLines"] = str(query.tail)
        if query.limit is not None:
            given["limitBytes"] = str(query.limit)
        return list(given.items())

    def _has_ended(self) -> bool:
        """Say whether a stream that ended did so with its container.

        Servers that restart end streams as well, and so do log files that are put aside. A
        container that waits is about to run (again). Where pods may not be read, the end of the
        stream has to do.
        """
        try:
            pod = self._connection.read(PODS.path(self._namespace, self._pod))
        except ClusterError as error:
            if self._may_pass(error):
                raise
            return True
        return container_ended(pod, self._query.container)

    def _wait(self, wanted: float, longest: float) -> None:
        self._closed.wait(max(min(self._pause, longest), wanted) * random.uniform(1.0, 1.3))  # noqa: S311 - spreads clients
        self._pause = min(self._pause * 1.6, LONGEST_PAUSE)


def container_ended(pod: Mapping[str, Any], container: str) -> bool:
    """Say whether a container of a pod runs no more and will not again."""
    status = pod.get("status")
    if not isinstance(status, Mapping):
        return False
    if status.get("phase") in ("Succeeded", "Failed"):
        return True
    for key in _STATUSES:
        with contextlib.suppress(TypeError, AttributeError):
            for one in status.get(key) or ():
                if one.get("name") == container:
                    return bool((one.get("state") or {}).get("terminated"))
    return False


def _second(time: datetime) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ")
