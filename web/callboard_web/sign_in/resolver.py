"""Who a person is in the catalog: the chain of rules, and what each of them tried."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Final, Literal, Protocol

from callboard.entities import EntityRef
from callboard_web.sign_in.claims import groups_at, left_out, proven_email, text_at
from callboard_web.sign_in.faults import SignInFailedError
from callboard_web.sign_in.groups import GroupMatch, match_groups
from callboard_web.sign_in.settings import ProviderSettings, Rule, SignInSettings

Outcome = Literal[
    "matched", "nobody", "several", "no-claim", "unproven", "untrusted", "no-annotation"
]
EMAIL: Final = "spec.profile.email"
ANNOTATION: Final = "metadata.annotations."


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """What one rule tried: the field of Users, the value looked for, and who has it."""

    rule: Rule
    outcome: Outcome
    field: str = ""
    value: str = ""
    found: tuple[str, ...] = ()

    def plain(self) -> dict[str, Any]:
        """Give it as it is kept."""
        return asdict(self)


class People(Protocol):
    """What the resolver asks the catalog."""

    def having(self, field: str, value: str) -> Sequence[EntityRef]:
        """Give Users whose field is equal to a value, whatever its case, a few at most."""

    def named(self, name: str, subject: str) -> Sequence[EntityRef]:
        """Give the User of a name, unless it was made from the claims of someone else."""

    def groups(self, refs: Collection[EntityRef]) -> Collection[EntityRef]:
        """Give those of these Groups that exist."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Resolution:
    """Who somebody is. `user` is None where no rule found one; `names` are all groups told."""

    user: EntityRef | None
    steps: tuple[Step, ...]
    groups: tuple[GroupMatch, ...] = ()
    groups_left_out: bool = False
    problem: str = ""
    refs: tuple[EntityRef, ...] = field(default=())

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(match.name for match in self.groups)

    @property
    def matched(self) -> Step | None:
        """The step that found the User."""
        return next((step for step in self.steps if step.outcome == "matched"), None)


def resolve(
    claims: Mapping[str, Any],
    settings: SignInSettings,
    provider: ProviderSettings,
    people: People,
    subject: str,
) -> Resolution:
    """Find the User and the Groups that claims stand for. Nothing is changed.

    `problem` is the fault (see `faults`) for which the person does not get in, or empty.
    """
    names = groups_at(claims, provider.group_path)
    rules = settings.groups if provider.groups is None else provider.groups
    matches = tuple(match_groups(names, rules, people.groups))
    steps: list[Step] = []
    for rule in settings.resolve if provider.resolve is None else provider.resolve:
        steps += _try(rule, claims, settings, provider, people, subject)
        if steps[-1].outcome in ("matched", "several"):
            break
    matched = steps[-1].found if steps and steps[-1].outcome == "matched" else ()
    return Resolution(
        user=EntityRef.parse(matched[0]) if matched else None,
        steps=tuple(steps),
        groups=matches,
        groups_left_out=left_out(claims, provider.group_path),
        problem=_problem(claims, settings, provider, names, steps),
        refs=tuple(dict.fromkeys(match.group for match in matches if match.group)),
    )


def _problem(
    claims: Mapping[str, Any],
    settings: SignInSettings,
    provider: ProviderSettings,
    names: Sequence[str],
    steps: Sequence[Step],
) -> str:
    if provider.allowed_domains:
        domain = proven_email(claims, trusted=provider.trust_email).rpartition("@")[2]
        if not domain or domain not in {item.lower() for item in provider.allowed_domains}:
            return "domain"
    if provider.allowed_groups and not set(provider.allowed_groups) & set(names):
        return "group"
    if steps and steps[-1].outcome == "several":
        return "ambiguous"
    found = steps and steps[-1].outcome == "matched"
    return "unknown" if not found and unknown_people(settings, provider) == "refuse" else ""


def unknown_people(settings: SignInSettings, provider: ProviderSettings) -> str:
    """Give what happens to those whom nobody in the catalog fits."""
    return provider.unknown_people or settings.unknown_people


def check(resolution: Resolution, claims: Mapping[str, Any]) -> None:
    """Raise `SignInFailedError` for one who does not get in."""
    if resolution.problem:
        raise SignInFailedError(resolution.problem, claims=claims, resolution=resolution)


def _try(
    rule: Rule,
    claims: Mapping[str, Any],
    settings: SignInSettings,
    provider: ProviderSettings,
    people: People,
    subject: str,
) -> list[Step]:
    if rule == "annotation":
        return _annotations(claims, provider, people)
    if rule == "email":
        return [_email(claims, provider, people)]
    path = provider.username_claim if rule == "username" else "sub"
    value = text_at(claims, path)
    if not value:
        return [Step(rule=rule, outcome="no-claim", field=path)]
    if not settings.trusts_usernames(provider):
        return [Step(rule=rule, outcome="untrusted", field="metadata.name", value=value)]
    return [_step(rule, "metadata.name", value, people.named(value, subject))]


def _annotations(
    claims: Mapping[str, Any], provider: ProviderSettings, people: People
) -> list[Step]:
    steps: list[Step] = []
    for name, path in provider.linked.items():
        value = text_at(claims, path)
        if not value:
            steps.append(Step(rule="annotation", outcome="no-claim", field=path))
            continue
        field_name = f"{ANNOTATION}{name}"
        steps.append(_step("annotation", field_name, value, people.having(field_name, value)))
        if steps[-1].outcome in ("matched", "several"):
            break
    return steps or [Step(rule="annotation", outcome="no-annotation")]


def _email(claims: Mapping[str, Any], provider: ProviderSettings, people: People) -> Step:
    told = text_at(claims, "email")
    if not told:
        return Step(rule="email", outcome="no-claim", field="email")
    address = proven_email(claims, trusted=provider.trust_email)
    if not address:
        return Step(rule="email", outcome="unproven", field=EMAIL, value=told)
    return _step("email", EMAIL, address, people.having(EMAIL, address))


def _step(rule: Rule, field_name: str, value: str, found: Sequence[EntityRef]) -> Step:
    outcome: Outcome = "nobody" if not found else "matched" if len(found) == 1 else "several"
    return Step(
        rule=rule, outcome=outcome, field=field_name, value=value[:200],
        found=tuple(map(str, found)),
    )  # fmt: skip
