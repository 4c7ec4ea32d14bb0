"""Text of other files put into pages: `--8<-- "file"` (pymdownx.snippets) and `{!file!}`.

Files are those of the same commit; nothing else can be named. `file:3:8` takes lines, `file:name`
what stands between `--8<-- [start:name]` and `--8<-- [end:name]`.
"""

import posixpath
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

DEEPEST: Final = 5
MOST: Final = 100
LONGEST: Final = 2 * 2**20
_MARK: Final = r"-{1,}8<-{1,}"
_LINE: Final = re.compile(
    rf"(?P<indent>[ \t]*)(?:{_MARK}[ \t]+(?P<quote>[\"'])(?P<snippet>[^\"'\n]+)(?P=quote)[ \t]*"
    r"|\{!(?P<include>[^!\n]{1,300})!\}[ \t]*)"
)
_BLOCK: Final = re.compile(rf"(?P<indent>[ \t]*){_MARK}[ \t]*")
_SECTION: Final = re.compile(r".*-8<-{1,}[ \t]+\[(?P<edge>start|end):(?P<name>[\w-]+)\].*")
_NAME: Final = re.compile(
    r"(?P<path>[^:]+)(?::(?:(?P<first>\d*)(?::(?P<last>\d*))?|(?P<section>[\w-]+)))?"
)


@dataclass(slots=True)
class Expanded:
    """A page with all it includes: the files, by path, and the names that led nowhere."""

    text: str
    used: set[str] = field(default_factory=set)
    missing: list[str] = field(default_factory=list)


def includes_something(text: str) -> bool:
    """Whether a page may name other files."""
    return "8<" in text or "{!" in text


def expand(text: str, folders: list[str], read: Callable[[str], str | None]) -> Expanded:
    """Put included text in place. Names are looked for in `folders`, in their order.

    `read` gives the text of a path in the repository, or None.
    """
    expander = _Expander(folders, read)
    expander.result.text = "\n".join(expander.lines(text.split("\n"), 0))
    return expander.result


class _Expander:
    def __init__(self, folders: list[str], read: Callable[[str], str | None]) -> None:
        self.folders = folders
        self.read = read
        self.result = Expanded("")
        self.count = 0
        self.size = 0

    def lines(self, lines: list[str], depth: int) -> list[str]:
        made: list[str] = []
        in_block = False
        for line in lines:
            if line.lstrip().startswith(";"):  # how a line of this kind is shown as it is
                bare = line.replace(";", "", 1)
                made.append(bare if _LINE.fullmatch(bare) or _BLOCK.fullmatch(bare) else line)
                continue
            if _BLOCK.fullmatch(line):
                in_block = not in_block
                continue
            match = _LINE.fullmatch(line)
            if match is not None:
                name = match["snippet"] or match["include"]
                made += self._include(name.strip(), match["indent"], depth)
            elif in_block and line.strip():
                made += self._include(line.strip(), line[: len(line) - len(line.lstrip())], depth)
            elif not _SECTION.fullmatch(line):
                made.append(line)
        return made

    def _include(self, name: str, indent: str, depth: int) -> list[str]:
        self.count += 1
        content = self._content(name) if depth < DEEPEST and self.count <= MOST else None
        if content is None or self.size > LONGEST:
            self.result.missing.append(name[:300])
            return []
        return [f"{indent}{line}" if line else "" for line in self.lines(content, depth + 1)]

    def _content(self, name: str) -> list[str] | None:
        match = _NAME.fullmatch(name)
        if match is None or "://" in name:
            return None
        for folder in self.folders:
            path = posixpath.normpath(posixpath.join(folder, match["path"].strip().lstrip("/")))
            if path.startswith(".."):
                continue
            text = self.read(path)
            if text is not None:
                self.size += len(text)
                self.result.used.add(path)
                return _part(text.rstrip("\n").split("\n"), match)
        return None


def _part(lines: list[str], match: re.Match[str]) -> list[str] | None:
    if match["section"]:
        return _section(lines, match["section"])
    first = int(match["first"] or 1)
    last = int(match["last"]) if match["last"] else len(lines)
    return lines[max(first, 1) - 1 : last]


def _section(lines: list[str], name: str) -> list[str] | None:
    found: list[str] | None = None
    for line in lines:
        mark = _SECTION.fullmatch(line)
        if mark is not None and mark["name"] == name:
            if mark["edge"] == "end":
                break
            found = []
        elif found is not None:
            found.append(line)
    return found
