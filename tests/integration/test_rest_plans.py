"""How the databases find what the REST API asks: along indexes, never through whole tables."""

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event

from callboard.database import Database
from callboard.testing import Clock
from callboard_catalog.rest import facets, groups, service, sorting
from callboard_catalog.rest.expressions import All, Exists, Expression, In, Not, Prefix
from callboard_catalog.rest.model import EntityQuery, Order, Position
from callboard_catalog.rest.service import EntityQueries
from callboard_catalog.testing import CatalogSite, descriptor

TABLES = ("entity", "entity_field", "relation")
SLUG = "metadata.annotations.github.com/project-slug"
COMPONENT = In("kind", ("component",))
WHERE: Mapping[str, Expression] = {
    "facets": All((COMPONENT, In("spec.type", ("service",)), In("metadata.tags", ("java",)))),
    "a field": In(SLUG, ("shop/n1",)),
    "no field": Not(In("metadata.labels.tier", ("1", "2"))),
    "there": Exists("metadata.title"),
    "in a list": Exists("metadata.tags.java"),
    "beginning": Prefix(SLUG, "shop/"),
    "a name": In("metadata.name", ("n1",)),
    "a uid": In("metadata.uid", ("x",)),
    "an owner": In("relations.ownedby", ("group:default/team",)),
    "owned": In("relations.ownerof", ("component:default/n1",)),
    "a dependency": In("relations.dependson", ("component:default/n1",)),
    "dependencies": Exists("relations.dependson"),
    "dependants": Not(Exists("relations.dependencyof")),
}
PAGES: Mapping[str, EntityQuery] = {
    "by row": EntityQuery(),
    "by reference": EntityQuery(by_reference=True),
    "by reference, far along": EntityQuery(by_reference=True, offset=5_000),
    "by name": EntityQuery(order=(Order("metadata.name"),), only_sorted=True),
    "by name, one kind": EntityQuery(where=COMPONENT, order=(Order("metadata.name", True),)),
    "by title": EntityQuery(order=(Order("metadata.title"),), only_sorted=True),
    "by title, further": EntityQuery(
        order=(Order("metadata.title", True),), position=Position("title 3", 5), only_sorted=True
    ),
    "by several": EntityQuery(order=(Order("kind"), Order(SLUG), Order("metadata.uid"))),
    "by tag": EntityQuery(order=(Order("metadata.tags"),), only_sorted=True),
    "by tag, far along": EntityQuery(
        order=(Order("metadata.tags"),), only_sorted=True, offset=1_000
    ),
    "by title, beyond the last": EntityQuery(
        order=(Order("metadata.title"),), only_sorted=True, offset=5_000
    ),
    "by relation": EntityQuery(order=(Order("relations.dependson"),), only_sorted=True),
    "by relation, far along": EntityQuery(
        where=COMPONENT, order=(Order("relations.dependson", True),), only_sorted=True, offset=1_000
    ),
    "text": EntityQuery(text="n1", text_fields=("metadata.name", "metadata.title")),
    "text without fields": EntityQuery(text="n1"),
    **{f"where {name}": EntityQuery(where=where) for name, where in WHERE.items()},
}
KEYS = ("kind", "spec.type", "relations.ownedBy", "metadata.tags", SLUG, "metadata.name",
        "relations.dependsOn")  # fmt: skip


@pytest.fixture
def site(database: Database, tmp_path: Path, clock: Clock) -> CatalogSite:
    (tmp_path / "main").mkdir()
    source = {"name": "main", "type": "folder", "path": "main", "paths": ["*.yaml"]}
    made = CatalogSite(database, tmp_path, sources=[source], now=clock)
    parts = [descriptor("team", "Group")]
    for number in range(300):
        more: dict[str, Any] = {"title": f"Title {number}"} if number % 2 else {}
        parts.append(
            descriptor(
                f"n{number}",
                spec={"dependsOn": [f"component:n{number // 2}"]},
                tags=["java" if number % 3 else "go"],
                annotations={"github.com/project-slug": f"shop/n{number}"},
                labels={"tier": str(number % 5)},
                **more,
            )
        )
    (tmp_path / "main" / "all.yaml").write_text("---\n".join(parts))
    made.read()
    return made


@contextmanager
def planned(database: Database, plans: list[str]) -> Iterator[None]:
    """Note how each statement is carried out. PostgreSQL reads whole tables where it has to only.

    It would do so by itself as long as they are small.
    """
    sqlite = database.dialect == "sqlite"

    def note(connection: Any, cursor: Any, statement: str, parameters: Any, *rest: Any) -> None:
        if statement.startswith("SELECT"):
            cursor = cursor.connection.cursor()
            if not sqlite:
                cursor.execute("SET LOCAL enable_seqscan = off")
            cursor.execute(
                ("EXPLAIN QUERY PLAN " if sqlite else "EXPLAIN ") + statement, parameters
            )
            lines = [str(row[-1]) for row in cursor.fetchall()]
            plans.append("\n".join([statement, *lines]))

    event.listen(database.engine, "before_cursor_execute", note)
    try:
        yield
    finally:
        event.remove(database.engine, "before_cursor_execute", note)


def _whole_tables(plans: list[str]) -> list[str]:
    """Give the plans that read a table from its beginning to its end."""
    tables = "|".join(TABLES)
    sqlite = rf"^SCAN ({tables})\b(?!.*USING (COVERING )?INDEX)"
    postgresql = rf"Seq Scan on ({tables})\b"
    return [plan for plan in plans if re.search(f"{sqlite}|{postgresql}", plan, re.MULTILINE)]


@pytest.mark.parametrize("in_memory", [True, False])
def test_no_question_reads_a_whole_table(
    site: CatalogSite, monkeypatch: pytest.MonkeyPatch, in_memory: bool
) -> None:
    if not in_memory:
        monkeypatch.setattr(groups, "MOST", 0)
        monkeypatch.setattr(sorting, "FEW", 0)
        monkeypatch.setattr(facets, "FEW", 0)
    queries = EntityQueries(site.service)
    site.service.facet_index()
    plans: list[str] = []
    with planned(site.database, plans):
        for query in PAGES.values():
            queries.page(query)
        for where in WHERE.values():
            queries.facets([key for key in KEYS if in_memory or key != "metadata.name"], where)
        queries.rows_of(["component:default/n1"])
    assert len(plans) > len(PAGES)
    assert _whole_tables(plans) == []


def test_relations_are_told_by_their_index_alone(site: CatalogSite) -> None:
    queries = EntityQueries(site.service)
    site.service.facet_index()
    plans: list[str] = []
    order = (Order("relations.dependson"),)
    with planned(site.database, plans):
        queries.matching(Exists("relations.dependson"))
        queries.matching(Exists("relations.dependencyof"))
        queries.page(EntityQuery(order=order, only_sorted=True, limit=2))
        queries.facets(["relations.dependsOn"])
    names = "SELECT relation.type, relation.reverse"
    asked = [plan for plan in plans if "FROM relation" in plan and not plan.startswith(names)]
    assert len(asked) >= 3
    if site.database.dialect == "sqlite":
        index = "COVERING INDEX ix_relation_type (type=? AND reverse=?"
    else:
        index = "ix_relation_type"
    assert [plan for plan in asked if index not in plan] == []


@pytest.mark.parametrize("key", ["metadata.tags", "relations.dependson", "metadata.title", SLUG])
@pytest.mark.parametrize("descending", [False, True])
def test_what_goes_by_unread_is_what_would_be_read(
    site: CatalogSite, monkeypatch: pytest.MonkeyPatch, key: str, descending: bool
) -> None:
    queries = EntityQueries(site.service)
    for where in (All(), COMPONENT, Not(In("metadata.labels.tier", ("1",)))):
        query = EntityQuery(
            where=where, order=(Order(key, descending),), only_sorted=True, limit=7, offset=100
        )
        read = queries.page(query)
        monkeypatch.setattr(service, "DEEP", 0)
        assert queries.page(query) == read
        assert queries.page(replace(query, offset=5_000)).rows == ()
        monkeypatch.undo()


def test_what_was_asked_is_not_asked_again(site: CatalogSite) -> None:
    queries = EntityQueries(site.service)
    where = All((COMPONENT, In(SLUG, ("shop/n1",)), Not(In("relations.dependson", ("x",)))))
    counts = []
    for _ in range(2):
        plans: list[str] = []
        with planned(site.database, plans):
            queries.page(EntityQuery(where=where))
            queries.facets(["kind", "spec.type", "relations.ownedBy"], where)
        counts.append(len([plan for plan in plans if any(table in plan for table in TABLES)]))
    assert counts[0] > counts[1] == 0
