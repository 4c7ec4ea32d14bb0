"""What is prepared is kept and read back alike on both databases."""

from datetime import UTC, datetime

import pytest
from sqlalchemy import true, update

from callboard.database import Database
from callboard.entities import Entity, EntityRef
from callboard_apis import queries, store
from callboard_apis.changes import compare
from callboard_apis.keeping import load_text
from callboard_apis.models import api, metadata
from callboard_apis.preparing import prepare
from callboard_apis.queries import Filter

NOW = datetime(2026, 3, 2, 8, tzinfo=UTC)
TEXT = (
    "openapi: 3.0.0\ninfo: {title: 'A\\u0000B', version: '1'}\npaths:\n"
    "  /a_b: {get: {tags: [T], deprecated: true, responses: {'200': {description: d}}}}\n"
    "  /c%d: {post: {responses: {}}}\n"
).replace("'A\\u0000B'", '"A\\0B"')


@pytest.fixture
def kept(database: Database) -> Database:
    with database.write() as connection:
        metadata.create_all(connection)
    return database


def entity(name: str, text: str) -> Entity:
    ref = EntityRef("api", "default", name)
    spec = {"type": "openapi", "definition": text, "lifecycle": "x" * 500}
    return Entity(ref, {"kind": "API", "metadata": {"name": name}, "spec": spec})


def test_a_definition_is_kept_and_read(kept: Database) -> None:
    one = entity("one", TEXT)
    with kept.write() as connection:
        assert store.register(connection, [one, entity("two", "text")], NOW) == 2
        hash_ = store.digest("openapi", TEXT)
        number = store.write_definition(connection, hash_, TEXT, prepare("openapi", TEXT))
        assert store.write_definition(connection, hash_, TEXT, prepare("openapi", TEXT)) == number
        values = {"definition_id": number, "waiting": False}
        connection.execute(update(api).where(api.c.ref == str(one.ref)).values(values))
        changes = compare("openapi", TEXT, TEXT.replace("/a_b", "/x"))
        store.write_version(connection, str(one.ref), number, "1", NOW, changes, 2)
        assert store.register(connection, [one], NOW) == 0
        assert store.register(connection, [entity("one", "other")], NOW) == 1
    with kept.read() as connection:
        assert load_text(connection, number) == TEXT
        shown = queries.load_api(connection, str(one.ref))
        assert shown is not None
        assert shown.definition is not None
        assert shown.definition.title == "A\ufffdB"
        assert (shown.definition.operations, shown.definition.deprecated) == (2, 1)
        rows = queries.load_items(connection, number)
        assert [row.title for row in rows] == ["/a_b", "/c%d"]
        assert [row.title for row in queries.load_items(connection, number, asked="a_")] == ["/a_b"]
        assert [row.title for row in queries.load_items(connection, number, asked="%D")] == ["/c%d"]
        assert [row.number for row in queries.load_groups(connection, number)] == [1, 1]
        assert queries.load_item(connection, number, "operation", rows[0].key) is not None
        before, after = queries.load_beside(connection, number, rows[0])
        assert before is None
        assert after is not None
        assert after.title == "/c%d"
        assert queries.load_source(connection, number, 3) == (1, TEXT, 0, 1)
        (version,) = queries.load_versions(connection, str(one.ref))
        assert (version.breaking, version.warning, version.ok) == (1, 0, 1)
        totals = queries.load_totals(connection, true())
        assert (totals.apis, totals.operations, totals.waiting) == (2, 2, 2)
        index = queries.load_index(connection, Filter(after=("one", str(one.ref))), 10)
        assert [row.ref for row in index] == ["api:default/two"]
        facets = queries.load_facets(connection, Filter(type="openapi"))
        assert [(row.value, row.number) for row in facets["type"]] == [("openapi", 2)]
    with kept.write() as connection:
        store.forget(connection, [str(one.ref)])
        store.drop_unused(connection)
        assert queries.load_items(connection, number) == []
