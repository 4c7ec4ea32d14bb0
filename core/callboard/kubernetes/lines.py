"""Lines of a container's log on the wire: a time, a space, the text (`timestamps=true`)."""

import codecs
import re
from collections import Counter, deque
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from typing import Final, NamedTuple

from callboard.kubernetes.cluster import LogLine

MAXIMUM_PART: Final = 64 * 1024
"""Bytes of a line that are given at once; a longer line is given in parts of the same time."""
MOST_KEPT: Final = 20_000
"""Lines of the last seconds that are remembered, to tell those that come again after a break."""

_STAMP: Final = re.compile(
    rb"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?(Z|[+-]\d\d:\d\d)(?: |$)"
)


class Moment(NamedTuple):
    """A time to the nanosecond, as seconds since 1970 and the rest."""

    seconds: int
    nanoseconds: int


def log_lines(pieces: Iterable[bytes]) -> Iterator[tuple[Moment | None, LogLine]]:
    """Yield the lines of a log that comes in pieces; those without a time have an empty one.

    A character that is cut at the very end, as `limitBytes` does, is left out.
    """
    splitter = _Splitter()
    for piece in pieces:
        yield from splitter.feed(piece)
    yield from splitter.end()


class _Splitter:
    """Splits pieces into lines, and long lines into parts, at the same places each time."""

    def __init__(self) -> None:
        self._rest = b""
        self._stamp: tuple[Moment | None, str] | None = None

    def feed(self, piece: bytes) -> Iterator[tuple[Moment | None, LogLine]]:
        *lines, self._rest = (self._rest + piece).split(b"\n")
        for line in lines:
            while len(line) > MAXIMUM_PART:
                part, line = _cut(line)
                yield self._line(part, ends=False)
            yield self._line(line, ends=True)
        while len(self._rest) > MAXIMUM_PART:
            part, self._rest = _cut(self._rest)
            yield self._line(part, ends=False)

    def end(self) -> Iterator[tuple[Moment | None, LogLine]]:
        if self._rest:
            yield self._line(self._rest, ends=True)
            self._rest = b""

    def _line(self, text: bytes, *, ends: bool) -> tuple[Moment | None, LogLine]:
        if self._stamp is None:
            found = _STAMP.match(text)
            if found is None:
                self._stamp = (None, "")
            else:
                self._stamp = (_moment(found), found[0].decode().rstrip())
                text = text[found.end() :]
        moment, at = self._stamp
        if ends:
            self._stamp = None
        words = codecs.getincrementaldecoder("utf-8")("replace").decode(text)
        return moment, LogLine(at, words, more=not ends)


def _cut(line: bytes) -> tuple[bytes, bytes]:
    """Cut a part off a line, between two characters."""
    end = MAXIMUM_PART
    while end > MAXIMUM_PART - 4 and line[end] & 0xC0 == 0x80:
        end -= 1
    return line[:end], line[end:]


def _moment(found: re.Match[bytes]) -> Moment:
    zone = b"+00:00" if found[3] == b"Z" else found[3]
    seconds = int(datetime.fromisoformat((found[1] + zone).decode()).timestamp())
    return Moment(seconds, int((found[2] or b"").ljust(9, b"0")))


def moment_of(time: datetime) -> Moment:
    """Give an aware time as a moment."""
    whole = time.replace(microsecond=0)
    return Moment(int(whole.timestamp()), (time - whole) // timedelta(microseconds=1) * 1000)


class Seen:
    """Tells lines that have come from those that come again after a break.

    Servers know `sinceTime` to the second only: a stream that is taken up again begins with lines
    that were there. Those of the last two seconds are remembered by their time and text, as the
    two outputs of a container may be written down a little out of their order. Where only a tail
    was asked for, what is older than its first line is not new; else it may well be, as clocks of
    nodes are set back.
    """

    def __init__(self, *, tail: bool = False) -> None:
        self._tail = tail
        self._first: Moment | None = None
        self._last: int | None = None
        self._kept: deque[tuple[Moment, int]] = deque()
        self._again: Counter[int] = Counter()
        self._forgotten = Moment(0, 0)
        self._resumed = False

    @property
    def since(self) -> int | None:
        """The second to go on from, as seconds since 1970; None before the first line."""
        return None if self._last is None else self._last - 1

    def resume(self) -> None:
        """Expect that lines come again."""
        self._again = Counter(key for _moment, key in self._kept)
        self._resumed = True

    def is_new(self, moment: Moment | None, line: LogLine) -> bool:
        """Say whether a line has not come before, and remember it."""
        if moment is None:
            return True
        key = hash((line.at, line.text))
        if self._again[key] > 0:
            self._again[key] -= 1
            return False
        if self._resumed and (moment <= self._forgotten or self._is_before(moment)):
            return False
        self._remember(moment, key)
        return True

    def _is_before(self, moment: Moment) -> bool:
        return self._tail and self._first is not None and moment < self._first

    def _remember(self, moment: Moment, key: int) -> None:
        if self._first is None:
            self._first = moment
        self._last = max(moment.seconds, self._last or 0)
        self._kept.append((moment, key))
        while self._kept[0][0].seconds < self._last - 1:
            self._kept.popleft()
        if len(self._kept) > MOST_KEPT:
            self._forgotten = max(self._forgotten, self._kept.popleft()[0])
