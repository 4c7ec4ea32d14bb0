"""Takes what is pushed: parsed, checked and written as what any source gives."""

import hashlib
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, insert, select, update

from callboard.audit import record
from callboard.contributions import ProcessorContext
from callboard.database import Database
from callboard.errors import ConflictError, InputError, NotAllowedError, NotFoundError
from callboard.events import publish
from callboard.i18n import Translator
from callboard_catalog import models
from callboard_catalog.descriptors import Origin
from callboard_catalog.ingest.parse import ParsedFile, Parser
from callboard_catalog.ingest.refresh import Refresh
from callboard_catalog.ingest.write import Changes, Writer
from callboard_catalog.pushing.documents import UNNAMED, File, canonical, files_of, path_of
from callboard_catalog.pushing.model import Push, PushedSource, PushResult
from callboard_catalog.pushing.outcome import Outcome
from callboard_catalog.pushing.texts import keep_texts, kept_text, text_of
from callboard_catalog.sources.base import PUSHED
from callboard_catalog.store.bulk import grow_generation, lock_catalog

_: Final = Translator("callboard")

SOURCE: Final = models.source
FILE: Final = models.source_file
OWNED: Final = models.pushed_source
LONGEST_NAME: Final = 300
_NAME: Final = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")


class _DryRunError(Exception):
    """Ends the transaction of a push that is only tried."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asker:
    """Who pushes: the one who acts, whose the source would be, and whether all are theirs."""

    by: str
    owner: str
    administers: bool = False


class Pusher:
    """Takes pushes, and gives and removes the sources they made. Who may push is asked before."""

    def __init__(
        self, database: Database, refresh: Refresh, *, most: int, now: Callable[[], datetime]
    ) -> None:
        self.database = database
        self.refresh = refresh
        self.most = most
        self.now = now

    def push(self, push: Push, asker: Asker) -> PushResult:
        """Take a push whole, in one transaction: two to one source come one after the other.

        Raises `InputError` for one that cannot be, `ConflictError` where its source is configured
        or just being removed, `NotAllowedError` where it is somebody else's.
        """
        removed = self._check(push)
        files = files_of(push.documents)
        if {file.ref for file in files if file.ref} & set(removed):
            raise InputError(_("The same entity is given and removed in one push."))
        with self.database.read() as connection:
            row = _row(connection, push.source)
            _require(row, asker)
            known = _known(connection, row)
        work = _Work(self, push, asker, files, removed)
        # What plugins do to documents is done before others have to wait.
        work.parse(known, row)
        result: list[PushResult] = []
        try:
            with self.database.write() as connection:
                lock_catalog(connection)
                result.append(work.write(connection))
                if push.dry_run:
                    raise _DryRunError
        except _DryRunError:
            pass
        return result[0]

    def _check(self, push: Push) -> list[str]:
        """Give the references to remove; raises `InputError`."""
        if not _NAME.fullmatch(push.source):
            raise InputError(
                _("A source's name has 1 to 63 lower-case letters, digits and hyphens."),
                hint=_("Give one as `source`; it begins with a letter or digit."),
            )
        if push.mode == "full" and push.removed:
            raise InputError(
                _("A full push removes what it does not name."),
                hint=_("Give `removed` with mode=delta."),
            )
        number = len(push.documents) + len(push.removed)
        if number > self.most:
            raise InputError(
                _(
                    "One push has at most %(most)s entities; this one has %(number)s.",
                    most=self.most,
                    number=number,
                ),
                hint=_("Send them as several pushes with mode=delta."),
            )
        return list(dict.fromkeys(map(canonical, push.removed)))

    # Sources

    def sources(self) -> dict[str, PushedSource]:
        """Give the sources that are pushed, by name."""
        columns = (SOURCE.c.name, OWNED.c.owner, OWNED.c.pushed_by, OWNED.c.pushed_at, OWNED.c.mode)
        statement = select(*columns).join_from(SOURCE, OWNED)
        with self.database.read() as connection:
            rows = connection.execute(statement.where(SOURCE.c.active, SOURCE.c.type == PUSHED))
            return {row.name: PushedSource(**row._mapping) for row in rows}

    def kept(self, source: str, path: str, blob: str) -> bytes | None:
        """Give the text of a document with faults, by which their lines count; else None."""
        with self.database.read() as connection:
            return kept_text(connection, source, path, blob)

    def remove_in(self, connection: Connection, name: str, asker: Asker) -> None:
        """Mark a whole source for removal in a transaction; the job `forget` takes out the rest.

        Raises `NotFoundError` where no source of this name is pushed, and `NotAllowedError`.
        """
        lock_catalog(connection)
        row = _row(connection, name)
        if row is None or row.type != PUSHED or not row.active:
            raise NotFoundError(
                _("No source named %(name)s is pushed.", name=name[:80]),
                hint=_("The sources page lists them."),
            )
        _require(row, asker)
        values = {"active": False, "head": ""}
        connection.execute(update(SOURCE).where(SOURCE.c.id == row.id).values(**values))
        grow_generation(connection)
        record(connection, "catalog.source.remove", name, before={"owner": row.owner},
               at=self.now())  # fmt: skip
        publish(connection, "catalog.source.removed", name, at=self.now())


class _Work:
    """One push on its way."""

    def __init__(
        self,
        pusher: Pusher,
        push: Push,
        asker: Asker,
        files: Sequence[File],
        removed: Sequence[str],
    ) -> None:
        self.pusher = pusher
        self.push = push
        self.asker = asker
        self.removed = removed
        self.sent = files
        self.files = {
            file.path: file for file in files if file.fault is None and _stays(file, push)
        }
        self.parsed: dict[str, ParsedFile] = {}
        self.texts: dict[str, bytes] = {}
        self.rules = pusher.refresh.rules()

    # Parsing

    def parse(self, known: Mapping[str, str], row: Any) -> None:
        """Parse what is new or changed, or was changed when the rules did."""
        everything = row is None or row.fingerprint != self.rules
        parser = self._parser()
        for file in self.sent:
            current = not everything and known.get(file.path) == file.blob
            if file.fault is None and not current and file.path not in self.parsed:
                self._parse(parser, file)

    def _parse(self, parser: Parser, file: File) -> ParsedFile:
        parsed = parser.parse(file.path, file.blob, file.data)
        text = text_of(file.document.value) if parsed.rejections else b""
        if text and len(text) <= parser.limits.file_size:
            # Again, for the lines that its faults are at.
            parsed = parser.parse(file.path, file.blob, text)
            self.texts[file.path] = text
        # What a Location leads to is not followed: a push brings what it has to give.
        parsed.locations.clear()
        self.parsed[file.path] = parsed
        return parsed

    def _parser(self) -> Parser:
        refresh = self.pusher.refresh
        location = f"push:{self.push.source}"

        def read(path: str, base: str) -> bytes:
            raise InputError(_("a pushed document takes in no files; write out what they hold"))

        def context_for(plugin: str, path: str) -> ProcessorContext:
            host = refresh.host_for(plugin)
            return ProcessorContext(host=host, source=self.push.source, path=path)

        return Parser(
            registry=refresh.registry,
            limits=refresh.limits,
            origin_of=lambda path: Origin(location=location),
            read=read,
            blob_of=lambda path: "",
            processors=refresh.processors,
            context_for=context_for,
            report=refresh.report,
        )

    # Writing

    def write(self, connection: Connection) -> PushResult:
        """Bring the tables up to the push, and say what came of each document."""
        row = _row(connection, self.push.source)
        _require(row, self.asker)
        known = _known(connection, row)
        everything = row is None or row.fingerprint != self.rules
        changed = [
            self._parsed(file)
            for file in self.files.values()
            if everything or known.get(file.path) != file.blob
        ]
        kept = self.push.mode == "full" and any(not file.ref for file in self.sent)
        gone = self._gone(known, kept)
        outcome = Outcome(self.push, self.sent, self.parsed, gone, self.removed)
        outcome.before(connection, row.id if row is not None else None)
        if changed or gone or row is None:
            source_id = self._keep_source(connection, row)
            changes = self._apply(connection, source_id, changed, gone)
            if self.push.mode == "full" and not kept:
                self._note_rules(connection, source_id)
        else:
            source_id, changes = row.id, Changes()
        results = outcome.results(connection, source_id, changes, self._parsed)
        result = PushResult(
            source=self.push.source,
            mode=self.push.mode,
            dry_run=self.push.dry_run,
            new=row is None,
            kept=kept,
            results=results,
        )
        if changed or gone or row is None:
            self._tell(connection, result)
        return result

    def _parsed(self, file: File) -> ParsedFile:
        return self.parsed.get(file.path) or self._parse(self._parser(), file)

    def _gone(self, known: Mapping[str, str], kept: bool) -> list[str]:
        if self.push.mode == "delta":
            return [path for path in map(path_of, self.removed) if path in known]
        return [
            path
            for path in known
            if path not in self.files and not (kept and not path.startswith(UNNAMED))
        ]

    def _apply(
        self,
        connection: Connection,
        source_id: int,
        changed: Sequence[ParsedFile],
        gone: Sequence[str],
    ) -> Changes:
        leaving = frozenset(gone)
        writer = Writer(
            self.pusher.database,
            source_id=source_id,
            source_name=self.push.source,
            is_gone=lambda path: path in leaving,
            now=self.pusher.now,
            version=self._version(),
        )
        changes = writer.apply_in(connection, changed, gone)
        paths = [parsed.path for parsed in changed]
        texts = {path: self.texts[path] for path in paths if path in self.texts}
        keep_texts(connection, source_id, texts, paths)
        return changes

    def _keep_source(self, connection: Connection, row: Any) -> int:
        """Write the row of the source, and who pushed; give its number."""
        now = self.pusher.now()
        values = {
            "head": self._version(), "last_read_at": now, "last_success_at": now,
        }  # fmt: skip
        pushed = {"pushed_by": self.asker.by[:LONGEST_NAME], "pushed_at": now,
                  "mode": self.push.mode}  # fmt: skip
        if row is not None:
            connection.execute(update(SOURCE).where(SOURCE.c.id == row.id).values(**values))
            connection.execute(update(OWNED).where(OWNED.c.source_id == row.id).values(**pushed))
            return int(row.id)
        name = self.push.source
        own = {
            "name": name, "type": PUSHED, "title": name, "address": f"push:{name}", "every": 0.0,
            "active": True, "fingerprint": self.rules, "error": "", "hint": "",
        }  # fmt: skip
        statement = insert(SOURCE).values(**values, **own).returning(SOURCE.c.id)
        number = int(connection.execute(statement).scalar_one())
        owner = self.asker.owner[:LONGEST_NAME]
        connection.execute(insert(OWNED).values(source_id=number, owner=owner, **pushed))
        record(connection, "catalog.source.add", name, after={"owner": owner}, at=now)
        return number

    def _note_rules(self, connection: Connection, source_id: int) -> None:
        statement = update(SOURCE).where(SOURCE.c.id == source_id)
        connection.execute(statement.values(fingerprint=self.rules))

    def _version(self) -> str:
        digest = hashlib.sha256(self.push.mode.encode())
        for path in sorted(self.files):
            digest.update(f"\0{path}\0{self.files[path].blob}".encode())
        for ref in sorted(self.removed):
            digest.update(f"\0-{ref}".encode())
        return digest.hexdigest()[:40]

    def _tell(self, connection: Connection, result: PushResult) -> None:
        now, name = self.pusher.now(), self.push.source
        told = {"mode": self.push.mode, **result.counts}
        record(connection, "catalog.entity.push", name, after=told, at=now)
        publish(connection, "catalog.source.pushed", name, told, at=now)
        grow_generation(connection)


def _stays(file: File, push: Push) -> bool:
    """Say whether a document is kept though it is rejected: a delta cannot mend one it cannot
    name, so there it is only told of."""
    return push.mode == "full" or bool(file.ref)


def _row(connection: Connection, name: str) -> Any:
    statement = select(SOURCE, OWNED.c.owner).join_from(SOURCE, OWNED, isouter=True)
    return connection.execute(statement.where(SOURCE.c.name == name)).one_or_none()


def _require(row: Any, asker: Asker) -> None:
    if row is None:
        return
    if row.type != PUSHED:
        raise ConflictError(
            _("The source %(name)s is read, not pushed.", name=row.name),
            hint=_("Push under another name."),
        )
    if row.owner != asker.owner and not asker.administers:
        raise NotAllowedError(
            _("The source %(name)s belongs to %(owner)s.", name=row.name, owner=row.owner),
            hint=_("Push under a name of your own, or let an administrator remove that source."),
            permission="catalog.source.write",
        )
    if not row.active:
        raise ConflictError(
            _("The source %(name)s is being removed.", name=row.name),
            hint=_("Push again in a minute."),
        )


def _known(connection: Connection, row: Any) -> dict[str, str]:
    if row is None:
        return {}
    statement = select(FILE.c.path, FILE.c.blob).where(FILE.c.source_id == row.id)
    return {found.path: found.blob for found in connection.execute(statement)}
