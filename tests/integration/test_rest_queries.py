"""The REST API's questions are answered as the rules say, whatever is asked and whoever asks."""

import random
from collections.abc import Mapping
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any

import orjson
import pytest
from entity_rules import Fields, facet, fields_of, found, matches, ordered
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from callboard.access import ALL, EntityFilter
from callboard.database import Database
from callboard.errors import InputError
from callboard.identity import ANONYMOUS, Selector, Subject, acting_for
from callboard.testing import Clock
from callboard_catalog import models
from callboard_catalog.reading import relations_of
from callboard_catalog.rest import facets as counting
from callboard_catalog.rest import groups, service, sorting
from callboard_catalog.rest.expressions import All, Exists, Expression, In, Not, Prefix
from callboard_catalog.rest.expressions import Any as AnyOf
from callboard_catalog.rest.model import EntityQuery, Order
from callboard_catalog.rest.service import EntityQueries
from callboard_catalog.testing import CatalogSite, descriptor

ASKER = Subject(principal=ANONYMOUS)
LONG = "x" * 201
WORDS = (
    "Java",
    "java",
    "JAVA",
    "größe",
    "a.b",
    "%",
    "_",
    "'",
    '"',
    "",
    "true",
    "ß",
    "😀",
    "z" * 200,
)
PLAIN = (*WORDS, None, True, False, 7, 1.5, LONG)


def _spec(dice: random.Random) -> dict[str, Any]:
    spec: dict[str, Any] = {
        "type": dice.choice(["service", "Service", "-", "y" * 200, LONG, "Library"]),
        "lifecycle": dice.choice(["production", "-", "Experimental"]),
        "owner": dice.choice(["red", "Red", "group:default/red", "other/blue", "user:default/ann"]),
    }
    if dice.random() < 0.5:
        spec["dependsOn"] = [f"component:n{dice.randrange(30)}" for _ in range(dice.randrange(4))]
    if dice.random() < 0.7:
        spec["custom"] = dice.choice(PLAIN)
    if dice.random() < 0.5:
        spec["list"] = dice.choices(PLAIN, k=dice.randrange(4))
    if dice.random() < 0.3:
        spec["mixed"] = dice.choice([{"Java": "x"}, ["Java"], "Java", [{"java": True}, "JAVA"], []])
    if dice.random() < 0.3:
        spec["deep"] = [{"Name": dice.choice(PLAIN), "of": {"it": [dice.choice(PLAIN)]}}]
    if dice.random() < 0.2:
        spec["k" * 190] = {"short": "Yes", "much-too-long": "no"}
    return spec


def _one(dice: random.Random, number: int) -> str:
    metadata: dict[str, Any] = {"namespace": dice.choice(["default", "default", "other"])}
    for name in ("title", "description"):
        if dice.random() < 0.6:
            metadata[name] = dice.choice(["One", "one", "Two words", "größe", LONG])
    if dice.random() < 0.6:
        metadata["tags"] = dice.sample(["java", "tier-1", "go"], dice.randrange(1, 3))
    if dice.random() < 0.5:
        metadata["labels"] = {"example.com/tier": dice.choice(["1", "2", "Gold", ""])}
    if dice.random() < 0.3:
        metadata["links"] = [{"url": f"https://x/{dice.randrange(9)}", "title": "Docs"}] * 2
    name = dice.choice([f"n{number}", f"N{number}"])
    return descriptor(name, "Component", spec=_spec(dice), **metadata)


def _fill(site: CatalogSite) -> None:
    dice = random.Random(11)
    (site.base / "main" / "org.yaml").write_text(
        "---\n".join([
            descriptor("red", "Group", title="Red", spec={"members": ["ann"]}),
            descriptor("blue", "Group", namespace="other"),
            descriptor("ann", "User", spec={"memberOf": ["red"]}),
            descriptor("made", "Group").replace("backstage.io/v1alpha1", "backstage.io/v1beta1"),
        ])
    )  # fmt: skip
    for file in range(4):
        text = "---\n".join(_one(dice, file * 10 + at) for at in range(10))
        (site.base / "main" / f"{file}.yaml").write_text(text)
    site.read()


@pytest.fixture
def site(database: Database, tmp_path: Path, clock: Clock) -> CatalogSite:
    (tmp_path / "main").mkdir()
    source = {"name": "main", "type": "folder", "path": "main", "paths": ["*.yaml"]}
    made = CatalogSite(database, tmp_path, sources=[source], now=clock)
    _fill(made)
    return made


def known_to(site: CatalogSite) -> dict[int, Fields]:
    """Give the fields of what the one who asks may see."""
    sight = site.service.sight()
    entity = models.entity.c
    with site.database.read() as connection:
        rows = connection.execute(select(entity.id, entity.ref, entity.document)).all()
        seen = [row for row in rows if sight is None or row.id in sight.rows]
        relations = relations_of(connection, [row.ref for row in seen], sight)
    return {
        row.id: fields_of(
            orjson.loads(row.document),
            {(relation.type, str(relation.target)) for relation in relations.get(row.ref, ())},
        )
        for row in seen
    }


HOSTILE_KEYS = {
    "", "spec", "no.such", "\0", "metadata.\0", "a'b\"c", "%", "spec.%", "x" * 300, "." * 150,
    "relations.", "relations.'; --", "relations.ownedby.", "metadata.name.x", "kind.x",
}  # fmt: skip


def _vocabulary(known: Mapping[int, Fields]) -> tuple[list[str], list[str]]:
    keys = sorted({key for fields in known.values() for key in fields} | HOSTILE_KEYS)
    values = sorted({v for fields in known.values() for it in fields.values() for v in it if v})
    return keys, [*values, "nothing", "", "\0", LONG, "%", "java' OR 1=1 --"]


def _expressions(keys: list[str], values: list[str]) -> st.SearchStrategy[Expression]:
    key, value = st.sampled_from(keys), st.sampled_from(values)
    leaf = st.one_of(
        st.builds(Exists, key),
        st.builds(In, key, st.lists(value, max_size=3).map(tuple)),
        st.builds(Prefix, key, value.map(lambda text: text[:2])),
    )
    return st.recursive(
        leaf,
        lambda inner: st.one_of(
            st.builds(All, st.lists(inner, max_size=3).map(tuple)),
            st.builds(AnyOf, st.lists(inner, max_size=3).map(tuple)),
            st.builds(Not, inner),
        ),
        max_leaves=5,
    )


SIGHTS = (
    None,
    EntityFilter(allow=frozenset({Selector(namespaces=frozenset({"default"}))})),
    EntityFilter(
        allow=frozenset({Selector(tags=frozenset({"java"})), Selector(kinds=frozenset({"group"}))})
    ),
)
SLOW = settings(
    max_examples=25, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True
)


def _see(site: CatalogSite, chosen: EntityFilter | None) -> None:
    site.service.readable = lambda subject: chosen or ALL


def _pages(queries: EntityQueries, query: EntityQuery) -> list[int]:
    """Turn pages to the end and back; both ways give the same."""
    page = queries.page(query)
    listed, pages = list(page.rows), [page]
    assert page.preceding is None
    while page.following is not None:
        page = queries.page(replace(query, position=page.following))
        assert page.total == pages[0].total
        listed += page.rows
        pages.append(page)
    for expected in reversed(pages[:-1]):
        assert page.preceding is not None
        page = queries.page(replace(query, position=page.preceding))
        assert list(page.rows) == list(expected.rows)
    assert page.preceding is None
    return listed


@pytest.fixture(params=["in memory", "along indexes"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Answer from memory, as for keys of few values and few rows, and along the indexes."""
    if request.param == "along indexes":
        monkeypatch.setattr(groups, "MOST", 0)
        monkeypatch.setattr(sorting, "FEW", 0)
        monkeypatch.setattr(sorting, "LONGEST_STEP", 5)
        monkeypatch.setattr(sorting, "MANY", 3)
        monkeypatch.setattr(counting, "FEW", 0)
        monkeypatch.setattr(service, "DEEP", 2)


@pytest.mark.parametrize("chosen", SIGHTS)
def test_what_matches(site: CatalogSite, chosen: EntityFilter | None) -> None:
    _see(site, chosen)
    queries = EntityQueries(site.service)
    with acting_for(ASKER):
        known = known_to(site)
        keys, values = _vocabulary(known)
        pairs = random.Random(5).sample(list(product(keys, values)), 500)
        for key, value in pairs:
            for leaf in (In(key, (value,)), Prefix(key, value[:3])):
                rows = {row for row, fields in known.items() if matches(fields, leaf)}
                assert set(queries.matching(leaf)) == rows, leaf

        @SLOW
        @given(_expressions(keys, values))
        def check(where: Expression) -> None:
            rows = {row for row, fields in known.items() if matches(fields, where)}
            assert set(queries.matching(where)) == rows

        check()


@pytest.mark.usefixtures("way")
@pytest.mark.parametrize("chosen", SIGHTS)
def test_facets(site: CatalogSite, chosen: EntityFilter | None) -> None:
    _see(site, chosen)
    queries = EntityQueries(site.service)
    with acting_for(ASKER):
        known = known_to(site)
        keys, values = _vocabulary(known)
        for key in keys:
            asked = key.upper() if key.isascii() else key
            assert queries.facets([asked])[asked] == facet(known, known, key), key

        @SLOW
        @given(_expressions(keys, values), st.lists(st.sampled_from(keys), max_size=5))
        def check(where: Expression, asked: list[str]) -> None:
            rows = [row for row, fields in known.items() if matches(fields, where)]
            expected = {key: facet(known, rows, key) for key in asked}
            assert queries.facets(asked, where) == expected

        check()


@pytest.mark.usefixtures("way")
@pytest.mark.parametrize("chosen", SIGHTS)
def test_pages_in_every_order(site: CatalogSite, chosen: EntityFilter | None) -> None:
    _see(site, chosen)
    queries = EntityQueries(site.service)
    with acting_for(ASKER):
        known = known_to(site)
        keys, values = _vocabulary(known)
        orders = st.lists(st.builds(Order, st.sampled_from(keys), st.booleans()), max_size=3)
        made = st.builds(
            EntityQuery,
            where=st.just(All()) | _expressions(keys, values),
            order=orders.map(tuple),
            only_sorted=st.booleans(),
            text=st.sampled_from(["", "", "O", "java", "%", "_", "default", "\0", "n1"]),
            text_fields=st.lists(st.sampled_from(keys), max_size=2).map(tuple),
            limit=st.integers(1, 30),
        )

        def check_one(query: EntityQuery) -> None:
            rows = found(known, query)
            expected = ordered(known, rows, query.order, query.only_sorted)
            assert _pages(queries, query) == expected
            part = queries.page(replace(query, offset=3))
            assert list(part.rows) == expected[3 : 3 + (query.limit or 0)]
            assert part.total == len(rows)
            whole = queries.page(replace(query, limit=None, total=False))
            assert (list(whole.rows), whole.total) == (expected, 0)

        for key, descending in product(keys, (False, True)):
            order = (Order(key, descending),)
            check_one(EntityQuery(order=order, only_sorted=True, limit=7))

        SLOW(given(made)(check_one))()


def test_pages_by_reference_and_by_row(site: CatalogSite) -> None:
    queries = EntityQueries(site.service)
    entity = models.entity.c
    with site.database.read() as connection:
        by_ref = list(connection.scalars(select(entity.id).order_by(entity.ref)))
        refs = dict(connection.execute(select(entity.ref, entity.id)).all())
    assert _pages(queries, EntityQuery(by_reference=True, limit=7)) == by_ref
    assert _pages(queries, EntityQuery(limit=7)) == sorted(by_ref)
    asked = [*refs, "component:default/none", "Component:default/n1", "n1", "\0", "x" * 10**6]
    assert queries.rows_of(asked) == [*refs.values(), None, None, None, None, None]


def test_nothing_is_counted_or_listed_that_was_not_asked_for(site: CatalogSite) -> None:
    queries = EntityQueries(site.service)
    page = queries.page(EntityQuery(limit=0))
    assert (list(page.rows), page.total, page.following) == ([], 44, None)
    assert queries.page(EntityQuery(limit=5, total=False)).total == 0
    with pytest.raises(InputError):
        queries.facets([f"k{number}" for number in range(51)])
    with pytest.raises(InputError):
        queries.page(EntityQuery(order=(Order("kind"),) * 11))


def test_an_answer_is_of_the_catalog_as_it_is(site: CatalogSite) -> None:
    queries = EntityQueries(site.service)
    where = In("metadata.title", ("brand new",))
    assert not queries.matching(where)
    text = descriptor("fresh", title="Brand new", labels={"Example": "Yes"})
    (site.base / "main" / "fresh.yaml").write_text(text)
    site.read()
    (row,) = queries.matching(where)
    assert queries.page(EntityQuery(order=(Order("metadata.labels.example"),))).rows[0] == row
    assert queries.facets(["metadata.labels.example"]) == {"metadata.labels.example": [("Yes", 1)]}
