"""The catalog of a past time is what it was then, whatever happened since."""

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import event

from callboard.access import EntityFilter
from callboard.database import Database
from callboard.entities import Entity, EntityRef
from callboard.identity import Principal, Selector, Subject, acting_for
from callboard.testing import Clock
from callboard_catalog.deletions.service import Deletions
from callboard_catalog.history import past
from callboard_catalog.history.asking import ChangeRequest, History
from callboard_catalog.history.rows import PastRows
from callboard_catalog.history.values import DIFFERENCES, Difference, PastCounts, PastRequest
from callboard_catalog.store.bulk import update_statistics
from callboard_catalog.testing import CatalogSite, descriptor

SOURCE = {"name": "main", "type": "folder", "path": "main", "paths": ["*.yaml"]}
MINUTE = timedelta(minutes=1)
GUEST = Subject(principal=Principal(kind="person", name="guest"))
HIDING = EntityFilter(
    allow=frozenset({Selector()}), deny=frozenset({Selector(owners=frozenset({"group:default/b"}))})
)
HIDING_GROUPS = EntityFilter(
    allow=frozenset({Selector()}), deny=frozenset({Selector(kinds=frozenset({"group"}))})
)

State = Mapping[str, str]


@pytest.fixture
def site(database: Database, tmp_path: Path, clock: Clock) -> CatalogSite:
    (tmp_path / "main").mkdir()
    return CatalogSite(database, tmp_path, sources=[SOURCE], now=clock)


@pytest.fixture(autouse=True)
def short_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a page be read in several steps, though little has changed."""
    monkeypatch.setattr(past, "STEP", 2)


@contextmanager
def counting(database: Database) -> Iterator[list[str]]:
    """Note the statements that are sent meanwhile."""
    sent: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *rest: Any) -> None:
        sent.append(statement)

    event.listen(database.engine, "before_cursor_execute", note)
    try:
        yield sent
    finally:
        event.remove(database.engine, "before_cursor_execute", note)


def reads(site: CatalogSite) -> History:
    return History(site.service)


def write(site: CatalogSite, file: str, *texts: str) -> None:
    path = site.base / "main" / file
    path.unlink(missing_ok=True)
    if texts:
        path.write_text("---\n".join(texts))
    site.read("main")


def plain(entity: Entity) -> str:
    return json.dumps(entity.document, sort_keys=True)


def present(site: CatalogSite) -> State:
    found = site.service.find(limit=1000)
    return {str(entity.ref): plain(entity) for entity in found}


def at(site: CatalogSite, moment: datetime, **asked: Any) -> State:
    """Read a past state by pages of two."""
    found: dict[str, str] = {}
    after = ""
    while True:
        request = PastRequest(at=moment, limit=2, after=after, **asked)
        page = reads(site).page(request)
        assert len(page.entities) <= 2
        refs = [str(item.entity.ref) for item in page.entities]
        assert not found.keys() & set(refs)
        found.update((str(item.entity.ref), plain(item.entity)) for item in page.entities)
        after = page.following
        if not after:
            return found


def differing(site: CatalogSite, moment: datetime) -> dict[Difference, list[str]]:
    found: dict[Difference, list[str]] = {}
    for difference in DIFFERENCES:
        refs: list[str] = []
        after = ""
        while True:
            request = PastRequest(at=moment, limit=1, after=after)
            page = reads(site).differences(difference, request)
            refs += [str(item.ref) for item in page.items]
            after = page.following
            if not after:
                break
        found[difference] = sorted(refs)
    return found


def owned(state: State, owner: str) -> State:
    def owner_of(text: str) -> str:
        return str(json.loads(text)["spec"]["owner"])

    return {ref: text for ref, text in state.items() if owner_of(text) == owner}


def without_uid(text: str | None) -> Any:
    document = json.loads(text) if text else None
    if document:
        document["metadata"].pop("uid")
    return document


NAMES = ("w", "x", "y", "z")
contents = st.dictionaries(
    st.sampled_from(NAMES),
    st.tuples(st.sampled_from("abc"), st.sampled_from(("One", "Two", ""))),
    max_size=len(NAMES),
)
steps = st.lists(st.tuples(st.sampled_from(("a.yaml", "b.yaml")), contents), min_size=1, max_size=5)


@settings(
    max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(steps=steps)
def test_every_state_is_read_back_as_it_was(
    site: CatalogSite, clock: Clock, steps: Sequence[tuple[str, Mapping[str, tuple[str, str]]]]
) -> None:
    states = [(clock(), present(site))]
    for file, entities in steps:
        clock.advance(MINUTE)
        texts = [
            descriptor(name, spec={"owner": owner}, **({"title": title} if title else {}))
            for name, (owner, title) in entities.items()
        ]
        write(site, file, *texts, descriptor(f"of-{file[0]}", spec={"owner": "a"}))
        states.append((clock(), present(site)))
    now = states[-1][1]
    for moment, state in states:
        for instant in (moment, moment + MINUTE / 2):
            assert at(site, instant) == state
        assert reads(site).counts(PastRequest(at=moment)).was == len(state)
        for owner in "ab":
            request: dict[str, Any] = {"kind": "component", "owner": f"group:default/{owner}"}
            assert at(site, moment, **request) == owned(state, owner)
            counts = reads(site).counts(PastRequest(at=moment, **request))
            assert counts.was == len(owned(state, owner))
        for ref in state.keys() | now.keys():
            found = reads(site).entity(EntityRef.parse(ref), moment)
            assert (plain(found.entity) if found else None) == state.get(ref)
        wanted: dict[Difference, list[str]] = {
            "came": sorted(now.keys() - state.keys()),
            "left": sorted(state.keys() - now.keys()),
            "changed": sorted(
                ref
                for ref in now.keys() & state.keys()
                if without_uid(now[ref]) != without_uid(state[ref])
            ),
        }
        assert differing(site, moment) == wanted
        for difference in DIFFERENCES:
            counts = reads(site).counts(PastRequest(at=moment))
            assert getattr(counts, difference) == len(wanted[difference])
    assert at(site, states[0][0] - timedelta(days=1000)) == {}


@settings(
    max_examples=6, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(steps=steps)
def test_the_past_shows_only_what_is_seen_now(
    site: CatalogSite, clock: Clock, steps: Sequence[tuple[str, Mapping[str, tuple[str, str]]]]
) -> None:
    """What is gone is judged by what it was last."""
    states = []
    last: dict[str, str] = {}
    for file, entities in steps:
        clock.advance(MINUTE)
        texts = [descriptor(name, spec={"owner": owner}) for name, (owner, _) in entities.items()]
        write(site, file, *texts, descriptor(f"of-{file[0]}", spec={"owner": "a"}))
        states.append((clock(), present(site)))
        last.update(present(site))
    shown = last.keys() - owned(last, "b").keys()
    site.service.readable = lambda subject: HIDING
    with acting_for(GUEST):
        for moment, state in states:
            wanted = {ref: text for ref, text in state.items() if ref in shown}
            assert at(site, moment) == wanted
            assert reads(site).counts(PastRequest(at=moment)).was == len(wanted)
            found = differing(site, moment)
            for difference, refs in found.items():
                assert set(refs) <= shown
                request = PastRequest(at=moment)
                assert getattr(reads(site).counts(request), difference) == len(refs)
            for ref in state.keys() - shown:
                assert reads(site).entity(EntityRef.parse(ref), moment) is None


def test_kinds_and_namespaces_narrow(site: CatalogSite, clock: Clock) -> None:
    first = clock()
    write(
        site, "a.yaml", descriptor("x"), descriptor("x", namespace="x_y"),
        descriptor("x", namespace="xzy"), descriptor("component", "Group"),
    )  # fmt: skip
    clock.advance(MINUTE)
    write(site, "a.yaml", descriptor("x", namespace="x_y", title="New"), descriptor("rest"))
    assert set(at(site, first, kind="group")) == {"group:default/component"}
    assert set(at(site, first, namespace="x_y")) == set()
    assert set(at(site, first, namespace="xzy")) == {"component:xzy/x"}
    assert set(at(site, first, kind="component", namespace="default")) == {"component:default/x"}
    assert at(site, first, kind="comp") == {}


def test_what_was_deleted_and_restored_is_as_old_as_before(site: CatalogSite, clock: Clock) -> None:
    write(site, "a.yaml", descriptor("x"))
    begin = clock()
    deletions = Deletions(
        site.database, registry=site.engine.registry, keep=timedelta(days=9), now=clock
    )
    clock.advance(MINUTE)
    uid = present(site)
    assert deletions.delete_entity("component:default/x") is None  # That is no uid.
    assert deletions.delete_entity(EntityRef.parse("component:default/x")) is not None
    deleted = clock()
    clock.advance(MINUTE)
    deletions.restore(json.loads(uid["component:default/x"])["metadata"]["uid"])
    assert set(at(site, begin)) == {"component:default/x"}
    assert at(site, deleted) == {}
    assert differing(site, deleted) == {
        "came": ["component:default/x"], "changed": [], "left": [],
    }  # fmt: skip
    assert differing(site, begin) == {"came": [], "changed": [], "left": []}
    assert reads(site).counts(PastRequest(at=deleted)) == PastCounts(
        was=0, came=1, changed=0, left=0
    )


def test_what_is_kept_no_longer_is_said(site: CatalogSite, clock: Clock) -> None:
    site.configure(history={"keep": "10d", "versions": 2})
    begin = clock()
    for number in range(5):
        write(site, "a.yaml", descriptor("it", title=f"Title {number}"), descriptor("rest"))
        clock.advance(MINUTE)
    assert reads(site).exact_from() is None
    site.engine.prune_history()
    assert reads(site).exact_from() is None
    found = reads(site).entity(EntityRef.parse("component:default/it"), begin)
    assert found is not None
    assert not found.exact
    rest = reads(site).entity(EntityRef.parse("component:default/rest"), begin)
    assert rest is not None
    assert rest.exact
    for minutes, title in ((2, "Title 2"), (3, "Title 3"), (4, "Title 4")):
        moment = begin + minutes * MINUTE
        found = reads(site).entity(EntityRef.parse("component:default/it"), moment)
        assert found is not None
        assert (found.exact, found.entity.title) == (True, title)
    clock.advance(timedelta(days=11))
    write(site, "a.yaml", descriptor("it", title="New"), descriptor("rest"))
    site.engine.prune_history()
    assert reads(site).exact_from() == clock() - timedelta(days=10)


def plans(site: CatalogSite, statement: Any) -> str:
    with site.database.read() as connection:
        compiled = statement.compile(connection, compile_kwargs={"literal_binds": True})
        explain = "EXPLAIN QUERY PLAN" if site.database.dialect == "sqlite" else "EXPLAIN"
        rows = connection.exec_driver_sql(f"{explain} {compiled}")
        return "\n".join(str(row[-1]) for row in rows)


@pytest.fixture
def large(site: CatalogSite, clock: Clock) -> tuple[CatalogSite, datetime]:
    """Give a catalog of 3,000 entities of which one in thirty has changed since."""
    names = [f"part-{number:04}" for number in range(3_000)]
    write(site, "a.yaml", *(descriptor(name) for name in names[:1_000]))
    write(site, "b.yaml", *(descriptor(name) for name in names[1_000:2_000]))
    write(site, "c.yaml", *(descriptor(name) for name in names[2_000:]))
    clock.advance(MINUTE)
    moment = clock()
    clock.advance(MINUTE)
    write(
        site,
        "a.yaml",
        *(
            descriptor(name, title="New") if index % 10 == 0 else descriptor(name)
            for index, name in enumerate(names[:1_000])
        ),
    )
    with site.database.write() as connection:
        update_statistics(connection)
        if site.database.dialect == "postgresql":
            connection.exec_driver_sql("ANALYZE entity_version")
    return site, moment


def test_a_page_of_the_past_reads_along_an_index(
    large: tuple[CatalogSite, datetime],
) -> None:
    site, moment = large
    with site.database.read() as connection:
        read = PastRows(connection, moment)
        request = PastRequest(at=moment)
        statements = (
            read.there(replace(request, after="component:default/part-1500")),
            read.there(replace(request, namespace="none"), [1, 2, 3]),
            read.came(request),
            read.first(request),
            read.counted_changes(request),
            read.counted_new(replace(request, kind="component")),
        )
    for statement in statements:
        plan = plans(site, statement)
        assert "SCAN entity\n" not in plan
        assert "Seq Scan on entity " not in plan


def test_all_changes_are_listed_by_pages(site: CatalogSite, clock: Clock) -> None:
    begin = clock()
    write(site, "a.yaml", descriptor("x"), descriptor("y"), descriptor("team", "Group"))
    clock.advance(MINUTE)
    write(site, "a.yaml", descriptor("x", title="X"), descriptor("team", "Group", title="T"))
    clock.advance(MINUTE)
    write(site, "b.yaml", descriptor("y"))

    def listed(**asked: Any) -> list[tuple[str, str]]:
        found: list[tuple[str, str]] = []
        below = None
        while True:
            page = reads(site).changes(ChangeRequest(limit=1, below=below, **asked))
            found += [(item.ref.name, item.version.action) for item in page.items]
            below = page.following
            if below is None:
                return found

    whole = listed()
    assert whole[0] == ("y", "returned")
    assert sorted(whole[1:]) == [("team", "updated"), ("x", "updated"), ("y", "removed")]
    assert listed(action="removed") == [("y", "removed")]
    assert listed(kind="group") == [("team", "updated")]
    assert listed(source="other") == []
    assert listed(begin=begin + 2 * MINUTE) == whole[:1]
    assert listed(end=begin + 2 * MINUTE) == whole[1:]
    site.service.readable = lambda subject: HIDING_GROUPS
    with acting_for(GUEST):
        assert sorted(listed()) == sorted(item for item in whole if item[0] != "team")


def test_all_counts_of_a_time_are_made_by_two_statements(
    large: tuple[CatalogSite, datetime],
) -> None:
    site, moment = large
    site.service.facet_index()
    history = reads(site)
    request = PastRequest(at=moment)
    with counting(site.database) as statements:
        assert history.counts(request) == PastCounts(was=3_000, came=0, changed=100, left=0)
    assert sum("entity_version" in statement for statement in statements) == 2
    with counting(site.database) as statements:
        history.counts(replace(request, after="component:default/part-0100"))
    assert not [statement for statement in statements if "entity_version" in statement]


def test_a_page_looks_at_no_more_changes_than_it_shows(
    large: tuple[CatalogSite, datetime],
) -> None:
    site, moment = large
    with site.database.read() as connection:
        read = PastRows(connection, moment)
        upto = connection.scalar(read.upto(PastRequest(at=moment), 3))
        assert upto == "component:default/part-0020"
        first = connection.scalars(read.first(PastRequest(at=moment, upto=upto))).all()
        assert len(first) == 3
        assert connection.scalar(read.upto(PastRequest(at=moment, after=upto), 98)) is None
