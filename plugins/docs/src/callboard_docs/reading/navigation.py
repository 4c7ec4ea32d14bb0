"""The order of pages: as `nav` of mkdocs.yml says, or else as the folders stand."""

import posixpath
import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any, Final

from callboard.i18n import Text, Translator

_ = Translator("docs")

MOST_NODES: Final = 30_000
DEEPEST: Final = 12
LONGEST_TITLE: Final = 200
_INDEXES: Final = ("index.md", "README.md", "readme.md", "Readme.md")


@dataclass(slots=True)
class Node:
    """A place in the tree: a page (`path`, within the docs folder), a link, or a section."""

    title: str = ""
    path: str = ""
    url: str = ""
    children: list["Node"] = field(default_factory=list)


@dataclass(slots=True)
class Navigation:
    """The tree, and what is wrong in it: kind and what it is about."""

    nodes: list[Node]
    problems: list[tuple[str, str]]
    notes: list[Text]

    def paths(self) -> Iterator[str]:
        """Give the pages in their order, each once."""
        seen: set[str] = set()
        for path in _paths(self.nodes):
            if path not in seen:
                seen.add(path)
                yield path


def _paths(nodes: list[Node]) -> Iterator[str]:
    for node in nodes:
        if node.path:
            yield node.path
        yield from _paths(node.children)


def is_index(path: str) -> bool:
    """Whether a page is what its folder shows."""
    return posixpath.basename(path) in _INDEXES


def addresses_of(paths: Collection[str]) -> dict[str, str]:
    """Give the address of each page below the site's: `guide/install` of `guide/install.md`.

    An index has that of its folder. Where two would have the same, the later one by name keeps its
    ending.
    """
    taken: dict[str, str] = {}
    for path in sorted(paths, key=_rank):
        wanted = posixpath.dirname(path) if is_index(path) else path.removesuffix(".md")
        if wanted in taken:
            wanted = path
        taken.setdefault(wanted, path)
    return {path: address for address, path in taken.items()}


def _rank(path: str) -> tuple[int, str]:
    name = posixpath.basename(path)
    return (_INDEXES.index(name) if name in _INDEXES else len(_INDEXES), path)


def read_navigation(nav: list[Any], pages: Collection[str]) -> Navigation:
    """Read `nav`; what it names and is not there is told as a problem."""
    reader = _NavReader(frozenset(pages))
    nodes = reader.read(nav, 0)
    return Navigation(nodes, reader.problems, reader.notes)


class _NavReader:
    def __init__(self, pages: frozenset[str]) -> None:
        self.pages = pages
        self.problems: list[tuple[str, str]] = []
        self.notes: list[Text] = []
        self.count = 0

    def read(self, items: list[Any], depth: int) -> list[Node]:
        if depth >= DEEPEST:
            self._note(
                _("nav goes deeper than %(limit)s levels; the rest is left out.", limit=DEEPEST)
            )
            return []
        nodes = []
        for item in items:
            self.count += 1
            if self.count > MOST_NODES:
                self._note(
                    _(
                        "nav has more than %(limit)s entries; the rest is left out.",
                        limit=MOST_NODES,
                    )
                )
                break
            nodes += self._item(item, depth)
        return nodes

    def _note(self, note: Text) -> None:
        if note not in self.notes:
            self.notes.append(note)

    def _item(self, item: Any, depth: int) -> list[Node]:
        if isinstance(item, str):
            return self._target("", item)
        if not isinstance(item, dict):
            return []
        nodes = []
        for key, value in item.items():
            title = str(key)[:LONGEST_TITLE]
            if isinstance(value, list):
                children = self.read(value, depth + 1)
                nodes += [Node(title, children=children)] if children else []
            elif isinstance(value, str):
                nodes += self._target(title, value)
        return nodes

    def _target(self, title: str, value: str) -> list[Node]:
        if re.match(r"https?://", value, re.I):
            return [Node(title or value[:LONGEST_TITLE], url=value[:2000])]
        path = str(PurePosixPath(value.strip()))
        if path in self.pages:
            return [Node(title, path=path)]
        inside = sorted(page for page in self.pages if page.startswith(f"{path}/"))
        if inside and value.endswith("/"):
            return [Node(title or title_of(path), children=folder_nodes(inside, {}, path))]
        self.problems.append(("nav", value[:300]))
        return []


def folder_nodes(paths: Collection[str], titles: Mapping[str, str], root: str = "") -> list[Node]:
    """Give the tree of the folders: the index first, pages before folders, numbers as numbers."""
    here: list[str] = []
    below: dict[str, list[str]] = {}
    for path in paths:
        rest = path.removeprefix(f"{root}/") if root else path
        name, slash, _rest = rest.partition("/")
        if slash:
            below.setdefault(name, []).append(path)
        else:
            here.append(path)
    here.sort(key=lambda path: (not is_index(path), _natural(path)))
    nodes = [Node(path=path) for path in here]
    for name in sorted(below, key=_natural):
        folder = f"{root}/{name}" if root else name
        if folder.count("/") >= DEEPEST:
            nodes += [Node(path=path) for path in sorted(below[name])]
            continue
        index = next((path for path in below[name] if path in
                      {f"{folder}/{item}" for item in _INDEXES}), "")  # fmt: skip
        title = titles.get(index, "") or title_of(name)
        nodes.append(Node(title, children=folder_nodes(below[name], titles, folder)))
    return nodes


def _natural(text: str) -> list[tuple[int, int, str]]:
    parts = re.split(r"(\d{1,9})", text.lower())
    return [(0, int(part), "") if part.isdecimal() else (1, 0, part) for part in parts if part]


def title_of(path: str) -> str:
    """Give a title made of a file's name."""
    pure = PurePosixPath(path)
    name = (
        pure.parent.name if is_index(path) and pure.parent.name else pure.name.removesuffix(".md")
    )
    words = re.sub(r"[-_]+", " ", name).strip() or name
    return (words[:1].upper() + words[1:])[:LONGEST_TITLE]
