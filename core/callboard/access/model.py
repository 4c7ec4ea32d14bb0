"""The parts of a policy and what is made of them."""

from collections.abc import Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Literal

from callboard.access.filters import ALL, NONE, EntityFilter
from callboard.i18n import Text
from callboard.identity import EVERYTHING, Selector

__all__ = [
    "ALL", "NONE", "Binding", "Decision", "Effect", "EntityFilter", "Origin", "Policy",
    "PolicyFault", "Reason", "Role", "covers",
]  # fmt: skip

Effect = Literal["allow", "deny"]

Origin = Literal["built-in", "settings", "repository", "pages", "session"]
"""Where something of a policy is written: nowhere, `callboard.yaml`, a file of a repository or
folder, a page; `session` is what somebody has by the way they signed in."""


def covers(patterns: tuple[str, ...], permission: str) -> bool:
    """Say whether a permission is named by one of these patterns, such as `catalog.*`."""
    return any(fnmatchcase(permission, pattern) for pattern in patterns)


@dataclass(frozen=True, slots=True, kw_only=True)
class Role:
    """A bundle of permissions, each by name or pattern, and those of the roles it includes.

    `source` says where it is written, such as `callboard.yaml:12`.
    """

    name: str
    permissions: tuple[str, ...]
    includes: tuple[str, ...] = ()
    title: Text = ""
    description: Text = ""
    source: Text = ""
    origin: Origin = "built-in"


@dataclass(frozen=True, slots=True, kw_only=True)
class Binding:
    """Gives a role to subjects, or takes what is in it from them, on some entities.

    Subjects are `everyone`, `signed-in`, `anonymous`, references of users and groups
    (`group:default/payments`), or names that a subject has (`service:deployer`). `source` says
    where it is written, such as `callboard.yaml:12`; `number` is that of one made in pages.
    """

    role: str
    subjects: frozenset[str]
    on: Selector = EVERYTHING
    effect: Effect = "allow"
    source: Text = ""
    note: str = ""
    origin: Origin = "built-in"
    number: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyFault:
    """Something wrong in a policy. `line` counts from 1, 0 where there is none.

    An `error` keeps what it is about from having an effect; a `note` only tells of something.
    """

    file: str
    line: int
    message: Text
    severity: Literal["error", "note"] = "error"

    @property
    def place(self) -> str:
        """`file:line`, or the file alone."""
        return f"{self.file}:{self.line}" if self.line else self.file

    def __str__(self) -> str:
        return f"{self.place}: {self.message}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """All roles by name, and all bindings."""

    roles: Mapping[str, Role]
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
