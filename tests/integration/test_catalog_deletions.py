"""What is deleted stays away whatever gives it, until somebody undoes it."""

import threading
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import func, select

from callboard import events
from callboard.audit.models import audit_entry
from callboard.database import Database
from callboard.entities import EntityRef
from callboard.errors import NotFoundError
from callboard.identity import Principal, Subject, acting_for
from callboard.testing import Clock
from callboard_catalog import models
from callboard_catalog.deletions import Deleted
from callboard_catalog.pushing import Push, read_entities
from callboard_catalog.pushing.service import Asker
from callboard_catalog.testing import CatalogSite, descriptor

ADA = Subject(principal=Principal(kind="person", name="user:default/ada"))
REF = EntityRef.parse("component:x")
SOURCES: Final = ("one", "two")


def folder(name: str) -> dict[str, Any]:
    return {"name": name, "type": "folder", "path": name, "paths": ["*.yaml"]}


@pytest.fixture
def site(database: Database, tmp_path: Path, clock: Clock) -> CatalogSite:
    for name in SOURCES:
        (tmp_path / name).mkdir()
        (tmp_path / name / "keep.yaml").write_text(descriptor(f"{name}-keep"))
    return CatalogSite(database, tmp_path, sources=[folder(name) for name in SOURCES], now=clock)


def put(site: CatalogSite, path: str, text: str | None) -> None:
    file = site.base / f"{path}.yaml"
    if text is None:
        file.unlink(missing_ok=True)
    else:
        file.write_text(text)


def delete(site: CatalogSite, entity: EntityRef | str = REF, reason: str = "") -> None:
    with acting_for(ADA):
        assert site.engine.deletions.delete_entity(entity, reason=reason)


def uid(site: CatalogSite, ref: EntityRef = REF) -> str:
    found = site.service.get(ref)
    assert found is not None
    return found.uid


def held(site: CatalogSite, ref: EntityRef = REF) -> Deleted:
    found = site.engine.deletions.get(ref)
    assert found is not None
    return found


def told(site: CatalogSite) -> list[tuple[str, str]]:
    with site.database.read() as connection:
        return [(item.kind, item.subject) for item in events.read(connection, 0)]


def test_deleted_and_read_again_it_stays_away(site: CatalogSite, clock: Clock) -> None:
    put(site, "one/a", descriptor("x", title="One"))
    site.read()
    first, changes = uid(site), len(site.service.history(REF))
    delete(site, first, reason="not ours")
    assert site.service.get(REF) is None
    for title in ("One", "Changed", "Changed again"):
        put(site, "one/a", descriptor("x", title=title))
        site.read()
        assert site.service.get(REF) is None
    # Whatever gives it.
    put(site, "two/b", descriptor("X", title="Two"))
    site.read()
    assert site.service.get(REF) is None
    assert site.service.problems(kind="conflict") == []
    found = held(site)
    assert (found.uid, found.reason, found.actor) == (first, "not ours", "person:user:default/ada")
    assert (found.source, found.path, list(found.given_by)) == ("one", "a.yaml", ["one", "two"])
    (change, *_) = site.service.history(REF)
    assert (change.action, change.by) == ("removed", "person:user:default/ada")
    assert len(site.service.history(REF)) == changes + 1
    assert told(site).count(("catalog.entity.deleted", str(REF))) == 1


def test_undone_it_is_back_at_once_with_its_uid(site: CatalogSite, clock: Clock) -> None:
    put(site, "one/a", descriptor("x", title="One"))
    put(site, "two/b", descriptor("x", title="Two"))
    site.read()
    first = site.service.provenance(REF)
    number = uid(site)
    assert first is not None
    delete(site)
    clock.advance(60)
    with acting_for(ADA):
        assert site.engine.deletions.restore(number).served
    found, place = site.service.get(REF), site.service.provenance(REF)
    assert found is not None
    assert place is not None
    assert (found.uid, found.title, place.source) == (number, "One", "one")
    assert place.created_at == first.created_at
    assert [item.source for item in site.service.problems(kind="conflict")] == ["two"]
    assert site.engine.deletions.get(REF) is None
    assert site.service.history(REF)[0].action == "returned"
    with pytest.raises(NotFoundError):
        site.engine.deletions.restore(number)
    site.read()
    assert uid(site) == number
    with site.database.read() as connection:
        rows = connection.execute(select(audit_entry.c.action, audit_entry.c.actor)).all()
    assert {tuple(row) for row in rows} >= {
        ("catalog.entity.delete", "person:user:default/ada"),
        ("catalog.entity.restore", "person:user:default/ada"),
    }
    kinds = [kind for kind, subject in told(site) if subject == str(REF)]
    # Its own relation leads nowhere: the team is in no source.
    assert [kind.removeprefix("catalog.") for kind in kinds] == [
        "entity.created", "conflict.began",
        "entity.deleted", "conflict.ended",
        "entity.created", "conflict.began", "relation.dangling", "entity.restored",
    ]  # fmt: skip


def test_undone_while_its_file_is_broken(site: CatalogSite) -> None:
    put(site, "one/a", descriptor("x", title="Good"))
    site.read()
    number = uid(site)
    delete(site)
    put(site, "one/a", "a: [\n")
    site.read()
    assert site.engine.deletions.restore(number).served
    found = site.service.get(REF)
    assert found is not None
    assert (found.title, found.uid) == ("Good", number)


def test_undone_when_no_source_gives_it(site: CatalogSite) -> None:
    put(site, "one/a", descriptor("x"))
    site.read()
    number = uid(site)
    delete(site)
    put(site, "one/a", None)
    site.read()
    assert list(held(site).given_by) == []
    assert not site.engine.deletions.restore(number).served
    put(site, "one/a", descriptor("x"))
    site.read()
    assert uid(site) != number


def test_moved_and_renamed_while_deleted(site: CatalogSite) -> None:
    put(site, "one/a", descriptor("x", title="A"))
    site.read()
    number = uid(site)
    delete(site)
    put(site, "one/a", None)
    put(site, "one/b", descriptor("x", title="Moved"))
    site.read()
    assert site.service.get(REF) is None
    put(site, "one/b", descriptor("y", title="Renamed"))
    site.read()
    assert site.get("component:y")
    assert list(held(site).given_by) == []
    put(site, "one/b", descriptor("x", title="Named back"))
    site.read()
    assert site.service.get(REF) is None
    assert site.engine.deletions.restore(number).served
    assert uid(site) == number


def test_a_deletion_holds_while_given_and_is_then_forgotten(
    site: CatalogSite, clock: Clock
) -> None:
    put(site, "one/a", descriptor("x"))
    site.read()
    delete(site)
    clock.advance(timedelta(days=31))
    assert site.engine.deletions.forget() == 0
    site.configure(sources=[folder("two")])
    site.engine.forget()
    assert site.engine.deletions.forget() == 1
    assert site.engine.deletions.forget() == 0
    assert site.engine.deletions.page() == []
    site.configure(sources=[folder(name) for name in SOURCES])
    site.read()
    assert site.service.get(REF) is not None
    assert ("catalog.deletion.forgotten", str(REF)) in told(site)


def test_a_fresh_deletion_is_kept_for_its_time(site: CatalogSite, clock: Clock) -> None:
    put(site, "one/a", descriptor("x"))
    site.read()
    delete(site)
    put(site, "one/a", None)
    site.read()
    clock.advance(timedelta(days=29))
    assert site.engine.deletions.forget() == 0
    put(site, "one/a", descriptor("x"))
    site.read()
    assert site.service.get(REF) is None


def test_what_names_a_deleted_entity_leads_nowhere(site: CatalogSite) -> None:
    put(site, "one/a", descriptor("x"))
    put(site, "one/b", descriptor("y", spec={"dependsOn": ["component:x"], "owner": "component:x"}))
    site.read()
    number = uid(site)

    def missing() -> list[str]:
        found = site.service.problems(EntityRef.parse("component:y"), kind="dangling")
        return [item.other for item in found if item.other == str(REF)]

    assert missing() == []
    delete(site)
    assert missing()
    site.engine.deletions.restore(number)
    assert missing() == []
    own = [kind for kind, subject in told(site) if subject == "component:default/y"]
    assert own.count("catalog.relation.dangling") == 1
    assert own.count("catalog.relation.resolved") == 1


def test_a_pushed_entity_that_is_deleted(site: CatalogSite) -> None:
    document = {
        "apiVersion": "backstage.io/v1alpha1", "kind": "Component", "metadata": {"name": "x"},
        "spec": {"type": "service", "lifecycle": "production", "owner": "team"},
    }  # fmt: skip
    asker = Asker(by="token:1", owner="service:ci")

    def push() -> str:
        asked = Push(source="ci", mode="full", documents=read_entities([document]))
        return site.engine.pusher.push(asked, asker).results[0].result

    assert push() == "created"
    delete(site)
    assert push() == "deleted"
    document["metadata"]["title"] = "New"  # type: ignore[index]
    assert push() == "deleted"
    assert site.service.get(REF) is None
    site.engine.deletions.restore(held(site).uid)
    assert push() == "unchanged"
    found = site.service.get(REF)
    assert found is not None
    assert found.title == "New"


def test_unknown_ones(site: CatalogSite) -> None:
    before = told(site)
    for entity in ("", "nonsense", "\0", EntityRef.parse("component:none")):
        assert site.engine.deletions.delete_entity(entity) is None
    assert told(site) == before


def test_deleted_twice_at_once(site: CatalogSite) -> None:
    put(site, "one/a", descriptor("x"))
    site.read()
    number = uid(site)
    results: list[EntityRef | None] = []
    barrier = threading.Barrier(3)

    def run() -> None:
        barrier.wait()
        results.append(site.engine.deletions.delete_entity(number))

    threads = [threading.Thread(target=run) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(map(str, results)) == ["None", "None", str(REF)]


# Anything in any order

TITLES: Final = ("v1", "v2")
PLACES: Final = ("one/a", "one/b", "two/a")
STEP = st.one_of(
    st.tuples(st.just("put"), st.sampled_from(PLACES), st.sampled_from([None, *TITLES, "broken"])),
    st.tuples(st.just("read"), st.sampled_from(SOURCES), st.none()),
    st.tuples(st.just("delete"), st.just(""), st.none()),
    st.tuples(st.just("undo"), st.just(""), st.none()),
)


@settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(steps=st.lists(STEP, min_size=3, max_size=14))
def test_reads_deletions_and_undos_in_any_order(
    site: CatalogSite, clock: Clock, steps: Sequence[tuple[str, str, str | None]]
) -> None:
    begin(site)
    number = ""
    deleted = False
    for what, place, text in steps:
        clock.advance(1)
        there = site.service.get(REF)
        if what == "put":
            put(site, place, content(text))
        elif what == "read":
            site.read(place)
        elif what == "delete" and there is not None:
            delete(site, there.uid)
            number, deleted = there.uid, True
        elif what == "undo" and deleted:
            served = site.engine.deletions.restore(number).served
            deleted = False
            now_there = site.service.get(REF)
            assert served == (now_there is not None)
            assert now_there is None or now_there.uid == number
        if deleted:
            assert site.service.get(REF) is None
        check(site, deleted)
    site.read()
    site.read()
    given_by = [place for place in PLACES if title_at(site, place)]
    there = site.service.get(REF)
    if deleted:
        assert there is None
        assert {name.partition("/")[0] for name in given_by} <= set(held(site).given_by)
    elif given_by:
        assert there is not None
    check(site, deleted)


def begin(site: CatalogSite) -> None:
    for place in PLACES:
        put(site, place, None)
    site.read()
    found = site.engine.deletions.get(REF)
    if found is not None:
        site.engine.deletions.restore(found.uid)
    site.read()
    assert site.service.get(REF) is None


def content(text: str | None) -> str | None:
    if text is None:
        return None
    more = {"dependsOn": ["component:nowhere"]}
    return "a: [\n" if text == "broken" else descriptor("x", title=text, spec=more)


def title_at(site: CatalogSite, place: str) -> str:
    file = site.base / f"{place}.yaml"
    return "good" if file.exists() and "title" in file.read_text() else ""


def check(site: CatalogSite, deleted: bool) -> None:
    """What must hold whatever happened."""
    entity, claim, relation = models.entity, models.claim, models.relation
    dangling, stale = models.dangling, models.stale
    with site.database.read() as connection:
        rows = connection.execute(select(entity.c.ref, entity.c.id)).all()
        refs = {row.ref: row.id for row in rows}
        away = set(connection.scalars(select(models.deletion.c.ref)))
        waiting = connection.scalars(select(claim.c.ref)).all()
        declared = connection.execute(select(relation)).all()
        listed = {tuple(row) for row in connection.execute(
            select(dangling.c.origin_id, dangling.c.type, dangling.c.other))}  # fmt: skip
        stale_ids = set(connection.scalars(select(stale.c.entity_id)))
        indexed = connection.exec_driver_sql("SELECT count(*) FROM entity_text").scalar()
        counted = connection.scalar(select(func.count()).select_from(entity))
    assert away == ({str(REF)} if deleted else set())
    assert not away & refs.keys()
    assert indexed == counted
    # Nothing waits without a reason.
    assert {ref for ref in waiting if ref not in refs} <= away
    assert stale_ids <= set(refs.values())
    numbers = {number: ref for ref, number in refs.items()}
    expected = set()
    for row in declared:
        mine = numbers[row.origin_id]
        if row.source_ref == mine and row.target_ref not in refs:
            expected.add((row.origin_id, row.type, row.target_ref))
        if row.target_ref == mine and row.source_ref not in refs:
            expected.add((row.origin_id, row.reverse, row.source_ref))
    assert listed == expected
