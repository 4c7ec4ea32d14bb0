"""Decisions, filters and explanations agree with the rules, written down as plainly as can be."""

from collections.abc import Iterable
from dataclasses import replace
from fnmatch import fnmatchcase
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from callboard.access import (
    ALL,
    NONE,
    Access,
    AccessSettings,
    Binding,
    Policy,
    Role,
    UnknownPermissionError,
)
from callboard.access.compiled import Compiled
from callboard.access.filters import SelectorIndex, canonical, covers, entity_filter
from callboard.entities import EntityRef
from callboard.identity import (
    EVERYTHING,
    NOBODY,
    EntityFacts,
    Limit,
    Permission,
    Principal,
    Selector,
    Subject,
)

PERMISSIONS = ("catalog.entity.read", "catalog.entity.refresh", "ci.run.start", "portal.job.read")
DECLARED = [
    Permission(name="catalog.entity.read", title="", role="viewer", about="entity"),
    Permission(name="catalog.entity.refresh", title="", role="developer", about="entity"),
    Permission(name="ci.run.start", title="", role="developer", about="entity"),
    Permission(name="portal.job.read", title="", role="maintainer"),
]
OWNERS = ("group:default/red", "group:default/blue", "user:default/ada")
SYSTEMS = ("system:default/shop", "system:default/bank")
DOMAINS = ("domain:default/retail", "domain:default/risk")
NAMES = ("everyone", "signed-in", "anonymous", *OWNERS, "provider-group:red", "service:deployer")
ROLES = ("reader", "worker", "boss", "administrator")


def some(values: Iterable[str]) -> st.SearchStrategy[frozenset[str]]:
    return st.frozensets(st.sampled_from(tuple(values)), max_size=2)


selectors = st.builds(
    Selector,
    kinds=some(("component", "api")),
    namespaces=some(("default", "risk")),
    types=some(("service", "library")),
    owners=some(OWNERS),
    systems=some(SYSTEMS),
    domains=some(DOMAINS),
    tags=some(("java", "pci")),
    environments=some(("production", "test")),
    refs=some(("component:default/a", "api:risk/b")),
    owned=st.booleans(),
)
few_fields = st.one_of(
    st.just(EVERYTHING),
    st.builds(Selector, systems=some(SYSTEMS), kinds=some(("component", "api"))),
    st.builds(Selector, owned=st.booleans(), environments=some(("production", "test"))),
    selectors,
)
entities = st.builds(
    EntityFacts,
    ref=st.sampled_from(("component:default/a", "api:risk/b", "group:default/red")),
    kind=st.sampled_from(("component", "api", "group")),
    namespace=st.sampled_from(("default", "risk")),
    type=st.sampled_from(("", "Service", "library")),
    owner=st.sampled_from(("", *OWNERS)),
    system=st.sampled_from(("", *SYSTEMS)),
    domain=st.sampled_from(("", *DOMAINS)),
    tags=some(("java", "pci")),
    environment=st.sampled_from(("", "production", "test")),
)
roles = st.fixed_dictionaries(
    {
        name: st.builds(
            Role,
            name=st.just(name),
            permissions=st.lists(
                st.sampled_from((*PERMISSIONS, "catalog.*", "*.read", "*", "no.such.thing")),
                max_size=2,
            ).map(tuple),
            includes=st.lists(st.sampled_from((*ROLES, "gone")), max_size=1).map(tuple),
        )
        for name in ROLES
    }
)
bindings = st.builds(
    Binding,
    role=st.sampled_from((*ROLES, "gone")),
    subjects=st.frozensets(st.sampled_from(NAMES), min_size=1, max_size=2),
    on=few_fields,
    effect=st.sampled_from(("allow", "allow", "deny")),
    origin=st.sampled_from(("settings", "pages", "repository")),
)
policies = st.builds(Policy, roles=roles, bindings=st.lists(bindings, max_size=6).map(tuple))
limits = st.none() | st.lists(
    st.builds(
        Limit,
        permissions=st.lists(st.sampled_from((*PERMISSIONS, "catalog.*")), max_size=2).map(tuple),
        on=few_fields,
    ),
    max_size=2,
).map(tuple)
subjects = st.one_of(
    st.just(NOBODY),
    st.builds(
        Subject,
        principal=st.sampled_from(
            (Principal(kind="person", name="user:default/ada"), Principal(kind="token", name="7"))
        ),
        mine=st.lists(st.sampled_from(OWNERS).map(EntityRef.parse), max_size=3).map(tuple),
        names=some(("provider-group:red", "service:deployer")).map(tuple),
        roles=st.sampled_from(((), (), ("worker",), ("administrator",))),
        limits=limits,
    ),
)


# The rules, in the most naive way


def names_of(subject: Subject) -> set[str]:
    general = {"everyone", "anonymous" if subject.principal.kind == "anonymous" else "signed-in"}
    return general | {str(ref) for ref in subject.mine} | set(subject.names)


def role_gives(policy: Policy, name: str, permission: str, seen: frozenset[str]) -> bool:
    role = policy.roles.get(name)
    if role is None or name in seen:
        return False
    return any(fnmatchcase(permission, item) for item in role.permissions) or any(
        role_gives(policy, item, permission, seen | {name}) for item in role.includes
    )


def means(on: Selector, facts: EntityFacts | None, mine: set[str], environment: str) -> bool:
    if facts is None:
        rest = replace(on, environments=frozenset())
        return rest == EVERYTHING and (not on.environments or environment in on.environments)
    values = {
        "kinds": {facts.kind}, "namespaces": {facts.namespace}, "types": {facts.type.lower()},
        "owners": {facts.owner}, "systems": {facts.system}, "domains": {facts.domain},
        "refs": {facts.ref}, "tags": set(facts.tags),
        "environments": {environment or facts.environment},
    }  # fmt: skip
    return all(not getattr(on, name) or getattr(on, name) & held for name, held in values.items()) \
        and (not on.owned or facts.owner in mine or facts.ref in mine)  # fmt: skip


def naive(
    policy: Policy,
    administrators: set[str],
    subject: Subject,
    permission: str,
    facts: EntityFacts | None,
    environment: str,
) -> bool:
    names, mine = names_of(subject), {str(ref) for ref in subject.mine}
    own = [Binding(role=name, subjects=frozenset({"everyone"})) for name in subject.roles]
    effects = set()
    for item in (*policy.bindings, *own):
        fits = (
            bool(item.subjects & names)
            and role_gives(policy, item.role, permission, frozenset())
            and means(item.on, facts, mine, environment)
        )
        spared = item.effect == "deny" and (
            "administrator" in subject.roles
            or (item.origin == "pages" and bool(names & administrators))
        )
        if fits and not spared:
            effects.add(item.effect)
    limited = subject.limits is not None and not any(
        any(fnmatchcase(permission, pattern) for pattern in limit.permissions)
        and means(limit.on, facts, mine, environment)
        for limit in subject.limits
    )
    return effects == {"allow"} and not limited


def access_with(policy: Policy, administrators: Iterable[str] = ()) -> Access:
    access = Access(AccessSettings(), DECLARED, strict=True)
    access._compiled = Compiled(policy, PERMISSIONS, administrators=administrators)
    return access


questions: dict[str, Any] = {
    "policy": policies,
    "subject": subjects,
    "permission": st.sampled_from(PERMISSIONS),
    "administrators": st.sampled_from(((), ("user:default/ada",))),
}


@settings(max_examples=600, deadline=None)
@given(
    **questions,
    facts=st.none() | entities,
    environment=st.sampled_from(("", "", "production", "test")),
)
def test_decisions_are_as_the_rules_say(
    policy: Policy,
    subject: Subject,
    permission: str,
    administrators: tuple[str, ...],
    facts: EntityFacts | None,
    environment: str,
) -> None:
    access = access_with(policy, administrators)
    expected = naive(policy, set(administrators), subject, permission, facts, environment)
    decision = access.decide(subject, permission, facts, environment=environment)
    explained = access.explain(subject, permission, facts, environment=environment)
    assert decision.allowed is expected
    assert explained.allowed is expected
    assert decision.reasons
    assert (decision.reasons[0].effect == "allow") is expected
    deciding = {item.effect for item in explained.bindings if item.outcome == "fits"}
    limited = subject.limits is not None and not any(item.fits for item in explained.limits)
    assert (deciding == {"allow"} and not limited) is expected
    assert {id(item) for item in policy.bindings} <= {id(i.binding) for i in explained.bindings}


@settings(max_examples=600, deadline=None)
@given(**questions, facts=entities)
def test_filters_let_through_what_is_decided(
    policy: Policy,
    subject: Subject,
    permission: str,
    administrators: tuple[str, ...],
    facts: EntityFacts,
) -> None:
    access = access_with(policy, administrators)
    chosen = access.filter(subject, permission)
    allowed = access.decide(subject, permission, facts).allowed
    assert chosen.fits(facts) is allowed
    assert not (allowed and chosen.nothing)
    assert not (chosen.everything and not allowed)
    assert not (allowed and not access.anywhere(subject, permission))


@settings(deadline=None)
@given(**questions, facts=entities, extra=bindings)
def test_another_denial_never_allows_more(
    policy: Policy,
    subject: Subject,
    permission: str,
    administrators: tuple[str, ...],
    facts: EntityFacts,
    extra: Binding,
) -> None:
    denied = replace(policy, bindings=(*policy.bindings, replace(extra, effect="deny")))
    before = access_with(policy, administrators).decide(subject, permission, facts).allowed
    after = access_with(denied, administrators).decide(subject, permission, facts).allowed
    assert before or not after


@settings(deadline=None)
@given(**questions, facts=entities, extra=bindings)
def test_another_permission_never_allows_less(
    policy: Policy,
    subject: Subject,
    permission: str,
    administrators: tuple[str, ...],
    facts: EntityFacts,
    extra: Binding,
) -> None:
    more = replace(policy, bindings=(*policy.bindings, replace(extra, effect="allow")))
    before = access_with(policy, administrators).decide(subject, permission, facts).allowed
    after = access_with(more, administrators).decide(subject, permission, facts).allowed
    assert after or not before


@settings(deadline=None)
@given(st.lists(few_fields, max_size=6), st.lists(few_fields, max_size=3), entities)
def test_merged_selectors_mean_the_same(
    chosen: list[Selector], denied: list[Selector], facts: EntityFacts
) -> None:
    mine = frozenset({"group:default/red"})
    few = canonical(chosen)
    assert any(part.fits(facts, mine) for part in chosen) is any(
        part.fits(facts, mine) for part in few
    )
    assert len(few) <= len(set(chosen))
    assert canonical(reversed(chosen)) == few
    assert canonical(few) == few
    made = entity_filter(chosen, denied, mine=mine)
    assert made.fits(facts) is (
        any(part.fits(facts, mine) for part in chosen)
        and not any(part.fits(facts, mine) for part in denied)
    )


@settings(deadline=None)
@given(few_fields, few_fields, entities)
def test_what_covers_another_means_all_of_it(
    one: Selector, other: Selector, facts: EntityFacts
) -> None:
    mine = frozenset({"group:default/red"})
    if covers(one, other) and other.fits(facts, mine):
        assert one.fits(facts, mine)


@settings(deadline=None)
@given(st.lists(few_fields, max_size=8, unique=True), entities, st.sampled_from(("", "production")))
def test_an_index_finds_what_means_an_entity(
    chosen: list[Selector], facts: EntityFacts, environment: str
) -> None:
    mine = frozenset({"group:default/red"})
    found = list(SelectorIndex(chosen).meaning(facts, mine, environment))
    assert set(found) == {part for part in chosen if part.fits(facts, mine, environment)}
    assert len(found) == len(set(found))


def test_selectors_that_differ_in_one_field_become_one() -> None:
    many = [Selector(systems=frozenset({f"system:default/{n}"})) for n in range(1000)]
    (one,) = canonical(many)
    assert len(one.systems) == 1000
    covered = Selector(systems=frozenset({"system:default/7"}), kinds=frozenset({"api"}))
    assert canonical([*many, covered]) == {one}
    assert canonical([*many, EVERYTHING]) == {EVERYTHING}


def test_equal_filters_are_equal_and_short() -> None:
    shop, bank = (Selector(systems=frozenset({name})) for name in SYSTEMS)
    assert entity_filter([shop, bank]) == entity_filter([bank, shop, bank])
    assert hash(entity_filter([shop, bank])) == hash(entity_filter([bank, shop]))
    assert entity_filter([EVERYTHING, shop]) == ALL
    assert entity_filter([shop], [EVERYTHING]) == NONE
    assert entity_filter([shop], [replace(shop, systems=frozenset(SYSTEMS))]) == NONE
    assert entity_filter([shop], [], []) == NONE
    assert entity_filter([shop], [], [EVERYTHING, bank]).within is None
    assert not entity_filter([shop], mine=frozenset(OWNERS)).mine


def test_what_is_denied_somewhere_is_not_denied_to_the_portal() -> None:
    on = Selector(environments=frozenset({"production"}))
    policy = Policy(
        roles={"boss": Role(name="boss", permissions=("*",))},
        bindings=(
            Binding(role="boss", subjects=frozenset({"everyone"})),
            Binding(role="boss", subjects=frozenset({"everyone"}), on=on, effect="deny"),
        ),
    )
    access = access_with(policy)
    assert access.decide(NOBODY, "portal.job.read").allowed
    assert not access.decide(NOBODY, "portal.job.read", environment="production").allowed
    assert access.decide(NOBODY, "portal.job.read", environment="test").allowed


def test_an_unknown_permission_is_refused_and_told(caplog: pytest.LogCaptureFixture) -> None:
    given = AccessSettings(anonymous="administrator")
    access = Access(given, DECLARED)
    assert not access.decide(NOBODY, "no.such.thing").allowed
    assert access.filter(NOBODY, "no.such.thing") == NONE
    assert not access.explain(NOBODY, "no.such.thing").allowed
    assert "no.such.thing" in caplog.text
    with pytest.raises(UnknownPermissionError, match=r"no\.such\.thing"):
        Access(given, DECLARED, strict=True).decide(NOBODY, "no.such.thing")


def test_who_could_give_it_is_told() -> None:
    access = Access(
        AccessSettings.model_validate(
            {
                "roles": [{"name": "starter", "permissions": ["ci.*"]}],
                "bindings": [
                    {"role": "starter", "to": ["group:red"], "on": {"system": ["shop"]}},
                    {"role": "starter", "to": ["group:blue"], "on": {"system": ["bank"]}},
                ],
            }
        ),
        DECLARED,
    )
    facts = EntityFacts(
        ref="component:default/a", kind="component", namespace="default",
        owner="group:default/red", system="system:default/shop",
    )  # fmt: skip
    givers = {item.role.name: item.bindings for item in access.who_may("ci.run.start", facts)}
    assert givers.keys() == {"starter", "developer", "maintainer", "administrator"}
    assert [set(item.subjects) for item in givers["starter"]] == [{"group:default/red"}]
    assert [item.on.owned for item in givers["developer"]] == [True]
    assert givers["administrator"] == ()
