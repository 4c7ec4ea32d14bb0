"""What takes part in decisions on access."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from callboard.i18n import Text
from callboard.identity import EntityFacts, Selector, Subject

if TYPE_CHECKING:
    from callboard.host import Host


@dataclass(frozen=True, slots=True, kw_only=True)
class DecisionRequest:
    """A question of whether a subject may do something, with an entity or with the portal.

    `environment` is the one that is acted on, or empty.
    """

    subject: Subject
    permission: str
    entity: EntityFacts | None = None
    environment: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What a decider says; `reason` is shown to those who ask why."""

    effect: Literal["allow", "deny", "abstain"]
    reason: Text = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class EntityVerdict:
    """What a decider says of all entities at once: those it allows, and those it denies."""

    allow: tuple[Selector, ...] = ()
    deny: tuple[Selector, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Decider:
    """Takes part in decisions, such as for a permission system of the organisation.

    It is asked about `permissions`, by name or pattern (`cd.*`), where roles and tokens do not
    deny already. What it denies is denied; what it allows is allowed, unless another denies; where
    it abstains, roles decide. An answer may take `access.deciders.time_limit` and holds for
    `access.deciders.keep`. One that raises, is late or is of another type counts as a denial.

    `entities` answers the same for lists, which cannot ask for each row; it must agree with
    `decide`. Without it, lists for its permissions are empty.
    """

    name: str
    title: Text
    permissions: tuple[str, ...]
    decide: Callable[[DecisionRequest, "Host"], Verdict]
    entities: Callable[[Subject, str, "Host"], EntityVerdict] | None = None
