"""Finds the repositories that entities name and reads each of them once."""

import hashlib
import logging
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Final, Literal

from callboard.contributions import EventContext, JobContext
from callboard.entities import Catalog, Entity, EntityRef
from callboard.errors import (
    CallboardError,
    InputError,
    NotAllowedError,
    NotFoundError,
    UnauthorisedError,
)
from callboard.repositories import ANNOTATIONS, Place, place_of
from callboard_scm_git import store
from callboard_scm_git.reading import Known, read_repository

if TYPE_CHECKING:
    from callboard.git import GitRepository
    from callboard.host import Host

log = logging.getLogger(__name__)

PAGE = 500
MAXIMUM_ERROR = 1000
TOGETHER = 20
"""From so many repositories on, one job reads all of those that a batch of events is about."""
SHORTEST_REST: Final = timedelta(minutes=15)
LONGEST_REST: Final = timedelta(hours=6)
"""For how long a host that refused a repository is not asked for it: as long as it has refused by
then, within these bounds."""
_asked: dict[tuple[str, str], str] = {}
"""With which access this process asked for a repository that was refused, by the portal's folder
and the address: with another it is asked at once."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What reading one repository came to; `error` says why where it failed.

    One that is `refused` is tried again by the schedule, not at once: its host said no, or the
    settings do.
    """

    url: str
    result: Literal["read", "unchanged", "failed", "refused"]
    error: str = ""


def find_places(catalog: Catalog) -> dict[str, Place]:
    """Give the places that entities name, by their references."""
    return _places(_entities(catalog))


def _places(entities: Iterable[Entity]) -> dict[str, Place]:
    found = ((str(entity.ref), place_of(entity)) for entity in entities)
    return {ref: place for ref, place in found if place is not None}


def _entities(catalog: Catalog) -> Iterator[Entity]:
    for annotation in ANNOTATIONS:
        after: EntityRef | None = None
        while page := catalog.find(annotation=annotation, after=after, limit=PAGE):
            yield from page
            after = page[-1].ref


def _by_repository(places: Iterable[Place]) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for place in places:
        found.setdefault(place.url, set()).add(place.folder)
    return found


def refresh_all(
    host: "Host",
    progress: Callable[[int, int, str], None] = lambda *_: None,
    *,
    anyway: bool = False,
) -> list[Outcome]:
    """Read every repository that an entity names and forget those that none names any more.

    One that cannot be read is noted in its row and does not keep the others from being read. With
    `anyway` hosts that refused before are asked, too, whenever that was.
    """
    places = find_places(host.catalog)
    wanted = _by_repository(places.values())
    _register_all(host, wanted, places)
    return read_many(host, wanted, progress, anyway=anyway)


def read_many(
    host: "Host",
    urls: Iterable[str],
    progress: Callable[[int, int, str], None],
    *,
    anyway: bool = False,
) -> list[Outcome]:
    """Read registered repositories, some at a time."""
    listed = sorted(urls)
    outcomes = []
    with ThreadPoolExecutor(host.settings.readers, thread_name_prefix="scm_git") as pool:
        running = [pool.submit(read_one, host, url, anyway=anyway) for url in listed]
        for done, future in enumerate(as_completed(running), 1):
            outcome = future.result()
            outcomes.append(outcome)
            progress(done, len(listed), outcome.url)
    return sorted(outcomes, key=lambda outcome: outcome.url)


def _register_all(host: "Host", wanted: dict[str, set[str]], places: Mapping[str, Place]) -> None:
    with host.read() as connection:
        present = store.registered(connection)
        before = store.named(connection)
    named = {ref: place.url for ref, place in places.items()}
    if {url: paths | {""} for url, paths in wanted.items()} != present or before != named:
        with host.write() as connection:
            store.forget(connection, wanted)
            store.register(connection, wanted)
            store.name(connection, store.named(connection), named)


def read_one(host: "Host", url: str, *, anyway: bool = False) -> Outcome:
    """Read one registered repository; a fault is noted in its row and given back."""
    with host.read() as connection:
        known = store.known(connection, url)
    if known is None:
        return Outcome(url, "unchanged")
    try:
        git = host.git(url)
    except CallboardError as error:
        # Nobody was asked: the address or the settings are at fault.
        return _failed(host, url, known, str(error), refused=isinstance(error, NotAllowedError))
    if not anyway and _rests(host, git, url, known):
        return Outcome(url, "refused", known.fault or "")
    try:
        reading = read_repository(git, known, host.now())
    except CallboardError as error:
        if _is_refusal(error, url):
            return _refused(host, git, url, known, str(error))
        return _failed(host, url, known, str(error))
    except Exception as error:
        log.exception("Reading %s failed.", url)
        reason = f"{type(error).__name__} while it was read; the log has more."
        return _failed(host, url, known, reason)
    if reading is not None:
        with host.write() as connection:
            store.write_reading(connection, url, reading, host.now())
    elif known.fault is not None:
        with host.write() as connection:
            store.mark_reachable(connection, url)
    return Outcome(url, "unchanged" if reading is None else "read")


def _failed(host: "Host", url: str, known: Known, error: str, *, refused: bool = False) -> Outcome:
    if known.fault != error[:MAXIMUM_ERROR] or known.next_try_at is not None:
        with host.write() as connection:
            store.mark_failing(connection, url, error[:MAXIMUM_ERROR], host.now())
    return Outcome(url, "refused" if refused else "failed", error)


def _is_refusal(error: CallboardError, url: str) -> bool:
    """Whether a host said no, so that asking it again soon would only annoy it."""
    from callboard.git import NoReferenceError

    if url.startswith(("file:", "/")) or isinstance(error, NoReferenceError):
        return False
    return isinstance(error, UnauthorisedError | NotFoundError)


def _rests(host: "Host", git: "GitRepository", url: str, known: Known) -> bool:
    if known.next_try_at is None or host.now() >= known.next_try_at:
        return False
    return _asked.get((str(host.data), url)) == git.access


def _refused(host: "Host", git: "GitRepository", url: str, known: Known, error: str) -> Outcome:
    now = host.now()
    refusing = now - (known.failing_since or now)
    next_try = now + min(max(refusing, SHORTEST_REST), LONGEST_REST)
    with host.write() as connection:
        store.mark_failing(connection, url, error[:MAXIMUM_ERROR], now, next_try_at=next_try)
    _asked[(str(host.data), url)] = git.access
    return Outcome(url, "refused", error)


def run_refresh(context: JobContext) -> None:
    """The scheduled job: every repository."""
    refresh_all(context.host, context.progress)


def run_read(context: JobContext) -> None:
    """The job asked for by events: one repository, tried again where it does not answer.

    One that is refused is not: its page says so, and when it is tried again.
    """
    url = context.payload.get("url")
    if not isinstance(url, str):
        raise InputError("The job scm_git.read was given no url; expected that of a repository.")
    outcome = read_one(context.host, url)
    if outcome.result == "failed":
        raise CallboardError(outcome.error)


def run_read_many(context: JobContext) -> None:
    """The job asked for when many changed at once; what fails is left to the scheduled job."""
    urls = context.payload.get("urls")
    if not isinstance(urls, list):
        raise InputError("The job scm_git.read_many was given no urls; expected a list of them.")
    read_many(context.host, [str(url) for url in urls], context.progress)


def on_entities(context: EventContext) -> None:
    """Have the repositories of new and changed entities read, each once."""
    host = context.host
    refs = {EntityRef.parse(event.subject) for event in context.events}
    places = _places(host.catalog.get_many(refs).values())
    wanted = _by_repository(places.values())
    names = [str(ref) for ref in refs]
    named = {ref: place.url for ref, place in places.items()}
    with host.read() as connection:
        present = store.registered(connection, wanted.keys())
        before = store.named(connection, names)
    new = any(paths - present.get(url, set()) for url, paths in wanted.items())
    if new or before != named:
        with host.write() as connection:
            store.register(connection, wanted)
            store.name(connection, store.named(connection, names), named)
    if not wanted:
        return
    urls = sorted(wanted)
    if len(urls) >= TOGETHER:
        key = hashlib.sha256("\n".join(urls).encode()).hexdigest()
        host.submit("read_many", {"urls": urls}, key=key)
        return
    for url in urls:
        host.submit("read", {"url": url}, key=url[-300:])
