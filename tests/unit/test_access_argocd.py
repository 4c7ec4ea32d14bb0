"""Policies of Argo CD are read as Argo CD reads them, and never give more than it does."""

import csv
import io
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from callboard.access import Access, AccessSettings
from callboard.access.argocd import PREFIX, RESOURCES, convert
from callboard.access.argocd_csv import Line, alternatives, matches, read_lines, split
from callboard.access.assembly import combine
from callboard.access.compiled import Compiled
from callboard.access.documents import policy_of_files, read_file
from callboard.identity import (
    EVERYTHING,
    EntityFacts,
    Permission,
    Principal,
    Selector,
    Subject,
)

# Lines


@pytest.mark.parametrize(
    ("line", "fields"),
    [
        ("p, role:dev, applications", ["p", "role:dev", "applications"]),
        ("p,role:dev ,x", ["p", "role:dev ", "x"]),
        ("g,\t my-org:team ,role:x", ["g", "my-org:team ", "role:x"]),
        ('p, "a, b", c', ["p", "a, b", "c"]),
        ('p, "say ""hi""", c', ["p", 'say "hi"', "c"]),
        ('p, "  kept", ""', ["p", "  kept", ""]),
        ("p,,", ["p", "", ""]),
        ("p, a # b", ["p", "a # b"]),
        ("p,\u00a0\u3000a", ["p", "a"]),
    ],
)
def test_a_line_is_split_as_go_splits_it(line: str, fields: list[str]) -> None:
    assert split(line) == fields


@pytest.mark.parametrize(
    "line", ['p, a"b, c', 'p, "a" b, c', 'p, "a', '"', 'p, ""a', 'p, a""', 'p, "a"\t, b']
)
def test_a_line_that_go_refuses_is_refused(line: str) -> None:
    with pytest.raises(ValueError, match="quotation mark"):
        split(line)


plain = st.text(st.characters(exclude_characters='"\n\r', exclude_categories=["Cs", "Z", "C"]))
anything = st.text(st.characters(exclude_characters="\n\r\0", exclude_categories=["Cs"]))


@settings(deadline=None)
@given(st.lists(anything, min_size=1, max_size=6), st.booleans())
def test_what_was_written_as_csv_is_read_back(fields: list[str], spaced: bool) -> None:
    written = io.StringIO()
    csv.writer(written, quoting=csv.QUOTE_ALL, lineterminator="").writerow(fields)
    line = written.getvalue()
    assert split(line.replace('","', '", "') if spaced and '","' not in "".join(fields) else line)
    assert split(line) == fields


@settings(deadline=None)
@given(st.lists(plain, min_size=2, max_size=6))
def test_plain_values_need_no_quotation_marks(fields: list[str]) -> None:
    fields = [field.replace(",", ";") for field in fields]
    assert split(", ".join(fields)) == fields


@settings(deadline=None)
@given(st.text())
def test_any_text_is_read_or_told(text: str) -> None:
    lines, faults = read_lines(text, "x.csv")
    count = text.count("\n") + 1
    assert all(1 <= item.number <= count for item in lines)
    assert all(1 <= item.line <= count for item in faults)
    assert all(len(item.fields) == {"p": 5, "g": 2}[item.kind] for item in lines)


def test_comments_and_empty_lines_are_passed_over() -> None:
    text = "# first\n\n  # second\n\tg, a, role:b\r\n\n"
    lines, faults = read_lines(text, "x.csv")
    assert lines == [Line("x.csv", 4, "g", ("a", "role:b"))]
    assert faults == []


@pytest.mark.parametrize(
    "line",
    [
        "p, role:dev, applications, sync, shop/*",
        "p, role:dev, applications, sync, shop/*, allow, more",
        "g, somebody",
        "g, somebody, role:dev, more",
        "p2, role:dev, applications, sync, shop/*, allow",
        "group, a, b",
        ", a, b",
        "p",
    ],
)
def test_a_rule_of_another_length_is_refused_with_its_file(line: str) -> None:
    good = b"p, role:dev, applications, sync, shop/*, allow\ng, team, role:dev\n"
    bad = read_file(good + line.encode(), "policies/x.csv")
    assert bad.refused
    assert [fault.place for fault in bad.faults] == ["policies/x.csv:3"]
    assert policy_of_files([bad]).bindings == ()


# Patterns


def naive(pattern: str, value: str) -> bool:
    """Match `*`, `?` and all else as it is, letter by letter."""
    if not pattern:
        return not value
    if pattern[0] == "*":
        return any(naive(pattern[1:], value[at:]) for at in range(len(value) + 1))
    return bool(value) and pattern[0] in ("?", value[0]) and naive(pattern[1:], value[1:])


@settings(deadline=None)
@given(st.text("ab*?/", max_size=7), st.text("ab/", max_size=7))
def test_stars_cross_slashes(pattern: str, value: str) -> None:
    assert matches(pattern, value) is naive(pattern, value)


@pytest.mark.parametrize(
    ("pattern", "value", "expected"),
    [
        ("*", "a/b/c", True),
        ("{get,sync}", "sync", True),
        ("{get,sync}", "delete", False),
        ("{a,b{c,d}}*", "bd/x", True),
        ("action/*/Pod/*", "action/apps/Pod/restart", True),
        ("[abc]x", "bx", True),
        ("[!abc]x", "bx", False),
        ("[a-c]", "b", True),
        (r"\*", "*", True),
        (r"\*", "a", False),
        (r"\{a\}", "{a}", True),
        ("a,b", "a,b", True),
        ("}", "}", True),
        ("[a", "[a", False),
        ("{a", "{a", False),
        ("a\\", "a\\", False),
        ("A", "a", False),
        ("", "", True),
    ],
)
def test_patterns_mean_what_they_mean_in_argo_cd(pattern: str, value: str, expected: bool) -> None:
    assert matches(pattern, value) is expected


def test_patterns_are_bounded() -> None:
    assert alternatives("{a,b}" * 20) is None
    assert alternatives("*" * 5000) == ("*",)


# Rules

SUBJECTS = ("role:dev", "role:ops", "team", "lead")
PROJECTS, NAMES = ("shop", "bank"), ("web", "api")
ACTIONS = ("get", "sync", "action/apps/Deployment/restart")
DECLARED = [
    Permission(name=f"{PREFIX}.{item}.{action}", title="", about="entity")
    for item in RESOURCES.values()
    for action in ACTIONS
]
EXACT = ("*", "*/*", "shop/*", "shop/web", "*/web", "bank/api", '"{shop/web,bank/*}"')
WIDER = (
    "sh*/*",
    "shop/*/web",
    "*/*/*",
    "shop/w*",
    "shop/prod/web",
    "a/b/c/d",
    "[sb]*/web",
    "shop",
    "Shop Two/*",
)


def rules(objects: tuple[str, ...]) -> st.SearchStrategy[str]:
    sampled = st.sampled_from
    rule = st.builds(
        "p, {}, {}, {}, {}, {}".format,
        sampled(SUBJECTS),
        sampled(("applications", "applications", "*", "app*", "logs")),
        sampled((*ACTIONS, "*", '"{get,sync}"', "action/*")),
        sampled(objects),
        sampled(("allow", "allow", "deny")),
    )
    grant = st.builds("g, {}, {}".format, sampled(SUBJECTS), sampled(SUBJECTS))
    return st.lists(rule | grant, max_size=8).map("\n".join)


def enforced(lines: list[Line], names: set[str], resource: str, action: str, app: str) -> set[str]:
    """Give the effects of all rules that match, as Casbin's model of Argo CD says."""
    held = set(names)
    while True:
        more = {line.fields[1] for line in lines if line.kind == "g" and line.fields[0] in held}
        if more <= held:
            break
        held |= more
    return {
        line.fields[4]
        for line in lines
        if line.kind == "p"
        and line.fields[0] in held
        and matches(line.fields[1], resource)
        and matches(line.fields[2], action)
        and matches(line.fields[3], app)
    }


def decided(lines: list[Line], names: set[str], resource: str, action: str, app: str) -> bool:
    policy, _faults = combine([convert(lines)])
    access = Access(AccessSettings(), DECLARED, strict=True)
    access._compiled = Compiled(policy, access.permissions)
    project, name = app.split("/")
    facts = EntityFacts(
        ref=f"component:default/{name}", kind="component", namespace="default",
        system=f"system:default/{project}",
    )  # fmt: skip
    subject = Subject(
        principal=Principal(kind="person", name="x"),
        names=tuple(f"provider-group:{item}" for item in names),
    )
    return access.decide(subject, f"{PREFIX}.{RESOURCES[resource]}.{action}", facts).allowed


questions = {
    "names": st.sets(st.sampled_from(("team", "lead")), min_size=1),
    "resource": st.sampled_from(("applications", "logs")),
    "action": st.sampled_from(ACTIONS),
    "app": st.builds("{}/{}".format, st.sampled_from(PROJECTS), st.sampled_from(NAMES)),
}


@settings(max_examples=300, deadline=None)
@given(text=rules(EXACT), **questions)
def test_rules_decide_as_they_do_in_argo_cd(
    text: str, names: set[str], resource: str, action: str, app: str
) -> None:
    lines, faults = read_lines(text, "x.csv")
    assert faults == []
    expected = enforced(lines, names, resource, action, app) == {"allow"}
    assert decided(lines, names, resource, action, app) is expected


@settings(max_examples=300, deadline=None)
@given(text=rules(EXACT + WIDER), **questions)
def test_rules_never_give_more_than_in_argo_cd(
    text: str, names: set[str], resource: str, action: str, app: str
) -> None:
    lines, _faults = read_lines(text, "x.csv")
    if decided(lines, names, resource, action, app):
        assert enforced(lines, names, resource, action, app) == {"allow"}


def policy(text: str, **given: Any) -> list[tuple[str, frozenset[str], Selector, str]]:
    part = policy_of_files([read_file(text.encode(), "p.csv")], **given)
    named = {role.name: role.permissions for role in part.roles}
    return [
        (" ".join(named[item.role]), item.subjects, item.on, str(item.source))
        for item in part.bindings
    ]


def test_a_rule_becomes_a_binding_that_names_its_line() -> None:
    text = "# ours\np, role:dev, applications, sync, shop/web, allow\ng, my-org:a, role:dev\n"
    on = Selector(
        systems=frozenset({"system:default/shop"}), refs=frozenset({"component:default/web"})
    )
    subjects = frozenset({"provider-group:my-org:a"})
    assert policy(text) == [("argocd.application.sync", subjects, on, "p.csv:2")]


@pytest.mark.parametrize(
    ("project", "on"),
    [
        ("system", Selector(systems=frozenset({"system:default/shop"}))),
        ("domain", Selector(domains=frozenset({"domain:default/shop"}))),
        ("namespace", Selector(namespaces=frozenset({"shop"}))),
        ("environment", Selector(environments=frozenset({"shop"}))),
    ],
)
def test_a_project_is_what_the_settings_say(project: str, on: Selector) -> None:
    (found,) = policy("p, team, applications, get, shop/*, allow", project=project)
    assert found[2] == on


def test_people_groups_and_services_can_be_named() -> None:
    text = "\n".join(
        f"p, {name}, applications, get, *, allow"
        for name in ("user:Ada", "group:red", "service:bot", "my-org:a", "everyone")
    )
    assert [next(iter(item[1])) for item in policy(text)] == [
        "user:default/ada", "group:default/red", "service:bot", "provider-group:my-org:a",
        "provider-group:everyone",
    ]  # fmt: skip


def test_the_roles_of_argo_cd_are_there_when_somebody_has_them() -> None:
    assert policy("p, role:dev, applications, get, *, allow") == []
    found = {item[0] for item in policy("g, team, role:admin")}
    assert "argocd.application.sync" in found
    assert "argocd.application.get" in found
    default = policy("", default_role="role:readonly")
    assert {item[1] for item in default} == {frozenset({"signed-in"})}
    assert {item[0].rpartition(".")[2] for item in default} == {"get"}
    assert all(item[2] == EVERYTHING for item in default)


def test_what_cannot_be_said_is_told() -> None:
    text = (
        "p, team, applications, get, sh*/*, allow\n"
        "p, team, applications, get, sh*/*, deny\n"
        "p, team, clusters, get, https://kubernetes.default.svc, allow\n"
        "p, team, applications, get, *, permit\n"
        "p, team, widgets, get, *, allow\n"
        "p, ada@example.org, applications, get, *, allow\n"
        "p, team, applications, get, [*, deny\n"
    )
    part = policy_of_files([read_file(text.encode(), "p.csv")])
    assert {fault.severity for fault in part.faults} == {"note"}
    assert [fault.line for fault in part.faults] == [1, 2, 3, 4, 5, 6, 7]
    denied = [item for item in part.bindings if item.effect == "deny"]
    assert [item.on for item in denied] == [EVERYTHING, EVERYTHING]


def test_a_config_map_is_read_with_all_its_policies() -> None:
    text = """apiVersion: v1
kind: ConfigMap
metadata: {name: argocd-rbac-cm}
data:
  policy.default: role:readonly
  policy.overlay.csv: |
    g, team, role:dev
  policy.csv: |
    # rules
    p, role:dev, applications, sync, shop/*, allow
"""
    file = read_file(text.encode(), "cm.yaml")
    assert not file.faults
    part = policy_of_files([file])
    (synced,) = [item for item in part.bindings if "sync" in item.role or "cm.yaml" in item.role]
    assert synced.subjects == {"provider-group:team"}
    assert str(synced.source) == "cm.yaml:10"
    assert any(item.subjects == {"signed-in"} for item in part.bindings)
    wrong = read_file(text.replace(", allow", "").encode(), "cm.yaml")
    assert [fault.place for fault in wrong.faults] == ["cm.yaml:10"]
    regex = text.replace("  policy.default", "  policy.matchMode: regex\n  policy.default")
    assert [fault.line for fault in read_file(regex.encode(), "cm.yaml").faults] == [5]


def test_rules_that_stand_for_far_too_much_are_refused() -> None:
    text = "\n".join(
        [f"g, team-{number}, hub" for number in range(1000)]
        + [f"g, hub, role:{number}" for number in range(1000)]
    )
    part = policy_of_files([read_file(text.encode(), "p.csv")])
    assert part.bindings == ()
    (fault,) = part.faults
    assert (fault.file, fault.severity) == ("p.csv", "error")


def test_roles_reach_as_far_as_in_casbin() -> None:
    chain = "\n".join(f"g, r{number}, r{number + 1}" for number in range(20))
    found = policy(f"{chain}\np, r10, applications, get, *, allow")
    assert {name for item in found for name in item[1]} == {
        f"provider-group:r{number}" for number in range(11)
    }
