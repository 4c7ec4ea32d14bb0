"""Entities as finished bytes: what reading them one by one gives, and streams of one state."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import orjson
import pytest
from sqlalchemy import event, select, text

from callboard.access import ALL, EntityFilter
from callboard.database import Database
from callboard.entities import Entity
from callboard.identity import Principal, Selector, Subject, acting_for
from callboard.testing import Clock
from callboard_catalog import models
from callboard_catalog.rest import finished as module
from callboard_catalog.rest.finished import ABSENT, EntityBytes, only
from callboard_catalog.testing import CatalogSite, descriptor

GUEST = Subject(principal=Principal(kind="person", name="guest"))
CHIEF = Subject(principal=Principal(kind="person", name="chief"))
SHOWN = EntityFilter(
    allow=frozenset({Selector()}), deny=frozenset({Selector(tags=frozenset({"secret"}))})
)


TABLES = ("entity", "finished_relations", "relation", "rejected", "seen_entity")


@pytest.fixture
def site(database: Database, tmp_path: Path, clock: Clock) -> CatalogSite:
    """Give a catalog in which some entities relate to others that a guest does not see."""
    (tmp_path / "main").mkdir()
    source = {"name": "main", "type": "folder", "path": "main", "paths": ["*.yaml"]}
    site = CatalogSite(database, tmp_path, sources=[source], now=clock)
    site.service.readable = lambda subject: SHOWN if subject is GUEST else ALL
    write(site, "a", descriptor("team", "Group"))
    write(site, "b", descriptor("shop", spec={"dependsOn": ["component:store", "resource:Vault"]}))
    write(
        site,
        "c",
        descriptor("store", title='Läden "eins"\\', spec={"dependencyOf": ["component:shop"]}),
    )
    write(site, "d", descriptor("spy", tags=["secret"], spec={"dependsOn": ["component:shop"]}))
    write(site, "e", *(descriptor(f"n{at}") for at in range(30)))
    site.read()
    return site


def write(site: CatalogSite, name: str, *texts: str) -> None:
    (site.base / "main" / f"{name}.yaml").write_text("---\n".join(texts), "utf-8")


def rows_of(site: CatalogSite) -> dict[str, int]:
    entity = models.entity.c
    with site.database.read() as connection:
        return {row.ref: row.id for row in connection.execute(select(entity.ref, entity.id))}


def as_sent(item: Entity) -> dict[str, Any]:
    relations = [{"type": one.type, "targetRef": str(one.target)} for one in item.relations]
    ordered = sorted(relations, key=lambda one: (one["type"], one["targetRef"]))
    return {**item.document, "relations": ordered}


@contextmanager
def counted(database: Database) -> Iterator[list[str]]:
    found: list[str] = []

    def note(connection: Any, cursor: Any, statement: str, *more: Any) -> None:
        found.append(statement)

    event.listen(database.engine, "before_cursor_execute", note)
    try:
        yield found
    finally:
        event.remove(database.engine, "before_cursor_execute", note)


@pytest.mark.parametrize("subject", [GUEST, CHIEF], ids=["guest", "chief"])
def test_the_bytes_are_what_reading_gives(site: CatalogSite, subject: Subject) -> None:
    rows = rows_of(site)
    with acting_for(subject):
        whole = EntityBytes(site.service)
        given = dict(zip(rows, whole.finished(list(rows.values())), strict=True))
        streamed = orjson.loads(b"".join(whole.stream(list(rows.values()))))
        for ref in rows:
            known = site.get(ref)
            if known is None:
                assert given[ref] == ABSENT
            else:
                assert orjson.loads(given[ref]) == as_sent(known)
                # Not read and written again: the stored bytes are in it as they are.
                assert given[ref].startswith(
                    orjson.dumps(known.document, option=orjson.OPT_SORT_KEYS)[:-1]
                )
        assert streamed == [orjson.loads(item) for item in given.values() if item != ABSENT]
    hidden = [ref for ref, item in given.items() if item == ABSENT]
    assert hidden == (["component:default/spy"] if subject is GUEST else [])
    shop = orjson.loads(given["component:default/shop"])
    assert (
        {"type": "dependencyOf", "targetRef": "component:default/spy"} in shop["relations"]
    ) == (subject is CHIEF)
    # Declared from both ends, told once.
    assert len([one for one in shop["relations"] if one["targetRef"].endswith("store")]) == 1


def test_rows_come_in_the_order_that_is_asked_for(site: CatalogSite) -> None:
    rows = rows_of(site)
    wanted = [rows["component:default/n7"], 10**9, rows["component:default/n3"]]
    given = EntityBytes(site.service).finished(wanted, ["metadata.name"])
    assert given == [b'{"metadata":{"name":"n7"}}', ABSENT, b'{"metadata":{"name":"n3"}}']


def test_faults_are_told_as_status(site: CatalogSite) -> None:
    assert (
        b'"status"'
        not in EntityBytes(site.service).finished([rows_of(site)["group:default/team"]])[0]
    )
    write(site, "a", descriptor("team", "Group").replace('"children"', '"childs"'))
    site.read()
    found = orjson.loads(
        EntityBytes(site.service).finished([rows_of(site)["group:default/team"]])[0]
    )
    (item,) = found["status"]["items"]
    assert item["type"] == "backstage.io/catalog-processing"
    assert item["level"] == "error"
    assert "children" in item["message"]
    assert item["error"]["name"] == "InputError"


def test_the_number_of_statements_does_not_grow(site: CatalogSite) -> None:
    rows = list(rows_of(site).values())
    with site.database.hold():
        EntityBytes(site.service).finished(rows[:1])
        with counted(site.database) as few:
            EntityBytes(site.service).finished(rows[:2])
        with counted(site.database) as many:
            EntityBytes(site.service).finished(rows)
    assert len(few) == len(many) == 1


def test_a_stream_is_of_the_state_it_began_with(
    site: CatalogSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "BATCH", 5)
    rows = sorted(rows_of(site).values())
    before = EntityBytes(site.service).finished(rows)
    with site.database.hold():
        site.service.generation()
        stream = EntityBytes(site.service).stream(rows)
        first = next(stream)
    write(site, "e", *(descriptor(f"n{at}", title="changed") for at in range(10)))
    site.read()
    assert first + b"".join(stream) == b"[%b]" % b",".join(before)
    assert b"changed" in b"".join(EntityBytes(site.service).stream(rows))


def test_a_slow_stream_goes_on_with_what_there_is_by_then(
    site: CatalogSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "BATCH", 5)
    monkeypatch.setattr(module, "STEADY_SECONDS", -1)
    rows = sorted(rows_of(site).values())
    stream = EntityBytes(site.service).stream(rows)
    first = next(stream)
    write(site, "e", *(descriptor(f"n{at}", title="changed") for at in range(10)))
    site.read()
    found = orjson.loads(first + b"".join(stream))
    names = [item["metadata"]["name"] for item in found]
    assert "n5" in names
    assert "n20" not in names
    assert any(item["metadata"].get("title") == "changed" for item in found)


def test_streams_that_nobody_takes_keep_no_connection(site: CatalogSite) -> None:
    rows = list(rows_of(site).values())
    for _ in range(100):
        EntityBytes(site.service).stream(rows)
        taken = EntityBytes(site.service).stream(rows)
        next(taken)
        taken.close()
    assert site.database.engine.pool.checkedout() == 0  # type: ignore[attr-defined]


def test_only_a_few_streams_keep_a_connection(site: CatalogSite) -> None:
    rows = list(rows_of(site).values())
    streams = [EntityBytes(site.service).stream(rows) for _ in range(40)]
    assert site.database.engine.pool.checkedout() <= module.MOST_STEADY  # type: ignore[attr-defined]
    assert len({b"".join(stream) for stream in streams}) == 1


def test_fields_are_paths_whose_keys_may_have_dots() -> None:
    entity = {
        "kind": "Component",
        "metadata": {"name": "a", "annotations": {"example.com/id": "1", "other": "2"}},
        "relations": [{"type": "ownedBy"}],
    }
    assert only(entity, ["kind", "metadata.annotations.example.com/id"]) == {
        "kind": "Component", "metadata": {"annotations": {"example.com/id": "1"}}
    }  # fmt: skip
    assert only(entity, ["metadata.name", "metadata"]) == {"metadata": entity["metadata"]}
    assert only(entity, ["metadata", "metadata.name"]) == {"metadata": entity["metadata"]}
    assert only(entity, ["relations.type", "nothing", "kind.deeper", ""]) == {}
    assert only(entity, ["relations"]) == {"relations": entity["relations"]}


@pytest.mark.parametrize("rows", [[1, 2], list(range(1, 100))], ids=["few", "many"])
@pytest.mark.parametrize("subject", [GUEST, CHIEF], ids=["guest", "chief"])
def test_every_table_is_read_by_an_index(
    site: CatalogSite, subject: Subject, rows: list[int]
) -> None:
    with acting_for(subject), site.database.hold(), site.database.read() as connection:
        statement, values = module._asked(connection, rows, site.service.sight())
        if site.database.dialect == "sqlite":
            plan = connection.execute(text(f"EXPLAIN QUERY PLAN {statement.text}"), values)
            scanned = [row.detail for row in plan if row.detail.startswith("SCAN ")]
            assert not [line for line in scanned if line.split()[1] in TABLES]
        else:
            # The tables of a test are so small that it would read them whole otherwise.
            connection.exec_driver_sql("SET LOCAL enable_seqscan = off")
            plan = connection.execute(text(f"EXPLAIN {statement.text}"), values)
            assert not [row[0] for row in plan if "Seq Scan" in row[0]]
