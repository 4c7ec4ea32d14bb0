"""Where the values of a key stand in the tables."""

from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Connection, Select, select
from sqlalchemy.sql.elements import ColumnElement

from callboard_catalog import models
from callboard_catalog.rest.columns import storable
from callboard_catalog.store.bulk import one_of
from callboard_catalog.store.fields import EMPTY, LISTED, PLAIN, WRITTEN

ENTITY: Final = models.entity
FIELD: Final = models.entity_field.c
RELATIONS: Final = "relations."
COLUMNS: Final = {"metadata.name": ENTITY.c.name, "metadata.uid": ENTITY.c.uid}
"""The keys whose values are those of a column, in lower case."""


@dataclass(frozen=True, slots=True)
class Place:
    """The numbers a key has in `entity_field`.

    `values` are those of rows with its values, `empty` of rows that say that it is there without,
    `written` of rows that say how the values of a column are written. `items` are the lists, by
    number, that may hold the rest of the key as a text: `metadata.tags` and `java`.
    """

    values: tuple[int, ...] = ()
    empty: int | None = None
    written: int | None = None
    items: tuple[tuple[int, str], ...] = ()

    @classmethod
    def of(cls, connection: Connection, key: str) -> "Place":
        """Look a key up, which must be in lower case."""
        if not storable([key]):
            return cls()
        ends = [at for at, letter in enumerate(key) if letter == "."]
        table = models.field_key.c
        named = one_of(connection, table.name, [key, *(key[:end] for end in ends)])
        rows = connection.execute(select(table.name, table.form, table.id).where(named)).all()
        own = {form: number for name, form, number in rows if name == key}
        return cls(
            tuple(own[form] for form in (PLAIN, LISTED) if form in own),
            own.get(EMPTY),
            own.get(WRITTEN),
            tuple(
                (number, key[len(name) + 1 :])
                for name, form, number in sorted(rows)
                if name != key and form == LISTED
            ),
        )

    def rows(self, *conditions: ColumnElement[bool]) -> Select[Any]:
        """Ask for the entities that have a value of which the conditions hold."""
        return select(FIELD.entity_id).where(FIELD.key_id.in_(self.values), *conditions)
