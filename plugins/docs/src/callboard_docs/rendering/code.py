"""Blocks of code: highlighted by a few classes, with title, line numbers and marked lines.

The part after the language is read as pymdownx.highlight writes it: `title="a.py"`,
`linenums="1"`, `hl_lines="2 4-6"`, within braces or not.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final

from markupsafe import Markup, escape
from pygments.lexer import Lexer
from pygments.lexers import get_lexer_by_name
from pygments.token import (
    Comment,
    Error,
    Generic,
    Keyword,
    Literal,
    Name,
    Number,
    Operator,
    String,
    _TokenType,
)
from pygments.util import ClassNotFound

LONGEST_CODE: Final = 60_000
"""Characters beyond which code is shown without colours."""

_OPTION: Final = re.compile(
    r"(?P<key>[\w-]+)[ \t]*=[ \t]*(?:\"(?P<quoted>[^\"]*)\"|(?P<bare>[^\s}]+))"
)
_LANGUAGE: Final = re.compile(r"\{?[ \t]*\.?(?P<name>[\w+#.-]*)")
# The most particular first: a token takes the class of the nearest type above it.
_CLASSES: Final[dict[_TokenType, str]] = {
    Comment: "hc", Comment.Preproc: "hk", Keyword: "hk", Keyword.Constant: "hn", String: "hs",
    Number: "hn", Literal: "hn", Name.Function: "hf", Name.Class: "hf", Name.Decorator: "hf",
    Name.Tag: "hk", Name.Attribute: "hf", Name.Builtin: "hf", Name.Namespace: "hf",
    Operator.Word: "hk", Error: "", Generic.Deleted: "hd", Generic.Inserted: "hi",
    Generic.Heading: "hf", Generic.Prompt: "hc", Generic.Output: "hc",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Fence:
    """What stands behind the marks that open a block of code."""

    language: str = ""
    title: str = ""
    first_line: int = 0
    marked: frozenset[int] = field(default=frozenset())


def parse_fence(info: str) -> Fence:
    """Read an info string; what is not understood is left out."""
    text = info.strip()[:500]
    options = {
        match["key"]: match["quoted"] or match["bare"] or "" for match in _OPTION.finditer(text)
    }
    language = _LANGUAGE.match(text)
    name = language["name"].lower() if language else ""
    if text[language.end() : language.end() + 1] == "=" if language else False:
        name = ""
    number = options.get("linenums", "")
    return Fence(
        language=name,
        title=options.get("title", "")[:200],
        first_line=min(int(number), 1_000_000) if number.isdecimal() else 0,
        marked=frozenset(_lines(options.get("hl_lines", ""))),
    )


def _lines(text: str) -> Iterator[int]:
    for part in re.findall(r"\d{1,5}(?:-\d{1,5})?", text)[:100]:
        first, _, last = part.partition("-")
        yield from range(int(first), min(int(last or first), int(first) + 2000) + 1)


def render_code(code: str, fence: Fence) -> Markup:
    """Give the block as HTML that needs no sanitising: all of the code is escaped."""
    lines = _highlighted(code.rstrip("\n"), fence.language).split("\n")
    if fence.first_line or fence.marked:
        lines = [_line(line, number, fence) for number, line in enumerate(lines, 1)]
        body = "".join(lines)
    else:
        body = "\n".join(lines)
    classes = "code-l" if fence.first_line or fence.marked else ""
    block = Markup('<pre tabindex="0"{}><code>{}</code></pre>').format(
        Markup(' class="{}"').format(classes) if classes else "",
        Markup(body),  # noqa: S704
    )
    if fence.title:
        return Markup('<figure class="code"><figcaption>{}</figcaption>{}</figure>').format(
            fence.title, block
        )
    return Markup('<div class="code">{}</div>').format(block)


def _line(content: str, number: int, fence: Fence) -> str:
    count = f'<i aria-hidden="true">{fence.first_line + number - 1}</i>' if fence.first_line else ""
    mark = ' class="hl"' if number in fence.marked else ""
    return f"<span{mark}>{count}{content}\n</span>"


def _highlighted(code: str, language: str) -> str:
    """Give escaped lines; no element spans more than one line."""
    lexer = _lexer(language) if len(code) <= LONGEST_CODE else None
    if lexer is None:
        return str(escape(code))
    parts: list[str] = []
    last, run = "", ""
    for kind, text in lexer.get_tokens(code):
        name = _class_of(kind)
        if name != last:
            parts.append(_spanned(last, run))
            last, run = name, ""
        run += text
    parts.append(_spanned(last, run))
    return "".join(parts).rstrip("\n")


def _spanned(name: str, text: str) -> str:
    if not name or not text:
        return str(escape(text))
    lines = (
        f'<span class="{name}">{escape(line)}</span>' if line else "" for line in text.split("\n")
    )
    return "\n".join(lines)


@lru_cache(maxsize=500)
def _class_of(kind: _TokenType) -> str:
    here: _TokenType | None = kind
    while here is not None:
        if here in _CLASSES:
            return _CLASSES[here]
        here = here.parent
    return ""


@lru_cache(maxsize=100)
def _lexer(language: str) -> Lexer | None:
    if not language or language in ("text", "txt", "plain", "none"):
        return None
    try:
        return get_lexer_by_name(language, stripnl=False, ensurenl=False)
    except ClassNotFound:
        return None
