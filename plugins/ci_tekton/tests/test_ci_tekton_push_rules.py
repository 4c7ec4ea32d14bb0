"""Rules and their words, apart from hosts and clusters: what fits, and what is put in."""

import re
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callboard.errors import InputError
from callboard_ci_tekton.push.files import read_rules
from callboard_ci_tekton.push.model import News, Plan, Verdict
from callboard_ci_tekton.push.rules import useless, verdict, verdict_of_file
from callboard_ci_tekton.push.settings import Allowance, FileRule, PushSettings, Rule
from callboard_ci_tekton.push.words import filled, filled_list, plain_name

COMMIT = "da1560886d4f094c3e6c9ef40349f7d38b5d27d7"
PARTS = st.text(st.sampled_from("abc1-_"), min_size=1, max_size=6)
NAMES = st.lists(PARTS, min_size=1, max_size=4).map("/".join)


EVERYWHERE = Allowance(
    repositories=("**",), cluster="build", namespaces=("builds",), pipelines=("*",)
)


def rule(**more: object) -> Rule:
    given_ = {"name": "build", "repositories": ["**"], "cluster": "build", "namespace": "builds",
              "pipeline": "build"}  # fmt: skip
    return Rule.model_validate({**given_, **more})


def news(**more: object) -> News:
    known: dict[str, object] = {
        "kind": "push", "repository": "git.example.org/shop/orders", "branch": "main",
        "address": "https://git.example.org/shop/orders.git", "commit": COMMIT, "files": ("a.py",),
    }  # fmt: skip
    return News(**{**known, **more})  # type: ignore[arg-type]


def plan_of(found: Verdict | None) -> Plan | None:
    assert found is not None
    return found.plan


@given(NAMES)
def test_a_reference_is_known_by_its_plain_name(name: str) -> None:
    assert plain_name(f"refs/heads/{name}") == name
    assert plain_name(f"refs/tags/{name}") == name
    assert plain_name(plain_name(f"refs/heads/{name}")) == name
    # A branch may bear any name: only one prefix of Git's own is taken away.
    assert plain_name(f"refs/heads/refs/heads/{name}") == f"refs/heads/{name}"


@given(NAMES, NAMES)
def test_globs_keep_to_their_part_of_a_name(name: str, other: str) -> None:
    fits = plan_of(verdict(rule(branches=["release/*"]), news(branch=name))) is not None
    assert fits == (name.count("/") == 1 and name.startswith("release/"))
    assert plan_of(verdict(rule(branches=[name]), news(branch=name)))
    assert bool(plan_of(verdict(rule(branches=[other]), news(branch=name)))) == (name == other)
    assert plan_of(verdict(rule(branches=["**"]), news(branch=name)))
    below = plan_of(verdict(rule(paths=[f"{other}/**"]), news(files=(f"{other}/{name}",))))
    assert below is not None
    nowhere = plan_of(verdict(rule(paths=[f"{other}/**"]), news(files=(f"x{other}/{name}",))))
    assert nowhere is None


@given(NAMES, NAMES)
def test_paths_begin_at_the_root_and_end_with_a_file_or_a_folder(name: str, other: str) -> None:
    def fits(pattern: str, *files: str) -> bool:
        own = FileRule.model_validate({"name": "a", "pipeline": "p", "paths": [pattern]})
        found = [verdict(rule(paths=[pattern]), news(files=files)),
                 verdict_of_file(own, EVERYWHERE, news(files=files))]  # fmt: skip
        counted = plan_of(verdict(rule(ignore=[pattern]), news(files=files))) is not None
        assert [one is not None and one.plan is not None for one in found] == [not counted] * 2
        return not counted

    assert fits(f"/{name}", name)
    assert not fits(f"/{name}", f"x/{name}")
    assert not fits(f"/{name}", f"{name}/x")
    for pattern in (f"/{name}/", f"{name}/", f"/{name}/**"):
        assert fits(pattern, f"{name}/{other}")
        assert not fits(pattern, f"x/{name}/{other}")
        assert not fits(pattern, f"{name}x/{other}")
    assert fits("/", name)


def test_a_file_and_a_folder_are_named_as_they_stand_in_the_repository() -> None:
    changed = news(files=("services/cart/pom.xml",))
    for pattern in ("/services/cart/pom.xml", "/services/cart/", "services/*/", "/**/pom.xml"):
        assert plan_of(verdict(rule(paths=[pattern]), changed)), pattern
    for pattern in ("/cart/pom.xml", "/cart/", "/services/cart", "/pom.xml"):
        assert plan_of(verdict(rule(paths=[pattern]), changed)) is None, pattern


@given(st.lists(NAMES, max_size=5), st.lists(NAMES, min_size=1, max_size=3))
def test_a_rule_with_paths_fits_where_one_file_counts(files: list[str], ignored: list[str]) -> None:
    found = plan_of(verdict(rule(ignore=ignored), news(files=tuple(files))))
    assert (found is not None) == bool(set(files) - set(ignored))
    unknown = verdict(rule(paths=ignored, ignore=ignored), news(files=None))
    assert plan_of(unknown)
    assert "did not tell all changed files" in str(unknown and unknown.reason)


@given(st.text(max_size=40))
def test_what_was_pushed_is_put_in_and_not_looked_at_again(actor: str) -> None:
    values = {"actor": actor, "branch": "{{ actor }}"}
    assert filled("by {{ actor }}", values) == f"by {actor}"
    assert filled("{{branch}}", values) == "{{ actor }}"
    assert filled_list(["{{ changed }}", "{{ actor }}"], values, ["a", "b"]) == ["a", "b", actor]


@given(st.text(st.sampled_from("{} acht"), max_size=20))
def test_texts_of_any_shape_are_filled_or_refused(text: str) -> None:
    if any(inside.strip() != "changed" for inside in re.findall(r"\{\{(.*?)\}\}", text)):
        with pytest.raises(ValueError, match="stands for nothing"):
            filled(text, {})
    else:
        assert filled(text, {}) == re.sub(r"\{\{.*?\}\}", "", text)


def test_the_values_of_a_run() -> None:
    given_ = {
        "url": "{{ repository }}", "ref": "{{ branch }}@{{ revision }}", "who": "{{ actor }}",
        "files": ["{{ changed }}"], "number": "{{ number }}", "none": "{{ tag }}",
    }  # fmt: skip
    found = plan_of(verdict(rule(parameters=given_), news(branch="release/1.2", actor="li")))
    assert found is not None
    assert found.parameters == {
        "url": "https://git.example.org/shop/orders.git", "ref": f"release/1.2@{COMMIT}",
        "who": "li", "files": ["a.py"], "number": "", "none": "",
    }  # fmt: skip
    assert Plan.of_data(found.to_data()) == found


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"commit": ""}, "It was deleted."),
        ({"before": COMMIT}, "The push is empty: nothing has moved."),
        ({"actor": "renovate[bot]"}, "Pushes of renovate[bot] start nothing, by the settings."),
        ({"title": "Bump [skip ci]"}, "The commit asks for no run, by its message."),
        ({"kind": "merge_request", "action": "merged"}, "no new commits"),
        ({"kind": "merge_request", "action": "opened", "number": 7}, None),
        ({}, None),
    ],
)
def test_what_starts_nothing(changed: dict[str, object], said: str | None) -> None:
    found = useless(news(**changed), PushSettings().ignore_actors)
    assert (found is None) == (said is None)
    assert said is None or said in str(found)


def test_what_a_rule_is_for() -> None:
    assert verdict(rule(repositories=["git.example.org/bank/*"]), news()) is None
    merge = {"kind": "merge_request", "action": "opened", "number": 7, "files": None}
    assert plan_of(verdict(rule(), news(**merge))) is None
    both = rule(events=["push", "merge_request"], branches=["main"])
    assert plan_of(verdict(both, news(**merge)))
    assert plan_of(verdict(both, news(**merge, fork=True))) is None
    assert plan_of(verdict(rule(events=["merge_request"], forks=True), news(**merge, fork=True)))
    tags = rule(events=["tag"], tags=["v*"], branches=["main"])
    assert plan_of(verdict(tags, news(kind="tag", branch="", tag="v1")))
    assert plan_of(verdict(tags, news(kind="tag", branch="", tag="x1"))) is None


def test_a_repository_starts_only_what_it_may() -> None:
    allowed = Allowance.model_validate({
        "repositories": ["**"], "cluster": "build", "namespaces": ["builds", "tests"],
        "pipelines": ["build-*"], "service_accounts": ["builder"],
        "workspaces": [{"name": "source", "emptyDir": {}}],
    })  # fmt: skip

    def said(**more: object) -> Verdict:
        own = FileRule.model_validate({"name": "own", "pipeline": "build-java", **more})
        return verdict_of_file(own, allowed, news())

    plan = said().plan
    assert plan is not None
    assert (plan.cluster, plan.namespace, plan.workspaces) == (
        "build", "builds", ({"name": "source", "emptyDir": {}},)
    )  # fmt: skip
    assert said(namespace="tests", service_account="builder", cluster="build").plan
    for wrong in (
        {"pipeline": "deploy"}, {"namespace": "production"}, {"cluster": "production"},
        {"service_account": "admin"}, {"workspaces": [{"name": "x", "secret": {}}]},
    ):  # fmt: skip
        refused = said(**wrong)
        assert (refused.plan, refused.failed) == (None, True), wrong
        assert next(iter(wrong)) in str(refused.reason)
    fork = verdict_of_file(
        FileRule.model_validate({"name": "own", "pipeline": "build-java", "forks": True,
                                 "events": ["merge_request"]}),
        allowed, news(kind="merge_request", action="opened", number=7, fork=True),
    )  # fmt: skip
    assert fork.plan is None


@pytest.mark.parametrize(
    "content",
    [
        b"rules: &a [*a]", b"a: &a [1]\nrules: *a", b"rules: 1", b"- x", b"\xff", b"{[}: 1",
        b"rules: []\nrules: []", b"rules: [{name: a}]", b"rules: [{name: a, pipeline: p, x: 1}]",
        b"rules: [{name: a, pipeline: p}, {name: a, pipeline: p}]", b"!!python/object:os.x {}",
        b"rules: [{name: a, pipeline: p, parameters: {x: '{{ secret }}'}}]", b"#" * 70_000,
    ],
)  # fmt: skip
def test_a_file_that_cannot_be_used_says_why(content: bytes) -> None:
    with pytest.raises(InputError, match=r"ci\.yaml"):
        read_rules(content, ".callboard/ci.yaml")


@given(st.binary(max_size=60))
def test_a_file_of_any_bytes_is_read_or_refused(content: bytes) -> None:
    with suppress(InputError):
        assert isinstance(read_rules(content, "ci.yaml"), tuple)


def test_settings_that_cannot_work_are_refused() -> None:
    every: tuple[dict[str, object], ...] = (
        {"pipeline": ""}, {"parameters": {"x": "{{ nobody }}"}}, {"branches": [""]},
        {"listener": "https://el.example"}, {"listener": "ftp://el", "pipeline": "",
                                            "listener_secret": "s"}, {"events": []},
    )  # fmt: skip
    for wrong in every:
        with pytest.raises(ValueError, match=r"expected|at least|pattern|nothing"):
            rule(**wrong)
    with pytest.raises(ValueError, match="once"):
        PushSettings.model_validate({"rules": [rule(), rule()]})
