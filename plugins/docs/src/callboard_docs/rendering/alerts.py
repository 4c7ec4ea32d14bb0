"""GitHub's forms: alerts (`> [!NOTE]`) and task lists (`- [x] done`)."""

import re
from typing import Final

from markdown_it import MarkdownIt
from markdown_it.rules_core import StateCore
from markdown_it.token import Token

_ALERT: Final = re.compile(r"\[!(NOTE|TIP|IMPORTANT|WARNING|CAUTION)\][ \t]*(?:\n|$)", re.I)
_TASK: Final = re.compile(r"\[([ xX])\][ \t]+")


def alerts_plugin(markdown: MarkdownIt) -> None:
    """Turn block quotes that begin with an alert into admonitions, and mark the items of tasks."""
    markdown.core.ruler.after("block", "alerts", _alerts)
    markdown.core.ruler.after("alerts", "tasks", _tasks)


def _alerts(state: StateCore) -> None:
    open_at: list[tuple[int, Token | None]] = []
    for index, token in enumerate(state.tokens):
        if token.type == "blockquote_open":
            open_at.append((index, _alert(state.tokens, index)))
        elif token.type == "blockquote_close" and open_at:
            opened = open_at.pop()[1]
            if opened is not None:
                token.type, token.tag, token.meta = "admonition_close", "div", opened.meta


def _alert(tokens: list[Token], index: int) -> Token | None:
    """Make an admonition of a quote whose first paragraph begins with an alert."""
    if index + 2 >= len(tokens) or tokens[index + 1].type != "paragraph_open":
        return None
    first = tokens[index + 2]
    match = _ALERT.match(first.content)
    if match is None:
        return None
    first.content = first.content[match.end() :]
    opened = tokens[index]
    opened.type, opened.tag = "admonition_open", "div"
    opened.meta = {"kind": match[1].lower(), "title": None, "folds": False, "open": True}
    return opened


def _tasks(state: StateCore) -> None:
    for index, token in enumerate(state.tokens[2:], 2):
        if token.type != "inline" or state.tokens[index - 2].type != "list_item_open":
            continue
        match = _TASK.match(token.content)
        if match is not None:
            token.content = token.content[match.end() :]
            item = state.tokens[index - 2]
            item.meta = {"task": match[1] != " "}
            item.attrSet("class", "task")
