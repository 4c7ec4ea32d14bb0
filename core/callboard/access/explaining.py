"""Why somebody may, or may not: every binding looked at, and what came of it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

from callboard.access.filters import FIELDS
from callboard.access.model import Binding, Effect, Reason, Role
from callboard.i18n import Text, Translator
from callboard.identity import EVERYTHING, EntityFacts, Limit, Permission, Selector, Subject

_ = Translator("callboard")

Outcome = Literal["fits", "role", "subject", "entity", "set aside", "no role"]
"""What came of a binding: it fits; its role lacks the permission; it is not for the subject; it is
not for the entity; it is set aside, as nothing made in pages takes from administrators; its role
does not exist."""

FIELD_NAMES: Mapping[str, Text] = {
    "refs": _("entity"), "systems": _("system"), "owners": _("owner"), "domains": _("domain"),
    "namespaces": _("namespace"), "types": _("type"), "tags": _("tag"),
    "environments": _("environment"), "kinds": _("kind"), "owned": _("owned by the one who asks"),
}  # fmt: skip
"""What people call the fields of a selector."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Considered:
    """A binding that was looked at. `fields` are those of its selector that mean other entities."""

    binding: Binding
    role: Role | None
    outcome: Outcome
    why: Text
    fields: tuple[str, ...] = ()

    @property
    def effect(self) -> Effect:
        """What it does where it fits."""
        return self.binding.effect


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsideredLimit:
    """One thing a token is made for, and whether this is it."""

    limit: Limit
    fits: bool
    why: Text


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsideredVerdict:
    """What a decider said. `failed` is one that gave no verdict, which counts as a refusal."""

    decider: str
    title: Text
    verdict: Literal["allow", "deny", "abstain"]
    reason: Text
    failed: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """A decision with all that was looked at.

    `reasons` are those of the decision, the one that decided first. `bindings` begins with those
    that fit, denials before all; then come those for this subject, then all others. `declared` is
    None for a permission that nobody declares, which is refused.
    """

    allowed: bool
    permission: str
    declared: Permission | None
    reasons: tuple[Reason, ...]
    bindings: tuple[Considered, ...]
    limits: tuple[ConsideredLimit, ...] = ()
    verdicts: tuple[ConsideredVerdict, ...] = ()
    generation: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Giver:
    """A role that has a permission, and the bindings that give it on an entity, to whomever."""

    role: Role
    bindings: tuple[Binding, ...]


_ORDER: Mapping[Outcome, int] = {
    "fits": 0, "set aside": 1, "entity": 2, "role": 3, "no role": 4, "subject": 5,
}  # fmt: skip


def in_order(found: Iterable[Considered]) -> tuple[Considered, ...]:
    """Put what was looked at in the order of `Explanation.bindings`."""
    return tuple(sorted(found, key=lambda item: (_ORDER[item.outcome], item.effect != "deny")))


def consider(
    binding: Binding,
    role: Role | None,
    gives: bool,
    subject: Subject,
    facts: EntityFacts | None,
    environment: str,
    set_aside: bool,
) -> Considered:
    """Look at one binding. `gives` says whether its role has the permission."""

    def seen(outcome: Outcome, why: Text, fields: tuple[str, ...] = ()) -> Considered:
        return Considered(binding=binding, role=role, outcome=outcome, why=why, fields=fields)

    if binding.origin != "session" and binding.subjects.isdisjoint(subject.called):
        return seen("subject", _("It is for others."))
    if role is None:
        return seen("no role", _("There is no role %(role)s.", role=binding.role))
    if not gives:
        return seen("role", _("The role %(role)s lacks the permission.", role=binding.role))
    fields = mismatches(binding.on, facts, subject.owners, environment)
    if fields and facts is None:
        return seen("entity", _("It is given on some entities only, not on the portal."), fields)
    if fields:
        return seen("entity", _("It is for other entities, by %(fields)s.",
                                fields=_names(fields)), fields)  # fmt: skip
    if set_aside:
        return seen("set aside", _("Administrators of the settings are not bound by it."))
    return seen("fits", _("It denies.") if binding.effect == "deny" else _("It allows."))


def _names(fields: tuple[str, ...]) -> Text:
    first, *more = fields
    if not more:
        return FIELD_NAMES[first]
    return _("%(one)s, %(more)s", one=FIELD_NAMES[first], more=_names(tuple(more)))


def mismatches(
    on: Selector, facts: EntityFacts | None, mine: frozenset[str], environment: str
) -> tuple[str, ...]:
    """Give the fields of a selector by which it means other entities; none where it fits."""
    if facts is None:
        given = [name for name in FIELDS if getattr(on, name)] + (["owned"] if on.owned else [])
        fits = environment and environment.lower() in on.environments
        return tuple(name for name in given if name != "environments" or not fits)
    wrong = []
    for name in (*FIELDS, "owned"):
        values = getattr(on, name)
        if values and not _alone(name, values).fits(facts, mine, environment):
            wrong.append(name)
    return tuple(wrong)


def _alone(name: str, values: frozenset[str] | bool) -> Selector:
    return Selector(**{name: values})  # type: ignore[arg-type]


def fits(on: Selector, facts: EntityFacts | None, mine: frozenset[str], environment: str) -> bool:
    """Say whether a selector means an entity, or the portal as a whole where there is none.

    The portal is meant by what is given on everything, and by what is given in the environment
    that is acted on.
    """
    if facts is not None:
        return on.fits(facts, mine, environment)
    return on == EVERYTHING or not mismatches(on, None, mine, environment)
