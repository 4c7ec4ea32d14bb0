"""Follows one kind in one cluster: lists it, watches it from there, and never gives up.

Rules of the API: https://kubernetes.io/docs/reference/using-api/api-concepts/ ("Efficient detection
of changes", "Retrieving large results sets in chunks").
"""

import logging
import random
import threading
import time
import zlib
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, Final, Protocol, TypeGuard

import orjson

from callboard.errors import CallboardError
from callboard.i18n import Translator
from callboard.kubernetes.answer import Answer, document
from callboard.kubernetes.cleaning import cleaned
from callboard.kubernetes.connection import READ_SECONDS, Connection
from callboard.kubernetes.failures import ClusterError, failure_of_event
from callboard.kubernetes.inbox import EndedError, Happened, Inbox, Listed, Seen, Told
from callboard.kubernetes.leases import Held
from callboard.kubernetes.model import Resource

_ = Translator("callboard")

log = logging.getLogger(__name__)

PAGE: Final = 500
SMALLEST_PAGE: Final = 50
PAGE_BYTES: Final = 8 * 1024**2
"""What a page should have at most; the next one asks for fewer objects where it has more."""
SLOW_PAGE: Final = 5.0
SILENCE: Final = 100.0
"""Seconds without a word until a watch is opened anew; bookmarks come about once a minute."""
ABSENT_SECONDS: Final = 20.0
RESYNC: Final = timedelta(hours=6)
LONGEST_PAUSE: Final = 60.0
LONGEST_REQUESTED_PAUSE: Final = 300.0
STEADY: Final = 5.0
"""Seconds a watch must have been open to be taken up again without a pause."""
LEVEL: Final = 1


class Source(Protocol):
    """A cluster, as a reader needs it. Both may raise `ClusterError`."""

    @property
    def connection(self) -> Connection:
        """What asks it."""

    def serves(self, resource: Resource) -> Resource | None:
        """Give a resource at the version it serves, None where it lacks the kind."""


class Lanes:
    """Bounds how many pages of lists are read at once: one of large objects takes some 100 MiB.

    Clusters that are slow or fail have a lane of their own: they wait for each other only.
    """

    def __init__(self, quick: int = 3, slow: int = 1) -> None:
        self.quick: Final = threading.Semaphore(quick)
        self.slow: Final = threading.Semaphore(slow)


class Reader:
    """The thread that reads one watch while this process holds it."""

    def __init__(
        self,
        held: Held,
        resource: Resource,
        source: Callable[[], Source],
        inbox: Inbox,
        lanes: Lanes,
        clock: Callable[[], datetime],
        *,
        pause: float = 1.0,
    ) -> None:
        self.held: Final = held
        self._resource = resource
        self._source = source
        self._inbox = inbox
        self._lanes = lanes
        self._is_slow = False
        self._clock = clock
        self._pause = pause
        self._version = held.version
        self._failures = 0
        self._was_absent = False
        self._answer: Answer | None = None
        # What differs from one reader to the next: they shall not all come at once.
        spread = random.uniform(0.8, 1.2)  # noqa: S311 - no secret
        self._relist_at = (held.listed_at or clock()) + RESYNC * spread
        name = f"watch-{held.key.cluster}-{held.key.resource}"
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    @property
    def is_alive(self) -> bool:
        """Whether it reads still."""
        return self._thread.is_alive()

    def stop(self) -> None:
        """Let it end, also where it waits for the server; does not wait for it."""
        self.held.ended.set()
        answer = self._answer
        if answer is not None:
            answer.stop()

    def join(self, seconds: float) -> None:
        """Wait until it has ended, so long at most."""
        self._thread.join(max(0.0, seconds))

    def _run(self) -> None:
        while not self.held.ended.is_set():
            try:
                self._read()
            except EndedError:
                break
            except Exception as error:
                if self._fail(error):
                    break
        self.held.ended.set()

    def _read(self) -> None:
        """List if need be, and watch until the stream ends."""
        source = self._source()
        resource = source.serves(self._resource)
        if resource is None:
            if not self._was_absent:
                self._tell("absent")
            self._was_absent = True
            self._wait(ABSENT_SECONDS)
            return
        self._was_absent = False
        # By its kind a Secret is known, which discovery may leave out.
        resource = replace(resource, kind=resource.kind or self._resource.kind)
        if not self._version or self._clock() >= self._relist_at:
            self._list(source.connection, resource)
        self._watch(source.connection, resource)

    def _fail(self, error: Exception) -> bool:
        """Tell of a failure and pause; True where nobody is to be told any more."""
        if self.held.ended.is_set():
            return True
        known = error if isinstance(error, ClusterError) else _unknown(self.held, error)
        is_expired = known.state == "gone"
        if is_expired or self._is_distrusted(known):
            self._version = ""
        self._failures += 1
        try:
            if not (is_expired and self._failures == 1):
                self._tell("failed", error=known)
                self._wait(self._pause_after(known))
        except EndedError:
            return True
        return False

    def _is_distrusted(self, error: ClusterError) -> bool:
        """Whether the version may be what the server cannot make sense of.

        One that is malformed gives 500; one that a restored server has not reached yet gives 504.
        """
        return bool(self._version) and self._failures >= 1 and error.code in {400, 500, 504}

    def _pause_after(self, error: ClusterError) -> float:
        """Give seconds: longer with each failure, never the same for all, as asked for at least."""
        longest = min(LONGEST_PAUSE, self._pause * 2 ** min(self._failures - 1, 10))
        asked = min(error.retry_after or 0.0, LONGEST_REQUESTED_PAUSE)
        return asked + random.uniform(longest / 2, longest)  # noqa: S311 - no secret

    def _wait(self, seconds: float) -> None:
        if self.held.ended.wait(seconds):
            raise EndedError

    def _tell(
        self, what: Happened, version: str = "", *, error: ClusterError | None = None
    ) -> None:
        self._inbox.put(Told(self.held, what, self._clock(), version, error))

    # Lists

    def _list(self, connection: Connection, resource: Resource) -> None:
        """Hand in every object, and then that the list is complete."""
        uids: set[str] = set()
        limit, following, begun = PAGE, "", False
        while True:
            query = [("limit", str(limit))]
            if following:
                query.append(("continue", following))
            lane = self._lanes.slow if self._is_slow or self._failures else self._lanes.quick
            with lane:
                page, size = self._page(connection, resource, query)
                if not begun:
                    self._tell("listing")
                    begun = True
                uids |= self._hand_in(resource, page["items"] or [])
            version, following = _versions(page["metadata"])
            if not following:
                break
            limit = max(SMALLEST_PAGE, min(PAGE, limit * PAGE_BYTES // max(size, 1)))
        self._inbox.put(Listed(self.held, version, frozenset(uids)))
        self._version = version
        spread = random.uniform(0.8, 1.2)  # noqa: S311 - no secret
        self._relist_at = self._clock() + RESYNC * spread

    def _hand_in(self, resource: Resource, items: list[Any]) -> set[str]:
        uids = set()
        items.reverse()
        while items:  # each is let go of as soon as it is packed
            seen = packed(self.held, resource, items.pop(), listed=True)
            if seen is not None:
                uids.add(seen.uid)
                self._inbox.put(seen)
        return uids

    def _page(
        self, connection: Connection, resource: Resource, query: list[tuple[str, str]]
    ) -> tuple[dict[str, Any], int]:
        path, begun = resource.path(self.held.key.namespace), time.monotonic()
        with self._asked(connection, path, query) as answer:
            body = answer.read()
        self._is_slow = time.monotonic() - begun > SLOW_PAGE
        page = document(connection.name, body)
        if not _is_list(page):
            # Taken for an empty list it would bury every object there is.
            raise ClusterError(
                "failed",
                _("The cluster %(cluster)s did not answer with a list.", cluster=connection.name),
                hint=_("Check the address of the cluster, and the proxy on the way."),
            )
        return page, len(body)

    # The watch

    def _watch(self, connection: Connection, resource: Resource) -> None:
        """Hand in what happens until the stream ends, which is no failure."""
        seconds = int(random.uniform(240, 480))  # noqa: S311 - no secret
        query = [
            ("watch", "1"),
            ("allowWatchBookmarks", "true"),
            ("resourceVersion", self._version),
            ("timeoutSeconds", str(seconds)),
        ]
        path = resource.path(self.held.key.namespace)
        with self._asked(connection, path, query, read_seconds=SILENCE) as answer:
            self._tell("open")
            begun, heard = time.monotonic(), False
            try:
                for line in answer.lines():
                    if line.strip():
                        self._event(connection, resource, line)
                        self._failures, heard = 0, True
            except ClusterError as error:
                # A stream that breaks off, or falls silent, is taken up where it was; whether the
                # cluster is away shows in that.
                if error.state not in {"down", "slow"}:
                    raise
        if time.monotonic() - begun >= STEADY:
            self._failures = 0
        elif not heard:
            self._failures += 1
            self._wait(random.uniform(0, self._pause))  # noqa: S311 - no secret

    def _event(self, connection: Connection, resource: Resource, line: bytes) -> None:
        event = document(connection.name, line)
        kind, item = event.get("type"), event.get("object")
        if kind == "ERROR":
            raise failure_of_event(connection.name, item if isinstance(item, dict) else {})
        if kind == "BOOKMARK":
            version, _following = _versions(item.get("metadata") if isinstance(item, dict) else {})
            if version:
                self._tell("bookmark", version)
                self._version = version
        elif kind in {"ADDED", "MODIFIED", "DELETED"}:
            seen = packed(self.held, resource, item, gone=kind == "DELETED")
            if seen is not None:
                self._inbox.put(seen)
                self._version = seen.version

    def _asked(
        self,
        connection: Connection,
        path: str,
        query: list[tuple[str, str]],
        read_seconds: float = READ_SECONDS,
    ) -> Answer:
        """Ask, so that `stop` can interrupt it."""
        answer = connection.ask("GET", path, query, read_seconds=read_seconds)
        self._answer = answer
        if self.held.ended.is_set():
            answer.close()
            raise EndedError
        return answer


def packed(
    held: Held, resource: Resource, item: Any, *, gone: bool = False, listed: bool = False
) -> Seen | None:
    """Give an object as it is kept; None for one without what every object has."""
    metadata = item.get("metadata") if isinstance(item, dict) else None
    if not isinstance(metadata, Mapping):
        return None
    uid, version = metadata.get("uid"), metadata.get("resourceVersion")
    name, namespace = metadata.get("name"), metadata.get("namespace") or ""
    has_place = namespace == "" or _fits(namespace, 63)
    if _fits(uid, 80) and _fits(version, 100) and _fits(name, 253) and has_place:
        kept = cleaned(item, kind=resource.kind, api_version=resource.api_version)
        body = zlib.compress(orjson.dumps(kept), LEVEL)
        return Seen(held, uid, namespace, name, version, gone, listed, body)
    log.warning(
        "An object of %s in the cluster %s is left out: it lacks a uid, name or version.",
        held.key.resource,
        held.key.cluster,
    )
    return None


def _fits(value: Any, longest: int) -> TypeGuard[str]:
    return isinstance(value, str) and 0 < len(value) <= longest and "\0" not in value


def _is_list(page: Any) -> bool:
    if not isinstance(page, dict) or not str(page.get("kind", "")).endswith("List"):
        return False
    items = page.get("items", ())
    metadata = page.get("metadata")
    has_version = isinstance(metadata, dict) and _fits(metadata.get("resourceVersion"), 100)
    return has_version and "items" in page and (items is None or isinstance(items, list))


def _versions(metadata: Any) -> tuple[str, str]:
    """Give the version of a list or bookmark, and what asks for the next page."""
    found = metadata if isinstance(metadata, dict) else {}
    version, following = found.get("resourceVersion"), found.get("continue")
    return (
        version if _fits(version, 100) else "",
        following if isinstance(following, str) else "",
    )


def _unknown(held: Held, error: Exception) -> ClusterError:
    """Give what is told of an error that is not the cluster's, such as in its settings."""
    if isinstance(error, CallboardError):
        return ClusterError("failed", error.message, hint=error.hint)
    log.exception("The watch of %s in %s failed.", held.key.resource, held.key.cluster)
    return ClusterError(
        "failed",
        _("Reading the cluster %(cluster)s failed.", cluster=held.key.cluster),
        hint=_("The log of the portal says more."),
        said=type(error).__name__,
    )
