"""The policy that is in force: put together from all its sources, and read anew when it changes."""

import logging
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from pydantic import ValidationError
from sqlalchemy import Connection

from callboard.access.assembly import (
    PAGES,
    Place,
    PolicyPart,
    built_in,
    combine,
    of_pages,
    of_settings,
    unnamed,
)
from callboard.access.compiled import Compiled
from callboard.access.defaults import BUILT_IN
from callboard.access.model import Binding, Policy, PolicyFault
from callboard.access.settings import AccessSettings, BindingSettings, RoleSettings
from callboard.access.sources import PolicySource, kept_sources
from callboard.access.store import (
    TOPIC,
    PolicyStore,
    read_bindings,
    read_generation,
    read_roles,
)
from callboard.database import Database
from callboard.i18n import Text, Translator
from callboard.identity import NOBODY, Permission, Principal, Subject

_ = Translator("callboard")
log = logging.getLogger(__name__)

CHANGE: Final = "access.policy.change"

FRESH_SECONDS: Final = 0.05
"""How long another process may take to decide by a policy that was changed."""


@dataclass(frozen=True, slots=True)
class _Parts:
    """The parts of a policy, and the first source that was never read, if there is one."""

    parts: Sequence[PolicyPart]
    waiting: Text = ""


Pages = tuple[Iterable[RoleSettings], Iterable[tuple[int, BindingSettings]]]


def _pages(connection: Connection) -> Pages:
    """Give what was made in pages."""
    roles, bindings = read_roles(connection), read_bindings(connection)
    return [item.settings for item in roles], [(item.number, item.settings) for item in bindings]


def _made_in_pages(connection: Connection) -> PolicyPart:
    """Give what was made in pages; a fault instead of all of it where a row is none of ours."""
    try:
        return of_pages(*_pages(connection))
    except ValidationError:
        log.exception("A role or binding that was made in pages cannot be read.")
        text = _("A role or binding that was made in pages cannot be read.")
        return PolicyPart(faults=(PolicyFault(file=str(PAGES), line=0, message=text),))


def _counts(part: PolicyPart) -> dict[str, Any]:
    return {"roles": len(part.roles), "bindings": len(part.bindings), "faults": part.faults}


def utc_now() -> datetime:
    """Give the time, in UTC."""
    return datetime.now(UTC)


def callboard_yaml(what: str, index: int) -> str:
    """Say where settings are written of which no more is known."""
    return "callboard.yaml"


class CurrentPolicy:
    """Knows the policy as it is now.

    Without a database it is the settings' policy alone. `place` says where the settings are
    written. It is read again by whoever asks first after it changed, in every process.
    """

    def __init__(
        self,
        settings: AccessSettings,
        permissions: Iterable[Permission],
        *,
        database: Database | None = None,
        place: Place = callboard_yaml,
        now: Callable[[], datetime] = utc_now,
    ) -> None:
        self.settings = settings
        self.permissions = {item.name: item for item in permissions}
        self._database = database
        self._now = now
        self._own = (built_in(settings, self.permissions.values()), of_settings(settings, place))
        self._lock = threading.Lock()
        self._compiled: Compiled | None = None
        self._faults: tuple[PolicyFault, ...] = ()
        self._looked_at = -FRESH_SECONDS
        if database is not None:
            database.committed.listen(TOPIC, self._look_again)

    @property
    def policy(self) -> Policy:
        """The policy that is in force."""
        return self._now_compiled().policy

    @property
    def generation(self) -> int:
        """A number that grows with every change of the policy."""
        return self._now_compiled().generation

    @property
    def faults(self) -> tuple[PolicyFault, ...]:
        """What is wrong in policies, in the order of their sources."""
        self._now_compiled()
        return self._faults

    @property
    def sources(self) -> Sequence[PolicySource]:
        """Where policies come from, and how each source fares."""
        compiled = self._now_compiled()
        own = [
            PolicySource(name="built-in", kind="built-in", title=BUILT_IN, **_counts(self._own[0])),
            PolicySource(
                name="settings", kind="settings", title="callboard.yaml", **_counts(self._own[1])
            ),
        ]
        if self._database is None:
            return own
        with self._database.read() as connection:
            kept = [item.source for item in kept_sources(connection, self.settings)]
            made = _made_in_pages(connection)
        pages = PolicySource(
            name="pages",
            kind="pages",
            title=PAGES,
            state="ok" if self.settings.pages else "off",
            revision=str(compiled.generation),
            **_counts(made),
        )
        return [*own, *kept, pages]

    @property
    def store(self) -> PolicyStore:
        """Roles and bindings made in pages."""
        if self._database is None:
            raise RuntimeError("Without a database no policies are made in pages.")
        return PolicyStore(self._database, self, self._now)

    def policy_of(self, connection: Connection, pages: Pages | None = None) -> Policy:
        """Give the policy as a transaction sees it; `pages` is in place of what pages made."""
        return combine(self._parts(connection, pages).parts)[0]

    def bindings_of(self, subject: Subject) -> Sequence[Binding]:
        """Give the bindings that are for a subject, and the roles it has by how it signed in."""
        return self._now_compiled().bindings_of(subject)

    def permissions_of(self, role: str) -> frozenset[str]:
        """Give the names of the permissions that a role has, with those of roles it includes."""
        return self._now_compiled().role_permissions.get(role, frozenset())

    def would_allow(self, policy: Policy, subject: Subject, permission: str) -> bool:
        """Say whether a subject could do something with the portal under another policy."""
        grants = self._compile(policy, 0).grants(subject, permission)
        return bool(grants.allow.everywhere) and not grants.deny.everywhere

    def policy_with(self, part: PolicyPart) -> tuple[Policy, tuple[PolicyFault, ...]]:
        """Give the policy with a part in place of all folders and repositories, and its faults.

        Without a database nothing that was made in pages is in it.
        """
        parts = [*self._own, part]
        if self._database is not None and self.settings.pages:
            with self._database.read() as connection:
                parts.append(_made_in_pages(connection))
        policy, faults = combine(parts)
        return policy, (*faults, *unnamed(policy, self.permissions))

    def has_administrator(self, connection: Connection) -> bool:
        """Say whether somebody whom bindings or settings name may change policies, in the end."""
        if self.settings.administrators:
            return True
        compiled = self._compile(self.policy_of(connection), 0)
        names = {
            name
            for item in compiled.policy.bindings
            if item.effect == "allow" and compiled.gives(item.role, CHANGE)
            for name in item.subjects
        }
        return any(
            compiled.grants(_called(name), CHANGE).filter.everything for name in sorted(names)
        )

    def _parts(self, connection: Connection, pages: Pages | None) -> _Parts:
        kept = kept_sources(connection, self.settings) if self.settings.policies else []
        parts = [*self._own, *(item.part for item in kept)]
        waiting = [item.source.title for item in kept if item.source.state == "waiting"]
        if self.settings.pages:
            made = of_pages(*pages) if pages else _made_in_pages(connection)
            parts.append(made)
            # What cannot be read may deny: as with a source that was never read, all is refused.
            waiting += [PAGES for _fault in made.faults]
        return _Parts(parts, waiting[0] if waiting else "")

    def _compile(self, policy: Policy, generation: int, waiting: Text = "") -> Compiled:
        return Compiled(
            policy,
            self.permissions,
            administrators=self.settings.administrators,
            generation=generation,
            waiting=waiting,
        )

    def _now_compiled(self) -> Compiled:
        """Give the policy that is in force, read anew where it has changed."""
        known = self._compiled
        database = self._database
        if database is None or not (self.settings.pages or self.settings.policies):
            return known or self._take(_Parts(list(self._own)), 0)
        now = time.monotonic()
        if known is not None and now - self._looked_at < FRESH_SECONDS:
            return known
        with database.read() as connection:
            generation = database.once(
                connection, "access generation", lambda: self._look(connection, now)
            )
            if known is None or known.generation < generation:
                known = self._take(self._parts(connection, None), generation)
        return known

    def _compiled_of(self, generation: int) -> Compiled | None:
        """Give the policy that was read last if it is of this generation; asks nobody."""
        known = self._compiled
        changes = self._database is not None and (self.settings.pages or self.settings.policies)
        return known if known is None or not changes or known.generation == generation else None

    def _look(self, connection: Connection, now: float) -> int:
        # Not noted where a held connection answers from what it knew: it may be an old state.
        self._looked_at = now
        return read_generation(connection)

    def _look_again(self) -> None:
        self._looked_at = -FRESH_SECONDS

    def _take(self, read: _Parts, generation: int) -> Compiled:
        policy, faults = combine(read.parts)
        faults += tuple(unnamed(policy, self.permissions))
        made = self._compile(policy, generation, read.waiting)
        with self._lock:
            known = self._compiled
            if known is None or known.generation < generation:
                self._compiled, self._faults = made, faults
                return made
            return known


def _called(name: str) -> Subject:
    """Give a subject that is signed in and has one name."""
    if name == "anonymous":
        return NOBODY
    return Subject(principal=Principal(kind="person", name=""), names=(name,))
