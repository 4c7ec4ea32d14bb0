"""What is known of a repository and of its files, whatever host it is on."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal, Self

from callboard.git.patterns import compile_pattern
from callboard.i18n import Text, Translator

_ = Translator("scm_hosts")

MAXIMUM_FILES: Final = 5_000
"""Files of one repository that are kept; descriptors first, then those of the fewest folders."""
MAXIMUM_DESCRIPTORS: Final = 500
MAXIMUM_BYTES: Final = 5 * 2**20
"""The largest file that is read."""

PATH: Final = re.compile(r"[A-Za-z0-9_.][\w.+-]*(?:/[A-Za-z0-9_.][\w.+-]*)*", re.ASCII)
BLOB: Final = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")

RepositoryState = Literal["new", "read", "none", "empty", "skipped", "failed"]


@dataclass(frozen=True, slots=True)
class Found:
    """A repository as a listing tells of it.

    `id` is the host's own name of it, which stays when it is renamed; `moved` changes when
    something is pushed. `branch` is the default one, empty where there is none yet.
    """

    id: str
    path: str
    branch: str
    moved: str
    topics: tuple[str, ...] = ()
    archived: bool = False
    fork: bool = False

    def to_data(self) -> list[Any]:
        """Give it as plain JSON values."""
        return [self.id, self.path, self.branch, self.moved, list(self.topics), self.archived,
                self.fork]  # fmt: skip

    @classmethod
    def of_data(cls, data: list[Any]) -> Self:
        """Give what `to_data` was given."""
        identity, path, branch, moved, topics, archived, fork = data
        return cls(identity, path, branch, moved, tuple(topics), archived, fork)


@dataclass(frozen=True, slots=True)
class TreeEntry:
    """A plain file of a commit. `size` is in bytes, 0 where the host does not say."""

    path: str
    blob: str
    size: int = 0


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which files of a repository are of interest: descriptors, and what they may lead to."""

    paths: tuple[str, ...]
    files: tuple[str, ...]
    branch: str = ""

    @property
    def plain(self) -> bool:
        """Whether the descriptors are named, not described by patterns."""
        return not any(character in path for path in self.paths for character in "*?[")

    def is_descriptor(self, path: str) -> bool:
        return any(compile_pattern(pattern)(path) for pattern in self.paths)

    def chosen(self, entries: Iterable[TreeEntry]) -> list[tuple[TreeEntry, bool]]:
        """Give the files to keep, and of each whether it is a descriptor; none without any."""
        listed = list(entries)
        descriptors = [entry for entry in listed if self.is_descriptor(entry.path)]
        if not descriptors:
            return []
        named = {entry.path for entry in descriptors}
        tests = [compile_pattern(pattern) for pattern in self.files]
        others = [
            entry
            for entry in listed
            if entry.path not in named and any(test(entry.path) for test in tests)
        ]
        others.sort(key=lambda entry: (entry.path.count("/"), entry.path))
        kept = [(entry, True) for entry in sorted(descriptors, key=lambda entry: entry.path)]
        return (kept[:MAXIMUM_DESCRIPTORS] + [(entry, False) for entry in others])[:MAXIMUM_FILES]


@dataclass(frozen=True, slots=True)
class Known:
    """What the tables have of a repository: its number there, the head and the stored blobs."""

    number: int
    found: Found
    head: str = ""
    etag: str = ""
    blobs: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Reading:
    """What reading a repository came to. `contents` are those of new descriptors, by blob."""

    state: RepositoryState
    head: str = ""
    etag: str = ""
    files: tuple[tuple[TreeEntry, bool], ...] = ()
    contents: Mapping[str, bytes] = field(default_factory=dict)
    reason: Text = ""


def is_safe(path: str) -> bool:
    """Whether a name is that of a file below the root; hosts may be given trees no git makes."""
    parts = path.lower().split("/")
    return path.isprintable() and "\\" not in path and not {"", ".", "..", ".git"} & set(parts)
