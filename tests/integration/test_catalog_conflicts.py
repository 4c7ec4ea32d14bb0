"""Names that several documents claim, sources that leave, and two readers at once."""

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select

from callboard import events
from callboard.audit.models import audit_entry
from callboard.database import Database
from callboard.entities import EntityRef
from callboard.testing import Clock
from callboard_catalog import models
from callboard_catalog.testing import CatalogSite, descriptor

REF = EntityRef.parse("component:x")


def folder(name: str) -> dict[str, Any]:
    return {"name": name, "type": "folder", "path": name, "paths": ["**/*.yaml"]}


@pytest.fixture
def site(database: Database, tmp_path: Path, clock: Clock) -> CatalogSite:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
    return CatalogSite(database, tmp_path, sources=[folder("one"), folder("two")], now=clock)


def put(site: CatalogSite, path: str, text: str | None) -> None:
    file = site.base / f"{path}.yaml"
    if text is None:
        file.unlink()
    else:
        file.write_text(text)


def served(site: CatalogSite) -> tuple[str, str, str] | None:
    """Give the source, path and title of the entity all of these tests are about."""
    found, provenance = site.service.get(REF), site.service.provenance(REF)
    if found is None or provenance is None:
        return None
    return provenance.source, provenance.path, found.title


def conflicts(site: CatalogSite) -> list[tuple[str, str, int, str]]:
    return [
        (item.source, item.path, item.line, str(item.message))
        for item in site.service.problems(kind="conflict")
    ]


def test_two_sources(site: CatalogSite, clock: Clock) -> None:
    put(site, "one/a", descriptor("x", title="One"))
    put(site, "two/b", "# two\n" + descriptor("x", title="Two"))
    site.read()
    assert served(site) == ("one", "a.yaml", "One")
    message = "Another source holds this name already."
    assert conflicts(site) == [("two", "b.yaml", 2, message)]
    [problem] = site.service.problems(REF)[:1]
    assert (problem.other, problem.since, problem.served) == ("one", clock(), True)
    first = site.service.get(REF)
    assert first is not None

    clock.advance(60)
    put(site, "two/b", descriptor("x", title="Two, later"))
    site.read()
    assert served(site) == ("one", "a.yaml", "One")
    [problem] = site.service.problems(kind="conflict")
    assert problem.since != clock()

    put(site, "one/a", None)
    put(site, "one/other", descriptor("other"))
    site.read()
    assert served(site) == ("two", "b.yaml", "Two, later")
    assert conflicts(site) == []
    second = site.service.get(REF)
    assert second is not None
    assert second.uid == first.uid
    assert [str(item.target) for item in second.relations] == ["group:default/team"]
    assert [hit.title for hit in site.service.search("later")] == ["Two, later"]

    # It is the other's now, and is followed there.
    put(site, "two/b", descriptor("x", title="Two, last"))
    site.read()
    assert served(site) == ("two", "b.yaml", "Two, last")


def test_two_files_of_one_source(site: CatalogSite) -> None:
    put(site, "one/a", descriptor("x", title="A"))
    put(site, "one/b", descriptor("x", title="B"))
    site.read()
    message = "Another file of this source holds this name already."
    assert served(site) == ("one", "a.yaml", "A")
    assert conflicts(site) == [("one", "b.yaml", 1, message)]
    put(site, "one/a", descriptor("y"))
    site.read()
    assert served(site) == ("one", "b.yaml", "B")
    assert conflicts(site) == []
    put(site, "one/a", descriptor("x", title="A"))
    site.read()
    assert served(site) == ("one", "b.yaml", "B")
    assert conflicts(site) == [("one", "a.yaml", 1, message)]


def test_both_files_change_at_once(site: CatalogSite) -> None:
    put(site, "one/a", descriptor("x", title="A"))
    put(site, "one/b", descriptor("x", title="B"))
    site.read()
    put(site, "one/a", descriptor("y"))
    put(site, "one/b", descriptor("x", title="B2"))
    site.read()
    assert served(site) == ("one", "b.yaml", "B2")
    assert conflicts(site) == []
    put(site, "one/b", None)
    site.read()
    assert served(site) is None


def test_twice_in_one_file(site: CatalogSite) -> None:
    put(site, "one/a", descriptor("x", title="A") + "---\n" + descriptor("X", title="B"))
    site.read()
    message = "Another document of this file holds this name already."
    assert served(site) == ("one", "a.yaml", "A")
    assert conflicts(site) == [("one", "a.yaml", 3, message)]
    put(site, "one/a", descriptor("X", title="B"))
    site.read()
    assert served(site) == ("one", "a.yaml", "B")
    assert conflicts(site) == []


def test_the_first_in_line_is_served(site: CatalogSite, clock: Clock) -> None:
    for name in ("a", "b", "c"):
        put(site, f"one/{name}", descriptor("x", title=name))
        site.read()
        clock.advance(60)
    put(site, "one/b", descriptor("x", title="b, later"))
    site.read()
    put(site, "one/a", None)
    site.read()
    assert served(site) == ("one", "b.yaml", "b, later")
    assert [path for _, path, *_ in conflicts(site)] == ["c.yaml"]


def test_a_good_document_takes_over_from_a_bad_one(site: CatalogSite) -> None:
    put(site, "one/a", descriptor("x", title="A"))
    put(site, "one/b", descriptor("x", title="B"))
    site.read()
    put(site, "one/a", "a: [\n")
    site.read()
    assert served(site) == ("one", "a.yaml", "A")
    put(site, "one/a", None)
    site.read()
    assert served(site) == ("one", "b.yaml", "B")


def test_a_removed_source_is_emptied(site: CatalogSite) -> None:
    put(site, "one/a", descriptor("x", title="One") + "---\n" + descriptor("only"))
    put(site, "one/bad", "a: [\n")
    put(site, "two/b", descriptor("x", title="Two"))
    site.read()
    assert site.service.problem_counts()["rejected"] == 1
    site.configure(sources=[folder("two")])
    assert [item.name for item in site.service.sources()] == ["two"]
    site.engine.forget()
    assert site.service.problem_counts() == {
        "rejected": 0,
        "conflict": 0,
        "dangling": 1,
        "stale": 0,
        "warning": 0,
    }
    assert served(site) == ("two", "b.yaml", "Two")
    assert site.get("component:only") is None
    with site.database.read() as connection:
        entries = connection.execute(select(audit_entry.c.action, audit_entry.c.subject)).all()
        told = [(item.kind, item.subject) for item in events.read(connection, 0)]
        for table in (models.source, models.source_file, models.claim, models.rejected):
            rows = connection.scalar(select(func.count()).select_from(table))
            assert rows == (1 if table.name.startswith("source") else 0)
    assert ("catalog.source.remove", "one") in [tuple(entry) for entry in entries]
    assert ("catalog.entity.delete", "component:default/only") in [tuple(row) for row in entries]
    assert ("catalog.entity.deleted", "component:default/only") in told


def test_a_source_that_comes_back_while_it_is_emptied(site: CatalogSite) -> None:
    put(site, "one/a", descriptor("x"))
    put(site, "one/b", descriptor("y"))
    site.read()
    site.configure(sources=[folder("two")])
    # Killed in the middle: one file is gone, the source is not.
    with site.database.write() as connection:
        connection.execute(models.entity.delete().where(models.entity.c.ref == str(REF)))
        connection.execute(models.source_file.delete().where(models.source_file.c.path == "a.yaml"))
    site.configure(sources=[folder("one"), folder("two")])
    site.read()
    assert served(site) == ("one", "a.yaml", "x")
    site.engine.forget()
    assert site.service.counts() == {"component": 2}


def test_a_source_whose_paths_change_is_read_again(site: CatalogSite) -> None:
    put(site, "one/a", descriptor("x"))
    put(site, "one/b", descriptor("y"))
    site.read()
    site.configure(sources=[{**folder("one"), "paths": ["b.yaml"]}])
    site.read()
    site.engine.forget()
    assert served(site) is None
    assert site.get("component:y")


def test_two_readers_at_once(site: CatalogSite, tmp_path: Path) -> None:
    for at in range(150):
        put(site, f"one/{at:03}", descriptor(f"c{at}", tags=[f"t{at % 7}"]))
    put(site, "one/bad", "a: [\n")
    failures: list[BaseException] = []
    barrier = threading.Barrier(2)

    def reader() -> Callable[[], None]:
        other = CatalogSite(
            site.database, tmp_path, sources=[folder("one"), folder("two")], now=site.now
        )

        def run() -> None:
            try:
                barrier.wait()
                other.engine.read("one")
            except BaseException as error:
                failures.append(error)

        return run

    def run_both() -> None:
        threads = [threading.Thread(target=reader()) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    run_both()
    assert failures == []
    assert consistent(site) == (150, 150, 1)
    for at in range(0, 150, 3):
        put(site, f"one/{at:03}", None)
    for at in range(1, 150, 3):
        put(site, f"one/{at:03}", descriptor(f"c{at}", title=f"New {at}"))
    run_both()
    assert failures == []
    assert consistent(site) == (100, 100, 1)
    assert site.engine.read("one").unchanged


def consistent(site: CatalogSite) -> tuple[int, int, int]:
    with site.database.read() as connection:
        entities = connection.scalar(select(func.count()).select_from(models.entity))
        indexed = connection.exec_driver_sql("SELECT count(*) FROM entity_text").scalar()
        rejected = connection.scalar(select(func.count()).select_from(models.rejected))
        claims = connection.scalar(select(func.count()).select_from(models.claim))
        relations = connection.execute(select(models.relation)).all()
    assert claims == 0
    assert len(relations) == len(set(map(tuple, relations))) == entities
    return int(entities or 0), int(indexed or 0), int(rejected or 0)
