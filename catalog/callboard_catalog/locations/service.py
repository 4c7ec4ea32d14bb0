"""Registering locations, changing and removing them."""

import uuid
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, Protocol

import orjson
from sqlalchemy import Connection, delete, exists, insert, select, update

from callboard import events
from callboard.audit import record
from callboard.database import Database
from callboard.entities import EntityRef
from callboard.errors import ConflictError, NotFoundError
from callboard.i18n import Translator
from callboard.identity import asking
from callboard_catalog import models as catalog
from callboard_catalog.descriptors.finishing import ORIGIN
from callboard_catalog.locations.model import Location, check_location, location_ref, of_row
from callboard_catalog.locations.models import location as LOCATION  # noqa: N812 - a table
from callboard_catalog.registration import put_source, take_out_source
from callboard_catalog.settings import REGISTERED
from callboard_catalog.sources import Source
from callboard_catalog.sources.addresses import Addresses
from callboard_catalog.store.bulk import lock_catalog

_ = Translator("callboard")


class Submit(Protocol):
    """Asks for a job of the catalog, in a transaction."""

    def __call__(
        self, connection: Connection, name: str, payload: Mapping[str, Any], key: str
    ) -> object: ...


def all_locations(database: Database) -> list[Location]:
    """Give every registered location, the first registered first."""
    statement = select(LOCATION).order_by(LOCATION.c.created_at, LOCATION.c.id)
    with database.read() as connection:
        return [of_row(row) for row in connection.execute(statement)]


def has_locations(database: Database) -> bool:
    """Say whether anything is registered."""
    with database.read() as connection:
        return bool(connection.scalar(select(exists(select(LOCATION.c.id)))))


class RegisteredLocations:
    """What is registered. Every change asks for the addresses to be read soon."""

    def __init__(
        self,
        database: Database,
        *,
        source: Source,
        addresses: Addresses,
        submit: Submit,
        now: Callable[[], datetime],
    ) -> None:
        self.database = database
        self.source = source
        self.addresses = addresses
        self.submit = submit
        self.now = now

    def all(self) -> Sequence[Location]:
        """Give every location, the first registered first."""
        return all_locations(self.database)

    def get(self, number: str) -> Location:
        """Give one by its id; raises `NotFoundError`."""
        with self.database.read() as connection:
            row = connection.execute(
                select(LOCATION).where(LOCATION.c.id == number.replace("\0", ""))
            ).one_or_none()
        if row is None:
            raise _not_there(number)
        return of_row(row)

    def find(self, kind: str, target: str) -> Location | None:
        """Give the one with this type and target."""
        with self.database.read() as connection:
            return _find(connection, kind, target)

    def of_entity(self, ref: EntityRef) -> Location | None:
        """Give the location that an entity comes from; None for one that comes from elsewhere."""
        entity, source = catalog.entity.c, catalog.source.c
        statement = (
            select(entity.document)
            .join_from(catalog.entity, catalog.source, source.id == entity.source_id)
            .where(entity.ref == str(ref).replace("\0", ""), source.name == REGISTERED)
        )
        with self.database.read() as connection:
            document = connection.scalar(statement)
            if document is None:
                return None
            annotations = orjson.loads(document)["metadata"].get("annotations") or {}
            kind, _colon, target = str(annotations.get(ORIGIN, "")).partition(":")
            return _find(connection, kind, target)

    def check(self, kind: object, target: object) -> tuple[str, str]:
        """Give type and target as they would be kept; raises `InputError` for what may not be
        registered, or not be read by the settings."""
        kind, target = check_location(kind, target)
        self.addresses.check(target)
        return kind, target

    def add(self, kind: object, target: object) -> Location:
        """Register a location; raises `InputError`, and `ConflictError` where it is there."""
        kind, target = self.check(kind, target)
        with self.database.write() as connection:
            lock_catalog(connection)
            known = _find(connection, kind, target)
            if known is not None:
                raise _taken(known)
            made = self._insert(connection, kind, target)
            put_source(connection, self.source, at=made.created_at)
            self._note(connection, "create", None, made)
        return made

    def _insert(self, connection: Connection, kind: str, target: str) -> Location:
        number, now, subject = str(uuid.uuid4()), self.now(), asking()
        ref = location_ref(f"{kind}:{target}")
        if connection.scalar(select(exists().where(LOCATION.c.ref == ref))):
            # One that has another target by now keeps the name of its first.
            ref = location_ref(f"{kind}:{target}:{number}")
        made = Location(
            id=number,
            type=kind,
            target=target,
            ref=ref,
            created_by=str(subject.principal) if subject else "",
            created_at=now,
            updated_at=now,
        )
        values = {name: getattr(made, name) for name in Location.__dataclass_fields__}
        connection.execute(insert(LOCATION).values(values))
        return made

    def change(self, number: str, kind: object, target: object) -> Location:
        """Let a location lead elsewhere; its entity keeps its name. Raises as `add` does."""
        before = self.get(number)
        kind, target = self.check(kind, target)
        with self.database.write() as connection:
            lock_catalog(connection)
            known = _find(connection, kind, target)
            if known is not None and known.id != before.id:
                raise _taken(known)
            statement = update(LOCATION).where(LOCATION.c.id == before.id)
            found = connection.execute(
                statement.values(type=kind, target=target, updated_at=self.now())
            )
            if not found.rowcount:
                raise _not_there(number)
            row = connection.execute(select(LOCATION).where(LOCATION.c.id == before.id)).one()
            changed = of_row(row)
            self._note(connection, "update", before, changed)
        return changed

    def remove(self, number: str) -> Location:
        """Remove a location; what it gave leaves the catalog with the next read."""
        before = self.get(number)
        with self.database.write() as connection:
            lock_catalog(connection)
            if not connection.execute(delete(LOCATION).where(LOCATION.c.id == before.id)).rowcount:
                raise _not_there(number)
            if not connection.scalar(select(exists(select(LOCATION.c.id)))):
                take_out_source(connection, REGISTERED, at=self.now())
            self._note(connection, "delete", before, None)
        return before

    def refresh(self, location: Location) -> None:
        """Ask for a location to be read soon."""
        with self.database.write() as connection:
            record(connection, "catalog.location.refresh", location.ref, at=self.now())
            self._read_soon(connection)

    def _read_soon(self, connection: Connection) -> None:
        self.submit(connection, "refresh", {"source": REGISTERED}, REGISTERED)

    def _note(
        self,
        connection: Connection,
        what: str,
        before: Location | None,
        after: Location | None,
    ) -> None:
        about = after or before
        assert about is not None
        self._read_soon(connection)
        record(
            connection,
            f"catalog.location.{what}",
            about.ref,
            before=before.to_data() if before else None,
            after=after.to_data() if after else None,
            at=self.now(),
        )
        data = {"id": about.id, "target": about.target}
        events.publish(connection, f"catalog.location.{what}d", about.ref, data, at=self.now())


def _find(connection: Connection, kind: str, target: str) -> Location | None:
    statement = select(LOCATION).where(
        LOCATION.c.type == kind.replace("\0", ""), LOCATION.c.target == target.replace("\0", "")
    )
    row = connection.execute(statement).one_or_none()
    return of_row(row) if row else None


def _taken(known: Location) -> ConflictError:
    return ConflictError(
        _("The location %(location)s is registered already.", location=known.text),
        hint=_("Ask for it to be read again instead: onConflict=refresh."),
    )


def _not_there(number: str) -> NotFoundError:
    return NotFoundError(
        _("There is no location with the id %(id)s.", id=repr(number[:80])),
        hint=_("It may have been removed."),
    )
