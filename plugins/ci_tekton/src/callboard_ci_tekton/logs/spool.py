"""Lines of a log that is being written: on disk, with the newest in memory.

A log beyond the limit loses segments in its middle; the numbers of the lines stay as they are.
"""

import os
import tempfile
import threading
from array import array
from bisect import bisect_right
from collections import deque
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from callboard_ci_tekton.logs.archive import Line

SEGMENTS: Final = 10
"""Parts in which a log that is too long loses its middle."""
STRIDE: Final = 64
"""Lines between two of which the place is remembered."""
RECENT_BYTES: Final = 128 * 1024
RECENT_LINES: Final = 2000


class _Segment:
    """Some lines that follow each other, in a file that has no name."""

    def __init__(self, folder: Path, first: int) -> None:
        self.first = first
        self.count = 0
        self.size = 0
        self._marks = array("Q")
        self._file = tempfile.TemporaryFile(dir=folder, buffering=0)  # noqa: SIM115 - closed below

    def add(self, lines: Sequence[bytes]) -> None:
        for line in lines:
            if self.count % STRIDE == 0:
                self._marks.append(self.size)
            self.count += 1
            self.size += len(line)
        self._file.write(b"".join(lines))

    def read(self, first: int, count: int) -> list[Line]:
        skip = first - self.first
        begin = self._marks[skip // STRIDE]
        # Up to the first mark that lies behind what is wanted.
        stop = (skip + count + STRIDE - 1) // STRIDE
        end = self._marks[stop] if stop < len(self._marks) else self.size
        data = os.pread(self._file.fileno(), end - begin, begin)
        number = self.first + skip // STRIDE * STRIDE
        lines = data.decode().split("\n")[:-1]
        return [
            (number + place, *_parted(line))
            for place, line in enumerate(lines)
            if first <= number + place < first + count
        ]

    def close(self) -> None:
        self._file.close()


def _parted(line: str) -> tuple[str, str]:
    at, _space, text = line.partition(" ")
    return at, text


class Spool:
    """The lines of a log so far. Any thread may add and read."""

    def __init__(self, folder: Path, limit: int) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._segment_bytes = max(limit // SEGMENTS, 64 * 1024)
        self._lock = threading.Lock()
        self._segments: list[_Segment] = []
        self._recent: deque[Line] = deque()
        self._recent_bytes = 0
        self._closed = False
        self.total = 0

    @property
    def gap(self) -> tuple[int, int] | None:
        """The first and the last line that are left out, None where all are there."""
        with self._lock:
            for before, after in zip(self._segments, self._segments[1:], strict=False):
                if before.first + before.count < after.first:
                    return before.first + before.count, after.first - 1
        return None

    def add(self, lines: Sequence[tuple[str, str]]) -> None:
        """Take the next lines: time and text."""
        with self._lock:
            if self._closed:
                return
            segment = self._current()
            segment.add([f"{at} {text}\n".encode(errors="replace") for at, text in lines])
            for at, text in lines:
                self.total += 1
                self._recent.append((self.total, at, text))
                self._recent_bytes += len(text)
            while len(self._recent) > RECENT_LINES or (
                self._recent_bytes > RECENT_BYTES and len(self._recent) > 1
            ):
                self._recent_bytes -= len(self._recent.popleft()[2])

    def _current(self) -> _Segment:
        if not self._segments or self._segments[-1].size >= self._segment_bytes:
            if len(self._segments) >= SEGMENTS:
                # The beginning and the end tell most.
                self._segments.pop(SEGMENTS // 2).close()
            self._segments.append(_Segment(self._folder, self.total + 1))
        return self._segments[-1]

    def read(self, first: int, count: int) -> list[Line]:
        """Give at most `count` lines from a number on; what is left out is passed over."""
        with self._lock:
            if self._closed or first > self.total:
                return []
            if self._recent and first >= self._recent[0][0]:
                begin = first - self._recent[0][0]
                return [self._recent[at] for at in
                        range(begin, min(begin + count, len(self._recent)))]  # fmt: skip
            return self._from_disk(first, count)

    def _from_disk(self, first: int, count: int) -> list[Line]:
        firsts = [segment.first for segment in self._segments]
        found: list[Line] = []
        for segment in self._segments[max(bisect_right(firsts, first) - 1, 0) :]:
            begin = max(first, segment.first)
            if len(found) >= count:
                break
            if begin < segment.first + segment.count:
                found += segment.read(begin, count - len(found))
        return found

    def iterate(self, first: int = 1) -> Iterator[Line]:
        """Yield the lines that are there."""
        while lines := self.read(first, 1000):
            yield from lines
            first = lines[-1][0] + 1

    def close(self) -> None:
        """Let go of everything; there are no lines any more."""
        with self._lock:
            self._closed = True
            for segment in self._segments:
                segment.close()
            self._segments = []
            self._recent.clear()
