"""Commits made of whole files, without a work tree."""

import re
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from callboard.errors import InputError
from callboard.git.address import check_hash
from callboard.git.objects import list_files
from callboard.git.runner import GitFailedError, GitRunner
from callboard.git.values import SUBMODULE_MODE, SYMLINK_MODE, Author

_PLAIN_MODE: Final = "100644"
_NO_OBJECT: Final = "0" * 40
_TRAILER: Final = re.compile(r"[A-Za-z][A-Za-z0-9-]{0,63}")
_COMMITTER: Final = Author("Callboard", "callboard@localhost")


def check_changes(changes: Mapping[str, bytes | None]) -> None:
    """Raise `InputError` unless each path is a plain path within the repository."""
    if not changes:
        raise InputError("A commit without changes was asked for.")
    for path in changes:
        parts = path.split("/")
        bad = any(part.lower() in ("", ".", "..", ".git") for part in parts)
        if bad or not path.isprintable() or len(path) > 1000:
            raise InputError(
                f"{path[:80]!r} cannot be written.",
                hint="Expected a path within the repository, such as deploy/values.yaml.",
            )


def compose(message: str, trailers: Mapping[str, str]) -> bytes:
    """Give a commit message that ends in its trailers (git-interpret-trailers(1))."""
    lines = []
    for key, value in trailers.items():
        if not _TRAILER.fullmatch(key) or not value.strip() or re.search(r"[\x00-\x1f\x7f]", value):
            raise InputError(
                f"The commit trailer {key[:80]!r} is not usable.",
                hint="Expected a name of letters, digits and hyphens, and a value on one line.",
            )
        lines.append(f"{key}: {value}")
    body = message.replace("\0", "").strip()
    if not body:
        raise InputError("A commit needs a message.")
    return ("\n\n".join(filter(None, (body, "\n".join(lines)))) + "\n").encode()


def identity(author: Author) -> dict[str, str]:
    """Give the variables that name author and committer; raises `InputError` for unusable names."""
    for text in (author.name, author.email):
        if not text.strip() or re.search(r"[\x00-\x1f\x7f<>]", text):
            raise InputError(f"{text[:80]!r} cannot be part of a commit's author.")
    return {
        "GIT_AUTHOR_NAME": author.name,
        "GIT_AUTHOR_EMAIL": author.email,
        "GIT_COMMITTER_NAME": _COMMITTER.name,
        "GIT_COMMITTER_EMAIL": _COMMITTER.email,
    }


def list_entries(runner: GitRunner, commit: str | None) -> dict[str, str]:
    """Give mode and blob of each path at a commit, nothing for None."""
    if commit is None:
        return {}
    return {file.path: f"{file.mode} {file.blob}" for file in list_files(runner, commit, ["**"], 0)}


def check_fit(entries: Mapping[str, str], changes: Mapping[str, bytes | None]) -> None:
    """Raise `InputError` for a change that would write through or replace a link or a folder."""
    folders = {parent for path in entries for parent in _parents(path)}
    for path in changes:
        if entries.get(path, "").startswith((SYMLINK_MODE, SUBMODULE_MODE)):
            raise InputError(f"{path!r} is a link or a submodule and is not written to.")
        if path in folders:
            raise InputError(f"{path!r} is a folder; expected the path of a file.")
        for parent in _parents(path):
            if parent in entries and changes.get(parent, b"") is not None:
                raise InputError(f"{path!r} cannot be written: {parent!r} is no folder.")


def _parents(path: str) -> Iterator[str]:
    while "/" in path:
        path = path.rpartition("/")[0]
        yield path


def write_tree(
    runner: GitRunner,
    base: str | None,
    entries: Mapping[str, str],
    changes: Mapping[str, bytes | None],
) -> str:
    """Give the tree of `base`, which has these entries, with the changes.

    Modes are kept. Raises `InputError` for changes that do not fit the tree.
    """
    check_fit(entries, changes)
    lines = []
    for path, content in changes.items():
        if content is None:
            lines.append(f"0 {_NO_OBJECT}\t{path}")
        else:
            mode = entries.get(path, _PLAIN_MODE).split()[0]
            blob = runner.run("hash-object", "-w", "--no-filters", "--stdin", data=content)
            lines.append(f"{mode} {blob.decode().strip()}\t{path}")
    with tempfile.TemporaryDirectory(prefix="callboard-index-") as folder:
        index = {"GIT_INDEX_FILE": str(Path(folder, "index"))}
        if base is not None:
            runner.run("read-tree", check_hash(base), environment=index)
        data = "".join(f"{line}\0" for line in lines).encode()
        try:
            runner.run("update-index", "-z", "--index-info", data=data, environment=index)
        except GitFailedError as failure:
            raise InputError(
                f"The changes do not fit the tree: {failure.messages.strip()[:200]}."
            ) from failure
        return runner.run("write-tree", environment=index).decode().strip()


def write_commit(
    runner: GitRunner, tree: str, base: str | None, message: bytes, author: Author
) -> str:
    """Make a commit object of a tree and give its hash."""
    parents = ["-p", base] if base else []
    output = runner.run(
        "commit-tree", tree, *parents, "-F", "-", data=message, environment=identity(author)
    )
    return output.decode().strip()


def tree_of(runner: GitRunner, commit: str) -> str:
    """Give the tree of a commit."""
    return runner.run("rev-parse", "--verify", f"{check_hash(commit)}^{{tree}}").decode().strip()
