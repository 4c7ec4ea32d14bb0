"""Turns what is kept of a page into what is shown: links filled in, words translated, the tree."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Final
from urllib.parse import quote, urlencode

from markupsafe import Markup

from callboard.i18n import Message, Text, Translator
from callboard.repositories import file_page

_ = Translator("docs")

WHOLE_TREE: Final = 200
"""A tree with more entries is shown only along the way to the page that is read."""

NEIGHBOURS: Final = 30
"""Of a long list, so many before and after the page that is read are shown."""

WORDS: Final[Mapping[str, Message]] = {
    "note": _("Note"), "info": _("Information"), "todo": _("To do"), "abstract": _("Summary"),
    "summary": _("Summary"), "tldr": _("Summary"), "tip": _("Tip"), "hint": _("Hint"),
    "success": _("Done"), "check": _("Done"), "done": _("Done"), "important": _("Important"),
    "question": _("Question"), "help": _("Help"), "faq": _("Question"), "warning": _("Warning"),
    "caution": _("Caution"), "attention": _("Attention"), "danger": _("Danger"),
    "error": _("Error"), "failure": _("Failure"), "fail": _("Failure"), "missing": _("Missing"),
    "bug": _("Known fault"), "example": _("Example"), "quote": _("Quotation"),
    "cite": _("Quotation"),
}  # fmt: skip
_HOLE: Final = re.compile(
    r"<img src=\"docs:(?P<image>\d+)\"(?P<rest>(?: [\w-]+=\"[^\"]*\")*)>"
    r"|<a href=\"docs:(?P<link>\d+)\""
    r"|(?P<head><(?:p class=\"adm-t\"|summary)) data-word=\"(?P<word>\w+)\">[^<]*"
)
_ALTERNATIVE: Final = re.compile(r" alt=\"([^\"]*)\"")
FILES: Final = "/api/plugins/docs/files"


@dataclass(frozen=True, slots=True)
class Links:
    """Makes the addresses of one site as one entity shows it."""

    base: str
    number: int
    url: str
    branch: str
    version: str = ""

    def page(self, address: str = "", fragment: str = "", **query: object) -> str:
        """Give the address of a page of the site."""
        asked = {name: value for name, value in query.items() if value not in ("", None)}
        if self.version:
            asked["version"] = self.version
        path = f"{self.base}/{quote(address)}" if address else self.base
        return f"{path}{'?' + urlencode(asked) if asked else ''}{fragment}"

    def target(self, kind: str, name: str, more: str) -> str:
        """Give where a link leads, empty where that is nowhere or not known."""
        if kind == "page":
            return self.page(name, more)
        if kind == "file":
            return f"{FILES}/{self.number}/{more}"
        return file_page(self.url, self.branch, name) if kind in ("source", "large") else ""


def filled(html: str, targets: Sequence[Sequence[str]], links: Links) -> Iterator[Text]:
    """Give a page in pieces: HTML as markup, and words in between that are yet to be translated."""
    at = 0
    for match in _HOLE.finditer(html):
        yield Markup(html[at : match.start()])  # noqa: S704  sanitised when it was rendered
        at = match.end()
        if match["word"]:
            yield Markup(match["head"] + ">")  # noqa: S704
            yield WORDS.get(match["word"], match["word"].capitalize())
        elif match["link"]:
            yield from _link(_at(targets, match["link"]), links)
        else:
            yield from _image(_at(targets, match["image"]), match["rest"], links)
    yield Markup(html[at:])  # noqa: S704


def _at(targets: Sequence[Sequence[str]], number: str) -> Sequence[str]:
    index = int(number)
    return targets[index] if index < len(targets) else ("broken", "", "")


def _link(target: Sequence[str], links: Links) -> Iterator[Text]:
    address = links.target(*target)
    if address:
        yield Markup('<a href="{}"').format(address)
    elif target[0] == "broken":
        yield Markup('<a class="broken" title="')
        yield _("This link leads nowhere.")
        yield Markup('"')
    else:
        yield Markup("<a")


def _image(target: Sequence[str], rest: str, links: Links) -> Iterator[Text]:
    if target[0] == "file":
        yield Markup('<img src="{}"{}>').format(links.target(*target), Markup(rest))  # noqa: S704
        return
    found = _ALTERNATIVE.search(rest)
    alternative = Markup(found[1]).unescape() if found else ""  # noqa: S704
    yield Markup('<span class="broken">')
    yield _("Picture not found: %(name)s", name=alternative or target[1] or "–")
    yield Markup("</span>")


@dataclass(slots=True)
class Entry:
    """A line of the tree as it is shown."""

    title: str
    href: str = ""
    external: bool = False
    current: bool = False
    is_open: bool = False
    children: "list[Entry]" = field(default_factory=list)
    hidden: int = 0


def shown_tree(nodes: list[dict[str, Any]], address: str, links: Links) -> list[Entry]:
    """Give the tree for a page; a large one only along the way to it."""
    whole = _count(nodes) <= WHOLE_TREE

    def entries(items: list[dict[str, Any]]) -> list[Entry]:
        made = []
        for item in _near(items, address):
            if isinstance(item, int):
                made.append(Entry("", hidden=item))
                continue
            children = item.get("c", [])
            on_the_way = _holds(item, address)
            entry = Entry(
                item["t"],
                href=_href(item, links),
                external="u" in item,
                current="a" in item and item["a"] == address,
                is_open=on_the_way,
            )
            if children and (whole or on_the_way):
                entry.children = entries(children)
            elif children:
                entry.href = entry.href or _first(children, links)
            made.append(entry)
        return made

    return entries(nodes)


def _near(items: list[dict[str, Any]], address: str) -> list[dict[str, Any] | int]:
    """Give the entries around the one that is read, with numbers in place of those left out."""
    if len(items) <= 4 * NEIGHBOURS:
        return list(items)
    here = next((index for index, item in enumerate(items) if _holds(item, address)), 0)
    first, last = max(here - NEIGHBOURS, 0), min(here + NEIGHBOURS + 1, len(items))
    before: list[dict[str, Any] | int] = [first] if first else []
    after = [len(items) - last] if last < len(items) else []
    return [*before, *items[first:last], *after]


def _href(item: Mapping[str, Any], links: Links) -> str:
    if "u" in item:
        return str(item["u"])
    return links.page(item["a"]) if "a" in item else ""


def _first(items: list[dict[str, Any]], links: Links) -> str:
    for item in items:
        found = _href(item, links) or _first(item.get("c", []), links)
        if found:
            return found
    return ""


def _holds(item: Mapping[str, Any], address: str) -> bool:
    return item.get("a") == address or any(_holds(child, address) for child in item.get("c", ()))


def _count(nodes: list[dict[str, Any]]) -> int:
    return len(nodes) + sum(_count(node.get("c", [])) for node in nodes)


def outline(headings: Sequence[Sequence[Any]]) -> list[tuple[int, str, str]]:
    """Give the headings beside a page: two levels, not the title itself."""
    below = [(level, anchor, title) for level, anchor, title in headings if level > 1]
    if len([item for item in headings if item[0] == 1]) > 1:
        below = [(level, anchor, title) for level, anchor, title in headings]
    if not below:
        return []
    top = min(level for level, _anchor, _title in below)
    return [(level - top, anchor, title) for level, anchor, title in below if level <= top + 1]


def words_of(query: str) -> list[str]:
    """Give the words of a search, at most eight."""
    return query.split()[:8]


def passage(text: str, words: Sequence[str], length: int = 220) -> str:
    """Give a piece of a text around the first word found, with U+E000 and U+E001 around each."""
    pattern = _pattern(tuple(words))
    plain = text.replace("\ue000", "").replace("\ue001", "")
    found = pattern.search(plain)
    start = max(0, found.start() - length // 3) if found else 0
    piece = plain[start : start + length]
    piece = ("…" if start else "") + piece + ("…" if start + length < len(plain) else "")
    return pattern.sub(lambda match: f"\ue000{match[0]}\ue001", piece)


@lru_cache(maxsize=200)
def _pattern(words: tuple[str, ...]) -> re.Pattern[str]:
    return re.compile("|".join(re.escape(word) for word in words) or r"(?!)", re.IGNORECASE)
