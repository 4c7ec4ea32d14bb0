"""What a definition becomes: a head and items, in a form that templates draw as it is.

The bodies are plain JSON: they are stored compressed, and a page unpacks only what it shows.
"""

import re
from bisect import bisect_right
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal, TypedDict

from callboard.i18n import Text
from callboard_apis.texts import name_of

Format = Literal["openapi", "asyncapi", "graphql", "protobuf", "text"]
ItemKind = Literal["operation", "schema"]

MOST_ITEMS: Final = 20_000
LONGEST_KEY: Final = 100
LONGEST_WORDS: Final = 4_000


class Node(TypedDict, total=False):
    """One line of a tree: a field, parameter, argument or variant, and what is within it.

    n name, t type, f format, q required, d deprecated (true, or the reason), h description as
    HTML, c constraints as pairs of code and value, v default, e allowed values, k key of the
    schema it links to, r why nothing is within (`recursive`, `more`, `remote`, `missing`),
    w `read` or `write` only, z may be null, i where a parameter is, m mark of a variant.
    """

    n: str
    t: str
    f: str
    q: bool
    d: bool | str
    h: str
    c: list[tuple[str, str]]
    v: str
    e: list[str]
    k: str
    r: str
    w: str
    z: bool
    i: str
    m: str
    kids: list["Node"]


@dataclass(frozen=True, slots=True)
class Fault:
    """Something wrong in a definition; `line` counts from 1, 0 where it is not known."""

    message: Text
    line: int = 0


@dataclass(slots=True)
class Item:
    """An operation or a schema: a row in lists, and the body of a page of its own.

    `group` is a tag as it was written, or a name that begins with a colon and is put into words
    where it is shown. `words` are what the search within finds it by.
    """

    kind: ItemKind
    key: str
    title: str
    verb: str = ""
    group: str = ""
    summary: str = ""
    deprecated: bool = False
    line: int = 0
    words: str = ""
    body: dict[str, Any] = field(default_factory=dict)


@dataclass(slots=True)
class Definition:
    """A definition as it was understood. `head` is the part that is no item."""

    format: Format
    dialect: str = ""
    title: str = ""
    version: str = ""
    head: dict[str, Any] = field(default_factory=dict)
    items: list[Item] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)
    parsed: Any = None

    def count(self, kind: ItemKind) -> int:
        return sum(item.kind == kind for item in self.items)


class Keys:
    """Gives each item a part of an address: readable, and its own."""

    def __init__(self) -> None:
        self.taken: set[str] = set()

    def key(self, *choices: Any) -> str:
        """Give a key made of the first choice that has letters or digits."""
        made = next((slug for choice in choices if (slug := _slug(choice))), "item")
        number, key = 1, made
        while key.lower() in self.taken:
            number += 1
            key = f"{made}-{number}"
        self.taken.add(key.lower())
        return key


def _slug(value: Any) -> str:
    if not isinstance(value, str):
        return ""
    return re.sub(r"[^\w.]+", "-", value[: LONGEST_KEY * 2]).strip("-.")[:LONGEST_KEY]


def names_in(nodes: Iterable[Mapping[str, Any]]) -> list[str]:
    """Give the names and types in a tree, for the search within."""
    found: list[str] = []
    waiting = list(nodes)
    while waiting and len(found) < 400:
        node = waiting.pop(0)
        found += [str(node[name]) for name in ("n", "k") if node.get(name)]
        waiting += node.get("kids", ())
    return found


def words_of(*parts: str | Iterable[str]) -> str:
    """Put what an item is found by into one lower-case text."""
    listed: dict[str, None] = {}
    for part in parts:
        for text in [part] if isinstance(part, str) else part:
            listed |= dict.fromkeys(text.lower().split())
    return " ".join(listed)[:LONGEST_WORDS]


def as_dict(value: Any) -> dict[str, Any]:
    """Give a value where it is an object, else an empty one."""
    return value if isinstance(value, dict) else {}


def as_list(value: Any) -> list[Any]:
    """Give a value where it is a list, else an empty one."""
    return value if isinstance(value, list) else []


def as_text(value: Any) -> str:
    """Give a value as one line of text; empty where it is none."""
    return name_of(value) if isinstance(value, str | int | float) else ""


_KEY_LINE: Final = re.compile(
    r"""^[ \t]*(?:-[ ])*
    (?:"([^"\n]{1,300})"|'([^'\n]{1,300})'|([^\s\#"'\-][^:\n]{0,300}))[ \t]{0,20}:(?=\s|$)""",
    re.MULTILINE | re.VERBOSE,
)


class Lines:
    """Finds the lines at which keys stand in YAML or JSON that is written on several lines."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.found: dict[str, list[int]] = {}
        line, at = 1, 0
        for match in _KEY_LINE.finditer(text):
            line += text.count("\n", at, match.start())
            at = match.start()
            key = match[1] or match[2] or match[3].rstrip()
            self.found.setdefault(key, []).append(line)

    def after(self, key: str, line: int = 0) -> int:
        """Give the first line after another at which a key stands, 0 where there is none."""
        lines = self.found.get(key, [])
        place = bisect_right(lines, line)
        return lines[place] if place < len(lines) else 0

    def anywhere(self, text: str) -> int:
        """Give the line at which some text stands first."""
        place = self.text.find(text)
        return self.text.count("\n", 0, place) + 1 if place >= 0 else 0
