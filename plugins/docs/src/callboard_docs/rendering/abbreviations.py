"""Abbreviations of Python-Markdown: `*[HTML]: Hyper Text Markup Language`."""

import re
from typing import Final

from markdown_it import MarkdownIt
from markdown_it.rules_block import StateBlock
from markdown_it.rules_core import StateCore
from markdown_it.token import Token

_DEFINITION: Final = re.compile(r"\*\[(?P<short>[^\]\n]{1,60})\]:[ \t]*(?P<long>\S.{0,300})")
MOST: Final = 200


def abbreviations_plugin(markdown: MarkdownIt) -> None:
    """Collect the definitions, and explain each word they define."""
    markdown.block.ruler.before(
        "reference", "abbreviation", _definition, {"alt": ["paragraph", "reference"]}
    )
    markdown.core.ruler.after("inline", "abbreviations", _explain)


def _definition(state: StateBlock, start: int, _end: int, silent: bool) -> bool:
    if state.is_code_block(start):
        return False
    line = state.src[state.bMarks[start] + state.tShift[start] : state.eMarks[start]]
    match = _DEFINITION.fullmatch(line.rstrip()) if line.startswith("*[") else None
    if match is None:
        return False
    if not silent:
        known: dict[str, str] = state.env.setdefault("abbreviations", {})
        if len(known) < MOST:
            known.setdefault(match["short"], match["long"])
        state.line = start + 1
    return True


def _explain(state: StateCore) -> None:
    known: dict[str, str] = state.env.get("abbreviations", {})
    if not known:
        return
    words = "|".join(re.escape(word) for word in sorted(known, key=len, reverse=True))
    pattern = re.compile(rf"(?<!\w)(?:{words})(?!\w)")
    for token in state.tokens:
        if token.type == "inline" and token.children:
            token.children = [
                part for child in token.children for part in _split(child, pattern, known)
            ]


def _split(token: Token, pattern: re.Pattern[str], known: dict[str, str]) -> list[Token]:
    if token.type != "text":
        return [token]
    parts: list[Token] = []
    at = 0
    for match in pattern.finditer(token.content):
        parts.append(_text(token, token.content[at : match.start()]))
        opened = Token("abbr_open", "abbr", 1, attrs={"title": known[match[0]]})
        parts += [opened, _text(token, match[0]), Token("abbr_close", "abbr", -1)]
        at = match.end()
    return [*parts, _text(token, token.content[at:])] if parts else [token]


def _text(token: Token, content: str) -> Token:
    return Token("text", "", 0, content=content, level=token.level)
