"""Blocks of Python-Markdown that hold indented Markdown: admonitions and content tabs.

`!!! note "Title"` (admonition), `??? note` and `???+ note` (pymdownx.details), `=== "Title"`
(pymdownx.tabbed). The lines below that are indented by four spaces belong to the block.
"""

import re
from typing import Final

from markdown_it import MarkdownIt
from markdown_it.rules_block import StateBlock
from markdown_it.token import Token

_MARKER: Final = re.compile(
    r"(?P<mark>!!!|\?\?\?\+?|===[!+]?)[ \t]+"
    r"(?P<types>[\w -]*?)[ \t]*(?:\"(?P<title>.*)\")?[ \t]*"
)
_INDENT: Final = 4
LONGEST_TITLE: Final = 300

TONES: Final = {
    "note": "run", "info": "run", "todo": "run", "abstract": "idle", "summary": "idle",
    "tldr": "idle", "tip": "ok", "hint": "ok", "success": "ok", "check": "ok", "done": "ok",
    "important": "wait", "question": "wait", "help": "wait", "faq": "wait", "warning": "warn",
    "caution": "warn", "attention": "warn", "danger": "bad", "error": "bad", "failure": "bad",
    "fail": "bad", "missing": "bad", "bug": "bad", "example": "idle", "quote": "idle",
    "cite": "idle",
}  # fmt: skip
"""The status colour of each type of admonition; others are neutral."""


def containers_plugin(markdown: MarkdownIt) -> None:
    """Add the rule, before fences and paragraphs are looked for."""
    markdown.block.ruler.before(
        "fence", "container", _container, {"alt": ["paragraph", "reference", "blockquote", "list"]}
    )
    markdown.core.ruler.push("tab_sets", _group_tabs)


def _container(state: StateBlock, start: int, end: int, silent: bool) -> bool:
    if state.is_code_block(start):
        return False
    line = state.src[state.bMarks[start] + state.tShift[start] : state.eMarks[start]]
    match = _MARKER.fullmatch(line) if line[:1] in "!?=" else None
    if match is None or (match["mark"][0] == "=") != (not match["types"]):
        return False
    if match["mark"][0] == "=" and match["title"] is None:
        return False
    if silent:
        return True
    last = _last_line(state, start, end)
    _emit(state, match, start, last)
    return True


def _last_line(state: StateBlock, start: int, end: int) -> int:
    """Give the line after the block: blank lines belong to it where an indented one follows."""
    indent = state.sCount[start] + _INDENT
    last = line = start + 1
    while line < end:
        if state.isEmpty(line):
            line += 1
        elif state.sCount[line] >= indent:
            line += 1
            last = line
        else:
            break
    return last


def _emit(state: StateBlock, match: re.Match[str], start: int, last: int) -> None:
    name = "tab" if match["mark"][0] == "=" else "admonition"
    kind = match["types"].split()[0].lower() if match["types"].split() else ""
    opened = state.push(f"{name}_open", "div", 1)
    opened.block = True
    opened.map = [start, last]
    opened.meta = {
        "kind": kind,
        "title": None if match["title"] is None else match["title"][:LONGEST_TITLE],
        "folds": match["mark"].startswith("???"),
        "open": match["mark"] != "???",
    }
    parent, line_max, indent = state.parentType, state.lineMax, state.blkIndent
    state.parentType = "container"
    state.lineMax = last
    state.blkIndent = state.sCount[start] + _INDENT
    state.md.block.tokenize(state, start + 1, last)
    state.parentType, state.lineMax, state.blkIndent = parent, line_max, indent
    closed = state.push(f"{name}_close", "div", -1)
    closed.block = True
    closed.meta = opened.meta
    state.line = last


def _group_tabs(state: object) -> None:
    """Put tabs that follow one another into one set."""
    tokens: list[Token] = state.tokens  # type: ignore[attr-defined]
    grouped: list[Token] = []
    previous: tuple[str, int] = ("", -1)
    for token in tokens:
        if token.type == "tab_open" and previous != ("tab_close", token.level):
            grouped.append(_set_token("open", token.level))
        if previous[0] == "tab_close" and (token.type, token.level) != ("tab_open", previous[1]):
            grouped.append(_set_token("close", previous[1]))
        grouped.append(token)
        previous = (token.type, token.level)
    if previous[0] == "tab_close":
        grouped.append(_set_token("close", previous[1]))
    state.tokens = grouped  # type: ignore[attr-defined]


def _set_token(edge: str, level: int) -> Token:
    return Token(f"tab_set_{edge}", "div", 1 if edge == "open" else -1, level=level, block=True)
