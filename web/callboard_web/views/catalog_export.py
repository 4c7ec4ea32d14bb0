"""All that a list finds, with its columns and in its order, as CSV or JSON."""

import csv
import io
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from typing import Any, Final

import orjson
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from callboard.contributions import Cell
from callboard.entities import Entity, EntityRef
from callboard.errors import NotFoundError
from callboard.i18n import Text
from callboard_catalog.query import ListResult
from callboard_web import catalog_columns as columns
from callboard_web.catalog_columns import Head, Table
from callboard_web.catalog_query import CatalogQuery, columns_of
from callboard_web.portal import portal_of
from callboard_web.routing import reading
from callboard_web.views.catalog import asked_of

TYPES: Final = {"csv": "text/csv; charset=utf-8", "json": "application/json"}
BYTE_ORDER_MARK: Final = "\ufeff"
FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")
"""What spreadsheets take a cell for a formula by (OWASP, CSV Injection)."""

Words = Callable[[Text], str]


def export(request: Request) -> Response:
    """Send every row that matches, page by page, so that memory does not grow with the list."""
    portal = portal_of(request)
    form = request.path_params["format"]
    if form not in TYPES:
        raise NotFoundError(f"There is no export as {form[:20]}; there are csv and json.")
    query = CatalogQuery.of(request.query_params.multi_items()).at("")
    asked = asked_of(request, query)
    remembered = columns_of([request.cookies.get(columns.COOKIE, "")])
    heads = [head for head in columns.offered(portal, query, remembered) if head.shown]
    reader, asker = portal.reader(request), portal.asker(request)

    def words(text: Text) -> str:
        return portal.renderer.text(text, reader)

    def tables(results: Iterator[ListResult]) -> Iterator[Table]:
        return (columns.table(portal, heads, result, asker) for result in results)

    # The first page is read before the answer begins, so that an error can still be told.
    pages = tables(portal.runtime.catalog.walk(asked.request()))
    first = next(pages, None)
    parts = _csv(heads, first, pages, words) if form == "csv" else _json(heads, first, pages, words)
    name = f"catalog-{portal.runtime.now():%Y-%m-%d}.{form}"
    headers = {
        "content-disposition": f'attachment; filename="{name}"',
        "cache-control": "no-store",
        "vary": "Cookie, Accept-Language",
    }
    return StreamingResponse(parts, headers=headers, media_type=TYPES[form])


def _all(first: Table | None, others: Iterator[Table]) -> Iterator[Table]:
    if first is not None:
        yield first
        yield from others


# CSV (RFC 4180)


def _csv(
    heads: Sequence[Head], first: Table | None, others: Iterator[Table], words: Words
) -> Iterator[bytes]:
    titles = ["ref", "name", "title", *(words(head.title) for head in heads)]
    yield (BYTE_ORDER_MARK + csv_lines([titles])).encode()
    for table in _all(first, others):
        yield csv_lines(_row(table, entity, words) for entity in table.result.entities).encode(
            "utf-8", "replace"
        )


def csv_lines(rows: Any) -> str:
    """Give rows as lines of CSV (RFC 4180) that no spreadsheet runs."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\r\n").writerows(
        [[safe(cell) for cell in row] for row in rows]
    )
    return text.getvalue()


def safe(cell: str) -> str:
    """Give a cell that no spreadsheet runs: one like a formula begins with an apostrophe.

    Space before it does not help, nor do line breaks: some spreadsheets cut them off.
    """
    return f"'{cell}" if cell.lstrip(" \n").startswith(FORMULA) else cell


def _row(table: Table, entity: Entity, words: Words) -> list[str]:
    cells = [_text(table, table.value(entity, head.name), words) for head in table.heads]
    return [str(entity.ref), entity.name, entity.title, *cells]


def _text(table: Table, value: Any, words: Words) -> str:
    if isinstance(value, datetime):
        return columns.exact(value)
    if isinstance(value, EntityRef):
        return table.owner_title(value)
    if isinstance(value, Cell):
        return " ".join(filter(None, (words(value.text), columns.exact(value.at))))
    if isinstance(value, tuple | list):
        return ", ".join(map(str, value))
    return str(value or "")


# JSON


def _json(
    heads: Sequence[Head], first: Table | None, others: Iterator[Table], words: Words
) -> Iterator[bytes]:
    yield b'{"items":['
    comma = b""
    for table in _all(first, others):
        items = [orjson.dumps(_item(table, entity, words)) for entity in table.result.entities]
        yield comma + b",\n".join(items)
        comma = b",\n"
    yield b"]}\n"


def _item(table: Table, entity: Entity, words: Words) -> dict[str, Any]:
    values = {head.name: _value(table.value(entity, head.name), words) for head in table.heads}
    return {"ref": str(entity.ref), "name": entity.name, "title": entity.title, **values}


def _value(value: Any, words: Words) -> Any:
    if isinstance(value, datetime):
        return columns.exact(value)
    if isinstance(value, EntityRef):
        return str(value)
    if isinstance(value, Cell):
        return {
            "text": words(value.text),
            "status": value.status,
            "at": columns.exact(value.at) or None,
        }
    return list(value) if isinstance(value, tuple | list) else value


ROUTES = [reading("/catalog/export/{format}", export)]
