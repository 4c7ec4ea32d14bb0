"""What the Git helper takes and gives."""

from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Final

SYMLINK_MODE: Final = "120000"
SUBMODULE_MODE: Final = "160000"


@dataclass(frozen=True, slots=True)
class Credentials:
    """How to sign in to a Git server.

    Over HTTP `username` and `password` (a token, as a rule) are sent as a header; hosts accept any
    user name beside a token, or say which (`oauth2`, `x-access-token`). Over SSH only `ssh_key` is
    used, and the server must be known in `known_hosts` (without it: in the user's own file).
    """

    username: str = ""
    password: str = field(default="", repr=False)
    ssh_key: Path | None = None
    known_hosts: Path | None = None


@dataclass(frozen=True, slots=True)
class Author:
    """Who a commit is by."""

    name: str
    email: str


@dataclass(frozen=True, slots=True)
class TreeFile:
    """An entry of a commit's tree. `size` is in bytes, 0 for a submodule.

    Symbolic links and submodules are reported and never followed: the blob of a link is the text
    of its target, a submodule's hash is a commit of another repository.
    """

    path: str
    blob: str
    size: int
    mode: str
    too_large: bool

    @property
    def is_symlink(self) -> bool:
        """Whether the entry is a symbolic link."""
        return self.mode == SYMLINK_MODE

    @property
    def is_submodule(self) -> bool:
        """Whether the entry is a submodule."""
        return self.mode == SUBMODULE_MODE

    @property
    def is_readable(self) -> bool:
        """Whether the entry is a plain file within the size limit."""
        return not (self.is_symlink or self.is_submodule or self.too_large)


@dataclass(frozen=True, slots=True)
class Commit:
    """A commit; `time` is when it was authored, in UTC."""

    hash: str
    parents: tuple[str, ...]
    author_name: str
    author_email: str
    time: datetime
    committed: datetime
    subject: str


@dataclass(frozen=True, slots=True)
class Contributor:
    """Who authored commits, by e-mail address after the repository's `.mailmap`."""

    name: str
    email: str
    commits: int
    last: datetime


@dataclass(frozen=True, slots=True)
class Reference:
    """A branch or a tag: its short name, the commit it leads to, and when it was made (UTC)."""

    name: str
    commit: str
    time: datetime
