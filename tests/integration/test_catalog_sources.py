"""Git repositories and plugins as sources; processors and kinds; sources that fail and recover."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterable, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from callboard import events
from callboard.contributions import (
    EntityProcessor,
    EntitySource,
    ProcessorContext,
    SourceContext,
    SourceDocument,
)
from callboard.database import Database
from callboard.kinds import Kind, KindField, KindRelation
from callboard.plugins import Contributed, Contributions
from callboard.testing import Clock
from callboard_catalog.source_states import SourceState
from callboard_catalog.sources import folder as folders
from callboard_catalog.testing import CatalogSite, descriptor

GIT = {"name": "code", "type": "git", "url": "code", "paths": ["**/*.yaml"]}


class Repository:
    """A repository that commits are made in."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.mkdir()
        self.git("init", "-q", "-b", "main")

    def git(self, *arguments: str) -> str:
        environment = {
            "PATH": os.environ["PATH"],
            "GIT_CONFIG_GLOBAL": os.devnull,
            "GIT_CONFIG_SYSTEM": os.devnull,
            **{f"GIT_{who}_{what}": "a@example.com" for who in ("AUTHOR", "COMMITTER")
               for what in ("NAME", "EMAIL")},
        }  # fmt: skip
        done = subprocess.run(
            ["git", *arguments], cwd=self.path, env=environment, check=True, capture_output=True
        )
        return done.stdout.decode().strip()

    def commit(self, files: Mapping[str, str | None]) -> str:
        for name, text in files.items():
            file = self.path / name
            file.parent.mkdir(parents=True, exist_ok=True)
            if text is None:
                file.unlink()
            else:
                file.write_text(text)
        self.git("add", "-A")
        self.git("commit", "-q", "-m", "Change", "--allow-empty")
        return self.git("rev-parse", "HEAD")


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    return Repository(tmp_path / "code")


@pytest.fixture
def site(database: Database, tmp_path: Path, clock: Clock) -> CatalogSite:
    return CatalogSite(
        database, tmp_path, sources=[{**GIT, "url": str(tmp_path / "code")}], now=clock
    )


def state(site: CatalogSite, name: str = "code") -> SourceState:
    found = site.service.source(name)
    assert found is not None
    return found


def names(site: CatalogSite) -> list[str]:
    return [item.ref.name for item in site.service.find(kind="component")]


def told(site: CatalogSite, kind: str) -> list[str]:
    with site.database.read() as connection:
        return [item.subject for item in events.read(connection, 0, kinds=[kind])]


def test_a_repository(site: CatalogSite, repository: Repository) -> None:
    commit = repository.commit({"catalog-info.yaml": descriptor("a"), "x/b.yaml": descriptor("b")})
    site.read()
    assert names(site) == ["a", "b"]
    assert (state(site).head, state(site).files, state(site).state) == (commit, 2, "ok")
    found = site.get("component:b")
    assert found is not None
    place = found.annotations["backstage.io/managed-by-location"]
    assert place == f"url:{repository.path.as_uri()}#x/b.yaml"
    changed = repository.commit({"README": "nothing about entities"})
    result = site.read()
    assert (result.files, result.version, state(site).head) == (0, changed, changed)
    repository.commit({"x/b.yaml": None, "c.yaml": descriptor("c")})
    site.read()
    assert names(site) == ["a", "c"]


def test_a_head_that_has_not_moved_is_asked_for_and_no_more(
    site: CatalogSite, repository: Repository
) -> None:
    repository.commit({"a.yaml": descriptor("a")})
    site.read()
    mirrors = site.base / "var/git"
    shutil.rmtree(mirrors)
    assert site.read().unchanged
    assert not mirrors.exists()
    repository.commit({"a.yaml": descriptor("a", title="A")})
    site.read()
    assert mirrors.exists()


def test_a_branch(site: CatalogSite, repository: Repository) -> None:
    repository.commit({"a.yaml": descriptor("a")})
    repository.git("switch", "-q", "-c", "next")
    repository.commit({"a.yaml": descriptor("next")})
    site.configure(sources=[{**GIT, "url": str(repository.path), "branch": "next"}])
    site.read()
    assert names(site) == ["next"]
    site.configure(sources=[{**GIT, "url": str(repository.path), "branch": "gone"}])
    site.read()
    assert names(site) == ["next"]
    assert state(site).state == "failing"
    assert "gone" in str(state(site).error)


def test_links_and_modules_are_not_followed(site: CatalogSite, repository: Repository) -> None:
    repository.path.joinpath("passwd.yaml").symlink_to("/etc/passwd")
    repository.commit({"a.yaml": descriptor("a", "API", spec={"definition": {"$text": "l.txt"}})})
    repository.path.joinpath("l.txt").symlink_to("/etc/hostname")
    repository.commit({})
    site.read()
    assert names(site) == []
    assert {item.path for item in site.service.problems(kind="rejected")} == {"a.yaml"}


def test_a_repository_that_fails_and_recovers(
    site: CatalogSite, repository: Repository, clock: Clock
) -> None:
    repository.commit({"a.yaml": descriptor("a")})
    site.read()
    success = clock()
    hidden = repository.path.rename(site.base / "hidden")
    clock.advance(60)
    since = clock()
    assert "no folder" in site.read().error
    assert names(site) == ["a"]
    assert (state(site).state, state(site).failing_since) == ("failing", since)
    assert state(site).last_success_at == success
    assert state(site).hint
    clock.advance(3600)
    generation = site.service.generation()
    site.read()
    assert (state(site).failing_since, site.service.generation()) == (since, generation)
    # Failing otherwise is told, but it is the same time of failing.
    repository.path.mkdir()
    clock.advance(60)
    site.read()
    assert state(site).failing_since == since
    assert told(site, "catalog.source.failed") == ["code", "code"]
    repository.path.rmdir()
    hidden.rename(repository.path)
    clock.advance(60)
    site.read()
    recovered = state(site)
    assert (recovered.state, recovered.error, recovered.failing_since) == ("ok", "", None)
    assert recovered.last_success_at == clock()


def test_an_empty_repository_keeps_what_there_was(
    site: CatalogSite, repository: Repository
) -> None:
    site.read()
    assert state(site).state == "failing"
    repository.commit({"a.yaml": descriptor("a")})
    site.read()
    assert (state(site).state, names(site)) == ("ok", ["a"])
    shutil.rmtree(repository.path)
    Repository(repository.path)
    site.read()
    assert (state(site).state, names(site)) == ("failing", ["a"])


def test_a_repository_without_descriptors_says_so(
    site: CatalogSite, repository: Repository, clock: Clock
) -> None:
    repository.commit({"README": "x"})
    site.read()
    since = clock()
    assert (state(site).state, state(site).failing_since) == ("failing", since)
    assert "paths" in str(state(site).hint)
    clock.advance(60)
    generation = site.service.generation()
    site.read()
    assert site.service.generation() == generation
    assert state(site).failing_since == since


def test_a_repository_that_may_not_be_read(database: Database, tmp_path: Path) -> None:
    (tmp_path / "site").mkdir()
    Repository(tmp_path / "outside").commit({"a.yaml": descriptor("a")})
    source = {**GIT, "url": str(tmp_path / "outside")}
    site = CatalogSite(database, tmp_path / "site", sources=[source])
    site.read()
    assert names(site) == []
    assert "in no folder of git.allow_local" in str(state(site).error)


def test_a_large_file_is_rejected_and_kept(site: CatalogSite, repository: Repository) -> None:
    repository.commit({"a.yaml": descriptor("a"), "b.yaml": descriptor("b")})
    site.read()
    repository.commit({"a.yaml": descriptor("a", description="x" * 6_000_000)})
    site.read()
    assert names(site) == ["a", "b"]
    assert [item.code for item in site.service.problems(kind="rejected")] == ["too-large"]
    # Also where the catalog would take more than the helper for repositories does.
    site.configure(limits={"file_size": 20_000_000})
    site.read()
    assert names(site) == ["a", "b"]
    assert [item.code for item in site.service.problems(kind="rejected")] == ["file-unreadable"]


def test_a_folder_that_goes_and_one_of_too_many_files(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "main").mkdir()
    (tmp_path / "main/a.yaml").write_text(descriptor("a"))
    source = {"name": "code", "type": "folder", "path": "main", "paths": ["*.yaml"]}
    site = CatalogSite(database, tmp_path, sources=[source])
    site.read()
    (tmp_path / "main").rename(tmp_path / "away")
    site.read()
    assert (state(site).state, names(site)) == ("failing", ["a"])
    (tmp_path / "main").mkdir()
    site.read()
    assert "is empty" in str(state(site).error)
    assert names(site) == ["a"]
    (tmp_path / "main").rmdir()
    (tmp_path / "away").rename(tmp_path / "main")
    site.read()
    assert state(site).state == "ok"
    monkeypatch.setattr(folders, "MAXIMUM_FILES", 2)
    for at in range(3):
        (tmp_path / f"main/{at}.yaml").write_text(descriptor(f"c{at}"))
    site.read()
    assert (state(site).state, names(site)) == ("failing", ["a"])
    assert "more than 2 files" in str(state(site).error)


# Plugins


class Plugin:
    """An entity source whose documents, version and failure a test sets."""

    def __init__(self) -> None:
        self.documents: list[SourceDocument] = []
        self.now: str | None = None
        self.failure: Exception | None = None
        self.reads: list[str] = []

    def read(self, context: SourceContext) -> Iterable[SourceDocument]:
        self.reads.append(context.version)
        if self.failure:
            raise self.failure
        return iter(self.documents)

    def version(self, context: SourceContext) -> str:
        assert self.now is not None
        return self.now

    def put(self, **documents: Any) -> None:
        self.documents = [SourceDocument(path=k, content=v) for k, v in documents.items()]

    def contributions(self, *, versions: bool = False) -> Contributions:
        source = EntitySource(
            name="things",
            title="Things",
            read=self.read,
            version=self.version if versions else None,
            every=timedelta(minutes=1),
        )
        return Contributions(entity_sources=(Contributed("hello", source),))


def thing(name: str, **spec: Any) -> dict[str, Any]:
    return {
        "apiVersion": "backstage.io/v1alpha1",
        "kind": "Component",
        "metadata": {"name": name},
        "spec": {"type": "service", "lifecycle": "production", "owner": "team", **spec},
    }


@pytest.fixture
def plugin() -> Plugin:
    return Plugin()


@pytest.fixture
def plugin_site(database: Database, tmp_path: Path, clock: Clock, plugin: Plugin) -> CatalogSite:
    return CatalogSite(database, tmp_path, contributions=plugin.contributions(), now=clock)


def test_documents_of_a_plugin(plugin_site: CatalogSite, plugin: Plugin) -> None:
    site = plugin_site
    plugin.put(a=thing("a"), many=descriptor("b") + "---\n" + descriptor("c"), bad="a: [\n")
    site.read()
    assert names(site) == ["a", "b", "c"]
    assert state(site, "hello.things").rejected == 1
    assert site.read().unchanged
    plugin.put(a=thing("a"), many=descriptor("c"))
    site.read()
    assert names(site) == ["a", "c"]
    plugin.put()
    site.read()
    assert names(site) == []


def test_documents_that_are_no_json(plugin_site: CatalogSite, plugin: Plugin) -> None:
    circle: dict[str, Any] = {}
    circle["circle"] = circle
    plugin.put(
        keys={1: "x"}, deep=thing("d", x={2: 3}), sets=thing("s", x={1}), circle=circle,
        half="\ud800", halves=thing("h", x="\ud800"), huge=thing("i", x=2**70), good=thing("good"),
    )  # fmt: skip
    plugin_site.read()
    assert names(plugin_site) == ["good"]
    rejected = plugin_site.service.problems(kind="rejected")
    assert {item.code for item in rejected} == {"not-json"}
    assert len(rejected) == 7
    assert "str" in next(str(item.message) for item in rejected if item.path == "keys")


def test_two_documents_of_one_path(plugin_site: CatalogSite, plugin: Plugin) -> None:
    plugin.documents = [SourceDocument(path="p", content=thing(name)) for name in ("a", "b", "c")]
    plugin_site.read()
    assert names(plugin_site) == ["a", "b", "c"]
    assert plugin_site.read().unchanged


def test_a_plugin_that_raises(plugin_site: CatalogSite, plugin: Plugin, clock: Clock) -> None:
    site = plugin_site
    plugin.put(a=thing("a"))
    site.read()
    plugin.failure = RuntimeError("no network\0")
    clock.advance(60)
    since = clock()
    result = site.read()
    assert "RuntimeError: no network" in result.error
    assert "e-" in result.error
    assert names(site) == ["a"]
    generation = site.service.generation()
    clock.advance(60)
    site.read()
    assert site.service.generation() == generation
    assert state(site, "hello.things").failing_since == since
    plugin.failure = None
    site.read()
    assert state(site, "hello.things").state == "ok"


def test_a_plugin_that_gives_nonsense(plugin_site: CatalogSite, plugin: Plugin) -> None:
    plugin.put(a=thing("a"))
    plugin_site.read()
    for nonsense in ([1], [SourceDocument(path=1, content="")], 7):  # type: ignore[arg-type]
        plugin.documents = nonsense  # type: ignore[assignment]
        assert plugin_site.read().error
        assert names(plugin_site) == ["a"]


def test_the_same_version_is_not_read(plugin_site: CatalogSite, plugin: Plugin) -> None:
    plugin.now = "1"
    plugin_site.configure(contributions=plugin.contributions(versions=True))
    plugin.put(a=thing("a"))
    plugin_site.read()
    plugin_site.read()
    plugin.now = "2"
    plugin_site.read()
    assert plugin.reads == ["", "1"]


def test_a_plugin_that_is_removed(plugin_site: CatalogSite, plugin: Plugin) -> None:
    plugin.put(a=thing("a"))
    plugin_site.read()
    plugin_site.configure(contributions=Contributions(kinds=()))
    plugin_site.engine.forget()
    assert names(plugin_site) == []


# Processors and kinds


def processing(*processors: EntityProcessor) -> Contributions:
    return Contributions(
        entity_processors=tuple(Contributed("hello", processor) for processor in processors)
    )


def test_processors(site: CatalogSite, repository: Repository) -> None:
    seen = []

    def label(document: Mapping[str, Any], context: ProcessorContext) -> Mapping[str, Any]:
        seen.append((context.host.plugin, context.source, context.path))
        metadata = {**document["metadata"], "labels": {"seen": "yes"}}
        return {**document, "metadata": metadata}

    def fail(document: Mapping[str, Any], context: ProcessorContext) -> None:
        document["metadata"]["title"] = "half done"
        raise RuntimeError("no")

    def scribble(document: Mapping[str, Any], context: ProcessorContext) -> None:
        document["metadata"]["title"] = "scribbled"

    def nonsense(document: Mapping[str, Any], context: ProcessorContext) -> Mapping[str, Any]:
        return {**document, "spec": {**document["spec"], "x": {1, 2}}}

    repository.commit({"a.yaml": descriptor("a")})
    site.configure(
        contributions=processing(
            EntityProcessor(name="label", process=label),
            EntityProcessor(name="fail", process=fail),
            EntityProcessor(name="scribble", process=scribble),
            EntityProcessor(name="nonsense", process=nonsense),
        )
    )
    site.read()
    found = site.get("component:a")
    assert found is not None
    assert (found.labels, found.title) == ({"seen": "yes"}, "a")
    assert "x" not in found.spec
    assert seen == [("hello", "code", "a.yaml")]
    warnings = site.service.problems(kind="warning")
    assert [item.code for item in warnings] == ["processor-failed", "processor-failed"]
    assert [plugin for plugin, _, _ in site.reported] == ["hello", "hello"]
    assert {str(item.ref) for item in warnings} == {"component:default/a"}
    assert "hello.fail" in str(warnings[0].message)


def test_a_new_version_of_a_processor_reads_everything(
    site: CatalogSite, repository: Repository
) -> None:
    def title(document: Mapping[str, Any], context: ProcessorContext) -> Mapping[str, Any]:
        return {**document, "metadata": {**document["metadata"], "title": text[0]}}

    text = ["first"]
    repository.commit({"a.yaml": descriptor("a"), "b.yaml": descriptor("b")})
    site.configure(contributions=processing(EntityProcessor(name="title", process=title)))
    site.read()
    text[0] = "second"
    assert site.read().unchanged
    processor = EntityProcessor(name="title", process=title, version="2")
    site.configure(contributions=processing(processor))
    assert len(site.read().changes.updated) == 2
    site.configure(contributions=Contributions(kinds=()))
    site.read()
    assert {item.title for item in site.service.find()} == {"a", "b"}


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"kind": "Nonsense"}, "unknown-kind"),
        ({"metadata": {"name": "not a name"}}, "bad-name"),
        ({"metadata": {"name": "a", "title": "\0"}}, "bad-character"),
    ],
)
def test_what_processors_make_is_checked(
    site: CatalogSite, repository: Repository, change: dict[str, Any], code: str
) -> None:
    repository.commit({"a.yaml": descriptor("a")})
    processor = EntityProcessor(name="change", process=lambda document, _: {**document, **change})
    site.configure(contributions=processing(processor))
    site.read()
    assert names(site) == []
    assert [item.code for item in site.service.problems(kind="rejected")] == [code]


def test_a_processor_may_change_the_kind(site: CatalogSite, repository: Repository) -> None:
    repository.commit({"a.yaml": descriptor("a")})
    site.read()
    processor = EntityProcessor(
        name="kind", process=lambda document, _: {**document, "kind": "Resource"}
    )
    site.configure(contributions=processing(processor))
    site.read()
    assert site.service.counts() == {"resource": 1}


CLUSTER = Kind(
    name="Cluster",
    api_versions=("example.com/v1",),
    title="Cluster",
    fields=(KindField(name="region", required=True),),
    relations=(
        KindRelation(path="runs", relation="runs", reverse="runsOn", default_kind="component"),
    ),
)
CLUSTER_TEXT = descriptor("c", "Cluster", spec={"region": "cn-1", "runs": ["a"]}).replace(
    "backstage.io/v1alpha1", "example.com/v1"
)


def test_kinds_of_plugins_and_of_the_site(site: CatalogSite, repository: Repository) -> None:
    repository.commit({"a.yaml": descriptor("a"), "c.yaml": CLUSTER_TEXT})
    site.read()
    assert [item.code for item in site.service.problems(kind="rejected")] == ["unknown-kind"]
    # The same files are read again once the kind is known.
    site.configure(contributions=Contributions(kinds=(Contributed("hello", CLUSTER),)))
    site.read()
    assert site.service.problems(kind="rejected") == []
    found = site.get("component:a")
    assert found is not None
    assert [str(item) for item in found.related("runsOn")] == ["cluster:default/c"]
    declared = {
        "name": "Cluster",
        "api_versions": ["example.com/v1"],
        "title": "Cluster",
        "schema": {"type": "object", "required": ["zone"]},
    }
    site.configure(contributions=Contributions(jobs=()), kinds=[declared])
    site.read()
    [problem] = site.service.problems(kind="rejected")
    assert (problem.code, problem.served, problem.path) == ("bad-spec", True, "c.yaml")
    assert site.get("cluster:c")


def test_the_fingerprint_is_the_same_in_every_process(tmp_path: Path) -> None:
    script = (
        "import sys; from callboard_catalog.descriptors import BUILT_IN_KINDS, KindRegistry\n"
        "print(repr(KindRegistry(BUILT_IN_KINDS).kinds()))"
    )
    made = {
        subprocess.run(
            [sys.executable, "-c", script], check=True, capture_output=True,
            env={**os.environ, "PYTHONHASHSEED": seed},
        ).stdout
        for seed in ("1", "2")
    }  # fmt: skip
    assert len(made) == 1


def test_looking_writes_nothing_and_names_what_moved(
    site: CatalogSite, repository: Repository, clock: Clock
) -> None:
    repository.commit({"a.yaml": descriptor("a")})
    assert site.engine.moved() == ["code"]
    site.read()
    assert site.engine.moved() == []
    clock.advance(300)
    assert site.engine.moved() == []
    repository.commit({"a.yaml": descriptor("a", title="A")})
    assert site.engine.moved() == []
    clock.advance(300)
    assert site.engine.moved() == ["code"]
