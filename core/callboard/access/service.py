"""Decides, from the policy as it is now."""

import logging
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import Connection

from callboard.access.assembly import (
    PAGES,
    Place,
    PolicyPart,
    built_in,
    combine,
    of_pages,
    of_settings,
    selector_of,
    unnamed,
)
from callboard.access.compiled import Answer, Compiled, Grants, is_break_glass, within
from callboard.access.defaults import BUILT_IN
from callboard.access.dry_run import Differences, compare
from callboard.access.explaining import (
    ConsideredLimit,
    ConsideredVerdict,
    Explanation,
    Giver,
    consider,
    fits,
    in_order,
)
from callboard.access.filters import NONE, EntityFilter, entity_filter
from callboard.access.model import Binding, Decision, Policy, PolicyFault, Reason, covers
from callboard.access.requests import Recorder, Request
from callboard.access.settings import AccessSettings, BindingSettings, RoleSettings
from callboard.access.sources import PolicySource, kept_sources
from callboard.access.store import (
    TOPIC,
    PolicyStore,
    read_bindings,
    read_generation,
    read_roles,
)
from callboard.contributions import DecisionRequest, EntityVerdict
from callboard.database import Database
from callboard.i18n import Text, Translator
from callboard.identity import NOBODY, EntityFacts, Permission, Principal, Subject

if TYPE_CHECKING:
    from callboard.access.deciders import Deciders

_ = Translator("callboard")
__all__ = ["CHANGE", "READ", "Access", "UnknownPermissionError", "selector_of"]
log = logging.getLogger(__name__)

READ: Final = "catalog.entity.read"
CHANGE: Final = "access.policy.change"

FRESH_SECONDS: Final = 0.05
"""How long another process may take to decide by a policy that was changed."""

_LIMITED: Final = Reason(effect="deny", text=_("The token is not made for this."))
_NO_VERDICT: Final = EntityVerdict()


@dataclass(frozen=True, slots=True)
class _Parts:
    """The parts of a policy, and the first source that was never read, if there is one."""

    parts: Sequence[PolicyPart]
    waiting: Text = ""


Pages = tuple[Iterable[RoleSettings], Iterable[tuple[int, BindingSettings]]]


class UnknownPermissionError(LookupError):
    """A permission was asked for that nobody declares; raised in strict portals only."""


def _pages(connection: Connection) -> Pages:
    """Give what was made in pages."""
    roles, bindings = read_roles(connection), read_bindings(connection)
    return [item.settings for item in roles], [(item.number, item.settings) for item in bindings]


def _counts(part: PolicyPart) -> dict[str, Any]:
    return {"roles": len(part.roles), "bindings": len(part.bindings), "faults": part.faults}


def _utc_now() -> datetime:
    return datetime.now(UTC)


def _no_place(what: str, index: int) -> str:
    return "callboard.yaml"


class Access:
    """Says what a subject may do. Deny wins, and what nothing allows is refused.

    Without a database it knows the settings' policy alone. `place` says where the settings are
    written. A `strict` one raises `UnknownPermissionError` where others refuse and log. The policy
    is read again by whoever asks first after it changed, in every process.
    """

    def __init__(
        self,
        settings: AccessSettings,
        permissions: Iterable[Permission],
        *,
        database: Database | None = None,
        place: Place = _no_place,
        now: Callable[[], datetime] = _utc_now,
        strict: bool = False,
        deciders: "Deciders | None" = None,
        recorder: Recorder | None = None,
    ) -> None:
        self.settings = settings
        self._deciders = deciders
        self._recorder = recorder
        self.permissions = {item.name: item for item in permissions}
        self.strict = strict
        self._database = database
        self._now = now
        self._own = (built_in(settings, self.permissions.values()), of_settings(settings, place))
        self._lock = threading.Lock()
        self._compiled: Compiled | None = None
        self._faults: tuple[PolicyFault, ...] = ()
        self._looked_at = -FRESH_SECONDS
        if database is not None:
            database.committed.listen(TOPIC, self._look_again)

    # The policy

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
            made = of_pages(*_pages(connection))
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
                parts.append(of_pages(*_pages(connection)))
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
        if self.settings.pages:
            parts.append(of_pages(*(pages or _pages(connection))))
        waiting = [item.source.title for item in kept if item.source.state == "waiting"]
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

    # Decisions

    def decide(
        self,
        subject: Subject,
        permission: str,
        facts: EntityFacts | None = None,
        *,
        environment: str = "",
    ) -> Decision:
        """Say whether a subject may do something, with an entity or with the portal as a whole.

        Without `facts` only what is given on all entities counts; see `anywhere`.
        """
        if permission not in self.permissions:
            return self._unknown(permission)
        decision = self._decide(subject, permission, facts, environment)
        if self._recorder is not None and self._recorder.chosen():
            request = Request(subject, permission, facts, environment)
            self._recorder.note(request, decision.allowed)
        return decision

    def _decide(
        self, subject: Subject, permission: str, facts: EntityFacts | None, environment: str
    ) -> Decision:
        answer = self._now_compiled().answer(subject, permission, facts, environment)
        if subject.limits is not None and not within(
            subject.limits, permission, facts, subject.owners, environment
        ):
            answer = replace(answer, denied=(*answer.denied, _LIMITED))
        if not answer.denied and self._asks(subject):
            for item in self._verdicts(subject, permission, facts, environment):
                answer = _with_verdict(answer, item)
        return Decision(allowed=answer.allowed, permission=permission, reasons=answer.reasons)

    def _asks(self, subject: Subject) -> bool:
        """Say whether deciders take part; break-glass works without them."""
        deciders = self._deciders
        return deciders is not None and not deciders.idle and not is_break_glass(subject)

    def _verdicts(
        self, subject: Subject, permission: str, facts: EntityFacts | None, environment: str
    ) -> Sequence[ConsideredVerdict]:
        if self._deciders is None or not self._asks(subject):
            return ()
        return self._deciders.verdicts(
            DecisionRequest(
                subject=subject, permission=permission, entity=facts, environment=environment
            )
        )

    def _unknown(self, permission: str) -> Decision:
        if self.strict:
            raise UnknownPermissionError(
                f"Nobody declares the permission {permission!r}; see callboard_permissions."
            )
        log.error("Nobody declares the permission %s: it is refused.", permission[:120])
        reason = Reason(effect="deny", text=_("Nobody declares this permission."))
        return Decision(allowed=False, permission=permission, reasons=(reason,))

    def anywhere(self, subject: Subject, permission: str) -> bool:
        """Say whether there may be an entity with which a subject may do something.

        Where a decider is asked that cannot say so of all entities, there may be.
        """
        deciders = self._deciders
        if deciders is not None and self._asks(subject) and not deciders.lists(permission):
            denied = permission not in self.permissions or self._granted(subject, permission).denied
            return not denied and not deciders.missing
        return not self.filter(subject, permission).nothing

    def filter(self, subject: Subject, permission: str = READ) -> EntityFilter:
        """Give which entities a subject may do something with."""
        if permission not in self.permissions:
            self._unknown(permission)
            return NONE
        grants = self._granted(subject, permission)
        deciders = self._deciders
        if grants.denied or deciders is None or not self._asks(subject):
            verdict = _NO_VERDICT
        else:
            verdict = deciders.entities(subject, permission)
        if subject.limits is None and verdict == _NO_VERDICT:
            return grants.filter
        limits = None
        if subject.limits is not None:
            limits = [item.on for item in subject.limits if covers(item.permissions, permission)]
        return entity_filter(
            grants.filter.allow.union(verdict.allow),
            grants.filter.deny.union(verdict.deny),
            limits,
            subject.owners,
        )

    def _granted(self, subject: Subject, permission: str) -> Grants:
        return self._now_compiled().grants(subject, permission)

    # Explanations

    def explain(
        self,
        subject: Subject,
        permission: str,
        facts: EntityFacts | None = None,
        *,
        environment: str = "",
    ) -> Explanation:
        """Say why a subject may do something or not, with every binding that was looked at."""
        compiled = self._now_compiled()
        declared = self.permissions.get(permission)
        if declared is None:
            reason = Reason(effect="deny", text=_("Nobody declares this permission."))
            decision = Decision(allowed=False, permission=permission, reasons=(reason,))
        else:
            decision = self._decide(subject, permission, facts, environment)
        bindings = {id(item): item for item in compiled.policy.bindings}
        bindings |= {id(item): item for item in compiled.bindings_of(subject)}
        considered = [
            consider(
                binding,
                compiled.policy.roles.get(binding.role),
                compiled.gives(binding.role, permission),
                subject,
                facts,
                environment,
                compiled.sets_aside(binding, subject),
            )
            for binding in bindings.values()
        ]
        return Explanation(
            allowed=decision.allowed,
            permission=permission,
            declared=declared,
            reasons=decision.reasons,
            bindings=in_order(considered),
            limits=self._limits(subject, permission, facts, environment),
            verdicts=tuple(self._verdicts(subject, permission, facts, environment)),
            generation=compiled.generation,
        )

    def _limits(
        self, subject: Subject, permission: str, facts: EntityFacts | None, environment: str
    ) -> tuple[ConsideredLimit, ...]:
        found = []
        for limit in subject.limits or ():
            named = covers(limit.permissions, permission)
            meant = fits(limit.on, facts, subject.owners, environment)
            why = _("The token is made for it.")
            if not named:
                why = _("The token is made for other permissions.")
            elif not meant:
                why = _("The token is made for other entities.")
            found.append(ConsideredLimit(limit=limit, fits=named and meant, why=why))
        return tuple(found)

    def who_may(self, permission: str, facts: EntityFacts | None = None) -> Sequence[Giver]:
        """Give the roles that have a permission, with the bindings that give it on an entity.

        A role without bindings is among them: binding it would give the permission. What only
        owners have is given where the entity has one.
        """
        compiled = self._now_compiled()
        owners = frozenset({facts.owner}) if facts is not None and facts.owner else frozenset()
        found: dict[str, list[Binding]] = {
            name: [] for name in compiled.policy.roles if compiled.gives(name, permission)
        }
        for binding in compiled.policy.bindings:
            if (
                binding.effect == "allow"
                and binding.role in found
                and fits(binding.on, facts, owners, facts.environment if facts else "")
            ):
                found[binding.role].append(binding)
        return [
            Giver(role=compiled.policy.roles[name], bindings=tuple(items))
            for name, items in found.items()
        ]

    # Trying

    def dry_run(self, policy: Policy) -> Differences:
        """Compare a policy with the one in force, over the requests that were recorded.

        `store.draft(change)` gives the policy as it would be after a change in pages.
        """
        if self._database is None:
            raise RuntimeError("Without a database no requests are recorded.")
        present = self._now_compiled()
        return compare(self._database, present, self._compile(policy, present.generation))


def _with_verdict(answer: Answer, item: ConsideredVerdict) -> Answer:
    if item.verdict == "deny":
        return replace(answer, denied=(*answer.denied, Reason(effect="deny", text=item.reason)))
    if item.verdict == "allow":
        return replace(answer, granted=(*answer.granted, Reason(effect="allow", text=item.reason)))
    return answer


def _called(name: str) -> Subject:
    """Give a subject that is signed in and has one name."""
    if name == "anonymous":
        return NOBODY
    return Subject(principal=Principal(kind="person", name=""), names=(name,))
