"""What the plugin draws. It reads the plugin's table only: a person waits for the page."""

from collections.abc import Mapping

from callboard.contributions import Cell, ColumnContext, EntityContext, Fragment, PageContext
from callboard.entities import EntityRef
from callboard_hello.greetings import greetings_of, latest_greetings


def draw_card(context: EntityContext) -> Fragment:
    with context.host.read() as connection:
        found = greetings_of(connection, [context.entity.ref])
    greeting = found.get(str(context.entity.ref))
    return Fragment(template="hello/card.html", context={"greeting": greeting})


def draw_page(context: PageContext) -> Fragment:
    with context.host.read() as connection:
        greetings = latest_greetings(connection, limit=50)
    rows = [(EntityRef.parse(row.ref), row) for row in greetings]
    return Fragment(template="hello/page.html", context={"rows": rows})


def greeted_at(context: ColumnContext) -> Mapping[EntityRef, Cell]:
    """One query for all rows of the page. The host shows `at` as an age, in every language."""
    with context.host.read() as connection:
        found = greetings_of(connection, [entity.ref for entity in context.entities])
    return {
        entity.ref: Cell(at=found[str(entity.ref)].greeted_at)
        for entity in context.entities
        if str(entity.ref) in found
    }
