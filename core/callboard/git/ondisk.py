"""The references of a repository on this machine, read as files (gitrepository-layout(5)).

Only what every version of git reads in one way: a plain repository that belongs to this user, with
no link on the way and nothing in its configuration that hides, includes or extends. Of all others
the git program is asked, after the whole repository was checked (`callboard.git.local`).
"""

import contextlib
import os
import re
import stat
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from callboard.git.address import is_reference
from callboard.git.packets import PEELED, References, UnusualError

MAXIMUM_FILE: Final = 1 << 16
MAXIMUM_PACKED: Final = 1 << 26
DEEPEST: Final = 5
_FOLDER: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
_BRANCHES: Final = "refs/heads/"
_HASH: Final = re.compile(rb"[0-9a-f]{40}")
_CONFIG_LINE: Final = re.compile(
    rb"[ \t]*(?:[#;].*|\[[A-Za-z0-9.-]+(?:[ \t]+\"[^\"\\]*\")?\][ \t]*"
    rb"|[A-Za-z][A-Za-z0-9-]*[ \t]*(?:=(?:[^\"\\]|\"[^\"\\]*\")*)?)?"
)
_UNUSUAL_CONFIG: Final = re.compile(
    rb"hiderefs|include|extensions|worktree|repositoryformatversion(?!\s*=\s*0\s*$)",
    re.IGNORECASE | re.MULTILINE,
)


def read_references(repository: Path, names: Sequence[str]) -> References:
    """Give the first of some references that the repository at a real path has.

    Raises `UnusualError` where git must be asked, also where there is none of them.
    """
    try:
        with _opened(repository) as folder:
            _check(folder)
            for name in names:
                found = _find(folder, name)
                if found is not None:
                    return found
    except OSError as error:
        raise UnusualError from error
    raise UnusualError


@contextlib.contextmanager
def _opened(repository: Path) -> Iterator[int]:
    """Open the folder git would look into; nothing that is a link is followed from here on."""
    if os.path.realpath(repository) != str(repository):
        raise UnusualError
    outer = os.open(repository, _FOLDER)
    try:
        _check_owner(outer)
        try:
            inner = os.open(".git", _FOLDER, dir_fd=outer)
        except FileNotFoundError:
            inner = os.dup(outer)
    finally:
        os.close(outer)
    try:
        yield inner
    finally:
        os.close(inner)


def _check_owner(folder: int) -> None:
    if os.fstat(folder).st_uid != os.geteuid():
        raise UnusualError


def _check(folder: int) -> None:
    _check_owner(folder)
    for name in ("objects", "refs"):
        if not stat.S_ISDIR(os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode):
            raise UnusualError
    config = _read(folder, "config", MAXIMUM_FILE)
    plain = config is not None and all(map(_CONFIG_LINE.fullmatch, config.split(b"\n")))
    if config is None or not plain or _UNUSUAL_CONFIG.search(config):
        raise UnusualError
    if _read(folder, "commondir", MAXIMUM_FILE) is not None:
        raise UnusualError


def _find(folder: int, name: str) -> References | None:
    found = References()
    last = name
    for _ in range(DEEPEST):
        content = _read(folder, last, MAXIMUM_FILE)
        if content is None:
            return _packed(folder, found, name, last)
        if not content.startswith(b"ref:"):
            return _loose(found, name, last, content.strip())
        last = os.fsdecode(content.removeprefix(b"ref:").strip())
        if not last.startswith("refs/") or not is_reference(last):
            raise UnusualError
        found.symbolic[name] = last
    raise UnusualError


def _loose(found: References, name: str, last: str, value: bytes) -> References:
    # Another reference may be a tag, and what that leads to is in no file of plain text.
    if not _HASH.fullmatch(value) or not (last == "HEAD" or last.startswith(_BRANCHES)):
        raise UnusualError
    found.add(name, value.decode())
    return found


def _packed(folder: int, found: References, name: str, last: str) -> References | None:
    """Look into the file that holds many; it is read after, as git writes it before it deletes."""
    data = _read(folder, "packed-refs", MAXIMUM_PACKED)
    at = -1 if data is None else data.find(b" " + os.fsencode(last) + b"\n")
    if data is None or at < 0:
        return None
    head, _, _ = data.partition(b"\n")
    value = data[max(0, at - 40) : at]
    if (
        not _HASH.fullmatch(value)
        or data[at - 41 : at - 40] != b"\n"
        or b" fully-peeled" not in head
    ):
        raise UnusualError
    found.add(name, value.decode())
    peeled = data[at + len(os.fsencode(last)) + 2 :][:42]
    if peeled.startswith(b"^"):
        found.add(f"{name}{PEELED}", peeled[1:41].decode("ascii", "replace"))
    return found


def _read(folder: int, path: str, most: int) -> bytes | None:
    """Give a file below a folder, None where there is none; raises `OSError` for a link."""
    *folders, name = path.split("/")
    with contextlib.ExitStack() as opened:
        try:
            for part in folders:
                folder = os.open(part, _FOLDER, dir_fd=folder)
                opened.callback(os.close, folder)
            file = os.open(name, _FILE, dir_fd=folder)
        except FileNotFoundError:
            return None
        opened.callback(os.close, file)
        kind = os.fstat(file).st_mode
        if stat.S_ISDIR(kind):
            return None
        if not stat.S_ISREG(kind):
            raise UnusualError
        content = bytearray()
        while len(content) <= most and (chunk := os.read(file, most + 1 - len(content))):
            content += chunk
        if len(content) > most:
            raise UnusualError
        return bytes(content)
