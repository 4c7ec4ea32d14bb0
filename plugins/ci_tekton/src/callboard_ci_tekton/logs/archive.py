"""The file that a log is kept in: lines in compressed chunks, each of which can be read alone.

It is a gzip file (RFC 1952) of several members: `zcat` shows the log, a time, a space and the text
in each line. The last member is empty; its extra field, with the identifier `CB`, says where the
chunks are, which lines they hold, and their digests. The digest of that last member, which the
tables have, is thereby a digest of all. Where a log was longer than its limit the chunks in the
middle are missing, and the numbers of the lines tell so.
"""

import gzip
import hashlib
import struct
import zlib
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import BinaryIO, Final

from callboard.errors import CallboardError
from callboard.i18n import Text, Translator

_ = Translator("ci_tekton")

CHUNK: Final = 256 * 1024
"""Bytes of text in a chunk, of logs of a usual limit."""
MOST_CHUNKS: Final = 1800
"""What the last member has room for: its extra field has 64 KiB at most."""
AT_ONCE: Final = 4 * 1024**2
"""Bytes that are asked of a place at once."""

_ENTRY: Final = struct.Struct("<IIQI16s")  # first line, lines, offset, length, digest
_HEAD: Final = struct.Struct("<4sIQH")  # mark, lines, bytes of text, entries
_MARK: Final = b"CBL1"
_GZIP: Final = b"\x1f\x8b\x08\x04\0\0\0\0\0\xff"
_EMPTY: Final = b"\x03\0" + bytes(8)  # no data, its checksum, its length
_LENGTH: Final = struct.Struct("<I")
_TAIL: Final = _LENGTH.size + len(_EMPTY)
LONGEST_FOOTER: Final = 66_000

Line = tuple[int, str, str]
"""Number, time as ISO 8601 in UTC (empty where there is none), text."""


class DamagedError(CallboardError):
    """A kept log is not what was kept, or is not there."""

    status = 410
    name = "DamagedError"


def damaged(reason: Text) -> DamagedError:
    """Make the error that tells a person why a log cannot be read any more."""
    return DamagedError(
        _("The kept log is damaged: %(reason)s.", reason=reason),
        hint=_("Restore the place of logs from a backup."),
    )


@dataclass(frozen=True, slots=True)
class Chunk:
    """Where some lines are; `first` is the number of the first one."""

    first: int
    lines: int
    offset: int
    length: int
    digest: bytes


@dataclass(frozen=True, slots=True)
class Index:
    """What the end of an archive says: all lines, also those left out, and their bytes."""

    lines: int
    size: int
    chunks: tuple[Chunk, ...]

    @property
    def gap(self) -> tuple[int, int] | None:
        """The first and the last line that are left out, None where all are there."""
        for before, after in zip(self.chunks, self.chunks[1:], strict=False):
            if before.first + before.lines < after.first:
                return before.first + before.lines, after.first - 1
        return None


@dataclass(slots=True)
class _Packed:
    first: int
    lines: int
    size: int
    data: bytes


@dataclass(slots=True)
class ArchiveWriter:
    """Takes the lines of a log, and keeps no more of them than the limit, in bytes of text."""

    limit: int
    lines: int = 0
    size: int = 0
    last: str = ""
    _head: list[_Packed] = field(default_factory=list)
    _tail: deque[_Packed] = field(default_factory=deque)
    _head_bytes: int = 0
    _tail_bytes: int = 0
    _open: list[bytes] = field(default_factory=list)
    _open_bytes: int = 0

    def add(self, at: str, text: str) -> None:
        """Take one line."""
        line = f"{at} {text}\n".encode(errors="replace")
        self._open.append(line)
        self._open_bytes += len(line)
        self.lines += 1
        self.size += len(text.encode(errors="replace")) + 1
        self.last = at or self.last
        if self._open_bytes >= max(CHUNK, self.limit // (MOST_CHUNKS // 2)):
            self._pack()

    def _pack(self) -> None:
        if not self._open:
            return
        data = gzip.compress(b"".join(self._open), 6, mtime=0)
        first = self.lines - len(self._open) + 1
        packed = _Packed(first, len(self._open), self._open_bytes, data)
        self._open, self._open_bytes = [], 0
        if self._head_bytes < self.limit // 2 and not self._tail:
            self._head.append(packed)
            self._head_bytes += packed.size
            return
        self._tail.append(packed)
        self._tail_bytes += packed.size
        while len(self._tail) > 1 and self._tail_bytes - self._tail[0].size >= self.limit // 2:
            self._tail_bytes -= self._tail.popleft().size

    def write(self, file: BinaryIO) -> tuple[Index, str, int]:
        """Write the archive; give its index, its digest, and how many bytes it has."""
        self._pack()
        chunks, offset = [], 0
        for packed in (*self._head, *self._tail):
            digest = hashlib.sha256(packed.data).digest()[:16]
            chunks.append(Chunk(packed.first, packed.lines, offset, len(packed.data), digest))
            file.write(packed.data)
            offset += len(packed.data)
        index = Index(self.lines, self.size, tuple(chunks))
        footer = _footer_of(index)
        file.write(footer)
        return index, hashlib.sha256(footer).hexdigest(), offset + len(footer)


def _footer_of(index: Index) -> bytes:
    entries = b"".join(
        _ENTRY.pack(each.first, each.lines, each.offset, each.length, each.digest)
        for each in index.chunks
    )
    data = _HEAD.pack(_MARK, index.lines, index.size, len(index.chunks)) + entries
    length = len(_GZIP) + 2 + 4 + len(data) + _TAIL
    data += _LENGTH.pack(length)
    extra = b"CB" + struct.pack("<H", len(data)) + data
    return _GZIP + struct.pack("<H", len(extra)) + extra + _EMPTY


def index_of(footer: bytes) -> Index:
    """Read the last member of an archive. Raises `DamagedError` for what is none."""
    data = footer[len(_GZIP) + 6 : -_TAIL]
    try:
        mark, lines, size, count = _HEAD.unpack_from(data)
        entries = [Chunk(*each) for each in _ENTRY.iter_unpack(data[_HEAD.size :])]
    except struct.error as error:
        raise damaged(_("its end is not that of a log")) from error
    if mark != _MARK or len(entries) != count or not footer.startswith(_GZIP):
        raise damaged(_("its end is not that of a log"))
    return Index(lines, size, tuple(entries))


Read = Callable[[int, int], bytes]
"""Gives a part of a file, from an offset and of a length; raises `DamagedError` without one."""


def footer_of(read: Read, stored: int) -> bytes:
    """Give the last member of an archive of so many bytes."""
    begin = max(0, stored - LONGEST_FOOTER)
    end = read(begin, stored - begin)
    if len(end) != stored - begin or len(end) < _TAIL or not end.endswith(_EMPTY):
        raise damaged(_("it is shorter than it was, or its end is another"))
    (length,) = _LENGTH.unpack(end[-_TAIL : -len(_EMPTY)])
    if not 0 < length <= len(end):
        raise damaged(_("its end is not that of a log"))
    return end[-length:]


class Archive:
    """An archive as it can be read: its index is checked when it is opened, chunks as they come."""

    def __init__(self, read: Read, stored: int, digest: str) -> None:
        """Open it. Raises `DamagedError` where its end is not what `digest` says."""
        footer = footer_of(read, stored)
        if hashlib.sha256(footer).hexdigest() != digest:
            raise damaged(_("its digest is another"))
        self._read = read
        self.index = index_of(footer)

    def lines(self, first: int, count: int) -> list[Line]:
        """Give at most `count` lines from a number on; what is left out is passed over."""
        found: list[Line] = []
        for line in self.iterate(first):
            if len(found) >= count:
                break
            found.append(line)
        return found

    def iterate(self, first: int = 1) -> Iterator[Line]:
        """Yield the lines from a number on."""
        wanted = [each for each in self.index.chunks if each.first + each.lines > first]
        while wanted:
            group = [wanted.pop(0)]
            # Whoever goes on needs what follows: it is asked for together, but not at first.
            while wanted and group[0].first > first and _size(group) + wanted[0].length <= AT_ONCE:
                group.append(wanted.pop(0))
            yield from self._lines_of(group, first)

    def _lines_of(self, group: list[Chunk], first: int) -> Iterator[Line]:
        data = self._read(group[0].offset, _size(group))
        at = 0
        for chunk in group:
            part = data[at : at + chunk.length]
            at += chunk.length
            if hashlib.sha256(part).digest()[:16] != chunk.digest:
                raise damaged(
                    _("the lines from %(line)s on are not what they were", line=chunk.first)
                )
            for number, line in enumerate(_unpacked(part), chunk.first):
                if number >= first:
                    time, _space, text = line.partition(" ")
                    yield number, time, text


def _size(group: list[Chunk]) -> int:
    # What is left out was never written: chunks follow each other without a gap.
    return sum(chunk.length for chunk in group)


def _unpacked(part: bytes) -> list[str]:
    try:
        text = gzip.decompress(part).decode()
    except (OSError, EOFError, zlib.error, UnicodeDecodeError) as error:
        raise damaged(_("it cannot be unpacked")) from error
    return text.split("\n")[:-1]
