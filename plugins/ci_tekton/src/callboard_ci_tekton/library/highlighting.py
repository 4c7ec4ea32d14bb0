"""YAML with its keys, texts and comments told apart, as markup that needs no sanitising."""

from functools import lru_cache
from typing import Final

from markupsafe import Markup, escape
from pygments.lexers.data import YamlLexer
from pygments.token import Comment, Literal, Name, Number, Punctuation, String, _TokenType

_CLASSES: Final[tuple[tuple[_TokenType, str], ...]] = (
    (Comment, "lc"), (Name.Tag, "lk"), (String, "ls"), (Number, "ls"), (Punctuation, "lp"),
    (Literal.Scalar.Plain, ""), (Literal, "ls"),
)  # fmt: skip


@lru_cache(maxsize=64)
def highlighted(source: str) -> Markup:
    """Give the text, each token in a `span` whose class says what it is."""
    parts: list[Markup] = []
    for kind, text in YamlLexer(stripnl=False).get_tokens(source):
        name = next((name for above, name in _CLASSES if kind in above), "")
        template = Markup('<span class="{}">{}</span>')
        parts.append(template.format(name, text) if name and text.strip() else escape(text))
    return Markup().join(parts)
