"""Attribute lists after headings, images, links and code: `{#id}`, `{: #id .class width="300" }`.

The rules are those of Python-Markdown's `attr_list`, as far as an id and a size go; classes mean
nothing outside of the theme they were written for and are left out.
"""

import re
from typing import Final

from markdown_it import MarkdownIt
from markdown_it.rules_core import StateCore
from markdown_it.rules_inline import StateInline
from markdown_it.token import Token

_LIST: Final = re.compile(r"\{:?[ \t]*(?=[#.\w])((?:[^{}\"\n]|\"[^\"\n]*\"){1,200})\}")
_HEADING: Final = re.compile(rf"(?:^|[ \t]+){_LIST.pattern}[ \t]*$")
_PART: Final = re.compile(r"#(?P<id>[^\s#.}=\"]+)|(?P<key>width|height)=\"?(?P<value>\d{1,4})\"?")
_TAKERS: Final = frozenset({"image", "link_close", "code_inline"})


def attributes_plugin(markdown: MarkdownIt) -> None:
    """Read the lists and keep what they say as attributes of their tokens."""
    markdown.inline.ruler.push("attribute_list", _inline)
    markdown.core.ruler.after("block", "heading_attributes", _headings)


def _inline(state: StateInline, silent: bool) -> bool:
    if state.src[state.pos] != "{" or state.pending or not state.tokens:
        return False
    taker = state.tokens[-1]
    match = _LIST.match(state.src, state.pos) if taker.type in _TAKERS else None
    if match is None:
        return False
    if not silent:
        _apply(taker, match[1])
    state.pos = match.end()
    return True


def _headings(state: StateCore) -> None:
    for index, token in enumerate(state.tokens[:-1]):
        if token.type != "heading_open":
            continue
        inline = state.tokens[index + 1]
        match = _HEADING.search(inline.content)
        if match is not None:
            inline.content = inline.content[: match.start()]
            _apply(token, match[1])


def _apply(token: Token, text: str) -> None:
    for part in _PART.finditer(text):
        if part["id"]:
            token.attrSet("id", part["id"][:100])
        elif token.type == "image":
            token.attrSet(part["key"], part["value"])
