"""What reading a folder again does to the tables: new, changed, moved, bad, mended, gone."""

import os
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event as listening
from sqlalchemy import select

from callboard import events
from callboard.audit.models import audit_entry
from callboard.database import Database, metadata
from callboard.entities import EntityRef
from callboard.events.log import newest
from callboard.testing import Clock
from callboard_catalog import models
from callboard_catalog.problems import Problem
from callboard_catalog.testing import CatalogSite, descriptor

ALL = {"name": "main", "type": "folder", "path": "main", "paths": ["**/*.yaml"]}
TEAM = descriptor("team", "Group")


@pytest.fixture
def site(database: Database, tmp_path: Path, clock: Clock) -> CatalogSite:
    (tmp_path / "main").mkdir()
    return CatalogSite(database, tmp_path, sources=[ALL], now=clock)


def put(site: CatalogSite, **files: str | None) -> None:
    """Write files of the folder `main`, by their names without `.yaml`; None deletes one."""
    for name, text in files.items():
        path = site.base / "main" / f"{name}.yaml"
        if text is None:
            path.unlink()
        else:
            path.write_text(text)


def told(site: CatalogSite, after: int = 0) -> list[tuple[str, str]]:
    with site.database.read() as connection:
        return [(item.kind, item.subject) for item in events.read(connection, after)]


def entity_events(site: CatalogSite, after: int = 0) -> list[tuple[str, str]]:
    prefix = "catalog.entity."
    return [
        (kind.removeprefix(prefix), ref)
        for kind, ref in told(site, after)
        if kind.startswith(prefix)
    ]


def last_event(site: CatalogSite) -> int:
    with site.database.read() as connection:
        return newest(connection)


def uid(site: CatalogSite, ref: str) -> str:
    found = site.get(ref)
    assert found is not None
    return found.uid


def problems(site: CatalogSite, kind: Any) -> list[Problem]:
    return list(site.service.problems(kind=kind))


def tables(database: Database) -> dict[str, list[Any]]:
    with database.read() as connection:
        return {
            table.name: sorted(map(repr, connection.execute(select(table))))
            for table in metadata.sorted_tables
        }


def writes_of(database: Database, action: Callable[[], object]) -> list[str]:
    statements: list[str] = []

    def note(_c: Any, _cursor: Any, statement: str, *_: Any) -> None:
        if not statement.lstrip().upper().startswith(("SELECT", "WITH", "BEGIN", "SHOW")):
            statements.append(statement)

    listening.listen(database.engine, "before_cursor_execute", note)
    try:
        action()
    finally:
        listening.remove(database.engine, "before_cursor_execute", note)
    return statements


def test_new_changed_and_removed_files(site: CatalogSite, clock: Clock) -> None:
    put(site, a=descriptor("a", title="Old"), b=descriptor("b"), team=TEAM)
    site.read()
    first = uid(site, "component:a")
    assert sorted(entity_events(site)) == [
        ("created", "component:default/a"),
        ("created", "component:default/b"),
        ("created", "group:default/team"),
    ]
    seen = last_event(site)
    clock.advance(60)
    put(site, a=descriptor("a", title="New"), b=None, c=descriptor("c"))
    result = site.read()
    assert result.files == 2
    assert sorted(entity_events(site, seen)) == [
        ("created", "component:default/c"),
        ("deleted", "component:default/b"),
        ("updated", "component:default/a"),
    ]
    found = site.get("component:a")
    assert found is not None
    assert (found.title, found.uid) == ("New", first)
    assert site.get("component:b") is None
    provenance = site.service.provenance(found.ref)
    assert provenance is not None
    assert provenance.updated_at - provenance.created_at == timedelta(seconds=60)
    assert (provenance.source, provenance.path, provenance.line) == ("main", "a.yaml", 1)


def test_what_left_is_in_the_audit_log(site: CatalogSite) -> None:
    put(site, a=descriptor("a"), team=TEAM)
    site.read()
    put(site, a=None)
    site.read()
    with site.database.read() as connection:
        statement = select(audit_entry).where(audit_entry.c.action == "catalog.entity.delete")
        entries = connection.execute(statement).all()
    assert [(entry.subject, entry.before) for entry in entries] == [
        ("component:default/a", {"source": "main"})
    ]


def test_nothing_changed_writes_nothing(site: CatalogSite) -> None:
    put(site, a=descriptor("a"), bad="kind: Component", l=descriptor("l", "Location", spec={}))
    site.read()
    before = tables(site.database)
    assert writes_of(site.database, lambda: site.read()) == []
    assert writes_of(site.database, lambda: site.engine.register()) == []
    site.configure()
    assert writes_of(site.database, lambda: site.read()) == []
    assert tables(site.database) == before


def test_a_touched_file_of_the_same_content_is_no_update(site: CatalogSite) -> None:
    put(site, a=descriptor("a"))
    site.read()
    seen, before = last_event(site), site.service.recent()
    (site.base / "main/a.yaml").touch()
    assert site.read().files == 1
    assert entity_events(site, seen) == []
    assert site.service.recent() == before


def test_a_renamed_file_keeps_its_entities(site: CatalogSite) -> None:
    put(site, a=descriptor("a") + "---\n" + descriptor("b"))
    site.read()
    first, seen = uid(site, "component:a"), last_event(site)
    (site.base / "main/a.yaml").rename(site.base / "main/z.yaml")
    site.read()
    assert uid(site, "component:a") == first
    assert {kind for kind, _ in entity_events(site, seen)} == {"updated"}
    provenance = site.service.provenance(EntityRef.parse("component:b"))
    assert provenance is not None
    assert (provenance.path, provenance.position, provenance.line) == ("z.yaml", 1, 3)


@pytest.mark.parametrize(("old", "new"), [("a", "b"), ("b", "a")])
def test_an_entity_that_moves_to_another_file_is_the_same(
    site: CatalogSite, old: str, new: str
) -> None:
    both = descriptor("moving") + "---\n" + descriptor(f"in-{old}")
    put(site, **{old: both, new: descriptor(f"in-{new}")})
    site.read()
    first, seen = uid(site, "component:moving"), last_event(site)
    put(site, **{old: descriptor(f"in-{old}")})
    put(site, **{new: descriptor(f"in-{new}") + "---\n" + descriptor("moving")})
    site.read()
    assert uid(site, "component:moving") == first
    # Its annotations say where it is from, so this is an update and no more.
    assert entity_events(site, seen) == [("updated", "component:default/moving")]
    assert problems(site, "conflict") == []


def test_documents_that_change_places_are_not_updated(site: CatalogSite) -> None:
    put(site, a=descriptor("x") + "---\n" + descriptor("y"))
    site.read()
    seen = last_event(site)
    put(site, a=descriptor("y") + "---\n" + descriptor("x"))
    site.read()
    assert entity_events(site, seen) == []
    provenance = site.service.provenance(EntityRef.parse("component:x"))
    assert provenance is not None
    assert (provenance.position, provenance.line) == (1, 3)


def test_one_bad_document_hides_no_neighbour(site: CatalogSite) -> None:
    bad = "apiVersion: backstage.io/v1alpha1\nkind: Component\nmetadata:\n  name: not a name\n"
    put(site, a="---\n".join([descriptor("x"), bad, "a: [\n", descriptor("y"), "", "- 1\n"]))
    site.read()
    assert site.get("component:x")
    assert site.get("component:y")
    found = [(item.code, item.line) for item in problems(site, "rejected")]
    assert sorted(found) == [
        ("bad-name", 6),
        ("missing-spec", 3),
        ("not-an-object", 13),
        ("yaml-error", 9),
    ]
    state = site.service.source("main")
    assert state is not None
    assert (state.entities, state.rejected, state.files) == (2, 3, 1)


BROKEN = {
    "a rule": "apiVersion: backstage.io/v1alpha1\nkind: Component\nmetadata: {name: x, tags: [A]}\n"
    "spec: {type: service, lifecycle: production, owner: team}\n",
    "the YAML": "apiVersion: backstage.io/v1alpha1\nkind: Component\nmetadata: {name: x\n",
    "the name": "apiVersion: backstage.io/v1alpha1\nkind: Component\nmetadata:\n  title: x\n"
    "spec: {type: service, lifecycle: production, owner: team}\n",
    "the kind": "apiVersion: backstage.io/v1alpha1\nkind: Componet\nmetadata: {name: x}\n",
    "not UTF-8": b"metadata: {name: \xff\xfe}\n".decode("latin-1"),
    "an object": "- x\n",
}


@pytest.mark.parametrize("what", BROKEN)
def test_a_document_that_turns_bad_is_served_as_it_was(
    site: CatalogSite, clock: Clock, what: str
) -> None:
    put(site, a=descriptor("x", title="Good"), b=descriptor("other"))
    site.read()
    first, seen = uid(site, "component:x"), last_event(site)
    broken, since = BROKEN[what], clock()
    (site.base / "main/a.yaml").write_bytes(broken.encode("latin-1"))
    site.read()
    found = site.get("component:x")
    assert found is not None
    assert (found.title, found.uid) == ("Good", first)
    assert entity_events(site, seen) == [("stale", "component:default/x")]
    assert [item.since for item in problems(site, "stale")] == [since]
    rejected = problems(site, "rejected")
    assert {(item.source, item.path, item.since) for item in rejected} == {
        ("main", "a.yaml", since)
    }
    assert 1 <= rejected[0].line <= broken.count("\n") + 1
    if what in {"a rule"}:
        assert rejected[0].served
        assert rejected[0].ref == EntityRef.parse("component:x")
        assert rejected[0].owner == EntityRef.parse("group:team")

    clock.advance(3600)
    (site.base / "main/a.yaml").write_bytes(b"# still bad\n" + broken.encode("latin-1"))
    site.read()
    assert {item.since for item in problems(site, "rejected")} == {since}
    assert uid(site, "component:x") == first

    put(site, a=descriptor("x", title="Mended"))
    site.read()
    found = site.get("component:x")
    assert found is not None
    assert (found.title, found.uid) == ("Mended", first)
    assert problems(site, "rejected") == []
    assert site.service.problem_counts()["rejected"] == 0


def test_a_fault_keeps_its_time_when_its_document_moves(site: CatalogSite, clock: Clock) -> None:
    bad = descriptor("x", tags=["Not A Tag"])
    put(site, a=bad)
    site.read()
    since = clock()
    clock.advance(60)
    put(site, a=descriptor("new") + "---\n" + bad)
    seen = last_event(site)
    site.read()
    assert [item.since for item in problems(site, "rejected")] == [since]
    assert ("catalog.document.rejected", "main") not in told(site, seen)


def test_mending_back_to_what_is_served_clears_what_was_shown(site: CatalogSite) -> None:
    good = descriptor("x")
    put(site, a=good)
    site.read()
    put(site, a="a: [\n")
    site.read()
    assert site.service.problem_counts()["rejected"] == 1
    put(site, a=good)
    site.read()
    assert site.service.problem_counts()["rejected"] == 0
    assert problems(site, "rejected") == []


def test_a_bad_location_leads_where_it_did(site: CatalogSite) -> None:
    site.configure(sources=[{**ALL, "paths": ["all.yaml"]}])
    put(
        site,
        all=descriptor("all", "Location", spec={"targets": ["./a.yaml", "./b.yaml"]}),
        a=descriptor("a"),
        b=descriptor("b"),
    )
    site.read()
    good = site.base.joinpath("main/all.yaml").read_text()
    for bad in ("a: [\n", descriptor("all", "Location", spec={"targets": 1})):
        put(site, all=bad)
        site.read()
        put(site, b=descriptor("b", title=bad[:5]))
        site.read()
        found = site.get("component:b")
        assert found is not None
        assert found.title == bad[:5]
        assert site.get("component:a")
        assert site.get("location:all")
        assert len(problems(site, "rejected")) == 1
    put(site, all=good.replace("./a.yaml", "./b.yaml"))
    site.read()
    assert site.get("component:a") is None
    assert problems(site, "rejected") == []
    put(site, all=descriptor("other"))
    site.read()
    assert site.get("component:b") is None
    assert site.get("location:all") is None


def test_malformed_references_are_warnings(site: CatalogSite) -> None:
    put(site, a=descriptor("a", spec={"owner": "a b", "dependsOn": ["nokind", "component:c"]}))
    site.read()
    warnings = problems(site, "warning")
    assert [item.code for item in warnings] == ["bad-reference", "bad-reference"]
    assert all(item.ref == EntityRef.parse("component:a") for item in warnings)
    found = site.get("component:a")
    assert found is not None
    assert [str(item.target) for item in found.relations] == ["component:default/c"]
    state = site.service.source("main")
    assert state is not None
    assert state.rejected == 0


def test_dangling_relations_are_shown_to_their_owner(site: CatalogSite) -> None:
    put(
        site,
        a=descriptor("a", spec={"owner": "team", "dependsOn": ["component:gone", "resource:db"]}),
        team=descriptor("team", "Group", spec={"members": ["nobody"]}),
    )
    site.read()
    dangling = problems(site, "dangling")
    assert sorted((str(item.ref), item.code, item.other) for item in dangling) == [
        ("component:default/a", "dependsOn", "component:default/gone"),
        ("component:default/a", "dependsOn", "resource:default/db"),
        ("group:default/team", "hasMember", "user:default/nobody"),
    ]
    assert len({item.id for item in dangling}) == 3
    owner = EntityRef.parse("group:team")
    owned = site.service.problems(owner=owner)
    assert [str(item.ref) for item in owned] == ["component:default/a"] * 2
    of_one = site.service.problems(EntityRef.parse("component:a"))
    assert len(of_one) == 2
    put(site, b=descriptor("gone"), db=descriptor("db", "Resource", spec=db_spec()))
    site.read()
    assert [item.other for item in problems(site, "dangling")] == ["user:default/nobody"]
    missing = site.get("component:gone")
    assert missing is not None
    assert ("dependencyOf", "component:default/a") in [
        (item.type, str(item.target)) for item in missing.relations
    ]


def db_spec() -> dict[str, str]:
    return {"type": "database", "owner": "team"}


def test_relations_that_are_declared_backwards_may_dangle_too(site: CatalogSite) -> None:
    put(site, a=descriptor("a", spec={"dependencyOf": ["component:ghost"]}), team=TEAM)
    site.read()
    [found] = problems(site, "dangling")
    assert (str(found.ref), found.other) == ("component:default/a", "component:default/ghost")
    related = site.service.related(EntityRef.parse("component:ghost"))
    assert [(item.type, str(item.ref), item.exists) for item in related] == [
        ("dependsOn", "component:default/a", True)
    ]


@pytest.mark.parametrize(
    "text",
    [
        'metadata: {name: x, title: "a\\0b"}\nspec: {type: s, lifecycle: p, owner: o}',
        'metadata: {name: x}\nspec: {type: "\\x00", lifecycle: p, owner: o}',
        'metadata: {name: x, "a\\0": b}\nspec: {type: s, lifecycle: p, owner: "a\\u0000"}',
        'metadata: {name: "x\\0"}\nspec: {type: "\\x00", lifecycle: p, owner: o}',
        '"ki\\0nd": 1\nmetadata: {name: x, namespace: "a\\0"}\nspec: {owner: "g:\\0/o"}',
    ],
)
def test_zero_characters_reject_their_document_only(site: CatalogSite, text: str) -> None:
    head = "apiVersion: backstage.io/v1alpha1\nkind: Component\n"
    put(site, a=f"{head}{text}\n---\n{descriptor('good')}")
    site.read()
    assert site.get("component:good")
    assert problems(site, "rejected")
    assert site.service.source("main").error == ""  # type: ignore[union-attr]


def test_texts_that_no_index_takes_are_kept_whole_in_the_document(site: CatalogSite) -> None:
    # Random digits, which no database packs; İ is longer in lower case.
    long = "".join(chr(0x4E00 + at * 7919 % 20000) for at in range(5000))
    put(
        site,
        a=descriptor(
            "a",
            title=long,
            annotations={"example.com/dotted": "İ" * 200, "example.com/long": long},
            custom={"İ" * 190: "x", "deep": [[[[[[[[["x"]]]]]]]]], "number": 2**63 - 1},
            spec={"type": long, "lifecycle": long, "owner": "group:" + "x" * 200},
        ),
    )
    result = site.read()
    assert result.error == ""
    found = site.get("component:a")
    assert found is not None
    assert (found.type, found.title) == (long, long)
    assert problems(site, "rejected") == []


def test_backslashes_that_are_no_zero_character_are_fine(site: CatalogSite) -> None:
    put(site, a=descriptor("a", title="C:\\u0000 \\\\0"))
    site.read()
    found = site.get("component:a")
    assert found is not None
    assert found.title == "C:\\u0000 \\\\0"


def test_annotations_about_the_place_are_not_believed(site: CatalogSite) -> None:
    lie = {"backstage.io/managed-by-location": "url:https://example.com/other.yaml"}
    put(site, a=descriptor("a", annotations=lie, uid="11111111-1111-4111-8111-111111111111"))
    put(site, b=descriptor("b", uid="11111111-1111-4111-8111-111111111111"))
    site.read()
    provenance = site.service.provenance(EntityRef.parse("component:a"))
    assert provenance is not None
    assert (provenance.source, provenance.path) == ("main", "a.yaml")
    assert uid(site, "component:a") != uid(site, "component:b")
    put(site, a=None)
    site.read()
    assert site.get("component:a") is None


def test_files_left_out_and_files_too_large(site: CatalogSite) -> None:
    site.configure(limits={"file_size": 1000})
    put(site, a=descriptor("a"), big=descriptor("big", description="x" * 2000))
    (site.base / "main/link.yaml").symlink_to("/etc/hostname")
    (site.base / "main/node_modules").mkdir()
    (site.base / "main/node_modules/n.yaml").write_text(descriptor("n"))
    (site.base / b"main/\xff.yaml".decode(errors="surrogateescape")).write_text(descriptor("odd"))
    site.read()
    assert site.service.counts() == {"component": 1}
    [found] = problems(site, "rejected")
    assert (found.path, found.code) == ("big.yaml", "too-large")
    put(site, big=descriptor("big"))
    site.read()
    assert problems(site, "rejected") == []
    assert site.get("component:big")


def test_the_longest_reference_is_served(site: CatalogSite) -> None:
    kinds = [{"name": "K" * 63, "api_versions": ["example.com/v1"], "title": "K"}]
    site.configure(kinds=kinds)
    text = descriptor("n" * 63, "K" * 63, namespace="s" * 63)
    put(site, a=text.replace("backstage.io/v1alpha1", "example.com/v1"))
    site.read()
    assert problems(site, "rejected") == []
    assert len(site.service.recent()) == 1


def test_rows_that_belong_to_an_entity_go_with_it(site: CatalogSite) -> None:
    put(site, a=descriptor("a", tags=["x"]), team=TEAM)
    site.read()
    put(site, a=None, team=None, left=descriptor("left", "Location", spec={}))
    site.read()
    with site.database.read() as connection:
        assert connection.execute(select(models.relation)).all() == []
        owners = set(connection.scalars(select(models.entity_field.c.entity_id)))
        assert owners == set(connection.scalars(select(models.entity.c.id)))
        assert len(connection.execute(select(models.source_file)).all()) == 1
    assert site.service.search("team") == []


def test_a_file_that_changes_with_its_time_kept_is_read_again(site: CatalogSite) -> None:
    put(site, a=descriptor("a", title="one"))
    site.read()
    file = site.base / "main/a.yaml"
    before = file.stat().st_mtime_ns
    file.write_text(descriptor("a", title="two"))
    os.utime(file, ns=(before, before))
    site.read()
    found = site.get("component:a")
    assert found is not None
    assert found.title == "two"
