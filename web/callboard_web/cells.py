"""What stands in the cells of lists, as markup.

These are plain functions, not templates: a page of the catalog has hundreds of cells.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

from markupsafe import Markup, escape

from callboard.contributions import Cell
from callboard.entities import Entity, EntityRef
from callboard_web import formats
from callboard_web.words import Words

if TYPE_CHECKING:
    from callboard_web.catalog_columns import Head, Table
    from callboard_web.rendering import Renderer

MOST_TAGS: Final = 3
LONGEST: Final = 120
LONGEST_TITLE: Final = 300
NONE: Final = Markup("–")


def cut(text: str, most: int = LONGEST) -> str:
    """Shorten a text to at most `most` characters, the last of them an ellipsis."""
    return text if len(text) <= most else f"{text[: most - 1]}…"


class Cells:
    """Draws cells for the reader of the page that is being drawn."""

    def __init__(self, renderer: "Renderer", words: Words) -> None:
        self._renderer = renderer
        self._words = words
        self._drawn: Mapping[str, Callable[[Any, Any, str], Markup]] = {
            "owner": self._reference, "system": self._reference, "domain": self._reference,
            "changed": self._age, "kind": self._kind, "tags": self._tags,
            "description": self._description, "source": self._source,
        }  # fmt: skip

    def row(self, entity: Entity, heads: "Sequence[Head]", table: "Table", kind: str) -> Markup:
        """Give the cells of a row of the catalog; `kind` is the one that is listed."""
        parts = []
        for head in heads:
            narrow = "" if head.name == "description" else " nw"
            drawn = self._cell(head, table.value(entity, head.name), table, kind)
            parts.append(f'<td class="{escape(head.classes)}{narrow}">{drawn}</td>\n')
        return Markup("".join(parts))  # noqa: S704 - each part is escaped

    def plugin(self, cell: Cell | None) -> Markup:
        """Give what a plugin says in a cell."""
        if cell is None:
            return NONE
        words = escape(self._renderer.said_to_reader(cell.text)) if cell.text else Markup()
        shown = self._renderer.status(cell.status, words) if cell.status else words
        if cell.path:
            address = escape(formats.safe_url(cell.path))
            shown = Markup(f'<a class="quiet" href="{address}">{shown}</a>')  # noqa: S704
        if cell.at is None:
            return shown
        age = self._renderer.age(cell.at)
        return Markup(f"{shown} <small>{age}</small>") if cell.text else shown + age  # noqa: S704

    def _cell(self, head: "Head", value: Any, table: "Table", kind: str) -> Markup:
        if head.plugin:
            return self.plugin(value)
        if value is None or value == "":
            return NONE
        draw = self._drawn.get(head.name)
        return draw(value, table, kind) if draw else escape(value)

    def _reference(self, ref: EntityRef, table: "Table", kind: str) -> Markup:
        title = escape(table.owner_title(ref))
        return Markup(  # noqa: S704
            f'<a class="quiet" href="{escape(ref.path())}" title="{escape(str(ref))}">{title}</a>'
        )

    def _age(self, value: Any, table: "Table", kind: str) -> Markup:
        return self._renderer.age(value)

    def _kind(self, value: str, table: "Table", kind: str) -> Markup:
        return escape(self._renderer.said_to_reader(self._words.title(value)))

    def _tags(self, tags: Sequence[str], table: "Table", kind: str) -> Markup:
        if not tags:
            return NONE
        listed = quote(kind)
        shown = " ".join(
            f'<a class="tag" href="/catalog?kind={listed}&amp;tag={quote(tag.lower(), safe="")}">'
            f"{escape(tag)}</a>"
            for tag in tags[:MOST_TAGS]
        )
        rest = tags[MOST_TAGS:]
        more = f' <small title="{escape(", ".join(rest))}">+{len(rest)}</small>' if rest else ""
        return Markup(shown + more)  # noqa: S704

    def _description(self, text: str, table: "Table", kind: str) -> Markup:
        title, shown = escape(cut(text, LONGEST_TITLE)), escape(cut(text))
        return Markup(f'<span class="trunc" title="{title}">{shown}</span>')  # noqa: S704

    def _source(self, name: str, table: "Table", kind: str) -> Markup:
        address = quote(name, safe="")
        return Markup(f'<a class="quiet" href="/sources/{address}">{escape(name)}</a>')  # noqa: S704
