"""Reading a little of many entities: titles, what they declare themselves, and reading ahead."""

import threading
import time
from pathlib import Path

import pytest
from sqlalchemy import event

from callboard.database import Database
from callboard.entities import EntityRef, Relation
from callboard.testing import Clock
from callboard_catalog.query import ListRequest
from callboard_catalog.testing import CatalogSite, descriptor
from callboard_catalog.warming import Warmer

SHOP = EntityRef.parse("system:default/shop")
RED = EntityRef.parse("group:default/red")


@pytest.fixture
def site(database: Database, tmp_path: Path, clock: Clock) -> CatalogSite:
    (tmp_path / "main").mkdir()
    source = {"name": "main", "type": "folder", "path": "main", "paths": ["*.yaml"]}
    made = CatalogSite(database, tmp_path, sources=[source], now=clock)
    parts = [descriptor(f"part-{at}", spec={"owner": "red", "system": "shop"}) for at in range(30)]
    team = descriptor("red", "Group", spec={"type": "team", "children": []}, title="Red team")
    system = descriptor("shop", "System", spec={"owner": "red"}, title="Shop")
    (tmp_path / "main" / "all.yaml").write_text("---\n".join([*parts, team, system]))
    made.read()
    return made


def test_titles_are_given_of_what_is_there(site: CatalogSite) -> None:
    missing = EntityRef.parse("group:default/nobody")
    assert site.service.titles([SHOP, RED, missing, SHOP]) == {SHOP: "Shop", RED: "Red team"}
    assert site.service.titles([]) == {}


def test_a_list_has_the_relations_that_entities_declare(site: CatalogSite) -> None:
    listed = site.service.list(ListRequest(limit=100)).entities
    found = {entity.ref: entity for entity in listed}
    assert found[SHOP].relations == (Relation("ownedBy", RED),)
    part = found[EntityRef.parse("component:default/part-7")]
    assert (part.owner, list(part.related("partOf"))) == (RED, [SHOP])
    assert not found[RED].relations
    whole = site.service.get(SHOP)
    assert whole is not None
    assert len(list(whole.related("hasPart"))) == 30


def test_what_pages_ask_is_read_ahead(site: CatalogSite) -> None:
    def counted() -> int:
        statements: list[str] = []

        def note(_: object, __: object, statement: str, *more: object) -> None:
            if threading.current_thread() is threading.main_thread():
                statements.append(statement)

        event.listen(site.database.engine, "before_cursor_execute", note)
        site.service.problem_tally()
        site.service.facet_index()
        event.remove(site.database.engine, "before_cursor_execute", note)
        return sum(not statement.startswith("BEGIN") for statement in statements)

    before = set(threading.enumerate())  # a portal that other tests share may have its own
    warmer = Warmer(site.service)
    warmer.start()
    try:
        for name in ("part-8", "part-9"):
            text = descriptor(name, namespace="new", spec={"owner": "red"})
            (site.base / "main" / f"{name}.yaml").write_text(text)
            site.read()
            deadline = time.monotonic() + 20
            generation = site.service.generation()
            while warmer.known != generation:
                assert time.monotonic() < deadline
                time.sleep(0.01)
            # Which state the catalog is in is all that is asked.
            assert counted() == 2
    finally:
        warmer.stop()
    left = set(threading.enumerate()) - before
    assert not [item for item in left if item.name == "catalog-warmer"]
