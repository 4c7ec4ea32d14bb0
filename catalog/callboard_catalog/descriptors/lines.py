"""Finds the line of a key or value; needed only where there is a fault to show."""

from typing import Any

from yaml.error import YAMLError
from yaml.events import AliasEvent, MappingStartEvent, ScalarEvent, SequenceStartEvent

from callboard_catalog.descriptors.builder import Builder, DocumentError, key_text, line_of
from callboard_catalog.descriptors.faults import Path
from callboard_catalog.descriptors.limits import DEFAULT_LIMITS, Limits
from callboard_catalog.descriptors.pieces import pieces
from callboard_catalog.descriptors.reader import open_documents, repaired


class Lines:
    """The lines of a file's keys and values. Makes one pass over the file when it is first asked.

    Ask only about documents that `read_documents` gave a value for.
    """

    def __init__(self, data: bytes, *, limits: Limits = DEFAULT_LIMITS) -> None:
        self._data = data
        self._limits = limits
        self._documents: list[dict[Path, int]] | None = None

    def line(self, index: int, path: Path) -> int:
        """Give the line, from 1, of the value at `path` in the document at `index`.

        For a path that is not written there, that of the nearest part above it.
        """
        if self._documents is None:
            self._documents = self._all_lines()
        if index >= len(self._documents):
            return 1
        lines = self._documents[index]
        while path and path not in lines:
            path = path[:-1]
        return lines.get(path, 0) + 1

    def _all_lines(self) -> list[dict[Path, int]]:
        try:
            return _lines_of(self._data, 0, self._limits)
        except (DocumentError, YAMLError, UnicodeError):
            found: list[dict[Path, int]] = []
        for piece in pieces(self._data):
            try:
                found.extend(
                    _lines_of(repaired(piece.data, self._limits), piece.line, self._limits)
                )
            except (DocumentError, YAMLError, UnicodeError):
                found.append({(): piece.line})
            if len(found) > self._limits.documents:
                break
        return found


def locate(data: bytes, index: int, path: Path) -> int:
    """Give the line of one path, from 1. For several faults of one file, keep a `Lines`."""
    return Lines(data).line(index, path)


def _lines_of(data: bytes, offset: int, limits: Limits) -> list[dict[Path, int]]:
    found: list[dict[Path, int]] = []
    for document in open_documents(data):
        lines: dict[Path, int] = {(): line_of(document.root) + offset}
        _Recorder(document.next_event, lines, offset, limits).value(document.root, ())
        found.append(lines)
        if len(found) >= limits.documents:
            break
    return found


class _Recorder:
    def __init__(
        self, next_event: Any, lines: dict[Path, int], offset: int, limits: Limits
    ) -> None:
        self.next_event = next_event
        self.lines = lines
        self.offset = offset
        self.limits = limits

    def value(self, event: Any, path: Path) -> None:
        if len(path) > self.limits.depth:
            raise DocumentError("too-deep", "too deep", line_of(event))
        if isinstance(event, MappingStartEvent):
            self._mapping(path)
        elif isinstance(event, SequenceStartEvent):
            self._sequence(path)

    def _mapping(self, path: Path) -> None:
        while isinstance(event := self.next_event(), ScalarEvent | AliasEvent) or _opens(event):
            if isinstance(event, ScalarEvent):
                key = event.value
            elif isinstance(event, AliasEvent):
                key = f"*{event.anchor}"
            else:
                key = key_text(Builder(self.next_event, self.limits).value(event))
            child = (*path, key)
            self.lines.setdefault(child, line_of(event) + self.offset)
            self.value(self.next_event(), child)

    def _sequence(self, path: Path) -> None:
        position = 0
        while isinstance(event := self.next_event(), ScalarEvent | AliasEvent) or _opens(event):
            child = (*path, position)
            self.lines[child] = line_of(event) + self.offset
            self.value(event, child)
            position += 1


def _opens(event: object) -> bool:
    return isinstance(event, MappingStartEvent | SequenceStartEvent)
