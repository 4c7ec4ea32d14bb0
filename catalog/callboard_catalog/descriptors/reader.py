"""Reads the documents of a descriptor file: YAML 1.2 core on libyaml, bounded, never raising."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final

from yaml.error import MarkedYAMLError, YAMLError
from yaml.events import CollectionEndEvent, CollectionStartEvent, DocumentStartEvent, StreamEndEvent
from yaml.reader import ReaderError

from callboard_catalog.descriptors.builder import Builder, DocumentError, line_of
from callboard_catalog.descriptors.faults import Fault
from callboard_catalog.descriptors.limits import DEFAULT_LIMITS, Limits
from callboard_catalog.descriptors.pieces import pieces

try:
    from yaml._yaml import CParser
except ImportError as error:  # pragma: no cover
    raise ImportError(
        "PyYAML was built without libyaml; install a PyYAML wheel, or libyaml and build it again."
    ) from error

_CANNOT_START: Final = "found character that cannot start any token"
_BAD_TAB: Final = "found a tab character that violates indentation"
_CHARACTER_HINTS: Final = {
    _BAD_TAB: "indent with spaces",
    "\t": "a tab stands where a value begins; indent with spaces",
    "%": "% begins no value; this looks like an unfilled template",
    "@": "put quotes around a value that begins with @",
    "`": "put quotes around a value that begins with `",
}
_HINTS: Final = {
    "mapping values are not allowed": "put quotes around a value that holds ': '",
    "could not find expected ':'": "check the indentation and the ':' of the line above",
    "found undefined tag handle": "put quotes around a value that begins with !",
    "did not find expected key": "check the indentation of this line",
    "did not find expected '-' indicator": "check the indentation of this line",
    "found unexpected end of stream": "a quote or a bracket is not closed",
    "found unknown escape character": "write \\\\ for a backslash, or use single quotes",
}
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
        message = f"the file has {len(data)} bytes; at most {limits.file_size} are read"
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
            message = f"the file has more than {limits.documents} documents"
            raise DocumentError("too-many-documents", message, line_of(root))
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
                    message = f"the file has more than {limits.documents} documents"
                    fault = Fault("too-many-documents", (), message, line)
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
        found = _document_error(syntax, data) if syntax else error
    except (YAMLError, UnicodeError) as error:
        found = _document_error(error, data)
    return [_faulty(found)]


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
    if not isinstance(error, MarkedYAMLError) or error.problem not in {_CANNOT_START, _BAD_TAB}:
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


def _document_error(error: Exception, data: bytes) -> DocumentError:
    try:
        text = data.decode()
    except UnicodeDecodeError as decoding:
        line = data.count(b"\n", 0, decoding.start)
        return DocumentError("not-utf8", "the document is not UTF-8; save it as UTF-8", line)
    if isinstance(error, ReaderError):
        line = data[: error.position].count(b"\n")
        return DocumentError("yaml-error", f"{error.reason} in YAML", line)
    if isinstance(error, MarkedYAMLError):
        return _marked_error(error, text)
    return DocumentError("yaml-error", "the YAML cannot be read", 0)


def _marked_error(error: MarkedYAMLError, text: str) -> DocumentError:
    mark, context = error.problem_mark, error.context_mark
    line = mark.line if mark else 0
    message = error.problem or "the YAML cannot be read"
    if mark and message == _CANNOT_START:
        character = text[mark.index : mark.index + 1]
        hint = _CHARACTER_HINTS.get(character, f"{character!r} cannot begin a value")
    else:
        hint = next((hint for start, hint in _HINTS.items() if message.startswith(start)), "")
    if context and error.context and context.line != line:
        # libyaml sees what is missing only where the text goes on; what was open says more.
        message = f"{message} {error.context} that begins {line - context.line} line(s) above"
    return DocumentError("yaml-error", f"{message}; {hint}" if hint else message, line)
