"""The plugin's work: a job that writes greetings, and a source with an entity."""

from collections.abc import Iterable, Iterator, Sequence

from sqlalchemy import Connection, Row, insert, select

from callboard.contributions import JobContext, SourceContext, SourceDocument
from callboard.entities import Catalog, Entity, EntityRef
from callboard_hello.models import greeting


def greet(context: JobContext) -> None:
    """Greet every component that was not greeted yet.

    The job may be killed at any time and run again: it looks at what is there, and each page of
    entities is one transaction.
    """
    host = context.host
    for entities in component_pages(host.catalog):
        refs = [str(entity.ref) for entity in entities]
        with host.write() as connection:
            known = set(
                connection.execute(select(greeting.c.ref).where(greeting.c.ref.in_(refs))).scalars()
            )
            rows = [
                {
                    "ref": str(entity.ref),
                    "text": f"{host.settings.greeting}, {entity.title}",
                    "greeted_at": host.now(),
                }
                for entity in entities
                if str(entity.ref) not in known
            ]
            if rows:
                connection.execute(insert(greeting), rows)


def component_pages(catalog: Catalog) -> Iterator[Sequence[Entity]]:
    """Walk through the catalog in pages: it may hold 100,000 entities."""
    after: EntityRef | None = None
    while page := catalog.find(kind="component", after=after, limit=500):
        yield page
        after = page[-1].ref


def greetings_of(
    connection: Connection, refs: Iterable[EntityRef]
) -> dict[str, Row[tuple[object, ...]]]:
    """Give the greetings of many entities by one query."""
    wanted = [str(ref) for ref in refs]
    rows = connection.execute(select(greeting).where(greeting.c.ref.in_(wanted)))
    return {row.ref: row for row in rows}


def latest_greetings(connection: Connection, limit: int) -> Sequence[Row[tuple[object, ...]]]:
    query = select(greeting).order_by(greeting.c.greeted_at.desc(), greeting.c.ref)
    return connection.execute(query.limit(limit)).all()


def read_example(context: SourceContext) -> Iterable[SourceDocument]:
    """Bring an entity into the catalog.

    A real source asks another system here; it runs in a job, so it may take its time. The whole
    set is given each time: what is no longer given leaves the catalog.
    """
    yield SourceDocument(
        path="hello-world",
        content={
            "apiVersion": "backstage.io/v1alpha1",
            "kind": "Component",
            "metadata": {"name": "hello-world", "description": "Brought by callboard-hello"},
            "spec": {"type": "service", "lifecycle": "experimental", "owner": "guests"},
        },
    )
