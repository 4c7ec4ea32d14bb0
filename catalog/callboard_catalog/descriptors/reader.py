"""Reads the documents of a descriptor file: YAML 1.2 core on libyaml, bounded, never raising."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final

from yaml.error import MarkedYAMLError, YAMLError
from yaml.events import CollectionEndEvent, CollectionStartEvent, DocumentStartEvent, StreamEndEvent

from callboard.i18n import Message, Translator
from callboard_catalog.descriptors.builder import Builder, DocumentError, line_of
from callboard_catalog.descriptors.faults import Fault
from callboard_catalog.descriptors.limits import DEFAULT_LIMITS, Limits
from callboard_catalog.descriptors.pieces import pieces
from callboard_catalog.descriptors.syntax import BAD_TAB, CANNOT_START, document_error

try:
    from yaml._yaml import CParser
except ImportError as error:  # pragma: no cover
    raise ImportError(
        "PyYAML was built without libyaml; install a PyYAML wheel, or libyaml and build it again."
    ) from error

_ = Translator("callboard")

_MAXIMUM_REPAIRS: Final = 50
_MAXIMUM_REPAIRED_BYTES: Final = 20 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Document:
    """One YAML document of a file: its value, or the fault that keeps it from being read.

    `index` counts from 0, `line` from 1: where the first value stands. The value of an empty
    document is None; it is to be skipped.
    """

    index: int
    line: int
    value: Any = None
    fault: Fault | None = None

    @property
    def empty(self) -> bool:
        """True where nothing is written, which is no error."""
        return self.value is None and self.fault is None


class _Document:
    """The events of one document, at its start."""

    __slots__ = ("next_event", "root")

    def __init__(self, next_event: Callable[[], Any], root: Any) -> None:
        self.next_event = next_event
        self.root = root


def read_documents(data: bytes, *, limits: Limits = DEFAULT_LIMITS) -> list[Document]:
    """Give every document of a file in order. Whatever the bytes are, nothing is raised.

    A document that cannot be read has a `fault` instead of a value and spoils no other: codes
    `yaml-error`, `yaml-duplicate-key`, `not-utf8`, `too-large`, `too-many-documents`, `too-deep`,
    `too-many-aliases`, `too-many-values`.
    """
    if len(data) > limits.file_size:
        message = _(
            "the file has %(number)s bytes; at most %(limit)s are read",
            number=len(data),
            limit=limits.file_size,
        )
        return [Document(0, 1, fault=Fault("too-large", (), message, 1))]
    try:
        return list(_read(data, limits))
    except (DocumentError, YAMLError, UnicodeError):
        return _recover(data, limits)


def open_documents(data: bytes) -> Iterator[_Document]:
    """Give the documents of a stream as events; each must be taken up to its end."""
    next_event = CParser(data).get_event
    while True:
        kind = type(next_event())
        if kind is StreamEndEvent:
            return
        if kind is DocumentStartEvent:
            yield _Document(next_event, next_event())


def _read(data: bytes, limits: Limits) -> Iterator[Document]:
    for index, document in enumerate(open_documents(data)):
        root = document.root
        if index >= limits.documents:
            raise DocumentError("too-many-documents", _too_many(limits), line_of(root))
        value = Builder(document.next_event, limits).value(root)
        yield Document(index, line_of(root) + 1, value)


def _recover(data: bytes, limits: Limits) -> list[Document]:
    found: list[Document] = []
    try:
        for piece in pieces(data):
            for document in _read_piece(piece.data, limits):
                line, fault = document.line + piece.line, document.fault
                if fault is not None:
                    fault = Fault(fault.code, fault.path, fault.message, line)
                if len(found) >= limits.documents:
                    fault = Fault("too-many-documents", (), _too_many(limits), line)
                    return [*found, Document(len(found), line, fault=fault)]
                found.append(Document(len(found), line, document.value, fault))
    except DocumentError as error:
        found.append(_faulty(error))
    return found


def _read_piece(data: bytes, limits: Limits) -> list[Document]:
    data = repaired(data, limits)
    try:
        return list(_read(data, limits))
    except DocumentError as error:
        syntax = syntax_error(data, limits) if error.code == "yaml-duplicate-key" else None
        found = document_error(syntax, data) if syntax else error
    except (YAMLError, UnicodeError) as error:
        found = document_error(error, data)
    return [_faulty(found)]


def _too_many(limits: Limits) -> Message:
    return _("the file has more than %(limit)s documents", limit=limits.documents)


def _faulty(error: DocumentError) -> Document:
    fault = Fault(error.code, (), error.message, error.line + 1)
    return Document(0, error.line + 1, fault=fault)


def syntax_error(data: bytes, limits: Limits) -> Exception | None:
    """Give the first thing libyaml has against these bytes, or None; looks no deeper than allowed.

    libyaml takes time that grows with the square of the depth.
    """
    depth = 0
    try:
        next_event = CParser(data).get_event
        while depth <= limits.depth and type(event := next_event()) is not StreamEndEvent:
            if isinstance(event, CollectionStartEvent):
                depth += 1
            elif isinstance(event, CollectionEndEvent):
                depth -= 1
    except (YAMLError, UnicodeError) as error:
        return error
    return None


def repaired(data: bytes, limits: Limits) -> bytes:
    """Give the bytes with tabs that YAML 1.2 allows as separation, but libyaml does not, replaced.

    Those are tabs before a comment or the end of the line, and tabs after an indicator.
    """
    if b"\t" not in data:
        return data
    for _ in range(min(_MAXIMUM_REPAIRS, _MAXIMUM_REPAIRED_BYTES // len(data))):
        error = syntax_error(data, limits)
        better = _without_bad_tab(data, error) if error else None
        if better is None:
            break
        data = better
    return data


def _without_bad_tab(data: bytes, error: Exception) -> bytes | None:
    if not isinstance(error, MarkedYAMLError) or error.problem not in {CANNOT_START, BAD_TAB}:
        return None
    mark = error.problem_mark
    lines = data.decode().split("\n")
    if mark is None or mark.line >= len(lines) or lines[mark.line][mark.column :][:1] != "\t":
        return None
    before, rest = lines[mark.line][: mark.column], lines[mark.line][mark.column :]
    after = rest.lstrip("\t ")
    if not before.strip() and after.strip() and not after.startswith("#"):
        return None
    lines[mark.line] = before + " " * (len(rest) - len(after)) + after
    return "\n".join(lines).encode()
