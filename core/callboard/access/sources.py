"""Reads policies from folders and Git repositories, and keeps the last good version of each."""

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, Final, Literal

from sqlalchemy import Connection, Row, delete, insert, select, update

from callboard import audit, events
from callboard.access import models
from callboard.access.assembly import PolicyPart
from callboard.access.documents import SUFFIXES, ReadFile, policy_of_files, read_file
from callboard.access.model import PolicyFault
from callboard.access.settings import AccessSettings, PolicySettings
from callboard.access.store import grow_generation, lock_policies
from callboard.database import Database
from callboard.errors import CallboardError, InputError, NotFoundError, reason_of
from callboard.i18n import Text, Translator, from_data, storable, to_data
from callboard.identity import SYSTEM

if TYPE_CHECKING:
    from callboard.git import GitRepository

_ = Translator("callboard")

MOST_FILES: Final = 500
MOST_BYTES: Final = 1024**2
MOST_FAULTS: Final = 200

Kind = Literal["built-in", "settings", "git", "folder", "pages"]
State = Literal["ok", "waiting", "failing", "off"]


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicySource:
    """A place with roles and bindings.

    `revision` is the one that was read last, empty where there are none. `state` is `waiting` for
    one that was never read: until then everything is refused but to administrators of the
    settings; `failing` for one that cannot be read now, of which the last good state is in force;
    `off` for one that the settings do not use. `roles` and `bindings` count those of it.
    """

    name: str
    kind: Kind
    title: Text
    state: State = "ok"
    revision: str = ""
    read_at: datetime | None = None
    succeeded_at: datetime | None = None
    failing_since: datetime | None = None
    error: Text = ""
    roles: int = 0
    bindings: int = 0
    faults: tuple[PolicyFault, ...] = ()


@dataclass(frozen=True, slots=True)
class Found:
    """What a source has now: its revision and its files by path."""

    revision: str
    files: Mapping[str, bytes]


def key_of(item: PolicySettings) -> str:
    """Give the key a source is kept under: another place, branch or pattern is another source."""
    text = "\0".join((item.git, item.branch, item.path))
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def label(item: PolicySettings, path: str) -> str:
    """Give the name of a file as faults and reasons tell it."""
    if not item.git:
        return path
    name = PurePosixPath(item.git.rstrip("/").replace(":", "/")).name.removesuffix(".git")
    return f"{name}/{path}"


# Reading from outside, in a job


class SourceReader:
    """Reads sources and writes what changed; every change of what is in force is audited.

    `base` is the folder of the settings file; `repository` opens one by its URL.
    """

    def __init__(
        self,
        database: Database,
        settings: AccessSettings,
        *,
        base: Path,
        repository: "Callable[[str], GitRepository]",
        now: Callable[[], datetime],
    ) -> None:
        self._database = database
        self._settings = settings
        self._base = base
        self._repository = repository
        self._now = now

    def read_all(self) -> None:
        """Read every source; one that cannot be read keeps its last good state."""
        for item in self._settings.policies:
            self.read(item)
        self._forget()

    def read(self, item: PolicySettings) -> None:
        """Read one source. Nothing is written but its time where nothing has changed."""
        key = key_of(item)
        with self._database.read() as connection:
            state = _state(connection, key)
        try:
            found = self._found(item, state.revision if state else "")
        except (CallboardError, OSError) as error:
            with self._database.write() as connection:
                lock_policies(connection)
                _note_failure(connection, key, storable(reason_of(error)), self._now())
            return
        with self._database.write() as connection:
            lock_policies(connection)
            changed = found is not None and self._keep(connection, item, found)
            revision = found.revision if found is not None else state.revision if state else ""
            first = _note_success(connection, key, revision, self._now())
            if first and not changed:
                # From now on it no longer closes the portal.
                grow_generation(connection)

    def _found(self, item: PolicySettings, revision: str) -> Found | None:
        """Give what a source has now, None where that is what it had at a revision."""
        if not item.git:
            return read_folder(self._base, item.path)
        repository = self._repository(item.git)
        if revision and repository.head(item.branch or None) == revision:
            return None
        commit = repository.fetch(item.branch or None)
        chosen = [
            file
            for file in repository.files(commit, [item.path])
            if file.path.lower().endswith(SUFFIXES) and file.is_readable
        ]
        if len(chosen) > MOST_FILES:
            raise _too_many(item.path)
        contents = dict(repository.read({file.blob for file in chosen}))
        return Found(commit, {file.path: contents[file.blob] for file in chosen})

    def _keep(self, connection: Connection, item: PolicySettings, found: Found) -> bool:
        """Write the files that changed, with the audit entry and the event; say whether any did."""
        known = _digests(connection, key_of(item))
        digests = {path: hashlib.sha256(data).hexdigest() for path, data in found.files.items()}
        if digests == known:
            return False
        key, table = key_of(item), models.document
        faults = 0
        for path in known.keys() - found.files.keys():
            connection.execute(delete(table).where(table.c.source == key, table.c.path == path))
        changed = sorted(path for path in digests if digests[path] != known.get(path))
        for path in changed:
            read = read_file(found.files[path], label(item, path))
            faults += len(read.faults)
            row = {
                "faults": [_written(fault) for fault in read.faults[:MOST_FAULTS]],
                "digest": digests[path],
            }
            if not read.refused:
                text = found.files[path].decode("utf-8-sig")
                row |= {"text": text, "revision": found.revision[:80]}
            _put(connection, key, path, row, new=path not in known)
        grow_generation(connection)
        subject = f"access-source:{key}"
        at, removed = self._now(), sorted(known.keys() - found.files.keys())
        after = {
            "place": item.title, "revision": found.revision, "changed": changed,
            "removed": removed, "faults": faults,
        }  # fmt: skip
        audit.record(connection, "access.source.read", subject, actor=SYSTEM, after=after, at=at)
        events.publish(
            connection, "access.source.changed", subject,
            {"place": item.title, "revision": found.revision, "faults": faults}, at=at,
        )  # fmt: skip
        return True

    def _forget(self) -> None:
        """Delete what is kept of sources that the settings no longer name."""
        keys = [key_of(item) for item in self._settings.policies]
        with self._database.read() as connection:
            query = select(models.source.c.key).where(models.source.c.key.not_in(keys))
            gone = list(connection.scalars(query))
        if gone:
            with self._database.write() as connection:
                for table, column in (
                    (models.document, models.document.c.source),
                    (models.source, models.source.c.key),
                ):
                    connection.execute(delete(table).where(column.in_(gone)))


def read_folder(base: Path, pattern: str) -> Found:
    """Read the files of a folder that a pattern names. Links to files are followed.

    The names of a mounted ConfigMap are such links, beside folders that begin with two dots.
    """
    from callboard.git.patterns import compile_pattern

    root, rest = _split(base, pattern)
    if not root.exists():
        raise NotFoundError(_("%(path)s does not exist.", path=str(root)))
    matches = compile_pattern(rest) if rest else None
    files: dict[str, bytes] = {}
    for path in sorted(_walk(root)) if root.is_dir() else [root]:
        below = path.relative_to(root).as_posix() if path != root else root.name
        if path.suffix.lower() not in SUFFIXES or (matches is not None and not matches(below)):
            continue
        name = path.relative_to(base).as_posix() if path.is_relative_to(base) else str(path)
        with path.open("rb") as file:
            files[name] = file.read(MOST_BYTES + 1)
        if len(files) > MOST_FILES:
            raise _too_many(pattern)
    digest = hashlib.sha256()
    for name, data in files.items():
        digest.update(f"{name}\0{len(data)}\0".encode() + data)
    return Found(digest.hexdigest()[:40], files)


def _split(base: Path, pattern: str) -> tuple[Path, str]:
    """Give the folder where a pattern begins, and what is left of it."""
    parts = Path(pattern).parts
    plain = 0
    while plain < len(parts) and not any(char in parts[plain] for char in "*?["):
        plain += 1
    return base.joinpath(*parts[:plain]), "/".join(parts[plain:])


def _walk(root: Path) -> Iterator[Path]:
    waiting = [root]
    while waiting:
        for entry in waiting.pop().iterdir():
            if entry.name.startswith((".git", "..")):
                continue
            if entry.is_dir() and not entry.is_symlink():
                waiting.append(entry)
            elif entry.is_file():
                yield entry


def _too_many(pattern: str) -> InputError:
    return InputError(
        _("%(path)s names more than %(limit)s files.", path=pattern, limit=MOST_FILES),
        hint=_("Name a folder that holds policies only."),
    )


# What is kept


def _state(connection: Connection, key: str) -> Row[Any] | None:
    query = select(models.source).where(models.source.c.key == key)
    return connection.execute(query).one_or_none()


def _digests(connection: Connection, key: str) -> dict[str, str]:
    table = models.document
    query = select(table.c.path, table.c.digest).where(table.c.source == key)
    return {row.path: row.digest for row in connection.execute(query)}


def _put(connection: Connection, key: str, path: str, row: Mapping[str, Any], *, new: bool) -> None:
    table = models.document
    if new:
        first = {"source": key, "path": path, "text": None, "revision": "", **row}
        connection.execute(insert(table).values(first))
    else:
        where = (table.c.source == key, table.c.path == path)
        connection.execute(update(table).where(*where).values(dict(row)))


def _note_success(connection: Connection, key: str, revision: str, now: datetime) -> bool:
    """Note that a source was read; say whether it was for the first time."""
    row = {
        "revision": revision[:80], "read_at": now, "succeeded_at": now, "failing_since": None,
        "error": "",
    }  # fmt: skip
    table = models.source
    state = _state(connection, key)
    if state is None:
        connection.execute(insert(table).values(key=key, **row))
    else:
        connection.execute(update(table).where(table.c.key == key).values(row))
    return state is None or state.succeeded_at is None


def _note_failure(connection: Connection, key: str, error: Text, now: datetime) -> None:
    table = models.source
    since = select(table.c.failing_since).where(table.c.key == key)
    row = {"read_at": now, "error": error, "failing_since": connection.scalar(since) or now}
    if not connection.execute(update(table).where(table.c.key == key).values(row)).rowcount:
        first = {"key": key, "revision": "", "succeeded_at": None, **row}
        connection.execute(insert(table).values(first))


def _written(fault: PolicyFault) -> dict[str, Any]:
    return {
        "file": fault.file, "line": fault.line, "severity": fault.severity,
        "message": to_data(storable(fault.message)),
    }  # fmt: skip


def _read(fault: Mapping[str, Any]) -> PolicyFault:
    return PolicyFault(
        file=fault["file"], line=fault["line"], severity=fault["severity"],
        message=from_data(fault["message"]),
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class KeptSource:
    """A source as it was read last, with the part of the policy that is in force of it."""

    source: PolicySource
    part: PolicyPart


def kept_sources(connection: Connection, settings: AccessSettings) -> list[KeptSource]:
    """Give the folders and repositories of the settings as they were read last."""
    keys = {key_of(item): item for item in settings.policies}
    states = {
        row.key: row
        for row in connection.execute(select(models.source).where(models.source.c.key.in_(keys)))
    }
    table = models.document
    query = select(table).where(table.c.source.in_(keys)).order_by(table.c.source, table.c.path)
    documents: dict[str, list[Row[Any]]] = {}
    for row in connection.execute(query):
        documents.setdefault(row.source, []).append(row)
    return [_kept(item, key, states.get(key), documents.get(key, [])) for key, item in keys.items()]


def _kept(
    item: PolicySettings, key: str, state: Row[Any] | None, documents: Sequence[Row[Any]]
) -> KeptSource:
    files = [_parsed(row.text, label(item, row.path)) for row in documents if row.text is not None]
    part = policy_of_files(files, default_role=item.default_role, project=item.project)
    refused = [_read(fault) for row in documents for fault in row.faults]
    faults = (*refused, *part.faults)
    part = PolicyPart(roles=part.roles, bindings=part.bindings, faults=faults)
    source = PolicySource(
        name=key,
        kind="git" if item.git else "folder",
        title=item.title,
        state=_fares(state),
        revision=state.revision if state else "",
        read_at=state.read_at if state else None,
        succeeded_at=state.succeeded_at if state else None,
        failing_since=state.failing_since if state else None,
        error=state.error if state else "",
        roles=len(part.roles),
        bindings=len(part.bindings),
        faults=faults,
    )
    return KeptSource(source, part)


def _fares(state: Row[Any] | None) -> State:
    if state is None or state.succeeded_at is None:
        return "waiting"
    return "failing" if state.failing_since else "ok"


@lru_cache(maxsize=MOST_FILES)
def _parsed(text: str, name: str) -> ReadFile:
    return read_file(text.encode(), name)
