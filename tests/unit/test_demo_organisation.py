"""The sample organisation: repeatable, resumable, and valid but for the faults it is to show."""

import fnmatch
import os
import re
import shutil
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from callboard.entities import EntityRef
from callboard.errors import CallboardError
from callboard_web.demo import DemoRepository, build_organisation, demo_configuration
from callboard_web.demo.description import read_story
from callboard_web.demo.history import Changelog, growth, plan_commits, spread

NOW = datetime(2026, 11, 20, 6, 30, tzinfo=UTC)
NAME = re.compile(r"[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?")
LABEL_KEY = re.compile(r"[a-z0-9.-]+/[a-z0-9-]+")
TAG = re.compile(r"[a-z0-9:+#]+(-[a-z0-9:+#]+)*")
# The default kind of a reference in each field of `spec` (the Backstage descriptor format).
REFERENCES = {
    "owner": "group",
    "system": "system",
    "domain": "domain",
    "subcomponentOf": "component",
    "providesApis": "api",
    "consumesApis": "api",
    "dependsOn": None,
    "parent": "group",
    "children": "group",
    "memberOf": "group",
}
REQUIRED = {
    "Component": {"type", "lifecycle", "owner"},
    "API": {"type", "lifecycle", "owner", "definition"},
    "Resource": {"type", "owner"},
    "System": {"owner"},
    "Domain": {"owner"},
    "Group": {"type", "children"},
    "User": {"memberOf"},
    "Template": {"type", "steps"},
    "Location": {"targets"},
}
Document = Mapping[str, Any]


def git(path: Path, *arguments: str) -> str:
    command = ["git", f"--git-dir={path}", "-c", "core.quotePath=false", *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def heads(repositories: list[DemoRepository]) -> dict[str, str]:
    return {repository.name: git(repository.path, "show-ref") for repository in repositories}


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> list[DemoRepository]:
    return build_organisation(tmp_path_factory.mktemp("demo"), now=NOW)


@pytest.fixture(scope="module")
def by_name(built: list[DemoRepository]) -> dict[str, DemoRepository]:
    return {repository.name: repository for repository in built}


@pytest.fixture(scope="module")
def documents(built: list[DemoRepository]) -> list[tuple[str, Document]]:
    """Every document the configured sources lead to, with its `repository:path`."""
    directory = built[0].path.parent
    sources = yaml.safe_load(demo_configuration(directory, "sqlite://", 8000))["catalog"]["sources"]
    found: list[tuple[str, Document]] = []
    for repository, source in zip(built, sources, strict=True):
        assert source["name"] == repository.name
        files = git(repository.path, "ls-tree", "-r", "--name-only", "main").splitlines()
        found.extend(read(repository, files, source["paths"]))
    return found


def read(
    repository: DemoRepository, files: list[str], globs: list[str]
) -> Iterator[tuple[str, Document]]:
    for glob in globs:
        paths = [path for path in files if matches(path, glob)]
        assert paths, f"{repository.name}: nothing matches {glob}"
        for path in paths:
            for document in yaml.safe_load_all(git(repository.path, "show", f"main:{path}")):
                yield f"{repository.name}:{path}", document
                if document["kind"] == "Location":
                    targets = [target.removeprefix("./") for target in document["spec"]["targets"]]
                    yield from read(repository, files, targets)


def matches(path: str, glob: str) -> bool:
    return path.count("/") == glob.count("/") and fnmatch.fnmatchcase(path, glob)


def reference(document: Document) -> str:
    return str(EntityRef.of(document["kind"], "default", document["metadata"]["name"]))


def targets(document: Document) -> Iterator[str]:
    for field, kind in REFERENCES.items():
        value = document["spec"].get(field, [])
        for text in [value] if isinstance(value, str) else value:
            yield str(EntityRef.parse(text, default_kind=kind))


def placeholders(value: object) -> Iterator[str]:
    if isinstance(value, dict):
        for key, content in value.items():
            if key in ("$text", "$yaml"):
                yield content
            else:
                yield from placeholders(content)


def faults(document: Document) -> list[str]:
    metadata = document["metadata"]
    found = [f"no {field}" for field in REQUIRED[document["kind"]] - document["spec"].keys()]
    found += [f"tag {tag}" for tag in metadata.get("tags", []) if not TAG.fullmatch(tag)]
    found += [f"name {metadata['name']}"] * (not NAME.fullmatch(metadata["name"]))
    for key, value in metadata.get("labels", {}).items():
        if not (LABEL_KEY.fullmatch(key) and NAME.fullmatch(value)):
            found.append(f"label {key}")
    for link in metadata.get("links", []):
        if not link["url"].startswith("https://"):
            found.append(f"link {link['url']}")
    return sorted(found)


def test_the_same_moment_gives_the_same_hashes(
    built: list[DemoRepository], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = tmp_path / "gitconfig"
    settings.write_text("[user]\nname = Somebody\n[init]\ndefaultBranch = trunk\n")
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(settings))
    monkeypatch.setenv("GIT_AUTHOR_DATE", "2001-01-01T00:00:00Z")
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "elsewhere"))
    again = build_organisation(tmp_path / "again", now=NOW)
    assert heads(again) == heads(built)


def test_complete_repositories_are_kept_and_an_unfinished_one_is_made_anew(
    built: list[DemoRepository], tmp_path: Path
) -> None:
    directory = tmp_path / "demo"
    first = build_organisation(directory, now=NOW)
    kept, lost = first[0].path / "kept", first[3]
    kept.touch()
    lost.path.rename(directory / f".{lost.name}.unfinished")
    shutil.rmtree(directory / f".{lost.name}.unfinished" / "objects")
    assert build_organisation(directory, now=NOW) == first
    assert kept.exists()
    assert heads(first) == heads(built)
    assert not list(directory.glob("*.unfinished"))


def test_a_killed_build_is_carried_on(built: list[DemoRepository], tmp_path: Path) -> None:
    """`kill -9` the process while Git reads the middle of a repository."""
    kill_the_caller = (
        'case "$*" in *.payment-service.*fast-import*)'
        " head -c 40000 >/dev/null; kill -9 $PPID; exit 1;; esac"
    )
    environment = os.environ | {"PATH": git_that_does(tmp_path, kill_the_caller)}
    directory = tmp_path / "demo"
    program = (
        "import pathlib, sys, datetime; from callboard_web.demo import build_organisation;"
        "build_organisation(pathlib.Path(sys.argv[1]),"
        " now=datetime.datetime.fromisoformat(sys.argv[2]))"
    )
    command = [sys.executable, "-c", program, str(directory), NOW.isoformat()]
    assert subprocess.run(command, env=environment, check=False).returncode == -signal.SIGKILL
    done = {path.name for path in directory.glob("*.git")}
    assert "order-service.git" in done
    assert "payment-service.git" not in done
    assert heads(build_organisation(directory, now=NOW)) == heads(built)


def test_a_failing_git_is_named_with_its_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", git_that_does(tmp_path, "echo 'fatal: disk full' >&2; exit 128"))
    with pytest.raises(CallboardError, match=r"organisation.*git init.*128.*disk full"):
        build_organisation(tmp_path / "demo", now=NOW)
    monkeypatch.setenv("PATH", str(tmp_path / "nothing"))
    with pytest.raises(CallboardError, match=r"Install git"):
        build_organisation(tmp_path / "demo", now=NOW)


def git_that_does(directory: Path, script: str) -> str:
    """Give a search path whose `git` runs the script before the real one."""
    program = directory / "bin" / "git"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\n{script}\nexec {shutil.which("git")} "$@"\n')
    program.chmod(0o755)
    return f"{program.parent}:{os.environ['PATH']}"


def test_git_finds_nothing_wrong(built: list[DemoRepository]) -> None:
    for repository in built:
        git(repository.path, "fsck", "--strict", "--no-dangling")
        assert git(repository.path, "rev-parse", "--is-bare-repository").strip() == "true"
        assert git(repository.path, "symbolic-ref", "HEAD").strip() == "refs/heads/main"


def test_the_head_holds_the_shipped_files(by_name: dict[str, DemoRepository]) -> None:
    shipped = Path(__file__).parents[2] / "web/callboard_web/demo/repositories"
    assert {path.name for path in shipped.iterdir()} == set(by_name)
    for name, repository in by_name.items():
        files = git(repository.path, "ls-tree", "-r", "--name-only", "main").splitlines()
        expected = {
            path.relative_to(shipped / name).as_posix()
            for path in (shipped / name).rglob("*")
            if path.is_file()
        }
        assert set(files) == expected | {"CHANGELOG.md"}
    java = "src/main/java/com/yunhebank/order/OrderService.java"
    head = git(by_name["order-service"].path, "show", f"main:{java}")
    assert head == (shipped / "order-service" / java).read_text(encoding="utf-8")


def test_histories_are_spread_over_working_days_and_people(built: list[DemoRepository]) -> None:
    for repository in built:
        lines = git(repository.path, "log", "--format=%aI %ae", "main").splitlines()
        moments = [datetime.fromisoformat(line.split()[0]) for line in lines]
        assert 20 <= len(moments) <= 150
        assert moments == sorted(moments, reverse=True)
        assert max(moments) <= NOW
        assert max(moments) - min(moments) > timedelta(days=120)
        assert sum(moment.weekday() >= 5 for moment in moments) < len(moments) * 0.2
        assert len({line.split()[1] for line in lines}) >= 2


def test_branches_and_versions(by_name: dict[str, DemoRepository]) -> None:
    for repository in by_name.values():
        branches = git(repository.path, "branch", "--format=%(refname:short)").split()
        assert 2 <= len(branches) <= 3
    order = by_name["order-service"].path
    assert git(order, "rev-parse", "release/2.7") == git(order, "rev-parse", "v2.7.4^{commit}")
    assert git(order, "cat-file", "-t", "v2.7.4").strip() == "tag"
    assert git(order, "rev-list", "--count", "main..feat/split-order").strip() == "4"


def test_one_repository_is_stale_and_one_has_a_recent_feature_branch(
    by_name: dict[str, DemoRepository],
) -> None:
    def quiet(name: str, branch: str) -> timedelta:
        stamp = git(by_name[name].path, "log", "-1", "--format=%aI", branch).strip()
        return NOW - datetime.fromisoformat(stamp)

    stale = [name for name in by_name if quiet(name, "main") > timedelta(days=180)]
    assert stale == ["notification-legacy"]
    assert quiet("notification-legacy", "main") >= timedelta(days=270)
    assert timedelta() <= quiet("order-service", "feat/split-order") < timedelta(days=7)


def test_authors_are_the_people_of_the_organisation(
    built: list[DemoRepository], documents: list[tuple[str, Document]]
) -> None:
    people = {
        (entity["spec"]["profile"]["displayName"], entity["spec"]["profile"]["email"])
        for _, entity in documents
        if entity["kind"] == "User"
    }
    assert all(email.endswith("@example.com") for _, email in people)
    for repository in built:
        lines = git(repository.path, "log", "--all", "--format=%an|%ae").splitlines()
        assert {tuple(line.split("|")) for line in lines} <= people


def test_the_number_of_each_kind(documents: list[tuple[str, Document]]) -> None:
    assert Counter(document["kind"] for _, document in documents) == {
        "Location": 1,
        "Domain": 5,
        "System": 8,
        "Group": 13,
        "User": 26,
        "Component": 36,
        "API": 12,
        "Resource": 16,
        "Template": 2,
    }
    types = {document["spec"]["type"] for _, document in documents if document["kind"] == "API"}
    assert types == {"openapi", "asyncapi", "graphql", "grpc"}


def test_only_one_document_breaks_the_rules(documents: list[tuple[str, Document]]) -> None:
    broken = {place: found for place, document in documents if (found := faults(document))}
    assert broken == {
        "payments-monorepo:clearing-tools/catalog-info.yaml": ["no owner", "tag Month End"]
    }


def test_only_one_entity_is_claimed_twice(documents: list[tuple[str, Document]]) -> None:
    claims: dict[str, list[str]] = {}
    for place, document in documents:
        claims.setdefault(reference(document), []).append(place.split(":")[0])
    assert {name: places for name, places in claims.items() if len(places) > 1} == {
        "component:default/notification-service": ["platform-services", "notification-legacy"]
    }


def test_only_one_relation_dangles(documents: list[tuple[str, Document]]) -> None:
    known = {reference(document) for _, document in documents if not faults(document)}
    dangling = [
        (reference(document), target)
        for _, document in documents
        for target in targets(document)
        if target not in known
    ]
    assert dangling == [("component:default/risk-adapter", "api:default/risk-engine-api")]


def test_every_placeholder_names_a_file(
    by_name: dict[str, DemoRepository], documents: list[tuple[str, Document]]
) -> None:
    count = 0
    for place, document in documents:
        name, path = place.split(":")
        for target in placeholders(document["spec"]):
            content = git(by_name[name].path, "show", f"main:{Path(path).parent / target}")
            assert content.strip()
            count += 1
    assert count == 14


def test_interface_definitions_are_what_they_say(
    by_name: dict[str, DemoRepository], documents: list[tuple[str, Document]]
) -> None:
    beginnings = {
        "openapi": ("openapi: 3.0.", "openapi: 3.1.", "swagger: '2.0'"),
        "asyncapi": ("asyncapi: 3.",),
        "grpc": ('syntax = "proto3"',),
        "graphql": ('"""',),
    }
    seen = set()
    for place, document in documents:
        if document["kind"] == "API":
            name, path = place.split(":")
            file = Path(path).parent / document["spec"]["definition"]["$text"]
            content = git(by_name[name].path, "show", f"main:{file}")
            begins = beginnings[document["spec"]["type"]]
            assert content.startswith(begins)
            seen |= {begin for begin in begins if content.startswith(begin)}
            if document["spec"]["type"] in ("openapi", "asyncapi"):
                assert yaml.safe_load(content)["info"]["title"]
    assert seen == {begin for begins in beginnings.values() for begin in begins}


def test_every_commit_has_descriptors_that_can_be_read(by_name: dict[str, DemoRepository]) -> None:
    path = by_name["order-service"].path
    for commit in git(path, "rev-list", "main", "--", "catalog-info.yaml").split():
        assert list(yaml.safe_load_all(git(path, "show", f"{commit}:catalog-info.yaml")))


def test_the_configuration_has_urls_that_git_reads(tmp_path: Path) -> None:
    directory = tmp_path / "示例 sample 100%"
    repositories = build_organisation(directory, now=NOW)
    settings = yaml.safe_load(demo_configuration(directory, "sqlite:///a.sqlite3", 8123))
    assert settings["portal"] == {
        "title": "Callboard",
        "organisation": "Yunhe Bank 云禾银行",
        "listen": "127.0.0.1:8123",
    }
    assert settings["database"] == {"url": "sqlite:///a.sqlite3"}
    assert settings["git"] == {"allow_local": [str(directory)]}
    sources = settings["catalog"]["sources"]
    assert [source["name"] for source in sources] == [item.name for item in repositories]
    for source in sources[:2]:
        command = ["git", "ls-remote", "--heads", source["url"], source["branch"]]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
        assert done.stdout.endswith("\trefs/heads/main\n")


def test_files_grow_to_what_they_are_and_stay_well_formed() -> None:
    java = "package a;\n\nclass A {\n\n    void b() {\n        c();\n\n        d();\n    }\n}\n"
    states = growth({"A.java": java, "notes.md": "# One\n\nTwo\n", "a.xml": "<a>\n\n</a>\n"})
    assert [text for path, text in states if path == "A.java"] == [
        "package a;\n\nclass A {\n}\n",
        java,
    ]
    assert [text for path, text in states if path == "notes.md"] == ["# One\n", "# One\n\nTwo\n"]
    assert [text for path, text in states if path == "a.xml"] == ["<a>\n\n</a>\n"]


def test_spread_writes_every_last_state_within_the_commits() -> None:
    states = [(f"{number}.md", text) for number in range(9) for text in ("a", "b")]
    writes = spread(states, 4)
    final: dict[str, str] = {}
    for files, _ in writes:
        final |= files
    assert len(writes) == 4
    assert final == {f"{number}.md": "b" for number in range(9)}


def test_the_changelog_gathers_lines_under_each_version() -> None:
    changelog = Changelog()
    changelog.add("feat: one", "", NOW)
    changelog.add("chore(release): v1", "v1", NOW)
    changelog.add("fix: two", "", NOW)
    assert changelog.text() == (
        "# Changelog\n\n## Unreleased 未发布\n\n- fix: two\n\n## v1 (2026-11-20)\n\n- feat: one\n"
    )


@pytest.mark.parametrize("now", [NOW, NOW + timedelta(days=2, hours=10), NOW + timedelta(days=101)])
def test_no_commit_is_older_than_its_parent_or_in_the_future(now: datetime) -> None:
    story = read_story()
    for description in story.repositories:
        commits = plan_commits(description, story, now)
        assert max(commit.when for commit in commits) <= now
        for commit in commits:
            assert commit.parent is None or commits[commit.parent].when <= commit.when
