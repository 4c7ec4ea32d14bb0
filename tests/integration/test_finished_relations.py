"""Relations that are finished say what the rows of relations say, whatever changes."""

import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select, text

from callboard.database import Database
from callboard.testing import Clock
from callboard_catalog import models
from callboard_catalog.pushing import Push, read_entities
from callboard_catalog.pushing.service import Asker
from callboard_catalog.rest import finished as reading
from callboard_catalog.rest.finished import EntityBytes
from callboard_catalog.store import finished as module
from callboard_catalog.store.finished import Finisher, finish
from callboard_catalog.testing import CatalogSite, descriptor

SOURCE = {"name": "main", "type": "folder", "path": "main", "paths": ["*.yaml"]}
FINISHED = models.finished_relations
ASKER = Asker(by="pipeline", owner="pipeline")
NAMES = ("a", "b", "c.d_e-F", "e")


@pytest.fixture(params=["by number", "as a range"])
def site(
    database: Database, tmp_path: Path, clock: Clock, request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
) -> CatalogSite:  # fmt: skip
    """Give a catalog; few rows are read by their numbers, unless a range is asked for."""
    if request.param == "as a range":
        monkeypatch.setattr(reading, "DENSE", 1)
    (tmp_path / "main").mkdir()
    return CatalogSite(database, tmp_path, sources=[SOURCE], now=clock)


def component(name: str, others: Mapping[str, Any]) -> str:
    return descriptor(name, spec={key: value for key, value in others.items() if value})


def write(site: CatalogSite, file: str, *texts: str) -> None:
    path = site.base / "main" / file
    path.unlink(missing_ok=True)
    if texts:
        path.write_text("---\n".join(texts), "utf-8")
    site.read("main")


def kept(site: CatalogSite) -> dict[int, bytes]:
    with site.database.read() as connection:
        return {row.entity_id: row.items for row in connection.execute(select(FINISHED))}


def of_rows(site: CatalogSite) -> dict[int, list[tuple[str, str]]]:
    """Give the relations of each entity, worked out here of the rows."""
    with site.database.read() as connection:
        entities = connection.execute(select(models.entity.c.id, models.entity.c.ref)).all()
        relations = connection.execute(select(models.relation)).all()
    found: dict[str, set[tuple[str, str]]] = {row.ref: set() for row in entities}
    for row in relations:
        found.setdefault(row.source_ref, set()).add((row.type, row.target_ref))
        found.setdefault(row.target_ref, set()).add((row.reverse, row.source_ref))
    return {row.id: sorted(found[row.ref]) for row in entities}


def check(site: CatalogSite) -> None:
    """Compare what is kept, and what is sent with and without it, with the rows."""
    expected = of_rows(site)
    stored = {number: read(b"[%b]" % items) for number, items in kept(site).items()}
    assert stored == {number: expected[number] for number in stored}
    sent = EntityBytes(site.service).finished(list(expected))
    relations = [read(orjson.dumps(orjson.loads(item)["relations"])) for item in sent]
    assert relations == list(expected.values())


def read(items: bytes) -> list[tuple[str, str]]:
    return [(item["type"], item["targetRef"]) for item in orjson.loads(items)]


ref = st.sampled_from([f"component:{name}" for name in (*NAMES, "nowhere")])
relations = st.fixed_dictionaries(
    {
        "owner": st.sampled_from(["team", "other"]),
        "dependsOn": st.lists(ref, max_size=2),
        "dependencyOf": st.lists(ref, max_size=2),
        "lifecycle": st.sampled_from(["production", "experimental"]),
    }
)
contents = st.dictionaries(st.sampled_from(NAMES), relations, max_size=len(NAMES))
steps = st.lists(
    st.one_of(
        st.tuples(st.sampled_from(["a.yaml", "b.yaml"]), contents),
        st.tuples(st.just("push"), contents),
        st.tuples(st.sampled_from(["delete", "restore"]), st.sampled_from(NAMES)),
        st.tuples(st.just("finish"), st.none()),
    ),
    min_size=2,
    max_size=8,
)


@settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(changes=steps)
def test_whatever_changes(site: CatalogSite, changes: list[tuple[str, Any]]) -> None:
    write(site, "team.yaml", descriptor("team", "Group"))
    for what, content in changes:
        _change(site, what, content)
        check(site)
    finish(site.database)
    check(site)
    assert kept(site).keys() == of_rows(site).keys()
    for file in ("a.yaml", "b.yaml"):
        write(site, file)
    site.engine.pusher.push(Push(source="ci", mode="full"), ASKER)
    check(site)


def _change(site: CatalogSite, what: str, content: Any) -> None:
    if what == "finish":
        finish(site.database)
    elif what == "push":
        texts = [component(name, spec) for name, spec in content.items()]
        documents = read_entities([orjson.loads(text) for text in texts])
        site.engine.pusher.push(Push(source="ci", mode="full", documents=documents), ASKER)
    elif what == "delete":
        site.engine.deletions.delete_entity(f"component:default/{content.lower()}")
    elif what == "restore":
        for _, deleted in site.engine.deletions.page():
            if deleted.ref.name == content.lower():
                site.engine.deletions.restore(deleted.uid)
    else:
        write(site, what, *(component(name, spec) for name, spec in content.items()))


def test_only_what_changed_is_made_again(site: CatalogSite) -> None:
    names = [f"n{at}" for at in range(30)]
    write(site, "team.yaml", descriptor("team", "Group"))
    write(site, "a.yaml", *(descriptor(name) for name in names))
    assert finish(site.database) == 31
    assert finish(site.database) == 0
    # None of its relations changed, nor anybody's whom it names.
    write(site, "a.yaml", *(descriptor(name, title="New") for name in names))
    assert finish(site.database) == 0
    write(
        site, "a.yaml",
        descriptor("n0", spec={"dependsOn": ["component:n1"]}), *map(descriptor, names[1:]),
    )  # fmt: skip
    assert finish(site.database) == 2
    write(site, "a.yaml", *map(descriptor, names[1:]))
    assert finish(site.database) == 2  # n1, and the team


def test_it_waits_while_the_catalog_changes(
    site: CatalogSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MOST_WAITS", 2)
    finisher = Finisher(site.database)
    made = []
    for at in range(6):
        write(site, "a.yaml", *(descriptor(f"n{number}") for number in range(at + 1)))
        made.append(finisher.run())
    assert made == [1, 0, 0, 3, 0, 0]
    assert [finisher.run(), finisher.run()] == [2, 0]
    assert len(kept(site)) == 6


def test_two_at_once_and_a_source_that_is_read_meanwhile(
    site: CatalogSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "AT_ONCE", 3)
    write(site, "team.yaml", descriptor("team", "Group"))
    write(site, "a.yaml", *(descriptor(f"n{at}") for at in range(40)))
    stopping = threading.Event()
    failed: list[BaseException] = []

    def work() -> None:
        try:
            while not stopping.is_set():
                finish(site.database)
        except BaseException as error:  # the thread's own; it is raised below
            failed.append(error)

    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    try:
        for turn in range(12):
            others = [f"component:n{at}" for at in range(turn, 40, 5)]
            changing = descriptor("n0", spec={"dependsOn": others[: turn % 4]})
            write(site, "a.yaml", changing, *(descriptor(f"n{at}") for at in range(1, 40 - turn)))
            check_kept(site)
    finally:
        stopping.set()
        for thread in threads:
            thread.join()
    assert not failed
    finish(site.database)
    check(site)


def check_kept(site: CatalogSite) -> None:
    """Compare what is kept with the rows, both of one state."""
    with site.database.hold():
        expected, stored = of_rows(site), kept(site)
    for number, items in stored.items():
        assert read(b"[%b]" % items) == expected[number]


def test_an_index_leads_to_what_is_missing(site: CatalogSite) -> None:
    write(site, "a.yaml", descriptor("n"))
    with site.database.read() as connection:
        if site.database.dialect == "postgresql":
            connection.exec_driver_sql("SET LOCAL enable_seqscan = off")
            told = "EXPLAIN "
        else:
            told = "EXPLAIN QUERY PLAN "
        making = module._making(site.database.dialect).text
        rows = connection.execute(text(told + making), {"rows": module.given(connection, [1])})
        plan = [" ".join(map(str, row)) for row in rows]
    assert not [line for line in plan if "Seq Scan" in line or "SCAN relation" in line]
    assert "relation" in " ".join(plan)
