"""Entities that are handed in: what is written, what is told of each, and what is left alone."""

import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import orjson
import pytest
from sqlalchemy import select

from callboard import events
from callboard.audit.models import audit_entry
from callboard.database import Database, metadata
from callboard.errors import ConflictError, InputError, NotAllowedError, NotFoundError
from callboard.testing import Clock
from callboard_catalog import models
from callboard_catalog.descriptors import DEFAULT_LIMITS
from callboard_catalog.pushing import Push, PushResult, read_entities, read_yaml
from callboard_catalog.pushing.service import Asker
from callboard_catalog.testing import CatalogSite, descriptor

ADA = Asker(by="token:1", owner="service:ada")
BOB = Asker(by="token:2", owner="service:bob")
CHIEF = Asker(by="person:chief", owner="person:chief", administers=True)
FOLDER = {"name": "files", "type": "folder", "path": "files", "paths": ["*.yaml"]}
SOURCE = "pipeline"


@pytest.fixture
def site(database: Database, tmp_path: Path, clock: Clock) -> CatalogSite:
    (tmp_path / "files").mkdir()
    (tmp_path / "files/team.yaml").write_text(descriptor("team", "Group"))
    site = CatalogSite(database, tmp_path, sources=[FOLDER], now=clock)
    site.read()
    return site


def thing(name: str, kind: str = "Component", *, spec: Any = None, **metadata: Any) -> Any:
    return orjson.loads(descriptor(name, kind, spec=spec, **metadata))


def push(
    site: CatalogSite, *entities: Any, asker: Asker = ADA, mode: Any = "full", **more: Any
) -> PushResult:
    source = more.pop("source", SOURCE)
    asked = Push(source=source, mode=mode, documents=read_entities(entities), **more)
    return site.engine.pusher.push(asked, asker)


def told(result: PushResult) -> list[tuple[str, str]]:
    return [(item.ref.partition("/")[2], item.result) for item in result.results]


def tables(database: Database) -> dict[str, list[str]]:
    with database.read() as connection:
        return {
            table.name: sorted(map(repr, connection.execute(select(table))))
            for table in metadata.sorted_tables
        }


def names(site: CatalogSite) -> set[str]:
    return {item.name for item in site.service.find(kind="component")}


def test_a_full_push_then_the_same_again(site: CatalogSite, clock: Clock) -> None:
    result = push(site, thing("a"), thing("b"))
    assert (told(result), result.new) == ([("a", "created"), ("b", "created")], True)
    found = site.get("component:a")
    assert found is not None
    assert found.annotations["backstage.io/managed-by-location"] == "push:pipeline"
    assert found.annotations["backstage.io/managed-by-origin-location"] == "push:pipeline"
    provenance = site.service.provenance(found.ref)
    assert provenance is not None
    assert (provenance.source, provenance.path) == (SOURCE, "component/default/a")
    clock.advance(60)
    before = tables(site.database)
    again = push(site, thing("b"), thing("a"))
    assert told(again) == [("b", "unchanged"), ("a", "unchanged")]
    assert tables(site.database) == before


def test_a_full_push_takes_out_what_it_does_not_name(site: CatalogSite) -> None:
    push(site, thing("a"), thing("b", title="Old"))
    result = push(site, thing("b", title="New"), thing("c"))
    assert told(result) == [("b", "updated"), ("c", "created"), ("a", "removed")]
    assert names(site) == {"b", "c"}
    assert result.counts == {"updated": 1, "created": 1, "removed": 1}


def test_a_delta_leaves_the_rest(site: CatalogSite) -> None:
    push(site, thing("a"), thing("b"))
    result = push(site, thing("c"), mode="delta", removed=["Component:default/A", "component:none"])
    assert told(result) == [("c", "created"), ("a", "removed"), ("none", "unchanged")]
    assert names(site) == {"b", "c"}
    again = push(site, thing("c"), mode="delta", removed=["component:a"])
    assert told(again) == [("c", "unchanged"), ("a", "unchanged")]


def test_one_rejected_hides_none_and_keeps_its_last_good_version(site: CatalogSite) -> None:
    push(site, thing("a", title="Good"), thing("b"))
    bad = thing("a", title="Bad")
    del bad["spec"]["owner"]
    for _ in range(2):  # told the same when nothing has changed
        result = push(site, bad, thing("b", title="New"), thing("c"))
        (first, *_others) = result.results
        assert (first.ref, first.result) == ("component:default/a", "rejected")
        (error,) = first.errors
        assert error.key == "spec.owner"
        assert error.code == "missing-spec.owner"
    found = site.get("component:a")
    assert found is not None
    assert found.title == "Good"
    assert names(site) == {"a", "b", "c"}
    (problem,) = site.service.problems(kind="rejected")
    assert (problem.source, problem.path, problem.served) == (SOURCE, "component/default/a", True)
    assert [str(item.ref) for item in site.service.problems(kind="stale")] == [
        "component:default/a"
    ]
    assert told(push(site, thing("a", title="Mended"), mode="delta")) == [("a", "updated")]
    assert site.service.problems(kind="stale") == []


def test_what_was_expected_is_told_by_key(site: CatalogSite) -> None:
    result = push(site, thing("a", tags="java"))
    (error,) = result.results[0].errors
    assert (error.key, str(error.expected)) == ("metadata.tags", "a list of texts")


def test_what_is_rejected_is_kept_as_text_within_bounds(site: CatalogSite) -> None:
    long = thing("long", spec={"type": 1, "lines": ["x" * 5000, *["word"] * 30_000]})
    push(site, long, thing("good"))
    (problem,) = site.service.problems(kind="rejected")
    assert problem.pushed
    blob = site.service.blob(SOURCE, problem.path)
    text = site.engine.kept(SOURCE, problem.path, blob)
    assert text is not None
    lines = text.splitlines()
    assert b'"apiVersion"' in lines[1]
    assert len(text) <= 64 * 1024
    assert max(map(len, lines)) == 300
    assert site.engine.kept(SOURCE, problem.path, "another") is None
    assert site.engine.kept(SOURCE, "component/default/good", blob) is None
    push(site, thing("good"))
    assert len(tables(site.database)["pushed_text"]) == 0


def test_lines_of_keys_are_those_of_the_text(site: CatalogSite) -> None:
    push(site, thing("a", spec={"lifecycle": 7, "type": "x", "owner": "y"}))
    (problem,) = site.service.problems(kind="rejected")
    text = site.engine.kept(SOURCE, problem.path, site.service.blob(SOURCE, problem.path)) or b""
    assert b'"lifecycle": 7' in text.splitlines()[problem.line - 1]


def test_a_document_without_a_name_takes_nothing_out(site: CatalogSite) -> None:
    push(site, thing("a"), thing("b"))
    result = push(site, {"kind": "Component"}, thing("b"))
    assert result.kept
    assert names(site) == {"a", "b"}
    assert [item.result for item in result.results] == ["rejected", "unchanged"]
    assert len(site.service.problems(kind="rejected")) >= 1
    # In a delta it could never be mended, so it is only told of.
    result = push(site, {"kind": "API"}, mode="delta")
    assert [item.result for item in result.results] == ["rejected"]
    assert {item.path for item in site.service.problems(source=SOURCE)} == {
        item.path for item in site.service.problems(kind="rejected")
    }
    assert push(site, thing("b")).counts == {"unchanged": 1, "removed": 1}
    assert site.service.problems(source=SOURCE) == []


def test_twice_in_one_push(site: CatalogSite) -> None:
    result = push(site, thing("a", title="First"), thing("A", title="Second"))
    assert told(result) == [("a", "created"), ("a", "rejected")]
    assert result.results[1].errors[0].code == "duplicate-document"


def test_yaml_of_several_documents(site: CatalogSite) -> None:
    text = descriptor("a") + "---\n{broken\n---\n# nothing\n---\n" + descriptor("b")
    asked = Push(source=SOURCE, mode="full", documents=read_yaml(text.encode(), DEFAULT_LIMITS))
    result = site.engine.pusher.push(asked, ADA)
    assert [item.result for item in result.results] == ["created", "rejected", "created"]
    assert names(site) == {"a", "b"}
    assert result.kept


def test_a_dry_run_tells_the_same_and_writes_nothing(site: CatalogSite) -> None:
    push(site, thing("a"), thing("b"))
    before, generation = tables(site.database), site.service.generation()
    given = (thing("a", title="New"), thing("c"), {"kind": "x"}, thing("team", "Group"))
    dry = push(site, *given, dry_run=True)
    assert tables(site.database) == before
    assert site.service.generation() == generation
    real = push(site, *given)
    assert dry.results == real.results
    assert dry.counts == real.counts
    assert push(site, thing("z"), source="never", dry_run=True).new
    assert site.service.source("never") is None


def test_conflicts_with_another_source(site: CatalogSite) -> None:
    result = push(site, thing("team", "Group", title="Mine"))
    (item,) = result.results
    assert (item.result, item.held_by) == ("conflict", "files")
    (problem,) = site.service.problems(kind="conflict")
    assert (problem.source, problem.other) == (SOURCE, "files")
    assert told(push(site, thing("team", "Group", title="Mine"))) == [("team", "conflict")]
    (site.base / "files/team.yaml").write_text(descriptor("other", "Group"))
    site.read()
    assert told(push(site, thing("team", "Group", title="Mine"))) == [("team", "unchanged")]


def test_a_source_belongs_to_who_pushed_first(site: CatalogSite) -> None:
    push(site, thing("a"))
    with pytest.raises(NotAllowedError, match="belongs to service:ada"):
        push(site, thing("b"), asker=BOB)
    # Another token of the same account, and one who may administer.
    push(site, thing("b"), asker=Asker(by="token:7", owner="service:ada"))
    push(site, thing("c"), asker=CHIEF)
    known = site.engine.pusher.sources()[SOURCE]
    assert (known.owner, known.pushed_by) == ("service:ada", "person:chief")
    with pytest.raises(ConflictError):
        push(site, thing("a"), source="files")


def test_a_pushed_source_outlives_a_start_and_goes_when_removed(site: CatalogSite) -> None:
    push(site, thing("a"))
    site.configure()
    site.engine.forget()
    site.read()
    assert names(site) == {"a"}
    pusher = site.engine.pusher
    for asker, error in ((BOB, NotAllowedError), (ADA, None), (ADA, NotFoundError)):
        with site.database.write() as connection:
            if error is None:
                pusher.remove_in(connection, SOURCE, asker)
                continue
            with pytest.raises(error):
                pusher.remove_in(connection, SOURCE, asker)
    with pytest.raises(ConflictError, match="being removed"):
        push(site, thing("a"))
    site.engine.forget()
    assert names(site) == set()
    assert pusher.sources() == {}
    assert told(push(site, thing("b"), asker=BOB)) == [("b", "created")]


def test_kinds_that_change_are_applied_to_what_is_pushed_again(site: CatalogSite) -> None:
    scan = {"apiVersion": "x.example/v1", "kind": "Scan", "metadata": {"name": "s"}, "spec": {}}
    assert push(site, scan).results[0].result == "rejected"
    kind = {"name": "Scan", "api_versions": ["x.example/v1"], "title": "Scan"}
    site.configure(kinds=[kind])
    assert push(site, scan).results[0].result == "created"


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        (Push(source="No Name", mode="full"), "lower-case letters"),
        (Push(source="x", mode="full", removed=["component:a"]), "full push removes"),
        (Push(source="x", mode="delta", removed=["component:a"] * 2_001), "at most 2000"),
        (Push(source="x", mode="delta", removed=["a:b:c/d/e"]), "a:b:c/d/e"),
        (Push(source="x", mode="delta", removed=["component:" + "a" * 300]), "250"),
        (
            Push(
                source="x", mode="delta", removed=["component:a"],
                documents=read_entities([thing("a")]),
            ),
            "given and removed",
        ),
    ],
)  # fmt: skip
def test_pushes_that_cannot_be(site: CatalogSite, asked: Push, words: str) -> None:
    before = tables(site.database)
    with pytest.raises(InputError, match=words):
        site.engine.pusher.push(asked, ADA)
    assert tables(site.database) == before


def test_hostile_documents_are_rejected_one_by_one(site: CatalogSite) -> None:
    deep: Any = {}
    for _ in range(150):
        deep = {"a": deep}
    given: Sequence[Any] = (
        None, 1, "text", [], deep, {"kind": "x\0", "metadata": {"name": "a\0"}},
        {"kind": "Component", "metadata": {"name": "n" * 100_000}}, thing("a", title="\0"),
        {"kind": "Component", "metadata": {"name": "../../x"}}, thing("good"),
    )  # fmt: skip
    result = push(site, *given)
    assert [item.result for item in result.results] == ["rejected"] * (len(given) - 1) + ["created"]
    assert push(site, thing("good")).counts["unchanged"] == 1


def test_placeholders_and_locations_lead_nowhere(site: CatalogSite) -> None:
    location = {
        "apiVersion": "backstage.io/v1alpha1", "kind": "Location", "metadata": {"name": "l"},
        "spec": {"target": "https://example.invalid/x.yaml"},
    }  # fmt: skip
    secret = thing("a", description={"$text": "/etc/passwd"})
    result = push(site, location, secret)
    assert [item.result for item in result.results] == ["created", "rejected"]
    with site.database.read() as connection:
        files = connection.execute(select(models.source_file.c.targets)).scalars().all()
    assert set(files) == {None}


def test_events_and_audit(site: CatalogSite) -> None:
    push(site, thing("a"))
    with site.database.read() as connection:
        told = [(item.kind, item.subject) for item in events.read(connection, 0)]
        audited = connection.execute(select(audit_entry.c.action, audit_entry.c.subject)).all()
    assert told.count(("catalog.entity.created", "component:default/a")) == 1
    assert told.count(("catalog.source.pushed", SOURCE)) == 1
    assert ("catalog.entity.push", SOURCE) in [tuple(row) for row in audited]
    assert ("catalog.source.add", SOURCE) in [tuple(row) for row in audited]


def test_two_pushes_at_once_come_one_after_the_other(site: CatalogSite) -> None:
    failures: list[BaseException] = []
    results: list[PushResult] = []
    barrier = threading.Barrier(4)

    def run(number: int) -> None:
        try:
            barrier.wait()
            own = [thing(f"own-{number}-{at}") for at in range(10)]
            results.append(push(site, *own, thing("shared", title=f"T{number}"), mode="delta"))
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=run, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert len(names(site)) == 41
    shared = sorted(item.result for one in results for item in one.results if "shared" in item.ref)
    assert shared == ["created", "updated", "updated", "updated"]
    assert sum(result.new for result in results) == 1
