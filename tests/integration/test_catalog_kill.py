"""`kill -9` in the middle of reading a source: the next run ends where one undisturbed does."""

import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Table, select

from callboard.database import Branch, Database, upgrade
from callboard_catalog import models
from callboard_catalog.testing import CatalogSite, descriptor

pytestmark = pytest.mark.slow  # runs whole processes

READER = Path(__file__).with_name("catalog_reader.py")
SOURCE = {"name": "main", "type": "folder", "path": "main", "paths": ["all.yaml", "files/*.yaml"]}
LEFT_OUT = {
    "id", "uid", "created_at", "updated_at", "since", "key_id", "entity_id", "origin_id", "file_id",
    "source_id", "last_read_at", "last_success_at", "failing_since", "document", "at", "before",
    "created",
}  # fmt: skip


@pytest.fixture
def undisturbed(tmp_path: Path, schema_branches: Sequence[Branch]) -> Iterator[Database]:
    """Give a database of its own for the run that nobody kills."""
    database = Database(f"sqlite:///{tmp_path}/undisturbed.sqlite3")
    upgrade(database, schema_branches)
    yield database
    database.close()


def write_first(folder: Path) -> None:
    (folder / "files").mkdir(parents=True)
    targets = ["./files/00.yaml", "./gone.yaml", "./extra.yaml"]
    (folder / "all.yaml").write_text(descriptor("all", "Location", spec={"targets": targets}))
    (folder / "extra.yaml").write_text(descriptor("extra"))
    for at in range(30):
        more = [f"component:c{at + 1}-0", f"component:none{at}"]
        texts = [descriptor(f"c{at}-{n}", tags=[f"t{n}"], spec={"dependsOn": more}) for n in (0, 1)]
        (folder / f"files/{at:02}.yaml").write_text("---\n".join(texts))


def write_second(folder: Path) -> None:
    """Change, remove, move, break, repeat: something of everything."""
    for at in range(0, 30, 3):
        text = descriptor(f"c{at}-0", title=f"New {at}") + "---\n" + descriptor(f"new{at}")
        (folder / f"files/{at:02}.yaml").write_text(text)
    for at in (1, 10, 28):
        (folder / f"files/{at:02}.yaml").unlink()
    for at in (2, 11):
        (folder / f"files/{at:02}.yaml").rename(folder / f"files/moved-{at}.yaml")
    (folder / "files/05.yaml").write_text("a: [\n")
    (folder / "files/08.yaml").write_text(descriptor("c8-0", tags=["No Tag"]))
    (folder / "files/99.yaml").write_text(descriptor("c14-0", title="A second one"))
    (folder / "extra.yaml").unlink()


def rows(database: Database, table: Table, *joins: tuple[Table, Any, Any]) -> list[Any]:
    joined: Any = table
    columns = [column for column in table.c if column.name not in LEFT_OUT]
    for other, on, shown in joins:
        joined = joined.join(other, on)
        columns.append(shown)
    with database.read() as connection:
        return sorted(map(repr, connection.execute(select(*columns).select_from(joined))))


def tables(database: Database) -> dict[str, list[Any]]:
    """Give what the tables say, without numbers and times."""
    file, source, entity, key = (
        models.source_file, models.source, models.entity, models.field_key,
    )  # fmt: skip
    found = {"source": rows(database, source), "files": rows(database, file)}
    found["history"] = rows(database, models.entity_version)
    for table in (entity, models.claim, models.rejected):
        place = (file, file.c.id == table.c.file_id, file.c.path)
        owner = (source, source.c.id == table.c.source_id, source.c.name)
        found[table.name] = rows(database, table, place, owner)
    relation, value = models.relation, models.entity_field
    of_relation = (entity, entity.c.id == relation.c.origin_id, entity.c.ref)
    found["relation"] = rows(database, relation, of_relation)
    of_key = (key, key.c.id == value.c.key_id, key.c.name)
    found["field"] = rows(
        database, value, (entity, entity.c.id == value.c.entity_id, entity.c.ref), of_key
    )
    with database.read() as connection:
        ids = set(connection.scalars(select(entity.c.id)))
        indexed = connection.exec_driver_sql("SELECT rowid FROM entity_text").scalars().all()
    assert sorted(indexed) == sorted(ids)
    return found


def documents(site: CatalogSite) -> dict[str, Any]:
    found = {}
    for item in site.service.find(limit=1000):
        metadata = {**item.metadata, "uid": ""}
        found[str(item.ref)] = ({**item.document, "metadata": metadata}, item.relations)
    return found


def kill_in(step: str, number: int, database: Database, folder: Path) -> None:
    notes = folder / f"notes-{step}-{number}"
    url = database.url.render_as_string(hide_password=False)
    arguments = [url, str(folder), step, str(number), str(notes)]
    process = subprocess.Popen([sys.executable, "-W", "error", str(READER), *arguments])
    try:
        deadline = time.monotonic() + 30
        while not notes.exists():
            assert process.poll() is None, f"It ended before {step} {number}."
            assert time.monotonic() < deadline, "It did not come to that."
            time.sleep(0.02)
    finally:
        process.kill()
        process.wait(10)


def test_a_killed_run_is_made_good_by_the_next(
    database: Database, undisturbed: Database, tmp_path: Path
) -> None:
    folder = tmp_path / "main"
    write_first(folder)
    plain = CatalogSite(undisturbed, tmp_path, sources=[SOURCE])
    plain.read()
    for step, number in (("flush", 1), ("tell", 3), ("apply", 4), ("succeed", 1)):
        kill_in(step, number, database, tmp_path)
    site = CatalogSite(database, tmp_path, sources=[SOURCE])
    site.read()
    assert tables(database) == tables(undisturbed)

    write_second(folder)
    plain.read()
    for step, number in (("flush", 2), ("apply", 1), ("remove", 1), ("succeed", 1)):
        kill_in(step, number, database, tmp_path)
    assert site.read().error == ""
    assert tables(database) == tables(undisturbed)
    assert documents(site) == documents(plain)
    assert site.service.problem_counts() == plain.service.problem_counts()
    for text in ("new", "c14", "extra", "t1", "second"):
        hits = {hit.path for hit in site.service.search(text, limit=100)}
        assert hits == {hit.path for hit in plain.service.search(text, limit=100)}
    assert site.read().unchanged
