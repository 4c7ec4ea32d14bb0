"""Who a person is in the catalog, and what their groups stand for."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from callboard.entities import EntityRef
from callboard.people import entity_name
from callboard_web.sign_in.claims import at_path, groups_at, plain, proven_email, title_of
from callboard_web.sign_in.groups import match_groups
from callboard_web.sign_in.resolver import Resolution, resolve
from callboard_web.sign_in.settings import GroupRule, ProviderSettings, SignInSettings

ADA = EntityRef.parse("user:default/ada")
ADA_TWO = EntityRef.parse("user:hr/ada")


class Known:
    """People and groups by what is known of them."""

    def __init__(self, fields: Mapping[tuple[str, str], Sequence[EntityRef]]) -> None:
        self.fields = fields

    def having(self, field: str, value: str) -> Sequence[EntityRef]:
        return self.fields.get((field, value.lower()), ())

    def named(self, name: str, subject: str) -> Sequence[EntityRef]:
        return self.fields.get(("name", name), ())

    def groups(self, refs: Collection[EntityRef]) -> Collection[EntityRef]:
        return [ref for ref in refs if ref.name in ("platform", "payments-core", "team-a")]


def provider(**more: Any) -> ProviderSettings:
    given = {"name": "company", "issuer": "https://id.example", "client_id": "callboard", **more}
    return ProviderSettings.model_validate({key: value for key, value in given.items() if value})


def settings(*providers: ProviderSettings, **more: Any) -> SignInSettings:
    return SignInSettings.model_validate({"providers": providers or (provider(),), **more})


def found(
    claims: Mapping[str, Any], fields: Mapping[tuple[str, str], Sequence[EntityRef]], **more: Any
) -> Resolution:
    one = provider(**more)
    return resolve({"sub": "7", **claims}, settings(one), one, Known(fields), "subject")


def outcomes(resolution: Resolution) -> list[tuple[str, str]]:
    return [(step.rule, step.outcome) for step in resolution.steps]


def test_the_first_rule_that_fits_counts() -> None:
    fields = {
        ("spec.profile.email", "ada@example.com"): [ADA],
        ("name", "other"): [EntityRef.parse("user:default/other")],
    }
    claims = {
        "email": "Ada@Example.com", "email_verified": True, "preferred_username": "other",
    }  # fmt: skip
    resolution = found(claims, fields)
    assert resolution.user == ADA
    assert outcomes(resolution) == [("annotation", "nobody"), ("email", "matched")]


def test_annotations_come_first() -> None:
    fields = {("metadata.annotations.keycloak.org/id", "7"): [ADA]}
    assert found({}, fields, type="keycloak").user == ADA
    assert found({}, fields, annotations={"keycloak.org/id": "sub"}).user == ADA
    assert found({}, fields).user is None


@pytest.mark.parametrize("verified", [False, None, "false", 1, "yes"])
def test_an_address_must_be_proven(verified: Any) -> None:
    fields = {("spec.profile.email", "ada@example.com"): [ADA]}
    claims = {"email": "ada@example.com", "email_verified": verified}
    resolution = found(claims, fields)
    assert resolution.user is None
    assert ("email", "unproven") in outcomes(resolution)
    assert found(claims, fields, trust_email=True).user == ADA


def test_several_that_fit_are_not_guessed_among() -> None:
    fields = {
        ("spec.profile.email", "ada@example.com"): [ADA, ADA_TWO],
        ("name", "ada"): [ADA],
    }  # fmt: skip
    claims = {"email": "ada@example.com", "email_verified": True, "preferred_username": "ada"}
    resolution = found(claims, fields)
    assert resolution.user is None
    assert resolution.problem == "ambiguous"
    assert resolution.steps[-1].found == (str(ADA), str(ADA_TWO))


def test_user_names_of_a_second_provider_are_others() -> None:
    first, second = provider(), provider(name="second")
    both = settings(first, second)
    known = Known({("name", "ada"): [ADA], ("name", "7"): [ADA]})
    claims = {"sub": "7", "preferred_username": "ada"}
    assert resolve(claims, both, first, known, "s").user == ADA
    refused = resolve(claims, both, second, known, "s")
    assert refused.user is None
    assert ("username", "untrusted") in outcomes(refused)
    trusted = provider(name="second", trust_usernames=True)
    assert resolve(claims, settings(first, trusted), trusted, known, "s").user == ADA


def test_who_may_get_in() -> None:
    claims = {"email": "ada@example.com", "email_verified": True, "groups": ["a"]}
    assert found(claims, {}, allowed_domains=["Example.com"]).problem == ""
    assert found(claims, {}, allowed_domains=["example.org"]).problem == "domain"
    assert found({**claims, "email_verified": False}, {}, allowed_domains=["example.com"]).problem
    assert found({"email": "a@evil.org@example.com"}, {}, allowed_domains=["example.com"]).problem
    assert found(claims, {}, allowed_groups=["a", "b"]).problem == ""
    assert found(claims, {}, allowed_groups=["b"]).problem == "group"
    assert found(claims, {}, unknown_people="refuse").problem == "unknown"


@pytest.mark.parametrize(
    ("rules", "name", "group"),
    [
        ([{"name": "Admins", "group": "group:default/platform"}], "Admins", "platform"),
        ([{"name": "Admins", "group": "group:default/platform"}], "admins", ""),
        ([{"matches": "tm-(?P<t>.+)", "group": "group:default/team-{t}"}], "tm-A", "team-a"),
        ([{"matches": "tm-(?P<t>.+)", "group": "group:default/team-{t}"}], "x-tm-a", ""),
        ([{"matches": "tm-(?P<t>.*)", "group": "group:default/team-{t}"}], "tm-/", ""),
        ([{"below": "/"}], "/payments/core", "payments-core"),
        ([{"below": "/"}], "payments/core/", "payments-core"),
        ([{"below": "/acme"}], "/acme/payments/core", "payments-core"),
        ([{"below": "/acme"}], "/Acme/Payments/Core", "payments-core"),
        ([{"below": "/acme"}], "/other/payments/core", ""),
        ([{"below": "/acme"}], "/acme-evil/payments/core", ""),
        ([{"below": "/acme"}], "/acme", ""),
        ([{"below": "/"}, {"name": "x", "group": "platform"}], "x", "platform"),
    ],
)
def test_groups_by_rules(rules: list[dict[str, str]], name: str, group: str) -> None:
    parsed = [GroupRule.model_validate(rule) for rule in rules]
    [match] = match_groups([name], parsed, Known({}).groups)
    assert (match.group.name if match.group else "") == group


def test_a_group_that_is_not_in_the_catalog_is_told() -> None:
    [match] = match_groups(["nobody"], [GroupRule(below="/")], Known({}).groups)
    assert match.group is None
    assert match.missing == (EntityRef.parse("group:default/nobody"),)


def test_names_stay_for_bindings() -> None:
    resolution = found({"groups": ["/payments/core", "guests"]}, {})
    assert resolution.names == ("/payments/core", "guests")
    assert resolution.refs == (EntityRef.parse("group:default/payments-core"),)


@pytest.mark.parametrize(
    ("claims", "path", "names"),
    [
        ({"groups": ["a", "b", "a"]}, "groups", ["a", "b"]),
        ({"groups": "a"}, "groups", ["a"]),
        ({"realm_access": {"roles": ["a"]}}, "realm_access.roles", ["a"]),
        ({"https://example.com/groups": ["a"]}, "https://example.com/groups", ["a"]),
        ({"roles": [{"code": "a", "name": "A"}, {"name": "b"}, {}]}, "roles", ["a", "b"]),
        ({"groups": [None, 7, True, "", "  ", "x"]}, "groups", ["x"]),
        ({"groups": {"a": 1}}, "groups.a", []),
        ({}, "groups", []),
    ],
)
def test_groups_in_claims(claims: dict[str, Any], path: str, names: list[str]) -> None:
    assert groups_at(claims, path) == names


def test_groups_left_out_are_told() -> None:
    assert found({"_claim_names": {"groups": "src1"}}, {}).groups_left_out


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
        max_leaves=8,
    ),
    st.text(),
)
def test_no_claims_break_it(value: Any, path: str) -> None:
    claims = dict.fromkeys(("name", "email", "email_verified", "groups", path), value)
    resolution = found(claims, {}, groups_claim=path or "groups")
    assert resolution.user is None
    assert title_of({"sub": "7", **claims}, "preferred_username")
    at_path(claims, path)


@given(st.text())
def test_titles_can_be_seen(text: str) -> None:
    shown = plain(text)
    assert shown == " ".join(shown.split())
    assert len(shown) <= 200
    assert not any(mark in shown for mark in "\u202e\u2066\u200b\ufeff\0\n")


@given(st.text())
def test_names_are_those_of_entities(text: str) -> None:
    name = entity_name(text)
    assert len(name) <= 63
    if name:
        assert EntityRef.parse(f"user:default/{name}").name == name
        assert entity_name(name) == name


@given(st.text(), st.text())
def test_addresses_are_proven_or_none(local: str, domain: str) -> None:
    claims = {"email": f"{local}@{domain}", "email_verified": False}
    assert proven_email(claims, trusted=False) == ""


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"issuer": "http://id.example"}, "https://"),
        ({"issuer": "https://me:secret@id.example"}, "without a user name"),
        ({"issuer": ""}, "issuer"),
        ({"algorithms": ["none"]}, "algorithms"),
        ({"algorithms": ["HS256"]}, "algorithms"),
        ({"parameters": {"State": "x"}}, "sets itself"),
        ({"parameters": {"nonce": "x"}}, "sets itself"),
        ({"type": "github"}, "client_secret"),
        ({"type": "github", "issuer": "", "client_secret": "x"}, "allowed_groups"),
        ({"name": "With Space"}, "name"),
        ({"clock_skew": "1h"}, "clock_skew"),
    ],
)
def test_settings_that_are_refused(given: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        provider(**given)


def test_a_rule_names_one_way() -> None:
    for rule in (
        {}, {"name": "a"}, {"name": "a", "below": "/", "group": "g"},
        {"matches": "(", "group": "g"},
        {"matches": "a", "group": "group:default/{b}"},
    ):  # fmt: skip
        with pytest.raises(ValidationError):
            GroupRule.model_validate(rule)


def test_endpoints_must_be_given_where_they_are_not_discovered() -> None:
    given = {"name": "a", "issuer": "https://id.example", "client_id": "b", "discovery": False}
    with pytest.raises(ValidationError, match="authorization_endpoint"):
        ProviderSettings.model_validate(given)


def test_names_of_providers_differ() -> None:
    for names in (("a", "a"), ("demo",), ("local", "a")):
        with pytest.raises(ValidationError, match="different name"):
            settings(*(provider(name=name) for name in names))
