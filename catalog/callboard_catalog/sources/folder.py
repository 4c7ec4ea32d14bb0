"""A folder of this machine."""

import hashlib
import logging
import os
from collections.abc import Collection, Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import Final

from callboard.errors import InputError, NotFoundError
from callboard.i18n import Message, Translator
from callboard_catalog.sources.base import FoundFile, WebAddress

_ = Translator("callboard")

log = logging.getLogger(__name__)
MAXIMUM_FILES: Final = 500_000
SKIPPED: Final = frozenset({".git", ".hg", ".svn", "node_modules", ".venv", "__pycache__"})


class FolderReader:
    """Reads a folder; symbolic links are not followed, so nothing outside of it is read.

    A file's blob is its size and times of change: content is read again when any differs. The one
    of its entry changes with its permissions too, so a file that may be read again is.
    """

    def __init__(self, path: Path, patterns: tuple[str, ...], maximum_bytes: int) -> None:
        self.path = path
        self.prefix = f"{path}{os.sep}"
        self.patterns = patterns
        self.maximum_bytes = maximum_bytes
        self._last: FolderSnapshot | None = None

    def version(self, known: str) -> str:
        self._last = last = FolderSnapshot(self)
        return last.version

    def snapshot(self, version: str) -> "FolderSnapshot":
        last, self._last = self._last, None
        return last if last and last.version == version else FolderSnapshot(self)

    def kept(self, path: str, blob: str) -> bytes | None:
        return self.read_file(path)

    def read_file(self, path: str) -> bytes | None:
        """Give the content of a file below the folder, or None where it cannot be read."""
        try:
            descriptor = os.open(self.prefix + path, os.O_RDONLY | os.O_NOFOLLOW)
        except OSError:
            return None
        with os.fdopen(descriptor, "rb") as file:
            return file.read(self.maximum_bytes + 1)


class FolderSnapshot:
    """The files of a folder as they were found."""

    def __init__(self, reader: FolderReader) -> None:
        self.reader = reader
        self.files = {file.path: file for file in self._walk()}

    @cached_property
    def version(self) -> str:
        digest = hashlib.sha256()
        for path in sorted(self.files):
            digest.update(f"{path}\0{self.files[path].blob}\0".encode())
        return digest.hexdigest()

    @cached_property
    def roots(self) -> Collection[str]:
        return matching(self.files, self.reader.patterns)

    def read(self, paths: Collection[str]) -> Iterator[tuple[str, bytes]]:
        for path in paths:
            content = self.reader.read_file(path)
            if content is not None:
                yield path, content

    def location(self, path: str) -> str:
        return f"file:{self.reader.prefix}{path}"

    def web(self, path: str) -> WebAddress:
        return WebAddress()

    def commit(self, paths: Sequence[str]) -> None:
        return None

    def _walk(self) -> Iterator[FoundFile]:
        root = self.reader.path
        if not root.is_dir():
            raise NotFoundError(
                _("The folder %(path)s does not exist or cannot be entered.", path=str(root)),
                hint=_("Correct `path` of this source in callboard.yaml, or create the folder."),
            )
        pending, count = [""], 0
        while pending:
            folder = pending.pop()
            for entry in os.scandir(self.reader.prefix + folder):
                path = f"{folder}{entry.name}"
                if entry.is_dir(follow_symlinks=False):
                    if entry.name not in SKIPPED:
                        pending.append(f"{path}/")
                elif entry.is_file(follow_symlinks=False):
                    count += 1
                    if not path.isprintable():
                        log.debug("%r in %s is left out: its name is no plain text.", path, root)
                        continue
                    yield self._found(path, entry)
            if count > MAXIMUM_FILES:
                raise InputError(
                    _(
                        "The folder %(path)s has more than %(limit)s files.",
                        path=str(root),
                        limit=MAXIMUM_FILES,
                    ),
                    hint=_("Name a smaller folder."),
                )

    def _found(self, path: str, entry: os.DirEntry[str]) -> FoundFile:
        status = entry.stat(follow_symlinks=False)
        blob = f"{status.st_size}-{status.st_mtime_ns}-{status.st_ctime_ns}"
        limit = self.reader.maximum_bytes
        fault = "" if status.st_size <= limit else too_large(status.st_size, limit)
        return FoundFile(path, blob, status.st_size, fault)


def too_large(size: int, limit: int) -> Message:
    """Say that a file is larger than may be read."""
    return _(
        "The file has %(number)s bytes; at most %(limit)s are read (catalog.limits.file_size).",
        number=size,
        limit=limit,
    )


def matching(files: Collection[str], patterns: Collection[str]) -> list[str]:
    """Give the paths that match any of the patterns, in order."""
    from callboard.git.patterns import compile_pattern

    plain = [pattern.removeprefix("./") for pattern in patterns]
    found = {path for path in plain if path in files}
    tests = [compile_pattern(pattern) for pattern in plain if any(c in pattern for c in "*?[")]
    if tests:
        found.update(path for path in files if any(test(path) for test in tests))
    return sorted(found)
