"""What an entity was before: kept in the transaction of the change, replayed to each document."""

import json
import subprocess
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import func, select

from callboard.database import Database
from callboard.entities import EntityRef
from callboard.testing import Clock
from callboard_catalog import models
from callboard_catalog.history import Version, changed_paths
from callboard_catalog.testing import CatalogSite, descriptor

SOURCE = {"name": "main", "type": "folder", "path": "main", "paths": ["*.yaml"]}
REF = EntityRef.parse("component:default/it")


@pytest.fixture
def site(database: Database, tmp_path: Path, clock: Clock) -> CatalogSite:
    (tmp_path / "main").mkdir()
    return CatalogSite(database, tmp_path, sources=[SOURCE], now=clock)


def write(site: CatalogSite, file: str, text: str) -> None:
    path = site.base / "main" / file
    path.write_text(text) if text else path.unlink()
    site.read("main")


def history(site: CatalogSite, ref: EntityRef = REF) -> Sequence[Version]:
    return site.service.history(ref, limit=1000)


def count(site: CatalogSite) -> int:
    with site.database.read() as connection:
        return connection.scalar(select(func.count()).select_from(models.entity_version)) or 0


def test_a_first_read_writes_no_history(site: CatalogSite) -> None:
    write(site, "a.yaml", descriptor("it"))
    assert count(site) == 0


def test_a_change_keeps_what_was_there_and_says_which_parts_differ(
    site: CatalogSite, clock: Clock
) -> None:
    write(site, "a.yaml", descriptor("it", tags=["old"]))
    clock.advance(60)
    write(site, "a.yaml", descriptor("it", tags=["new"], spec={"owner": "others"}))
    (version,) = history(site)
    assert (version.action, version.source, version.path) == ("updated", "main", "a.yaml")
    assert version.changed == ["metadata.tags", "spec.owner"]
    assert version.at == clock()
    assert version.before is not None
    assert version.after is not None
    assert version.before["metadata"]["tags"] == ["old"]
    assert version.after["metadata"]["tags"] == ["new"]
    assert version.head


def test_moving_to_another_line_or_reading_again_is_no_change(site: CatalogSite) -> None:
    write(site, "a.yaml", descriptor("it"))
    write(site, "a.yaml", "# a note\n" + descriptor("other") + "---\n" + descriptor("it"))
    site.read("main")
    assert count(site) == 0


def test_what_leaves_and_comes_back_keeps_its_history(site: CatalogSite) -> None:
    write(site, "rest.yaml", descriptor("rest"))
    write(site, "a.yaml", descriptor("it", title="First"))
    write(site, "a.yaml", "")
    assert site.get(str(REF)) is None
    write(site, "b.yaml", descriptor("it", title="Again"))
    returned, removed = history(site)
    assert [returned.action, removed.action] == ["returned", "removed"]
    assert removed.path == "a.yaml"
    assert removed.before is not None
    assert removed.before["metadata"]["title"] == "First"
    assert removed.after is returned.before is None
    assert returned.after is not None
    assert returned.after["metadata"]["title"] == "Again"


def test_another_source_that_takes_over_is_named(
    database: Database, tmp_path: Path, clock: Clock
) -> None:
    sources = [{**SOURCE, "name": name, "path": name} for name in ("one", "two")]
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / f"{name}.yaml").write_text(descriptor("it", title=name))
    site = CatalogSite(database, tmp_path, sources=sources, now=clock)
    site.read("one", "two")
    (tmp_path / "one/one.yaml").write_text(descriptor("rest"))
    site.read("one")
    (version,) = history(site)
    assert (version.source, version.path) == ("two", "two.yaml")
    assert "metadata.title" in version.changed


def test_the_commit_that_brought_a_change_is_kept(
    database: Database, tmp_path: Path, clock: Clock
) -> None:
    work = tmp_path / "work"
    work.mkdir()

    def git(*arguments: str) -> str:
        named = ["-c", "user.name=Wang Fang 王芳", "-c", "user.email=w@example.com"]
        command = ["git", *named, *arguments]
        done = subprocess.run(command, cwd=work, check=True, capture_output=True, text=True)
        return done.stdout.strip()

    def commit(message: str, file: str, text: str) -> str:
        (work / file).write_text(text)
        git("add", "-A")
        git("commit", "-q", "-m", message)
        return git("rev-parse", "HEAD")

    git("init", "-q", "-b", "main")
    commit("Begin", "catalog-info.yaml", descriptor("it"))
    source = {"name": "main", "type": "git", "url": str(work), "branch": "main"}
    site = CatalogSite(database, tmp_path, sources=[source], now=clock)
    site.read("main")
    wanted = commit("Give it a title <b>", "catalog-info.yaml", descriptor("it", title="It"))
    head = commit("Something else", "README.md", "text")
    site.read("main")
    (version,) = history(site)
    assert version.head == head
    assert version.commit is not None
    assert version.commit.hash == wanted
    assert version.commit.author == "Wang Fang 王芳"
    assert version.commit.subject == "Give it a title <b>"
    (work / "catalog-info.yaml").unlink()
    gone = commit("Take it out", "README.md", "more")
    site.read("main")
    removed = history(site)[0]
    assert removed.action == "removed"
    assert removed.commit is not None
    assert removed.commit.hash == gone


def test_pages_of_history_join(site: CatalogSite) -> None:
    for number in range(6):
        write(site, "a.yaml", descriptor("it", title=f"Title {number}"))
    whole = history(site)
    paged = list(site.service.history(REF, limit=2))
    while len(paged) < len(whole):
        paged += site.service.history(REF, limit=2, upto=paged[-1].id - 1)
    assert paged == list(whole)
    last = site.service.last_change(REF)
    assert last is not None
    assert last.id == whole[0].id
    assert site.service.change_count(REF) == len(whole) == 5


def test_history_is_bounded(site: CatalogSite, clock: Clock) -> None:
    site.configure(history={"keep": "10d", "versions": 3})
    for number in range(6):
        write(site, "a.yaml", descriptor("it", title=f"Title {number}"))
    newest = [version.id for version in history(site)][:3]
    assert site.engine.prune_history() == 2
    assert [version.id for version in history(site)] == newest
    clock.advance(timedelta(days=11))
    write(site, "a.yaml", descriptor("it", title="New"))
    assert site.engine.prune_history() == 3
    assert site.engine.prune_history() == 0
    (version,) = history(site)
    assert version.before is not None
    assert version.before["metadata"]["title"] == "Title 5"


words = st.text(st.characters(exclude_categories=("Cs", "Cc")), min_size=1, max_size=8).filter(
    lambda text: text.strip() == text
)
documents = st.none() | st.fixed_dictionaries(
    {},
    optional={
        "title": words,
        "description": words,
        "tags": st.lists(st.sampled_from(["a", "b", "c"]), unique=True, max_size=3),
        "annotations": st.dictionaries(st.sampled_from(["example.com/a", "b"]), words, max_size=2),
        "links": st.lists(st.fixed_dictionaries({"url": st.just("https://e.example")}), max_size=2),
    },
)


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(states=st.lists(documents, min_size=1, max_size=6))
def test_history_replays_to_each_earlier_document(
    site: CatalogSite, states: Sequence[dict[str, Any] | None]
) -> None:
    file = site.base / "main/a.yaml"
    known = [version.id for version in history(site)]
    seen: list[str | None] = [_plain(site)]
    for state in states:
        file.unlink(missing_ok=True)
        if state is not None:
            file.write_text(descriptor("it", **state))
        (site.base / "main/rest.yaml").write_text(descriptor("rest"))
        site.read("main")
        now = _plain(site)
        if now != seen[-1]:
            seen.append(now)
    replayed: list[str | None] = [_plain(site)]
    for version in history(site):
        if version.id in known:
            break
        assert _text(version.after) == replayed[-1]
        replayed.append(_text(version.before))
        if version.before is not None and version.after is not None:
            assert version.changed == changed_paths(version.before, version.after)
    # The first time that it is there has no row.
    if known or seen[0] is not None:
        assert replayed[::-1] == seen
    else:
        first = next((index for index, text in enumerate(seen) if text), len(seen) - 1)
        assert replayed[::-1] == seen[first:]


def _plain(site: CatalogSite) -> str | None:
    entity = site.get(str(REF))
    return _text(entity.document) if entity else None


def _text(document: Any) -> str | None:
    return json.dumps(document, sort_keys=True) if document else None


@pytest.mark.parametrize(
    ("before", "after", "paths"),
    [
        ({"a": 1}, {"a": 1}, []),
        ({"a": 1}, {"a": 2, "b": None}, ["a"]),
        ({"spec": {"x": [1]}}, {"spec": {"x": [1, 2]}}, ["spec.x"]),
        ({"metadata": {"etag": "1", "uid": "2"}}, {"metadata": {}}, []),
        ({"a": {"b": 1}}, {"a": 1}, ["a"]),
        ({}, {"spec": {"owner": "x"}}, ["spec"]),
        ({"spec": {"x": True}}, {"spec": {"x": 1}}, ["spec.x"]),
    ],
)
def test_changed_paths(before: dict[str, Any], after: dict[str, Any], paths: list[str]) -> None:
    assert changed_paths(before, after) == paths


def test_changed_paths_are_bounded() -> None:
    assert len(changed_paths({}, {str(n): n for n in range(1000)})) == 100
    assert changed_paths({}, {"k" * 1000: 1}) == ["k" * 200]
