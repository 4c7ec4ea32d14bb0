"""Cuts a file at its document markers, so that a fault in one document spoils no other.

libyaml gives up on a whole stream at the first syntax error. Only files with an error come here.
"""

import codecs
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from callboard.i18n import Translator
from callboard_catalog.descriptors.builder import DocumentError

_ = Translator("callboard")

_MARKER: Final = re.compile(rb"^(?:---|\.\.\.)(?=[ \t\r\n]|\Z)", re.MULTILINE)
_BLANK_LINE: Final = re.compile(rb"[ \t\r]*(?:#.*|%.*)?")


@dataclass(frozen=True, slots=True)
class Piece:
    """The bytes of at most one document; `line` is the file's line it starts at, from 0."""

    line: int
    data: bytes


def pieces(data: bytes) -> Iterator[Piece]:
    """Give the pieces between document markers, in order.

    Comments and directives before a `---` belong to the piece that it begins. Raises
    `DocumentError` for UTF-16 that cannot be read.
    """
    data = _as_utf8(data)
    start = line = 0
    for match in _MARKER.finditer(data):
        end = match.start()
        if data[end : end + 3] == b"---":
            if _is_blank(data[start:end]):
                continue
        else:
            newline = data.find(b"\n", end)
            end = len(data) if newline < 0 else newline + 1
        yield Piece(line, data[start:end])
        line += data.count(b"\n", start, end)
        start = end
    yield Piece(line, data[start:])


def _as_utf8(data: bytes) -> bytes:
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        try:
            return data.decode("utf-16").encode()
        except UnicodeError as error:
            raise DocumentError("not-utf8", _("the file is not valid UTF-16"), 0) from error
    return data.removeprefix(codecs.BOM_UTF8)


def _is_blank(data: bytes) -> bool:
    return all(_BLANK_LINE.fullmatch(line) for line in data.split(b"\n"))
