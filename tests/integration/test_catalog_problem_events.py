"""Problems begin and end: each is told of once, when it does, and listed since then."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import func, select

from callboard import events
from callboard.database import Database
from callboard.entities import EntityRef
from callboard.events.log import newest
from callboard.testing import Clock
from callboard_catalog import models
from callboard_catalog.testing import CatalogSite, descriptor

TOLD = (
    "catalog.document.", "catalog.conflict.", "catalog.relation.", "catalog.entity.stale",
    "catalog.entity.fresh",
)  # fmt: skip


def folder(name: str) -> dict[str, Any]:
    return {"name": name, "type": "folder", "path": name, "paths": ["*.yaml"]}


@pytest.fixture
def site(database: Database, tmp_path: Path, clock: Clock) -> CatalogSite:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
    (tmp_path / "one/team.yaml").write_text(descriptor("team", "Group"))
    (tmp_path / "two/keep.yaml").write_text(descriptor("keep", "Group"))
    site = CatalogSite(database, tmp_path, sources=[folder("one"), folder("two")], now=clock)
    site.read()
    return site


def put(site: CatalogSite, path: str, text: str | None) -> None:
    file = site.base / f"{path}.yaml"
    if text is None:
        file.unlink(missing_ok=True)
    else:
        file.write_text(text)


class Listener:
    """Gives what was told since it was asked last."""

    def __init__(self, site: CatalogSite) -> None:
        self.site = site
        self.seen = 0
        self.since()

    def since(self) -> list[tuple[str, str, dict[str, Any]]]:
        with self.site.database.read() as connection:
            found = events.read(connection, self.seen, TOLD)
            self.seen = newest(connection)
        return [
            (item.kind.removeprefix("catalog."), item.subject, dict(item.data)) for item in found
        ]

    def read(self) -> list[tuple[str, str, dict[str, Any]]]:
        self.site.read()
        told = self.since()
        self.site.read()
        assert self.since() == []
        return told


def test_a_document_is_rejected_and_mended(site: CatalogSite, clock: Clock) -> None:
    listener = Listener(site)
    bad = descriptor("x", tags=["No Tag"])
    put(site, "one/x", descriptor("y") + "---\n" + bad)
    assert listener.read() == [
        ("document.rejected", "one", {
            "codes": ["bad-tag"], "path": "x.yaml", "line": 3, "ref": "component:default/x",
        })
    ]  # fmt: skip
    # It moves within its file, with the same fault.
    put(site, "one/x", bad + "---\n" + descriptor("y"))
    assert listener.read() == []
    put(site, "one/x", descriptor("y") + "---\n" + descriptor("x"))
    [(kind, subject, data)] = listener.read()
    assert (kind, subject, data["ref"]) == ("document.mended", "one", "component:default/x")


def test_a_file_that_goes_mends_what_was_wrong_with_it(site: CatalogSite) -> None:
    listener = Listener(site)
    put(site, "one/x", "a: [\n")
    assert [kind for kind, *_ in listener.read()] == ["document.rejected"]
    put(site, "one/x", None)
    assert [kind for kind, *_ in listener.read()] == ["document.mended"]


def test_a_warning_rejects_nothing(site: CatalogSite) -> None:
    listener = Listener(site)
    spec = {"targets": ["./nowhere.yaml"]}
    put(site, "one/x", descriptor("l", "Location", spec=spec))
    assert listener.read() == []
    assert [item.kind for item in site.service.problems(source="one")] == ["warning"]


def test_a_conflict_begins_and_ends(site: CatalogSite) -> None:
    listener = Listener(site)
    put(site, "one/x", descriptor("x", title="One"))
    put(site, "two/x", descriptor("x", title="Two"))
    [(kind, subject, data)] = listener.read()
    told = {"source": "two", "path": "x.yaml", "line": 1, "heldBy": "one"}
    assert (kind, subject, data) == ("conflict.began", "component:default/x", told)
    put(site, "two/x", descriptor("x", title="Two again"))
    assert listener.read() == []
    put(site, "one/x", None)
    [(kind, _subject, data)] = listener.read()
    assert (kind, data["heldBy"]) == ("conflict.ended", "two")


def test_an_entity_is_stale_and_fresh_again(site: CatalogSite, clock: Clock) -> None:
    listener = Listener(site)
    put(site, "one/x", descriptor("x") + "---\n" + descriptor("y"))
    listener.read()
    since = clock()
    put(site, "one/x", "a: [\n")
    stale = [(kind, subject) for kind, subject, _ in listener.read() if kind.startswith("entity.")]
    assert stale == [
        ("entity.stale", "component:default/x"), ("entity.stale", "component:default/y"),
    ]  # fmt: skip
    clock.advance(60)
    put(site, "one/x", "b: [\n")
    assert listener.read() == []
    found = site.service.problems(kind="stale")
    assert [(str(item.ref), item.since) for item in found] == [
        ("component:default/x", since), ("component:default/y", since),
    ]  # fmt: skip
    put(site, "one/x", descriptor("x", title="New"))
    kinds = [(kind, subject) for kind, subject, _ in listener.read()]
    assert ("entity.fresh", "component:default/x") in kinds
    assert site.service.problems(kind="stale") == []
    # The other one is gone; it was stale to its end.
    assert ("entity.fresh", "component:default/y") not in kinds


def test_relations_lead_nowhere_and_somewhere_again(site: CatalogSite, clock: Clock) -> None:
    listener = Listener(site)
    spec = {"dependsOn": ["component:z", "component:y"], "owner": "team"}
    put(site, "one/x", descriptor("x", spec=spec))
    assert listener.read() == [
        ("relation.dangling", "component:default/x", {"relations": [
            {"type": "dependsOn", "target": "component:default/y"},
            {"type": "dependsOn", "target": "component:default/z"},
        ]}),
    ]  # fmt: skip
    since = clock()
    clock.advance(60)
    put(site, "one/x", descriptor("x", title="New", spec=spec))
    assert listener.read() == []
    ref = EntityRef.parse("component:x")
    assert {item.since for item in site.service.problems(ref, kind="dangling")} == {since}
    put(site, "two/y", descriptor("y"))
    assert listener.read() == [
        ("relation.resolved", "component:default/x", {"relations": [
            {"type": "dependsOn", "target": "component:default/y"},
        ]}),
    ]  # fmt: skip
    put(site, "two/y", None)
    assert [kind for kind, *_ in listener.read()] == ["relation.dangling"]
    put(site, "one/x", descriptor("x"))
    [(kind, _subject, data)] = listener.read()
    assert (kind, len(data["relations"])) == ("relation.resolved", 2)


def test_the_first_read_tells_of_no_relations_and_lists_them(
    database: Database, tmp_path: Path
) -> None:
    (tmp_path / "main").mkdir()
    (tmp_path / "main/x.yaml").write_text(descriptor("x"))
    site = CatalogSite(database, tmp_path, sources=[folder("main")])
    listener = Listener(site)
    site.read()
    assert listener.since() == []
    assert [item.other for item in site.service.problems(kind="dangling")] == ["group:default/team"]


def test_work_grows_with_what_changed(site: CatalogSite) -> None:
    """A change of one file looks up what it names and what names it, not all that is there."""
    for at in range(60):
        put(site, f"one/{at}", descriptor(f"c{at}", spec={"dependsOn": [f"component:n{at}"]}))
    site.read()
    from sqlalchemy import event as listening

    statements: list[str] = []

    def note(_c: Any, _cursor: Any, statement: str, *_: Any) -> None:
        if "dangling" in statement:
            statements.append(statement)

    put(site, "one/0", descriptor("c0", title="New", spec={"dependsOn": ["component:n0"]}))
    listening.listen(site.database.engine, "before_cursor_execute", note)
    try:
        site.read("one")
    finally:
        listening.remove(site.database.engine, "before_cursor_execute", note)
    assert statements
    assert all(" IN (" in item or "origin_id" in item for item in statements)
    assert not [item for item in statements if item.startswith(("INSERT", "DELETE"))]


STEP = st.tuples(
    st.sampled_from(["one/a", "one/b", "two/a"]),
    st.sampled_from([
        None, "a: [\n", descriptor("x"), descriptor("x", title="New"),
        descriptor("y", spec={"dependsOn": ["component:x", "component:z"]}),
        descriptor("z") + "---\n" + descriptor("x", tags=["No Tag"]),
        descriptor("z", spec={"owner": "component:y"}) + "---\n" + descriptor("x"),
    ]),
)  # fmt: skip


@settings(
    max_examples=20, deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)  # fmt: skip
@given(steps=st.lists(STEP, min_size=2, max_size=10))
def test_what_began_and_did_not_end_is_what_is_listed(
    site: CatalogSite, clock: Clock, steps: list[tuple[str, str | None]]
) -> None:
    listener = Listener(site)
    open_relations = listed(site, "dangling")
    open_conflicts = listed(site, "conflict")
    open_stale = listed(site, "stale")
    for path, text in steps:
        clock.advance(1)
        put(site, path, text)
        site.read()
        gone = {item.subject for item in deleted(site, listener.seen)}
        for kind, subject, data in listener.since():
            edges = {(subject, "dangling", item["target"]) for item in data.get("relations", ())}
            place = (subject, "conflict", data.get("source", "") + "/" + str(data.get("path")))
            if kind == "relation.dangling":
                assert not edges & open_relations
                open_relations |= edges
            elif kind == "relation.resolved":
                assert edges <= open_relations
                open_relations -= edges
            elif kind == "conflict.began":
                assert place not in open_conflicts
                open_conflicts.add(place)
            elif kind == "conflict.ended":
                assert place in open_conflicts
                open_conflicts.remove(place)
            elif kind == "entity.stale":
                open_stale.add((subject, "stale", ""))
            elif kind == "entity.fresh":
                assert (subject, "stale", "") in open_stale
                open_stale.remove((subject, "stale", ""))
        open_relations = {item for item in open_relations if item[0] not in gone}
        open_stale = {item for item in open_stale if item[0] not in gone}
        assert open_relations == listed(site, "dangling")
        assert open_conflicts == listed(site, "conflict")
        assert open_stale == listed(site, "stale")


def deleted(site: CatalogSite, after: int) -> list[Any]:
    with site.database.read() as connection:
        return events.read(connection, after, ("catalog.entity.deleted",))


def listed(site: CatalogSite, kind: Any) -> set[tuple[str, str, str]]:
    found = site.service.problems(kind=kind, limit=500)
    if kind == "conflict":
        return {(str(item.ref), kind, f"{item.source}/{item.path}") for item in found}
    return {(str(item.ref), kind, item.other) for item in found}


def test_pages_by_place_give_everything_once(site: CatalogSite) -> None:
    for at in range(7):
        put(site, f"one/{at}", descriptor(f"c{at}", spec={"dependsOn": ["component:n", "api:m"]}))
        put(site, f"two/{at}", descriptor(f"c{at}", tags=["No Tag"]) if at % 2 else "a: [\n")
    site.read()
    everything = site.service.problems(limit=500)
    assert len({item.id for item in everything}) == len(everything) > 20
    paged: list[Any] = []
    while True:
        after = paged[-1].place if paged else None
        page = site.service.problems(limit=4, after=after)
        if not page:
            break
        paged += page
    assert [item.id for item in paged] == [item.id for item in everything]
    with site.database.read() as connection:
        assert connection.scalar(select(func.count()).select_from(models.dangling)) == 14
