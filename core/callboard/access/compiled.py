"""A policy made ready for fast answers: by the names of subjects, by permission, by entity."""

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from callboard.access.assembly import ADMINISTRATOR, reachable
from callboard.access.explaining import fits
from callboard.access.filters import NONE, EntityFilter, SelectorIndex, entity_filter
from callboard.access.model import Binding, Policy, Reason, Role, covers
from callboard.i18n import Text, Translator
from callboard.identity import EVERYTHING, EntityFacts, Limit, Selector, Subject

_ = Translator("callboard")

KEPT: Final = 4096
"""How many combinations of names and permission are kept ready."""

MOST_REASONS: Final = 5
"""Reasons kept of bindings that are about the same entities."""

_WILD: Final = frozenset("*?[")


class Side:
    """The bindings that allow, or those that deny, for one subject and permission."""

    def __init__(self, bindings: Iterable[Binding], *always: Reason) -> None:
        reasons: dict[Selector, list[Reason]] = {}
        for binding in bindings:
            found = reasons.setdefault(binding.on, [])
            if len(found) < MOST_REASONS:
                found.append(_reason(binding))
        self.everywhere = (*always, *reasons.pop(EVERYTHING, ()))
        self._reasons = reasons
        self.selectors = frozenset(reasons) | ({EVERYTHING} if self.everywhere else frozenset())
        self._index = SelectorIndex(reasons)
        self._in_environments = [
            part for part in reasons if part.environments
            and part == Selector(environments=part.environments)
        ]  # fmt: skip

    def reasons(
        self, facts: EntityFacts | None, mine: frozenset[str], environment: str
    ) -> tuple[Reason, ...]:
        """Give what speaks for this side; with an entity, or without one for the portal."""
        if not self._reasons:
            return self.everywhere
        if facts is not None:
            found = [
                reason
                for part in self._index.meaning(facts, mine, environment)
                for reason in self._reasons[part]
            ]
        else:
            found = [
                reason
                for part in self._in_environments
                if environment.lower() in part.environments
                for reason in self._reasons[part]
            ]
        return (*self.everywhere, *found) if found else self.everywhere


def _reason(binding: Binding) -> Reason:
    if binding.origin == "session":
        text = _("Role %(role)s, by the way of signing in", role=binding.role)
    else:
        text = _("Role %(role)s, from %(source)s", role=binding.role, source=binding.source)
    return Reason(effect=binding.effect, text=text, binding=binding)


@dataclass(frozen=True, slots=True)
class Grants:
    """What one subject's names give and take of one permission."""

    allow: Side
    deny: Side
    filter: EntityFilter

    @property
    def denied(self) -> bool:
        """Whether it is denied whatever the entity."""
        return bool(self.deny.everywhere)


class _Kept:
    """What was made for a key, the last so many; made twice rather than waited for."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._items: OrderedDict[Hashable, Grants] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: Hashable, make: Callable[[], Grants]) -> Grants:
        """Give what is kept for a key, or make it."""
        with self._lock:
            known = self._items.get(key)
            if known is not None:
                self._items.move_to_end(key)
                return known
        made = make()
        with self._lock:
            self._items[key] = made
            if len(self._items) > self._most:
                self._items.popitem(last=False)
        return made


class Compiled:
    """A policy, ready to be asked. `permissions` are the names of those that are declared.

    `administrators` are names of subjects from whom nothing made in pages takes anything.
    `waiting` is a source of policies that was never read: what it would deny is not known, so that
    everything is refused but to those administrators.
    """

    def __init__(
        self,
        policy: Policy,
        permissions: Iterable[str],
        *,
        administrators: Iterable[str] = (),
        generation: int = 0,
        waiting: Text = "",
    ) -> None:
        self.policy = policy
        self.waiting = waiting
        self.generation = generation
        self._administrators = frozenset(administrators)
        self._permissions = frozenset(permissions)
        own = {name: _expand(role, self._permissions) for name, role in policy.roles.items()}
        self.role_permissions: Mapping[str, frozenset[str]] = {
            name: frozenset().union(*(own[part] for part in reachable(policy.roles, name)))
            for name in policy.roles
        }
        self._by_name: dict[str, list[Binding]] = {}
        for binding in policy.bindings:
            for name in binding.subjects:
                self._by_name.setdefault(name, []).append(binding)
        self._by_names = _Kept(KEPT)
        self._by_bindings = _Kept(KEPT)

    def gives(self, role: str, permission: str) -> bool:
        """Say whether a role has a permission."""
        return permission in self.role_permissions.get(role, ())

    def sets_aside(self, binding: Binding, subject: Subject) -> bool:
        """Say whether a binding does not count for a subject: it would take from administrators.

        Nothing takes from one whose way of signing in makes them administrator (the break-glass
        account), nothing made in pages from one whom the settings name.
        """
        if binding.effect != "deny":
            return False
        return is_break_glass(subject) or (
            binding.origin == "pages" and self._is_administrator(subject)
        )

    def _is_administrator(self, subject: Subject) -> bool:
        """Say whether sign-in or settings make somebody administrator, whatever policies say."""
        return is_break_glass(subject) or not self._administrators.isdisjoint(subject.called)

    def bindings_of(self, subject: Subject) -> list[Binding]:
        """Give the bindings that are for a subject, and its own roles as such."""
        found = {
            id(binding): binding
            for name in subject.called & self._by_name.keys()
            for binding in self._by_name[name]
        }
        own = [
            Binding(role=name, subjects=frozenset(), source=_("sign-in"), origin="session")
            for name in subject.roles
        ]
        return [*found.values(), *own]

    def grants(self, subject: Subject, permission: str) -> Grants:
        """Give what a subject's names give and take of a permission; kept for the next time."""
        key = (permission, subject.called, subject.roles, subject.owners)
        return self._by_names.get(key, lambda: self._grants(subject, permission))

    def answer(
        self, subject: Subject, permission: str, facts: EntityFacts | None, environment: str
    ) -> "Answer":
        """Say what roles and bindings say; what narrows tokens is not looked at."""
        grants, mine = self.grants(subject, permission), subject.owners
        return Answer(
            grants.deny.reasons(facts, mine, environment),
            grants.allow.reasons(facts, mine, environment),
        )

    def _grants(self, subject: Subject, permission: str) -> Grants:
        chosen = [
            binding
            for binding in self.bindings_of(subject)
            if self.gives(binding.role, permission) and not self.sets_aside(binding, subject)
        ]
        closed = bool(self.waiting) and not self._is_administrator(subject)
        # Permissions of one role are given by the same bindings: they are looked at once.
        key = (closed, subject.owners, frozenset(chosen))
        return self._by_bindings.get(key, lambda: self._made(chosen, subject.owners, closed))

    def _made(self, chosen: Sequence[Binding], owners: frozenset[str], closed: bool) -> Grants:
        allow = Side(item for item in chosen if item.effect == "allow")
        if closed:
            text = _("The policies of %(place)s were not read yet.", place=self.waiting)
            return Grants(allow, Side([], Reason(effect="deny", text=text)), NONE)
        deny = Side(item for item in chosen if item.effect == "deny")
        return Grants(allow, deny, entity_filter(allow.selectors, deny.selectors, mine=owners))


NOTHING: Final = Reason(effect="deny", text=_("Nothing allows it."))


@dataclass(frozen=True, slots=True)
class Answer:
    """What roles and bindings say of one request: what denies, and what allows."""

    denied: tuple[Reason, ...]
    granted: tuple[Reason, ...]

    @property
    def allowed(self) -> bool:
        """Whether it may be done."""
        return bool(self.granted) and not self.denied

    @property
    def reasons(self) -> tuple[Reason, ...]:
        """All of it, the one that decided first."""
        return (*self.denied, *self.granted) or (NOTHING,)


def is_break_glass(subject: Subject) -> bool:
    """Say whether somebody administers by the way they signed in, whatever policies say."""
    return ADMINISTRATOR in subject.roles


def within(
    limits: tuple[Limit, ...] | None,
    permission: str,
    facts: EntityFacts | None,
    mine: frozenset[str],
    environment: str,
) -> bool:
    """Say whether a token is made for something."""
    return limits is None or any(
        covers(limit.permissions, permission) and fits(limit.on, facts, mine, environment)
        for limit in limits
    )


def _expand(role: Role, permissions: frozenset[str]) -> frozenset[str]:
    return frozenset().union(*(_named(pattern, permissions) for pattern in role.permissions))


@lru_cache(maxsize=2048)
def _named(pattern: str, permissions: frozenset[str]) -> frozenset[str]:
    """Give the declared permissions that a pattern names."""
    if _WILD.isdisjoint(pattern):
        return frozenset({pattern}) & permissions
    return frozenset(name for name in permissions if covers((pattern,), name))
