"""The parts of a policy and what is made of them."""

from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Final, Literal

from callboard.i18n import Text
from callboard.identity import EVERYTHING, EntityFacts, Selector

Effect = Literal["allow", "deny"]


def covers(patterns: tuple[str, ...], permission: str) -> bool:
    """Say whether a permission is named by one of these patterns, such as `catalog.*`."""
    return any(fnmatchcase(permission, pattern) for pattern in patterns)


@dataclass(frozen=True, slots=True, kw_only=True)
class Role:
    """A bundle of permissions, each by name or pattern. `source` says where it is written."""

    name: str
    permissions: tuple[str, ...]
    title: Text = ""
    description: Text = ""
    source: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Binding:
    """Gives a role to subjects, or takes what is in it from them, on some entities.

    Subjects are `everyone`, `signed-in`, `anonymous`, references of users and groups
    (`group:default/payments`), or names that a subject has (`service:deployer`). `source` says
    where it is written, such as `callboard.yaml, line 12`.
    """

    role: str
    subjects: frozenset[str]
    on: Selector = EVERYTHING
    effect: Effect = "allow"
    source: str = ""
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """All roles by name, and all bindings."""

    roles: dict[str, Role]
    bindings: tuple[Binding, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Reason:
    """Something that speaks for or against; `binding` where it is one."""

    effect: Effect
    text: Text
    binding: Binding | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """Whether something may be done and why. The first reason is the one that decided."""

    allowed: bool
    permission: str
    reasons: tuple[Reason, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class EntityFilter:
    """Which entities a subject may do one thing with: any of `allow`, none of `deny`, all `within`.

    `within` are the alternatives a token is narrowed to, or None. `mine` is what `owned` means.
    Hashable: equal filters let the same entities through.
    """

    allow: frozenset[Selector]
    deny: frozenset[Selector] = frozenset()
    within: frozenset[Selector] | None = None
    mine: frozenset[str] = frozenset()

    @property
    def everything(self) -> bool:
        """Whether all entities are let through."""
        unlimited = self.within is None or EVERYTHING in self.within
        return unlimited and not self.deny and EVERYTHING in self.allow

    @property
    def nothing(self) -> bool:
        """Whether no entity can be let through."""
        return not self.allow or EVERYTHING in self.deny or self.within == frozenset()

    def fits(self, facts: EntityFacts) -> bool:
        """Say whether an entity is let through."""
        return (
            any(part.fits(facts, self.mine) for part in self.allow)
            and not any(part.fits(facts, self.mine) for part in self.deny)
            and (self.within is None or any(part.fits(facts, self.mine) for part in self.within))
        )


ALL: Final = EntityFilter(allow=frozenset({EVERYTHING}))
NONE: Final = EntityFilter(allow=frozenset())
