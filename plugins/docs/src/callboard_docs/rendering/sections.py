"""Headings with their anchors, and the plain text below each for search."""

import re
from dataclasses import dataclass, field
from typing import Final

from markdown_it.token import Token

from callboard_docs.rendering.anchors import PREFIX, anchor_of

LONGEST_TITLE: Final = 300
LONGEST_TEXT: Final = 20_000
MOST_SECTIONS: Final = 2000


@dataclass(slots=True)
class Section:
    """A heading of level 1 to 6 and the text up to the next; level 0 is what stands before it."""

    level: int
    anchor: str
    title: str
    pieces: list[str] = field(default_factory=list)

    @property
    def text(self) -> str:
        return re.sub(r"\s+", " ", " ".join(self.pieces)).strip()[:LONGEST_TEXT]


def collect_sections(tokens: list[Token]) -> list[Section]:
    """Give the sections of a page and set the id of every heading; ids are not repeated."""
    sections = [Section(0, "", "")]
    taken: dict[str, int] = {}
    for index, token in enumerate(tokens):
        if token.type == "heading_open":
            inline = tokens[index + 1]
            title = plain_text(inline)[:LONGEST_TITLE]
            anchor = _unique(str(token.attrGet("id") or "") or anchor_of(title), taken)
            token.attrSet("id", anchor)
            if len(sections) < MOST_SECTIONS:
                sections.append(Section(int(token.tag[1]), PREFIX + anchor, title))
        elif token.type == "inline" and tokens[index - 1].type != "heading_open":
            sections[-1].pieces.append(plain_text(token))
        elif token.type in ("admonition_open", "tab_open") and token.meta["title"]:
            sections[-1].pieces.append(token.meta["title"])
        elif token.type in ("fence", "code_block"):
            sections[-1].pieces.append(token.content[:LONGEST_TEXT])
    return [section for section in sections if section.level or section.text]


def _unique(anchor: str, taken: dict[str, int]) -> str:
    number = taken.get(anchor, 0)
    taken[anchor] = number + 1
    return _unique(f"{anchor}-{number}", taken) if number else anchor


def plain_text(inline: Token) -> str:
    """Give the words of a line, without marks and pictures' addresses."""
    parts = []
    for child in inline.children or ():
        if child.type in ("text", "code_inline", "math_inline") or child.type == "image":
            parts.append(child.content)
        elif child.type in ("softbreak", "hardbreak"):
            parts.append(" ")
    return "".join(parts).strip()
