"""Roles and bindings that are made in pages."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final, Literal, TypeVar

from pydantic import BaseModel, ValidationError
from sqlalchemy import Connection, delete, insert, select, update

from callboard import audit, events
from callboard.access import models
from callboard.access.model import Binding, Policy, Role
from callboard.access.settings import BindingSettings, RoleSettings
from callboard.database import Database, touch
from callboard.errors import ConflictError, InputError, NotFoundError
from callboard.i18n import Text, Translator
from callboard.identity import SYSTEM, asking

if TYPE_CHECKING:
    from callboard.access.current import CurrentPolicy

_ = Translator("callboard")

TOPIC: Final = "access"
"""What `Database.committed` tells about after policies changed."""

Model = TypeVar("Model", bound=BaseModel)
Verb = Literal["add", "change", "remove"]

_DONE = {"add": "added", "change": "changed", "remove": "removed"}


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredRole:
    """A role made in pages. `version` grows with each change and is handed back to change it."""

    settings: RoleSettings
    version: int
    changed_at: datetime
    changed_by: str

    @property
    def name(self) -> str:
        """Its name, which never changes."""
        return self.settings.name


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredBinding:
    """A binding made in pages, by its number; `version` as of a role."""

    number: int
    settings: BindingSettings
    version: int
    changed_at: datetime
    changed_by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """A change that was not made yet, to be tried. `settings` is what is to be, None to remove.

    `was` is the name of the role or the number of the binding that is changed or removed.
    """

    settings: RoleSettings | BindingSettings | None
    was: str | int | None = None


class FormError(InputError):
    """What was filled in cannot be used; `faults` says why, by field, such as `on.owner`."""

    def __init__(self, faults: Mapping[str, Text]) -> None:
        super().__init__(_("This cannot be used: %(fields)s.", fields=", ".join(faults)))
        self.faults = faults


class PolicyStore:
    """Reads and writes roles and bindings made in pages.

    Each change is one transaction with its audit entry and its event, `access.role.added`,
    `access.binding.changed` and so on, and is in force in every process once it is committed.
    Who may make it is asked by the caller (permission `access.policy.change`). Raises
    `ConflictError` where pages make no policies (`access.pages`), for a version that somebody has
    changed meanwhile, a name that is taken, a role that is in use, and a change that would leave
    nobody who administers; `NotFoundError` for what is gone; `InputError` for what cannot be.
    """

    def __init__(
        self, database: Database, access: "CurrentPolicy", now: Callable[[], datetime]
    ) -> None:
        self._database = database
        self._access = access
        self._now = now

    @property
    def enabled(self) -> bool:
        """Whether pages may make policies."""
        return self._access.settings.pages

    # Reading

    def roles(self) -> list[StoredRole]:
        """Give all roles made in pages, by name."""
        with self._database.read() as connection:
            return read_roles(connection)

    def bindings(self) -> list[StoredBinding]:
        """Give all bindings made in pages, the newest first."""
        with self._database.read() as connection:
            return read_bindings(connection)[::-1]

    def role(self, name: str) -> StoredRole:
        """Give one role; raises `NotFoundError`."""
        with self._database.read() as connection:
            return _role(connection, name)

    def binding(self, number: int) -> StoredBinding:
        """Give one binding; raises `NotFoundError`."""
        with self._database.read() as connection:
            return _binding(connection, number)

    @staticmethod
    def role_settings(data: Mapping[str, Any]) -> RoleSettings:
        """Read a role from what was filled in; raises `FormError`."""
        return _validated(RoleSettings, data)

    @staticmethod
    def binding_settings(data: Mapping[str, Any]) -> BindingSettings:
        """Read a binding from what was filled in; raises `FormError`."""
        return _validated(BindingSettings, data)

    # Writing

    def add_role(self, settings: RoleSettings) -> StoredRole:
        """Make a role."""
        with self._change() as (connection, version):
            if settings.name in self._access.policy_of(connection).roles:
                raise ConflictError(_("There is a role %(name)s already.", name=settings.name))
            row = self._row(settings, version)
            connection.execute(insert(models.role).values(name=settings.name, **row))
            self._close(connection, "role", "add", settings.name, None, settings)
            return StoredRole(settings=settings, **_stamp(row))

    def change_role(self, name: str, version: int, settings: RoleSettings) -> StoredRole:
        """Write a role anew; its name stays."""
        if settings.name != name:
            raise InputError(_("A role keeps its name."))
        with self._change() as (connection, new):
            before = _role(connection, name)
            _check_version(before.version, version)
            row = self._row(settings, new)
            connection.execute(update(models.role).where(models.role.c.name == name).values(row))
            self._close(connection, "role", "change", name, before.settings, settings)
            return StoredRole(settings=settings, **_stamp(row))

    def remove_role(self, name: str, version: int) -> None:
        """Remove a role that no binding gives and no other role includes."""
        with self._change() as (connection, _new):
            before = _role(connection, name)
            _check_version(before.version, version)
            policy = self._access.policy_of(connection)
            if any(item.role == name for item in policy.bindings):
                raise ConflictError(_("Bindings give this role. Remove them first."))
            if any(name in item.includes for item in policy.roles.values()):
                raise ConflictError(_("Other roles include this one. Change them first."))
            connection.execute(delete(models.role).where(models.role.c.name == name))
            self._close(connection, "role", "remove", name, before.settings, None)

    def add_binding(self, settings: BindingSettings) -> StoredBinding:
        """Give a role to subjects, or take it."""
        with self._change() as (connection, version):
            self._check_role(connection, settings)
            row = self._row(settings, version)
            statement = insert(models.binding).values(row).returning(models.binding.c.id)
            number = int(connection.execute(statement).scalar_one())
            self._close(connection, "binding", "add", str(number), None, settings)
            return StoredBinding(number=number, settings=settings, **_stamp(row))

    def change_binding(self, number: int, version: int, settings: BindingSettings) -> StoredBinding:
        """Write a binding anew."""
        table = models.binding
        with self._change() as (connection, new):
            before = _binding(connection, number)
            _check_version(before.version, version)
            self._check_role(connection, settings)
            row = self._row(settings, new)
            connection.execute(update(table).where(table.c.id == number).values(row))
            self._close(connection, "binding", "change", str(number), before.settings, settings)
            return StoredBinding(number=number, settings=settings, **_stamp(row))

    def remove_binding(self, number: int, version: int) -> None:
        """Remove a binding."""
        with self._change() as (connection, _new):
            before = _binding(connection, number)
            _check_version(before.version, version)
            connection.execute(delete(models.binding).where(models.binding.c.id == number))
            self._close(connection, "binding", "remove", str(number), before.settings, None)

    # Trying

    def draft(self, change: Change) -> Policy:
        """Give the whole policy as it would be after a change, for `Access.dry_run`."""
        with self._database.read() as connection:
            roles, bindings = read_roles(connection), read_bindings(connection)
            kept = [item.settings for item in roles if item.name != change.was]
            held = [(item.number, item.settings) for item in bindings if item.number != change.was]
            if isinstance(change.settings, RoleSettings):
                kept.append(change.settings)
            elif change.settings is not None:
                held.append((0, change.settings))
            return self._access.policy_of(connection, pages=(kept, held))

    # Shared

    @contextmanager
    def _change(self) -> Iterator[tuple[Connection, int]]:
        """Open the one transaction of a change; others wait for its end."""
        if not self.enabled:
            raise ConflictError(
                _("Policies are not made in pages here: the settings say so."),
                hint=_("Change them where they are written; the list of sources says where."),
            )
        with self._database.write() as connection:
            version = grow_generation(connection)
            had = self._access.has_administrator(connection)
            yield connection, version
            if had and not self._access.has_administrator(connection):
                raise ConflictError(
                    _("After this change nobody would administer the portal."),
                    hint=_("Give the role administrator to somebody else first."),
                )

    def _row(self, settings: BaseModel, version: int) -> dict[str, Any]:
        subject = asking()
        return {
            "content": settings.model_dump(mode="json", exclude_defaults=True),
            "version": version,
            "changed_at": self._now(),
            "changed_by": str(subject.principal if subject else SYSTEM)[:300],
        }

    def _close(
        self,
        connection: Connection,
        what: Literal["role", "binding"],
        verb: Verb,
        name: str,
        before: BaseModel | None,
        after: BaseModel | None,
    ) -> None:
        """Write the audit entry and the event of a change."""
        at, who = self._now(), asking()
        subject = f"access-{what}:{name}"
        audit.record(
            connection, f"access.{what}.{verb}", subject,
            before=_data(before), after=_data(after), at=at,
        )  # fmt: skip
        events.publish(
            connection, f"access.{what}.{_DONE[verb]}", subject,
            {"name": name}, actor=who.principal if who else SYSTEM, at=at,
        )  # fmt: skip

    def _check_role(self, connection: Connection, settings: BindingSettings) -> None:
        if settings.role not in self._access.policy_of(connection).roles:
            raise FormError({"role": _("There is no role %(role)s.", role=settings.role)})


def grow_generation(connection: Connection) -> int:
    """Say that policies changed; give the new generation. On PostgreSQL others wait from here."""
    table = models.state
    touch(connection, TOPIC)
    statement = update(table).values(generation=table.c.generation + 1)
    return int(connection.execute(statement.returning(table.c.generation)).scalar_one())


def lock_policies(connection: Connection) -> None:
    """Let one transaction at a time change policies; SQLite has only one writer anyway."""
    connection.execute(select(models.state.c.generation).with_for_update())


def read_generation(connection: Connection) -> int:
    """Give the number that grows with every change of policies."""
    return int(connection.scalar(select(models.state.c.generation)) or 0)


def read_roles(connection: Connection) -> list[StoredRole]:
    """Give all roles made in pages, by name."""
    rows = connection.execute(select(models.role).order_by(models.role.c.name))
    return [_stored_role(row) for row in rows]


def read_bindings(connection: Connection) -> list[StoredBinding]:
    """Give all bindings made in pages, by number."""
    rows = connection.execute(select(models.binding).order_by(models.binding.c.id))
    return [_stored_binding(row) for row in rows]


def _role(connection: Connection, name: str) -> StoredRole:
    query = select(models.role).where(models.role.c.name == name)
    row = connection.execute(query).one_or_none()
    if row is None:
        raise NotFoundError(_("No role %(name)s was made in pages.", name=name[:80]))
    return _stored_role(row)


def _binding(connection: Connection, number: int) -> StoredBinding:
    query = select(models.binding).where(models.binding.c.id == number)
    row = connection.execute(query).one_or_none()
    if row is None:
        raise NotFoundError(_("There is no binding %(number)s.", number=number))
    return _stored_binding(row)


def _stored_role(row: Any) -> StoredRole:
    settings = RoleSettings.model_validate({**row.content, "name": row.name})
    return StoredRole(settings=settings, **_stamp(row._mapping))


def _stored_binding(row: Any) -> StoredBinding:
    settings = BindingSettings.model_validate(row.content)
    return StoredBinding(number=row.id, settings=settings, **_stamp(row._mapping))


def _stamp(row: Mapping[str, Any]) -> dict[str, Any]:
    return {name: row[name] for name in ("version", "changed_at", "changed_by")}


def _check_version(present: int, given: int) -> None:
    if present != given:
        raise ConflictError(
            _("Somebody else has changed this meanwhile."),
            hint=_("Look at what it is now, then change it again."),
        )


def _data(settings: BaseModel | None) -> dict[str, Any] | None:
    return None if settings is None else settings.model_dump(mode="json", exclude_defaults=True)


def _validated(model: type[Model], data: Mapping[str, Any]) -> Model:
    try:
        return model.model_validate(data)
    except ValidationError as error:
        raise FormError(_faults(error)) from None


def _faults(error: ValidationError) -> dict[str, Text]:
    found: dict[str, Text] = {}
    for item in error.errors(include_url=False):
        field = ".".join(str(part) for part in item["loc"] if isinstance(part, str))
        said = item["msg"].removeprefix("Value error, ")
        found.setdefault(field or "permissions", said)
    return found


__all__ = [
    "Binding", "Change", "FormError", "PolicyStore", "Role", "StoredBinding", "StoredRole",
    "grow_generation", "lock_policies", "read_bindings", "read_generation", "read_roles",
]  # fmt: skip
