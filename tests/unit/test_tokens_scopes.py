"""No token does more than its owner may, nor more than it was made for: tried with the engine."""

from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from callboard.access import Access, AccessSettings, BindingSettings
from callboard.access.assembly import selector_of
from callboard.access.settings import RoleSettings, SelectorSettings
from callboard.entities import EntityRef
from callboard.identity import EntityFacts, Permission, Principal, Subject
from callboard_web.tokens.scopes import is_for_tokens, limits_of

DECLARED = [
    Permission(name="catalog.entity.read", title="", about="entity", role="viewer"),
    Permission(name="ci.run.start", title="", about="entity", role="developer"),
    Permission(name="ci.run.stop", title="", about="entity"),
    Permission(name="portal.job.read", title="", role="maintainer"),
    Permission(name="portal.token.make", title="", role="viewer"),
    Permission(name="portal.service_account.write", title=""),
    Permission(name="access.policy.change", title=""),
]
NAMES = [item.name for item in DECLARED]
ADA = EntityRef.parse("user:default/ada")
TEAM = EntityRef.parse("group:default/team")

names = st.sampled_from(["a", "b"])
selectors = st.builds(
    SelectorSettings,
    kind=st.lists(st.sampled_from(["component", "api"]), max_size=1),
    tag=st.lists(names, max_size=1),
    owner=st.lists(st.sampled_from([str(TEAM), "group:default/other"]), max_size=1),
    environment=st.lists(names, max_size=1),
    owned=st.booleans(),
)
subjects = st.sampled_from(
    [
        "everyone", "signed-in", "anonymous", str(ADA), str(TEAM), f"person:{ADA}", "token:7",
        "service:robot", "provider-group:devs",
    ]
)  # fmt: skip
patterns = st.sampled_from([*NAMES, "*", "ci.*", "portal.*", "*.read"])
bindings = st.builds(
    BindingSettings,
    role=st.sampled_from(["viewer", "developer", "administrator", "own"]),
    to=st.lists(subjects, min_size=1, max_size=2),
    on=selectors,
    effect=st.sampled_from(["allow", "deny"]),
)
policies = st.builds(
    AccessSettings,
    defaults=st.booleans(),
    roles=st.lists(patterns, min_size=1, max_size=2).map(
        lambda given: [RoleSettings(name="own", permissions=given)]
    ),
    bindings=st.lists(bindings, max_size=4),
)
facts = st.builds(
    EntityFacts,
    ref=st.just("component:default/mill"),
    kind=st.sampled_from(["component", "api"]),
    namespace=st.just("default"),
    owner=st.sampled_from([str(TEAM), "group:default/other", ""]),
    tags=st.frozensets(names, max_size=1),
    environment=st.sampled_from(["", "a", "b"]),
)
people = st.builds(
    Subject,
    principal=st.just(Principal(kind="person", name=str(ADA), entity=ADA)),
    mine=st.sampled_from([(), (ADA,), (ADA, TEAM)]),
    names=st.sampled_from([(), ("provider-group:devs",)]),
    roles=st.sampled_from([(), ("viewer",), ("administrator",)]),
)


@settings(max_examples=300, deadline=None)
@given(
    policies, people, st.lists(patterns, max_size=3), selectors, facts, st.sampled_from(["", "a"])
)
def test_a_token_never_exceeds_its_owner_or_its_limits(
    policy: AccessSettings,
    person: Subject,
    wanted: list[str],
    chosen: SelectorSettings,
    entity: EntityFacts,
    environment: str,
) -> None:
    access = Access(policy, DECLARED)
    limits = limits_of(wanted, selector_of(chosen), access.permissions)
    token = replace(
        person,
        principal=Principal(kind="token", name="7"),
        limits=limits,
        on_behalf_of=person.principal,
    )
    for name in NAMES:
        whole = access.decide(token, name)
        one = access.decide(token, name, entity, environment=environment)
        allowed = {
            None: access.decide(person, name).allowed,
            entity: access.decide(person, name, entity, environment=environment).allowed,
        }
        assert not whole.allowed or allowed[None]
        assert not one.allowed or allowed[entity]
        named = any(name in limit.permissions for limit in limits)
        if not named or not is_for_tokens(name):
            assert not whole.allowed
            assert not one.allowed
            assert access.filter(token, name).nothing
        elif access.permissions[name].about == "entity":
            fits = selector_of(chosen).fits(entity, token.owners, environment)
            # Within its limits it is the person, no less: nothing else takes from it.
            assert one.allowed == (allowed[entity] and fits)
            inside = access.filter(token, name).fits(entity)
            assert inside <= access.filter(person, name).fits(entity)
        else:
            assert whole.allowed == allowed[None]


def test_limits_are_expanded_to_declared_names() -> None:
    declared = {item.name: item for item in DECLARED}
    portal, entity = limits_of(["*"], selector_of(SelectorSettings(kind=["api"])), declared)
    assert portal.permissions == ("portal.job.read",)
    assert entity.permissions == ("catalog.entity.read", "ci.run.start", "ci.run.stop")
    assert entity.on.kinds == {"api"}
