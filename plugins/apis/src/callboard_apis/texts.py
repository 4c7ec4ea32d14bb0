"""Texts of definitions, which anybody may have written, made fit to be shown."""

import re
from functools import cache
from html import escape
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from markdown_it import MarkdownIt

LONGEST_DESCRIPTION: Final = 20_000
LONGEST_NOTE: Final = 2_000
LONGEST_NAME: Final = 300
MOST_CELLS: Final = 5_000
"""Tables that may have more cells than this are shown as the text they are."""

_CONTROLS: Final = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")
# Unicode Bidirectional Algorithm, explicit formatting characters: they reorder what follows.
_REORDERING: Final = re.compile("[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")
# Characters without a width, which make two names look alike.
_HIDDEN: Final = re.compile("[\u00ad\u034f\u061c\u115f\u1160\u180e\u200b-\u200f\u2028-\u202e"
                            "\u2060-\u206f\u3164\ufeff\uffa0]")  # fmt: skip
_MARKED_UP: Final = re.compile(r"[*_`\[\]<>#|\\\n~&!]|^\s*(?:[-+]|\d+[.)]) |^\s{4}")
_TAGS: Final = {
    "a", "blockquote", "br", "code", "del", "em", "hr", "li", "ol", "p", "pre", "strong", "table",
    "tbody", "td", "th", "thead", "tr", "ul",
}  # fmt: skip
_LINK: Final = re.compile(r"(?:https?://|mailto:)[^\s]", re.IGNORECASE)


def name_of(value: Any, length: int = LONGEST_NAME) -> str:
    """Give a name on one line; characters that are not seen or reorder are spelled out."""
    text = " ".join(_CONTROLS.sub("\ufffd", str(value)[: length * 2]).split())
    text = _HIDDEN.sub(lambda match: f"<U+{ord(match[0]):04X}>", text)
    return text if len(text) <= length else f"{text[: length - 1]}…"


def plain(value: Any, length: int = LONGEST_NOTE) -> str:
    """Give a text as it is, bounded, without characters that reorder it or cannot be kept."""
    if not isinstance(value, str):
        return ""
    text = _REORDERING.sub("", _CONTROLS.sub("\ufffd", value[: length + 1]))
    return text if len(text) <= length else f"{text[: length - 1]}…"


def first_line(value: Any, length: int = 200) -> str:
    """Give the first line of a text that says something, for a list."""
    text = plain(value, LONGEST_NOTE)
    line = next((line.strip(" #*`") for line in text.splitlines() if line.strip(" #*`")), "")
    return name_of(line, length)


def html_of(value: Any, length: int = LONGEST_DESCRIPTION) -> str:
    """Give Markdown (CommonMark with tables) as safe HTML.

    HTML within it is shown as text, pictures are left out as their addresses, links leave by
    `rel=noopener` and only to http, https and mailto. Empty for what is no text.
    """
    text = plain(value, length).strip()
    if not text:
        return ""
    if not _MARKED_UP.search(text):
        return f"<p>{escape(text)}</p>"
    import nh3

    cleaned: str = nh3.clean(
        _markdown(_cells(text) <= MOST_CELLS).render(text),
        tags=_TAGS,
        attributes={"a": {"href"}},
        attribute_filter=_keep_attribute,
        link_rel="noopener noreferrer nofollow",
        url_schemes={"http", "https", "mailto"},
    )
    return cleaned.strip()


def _keep_attribute(tag: str, name: str, value: str) -> str | None:
    if name == "href":
        return value if _LINK.match(value) else None
    return value


def _cells(text: str) -> int:
    """Give how many cells tables can have at most: each row is filled up to the width of the first.

    A few lines of text can otherwise become a hundred thousand cells.
    """
    widths = [line.count("|") for line in text.split("\n") if "|" in line]
    return len(widths) * max(widths, default=0)


@cache
def _markdown(tables: bool) -> "MarkdownIt":
    from markdown_it import MarkdownIt

    made = MarkdownIt("commonmark", {"html": False}).enable("strikethrough")
    if tables:
        made.enable("table")
    made.disable("image")
    # The headings of a description are no headings of the page.
    made.add_render_rule("heading_open", lambda *_: "<p><strong>")
    made.add_render_rule("heading_close", lambda *_: "</strong></p>\n")
    return made
