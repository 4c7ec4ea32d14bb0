"""A folder tree of repositories on this machine: found, and their heads read, without a process."""

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from callboard.errors import InputError, NotFoundError
from callboard.i18n import Translator
from callboard_scm_hosts.values import Found

_ = Translator("scm_hosts")

MAXIMUM_DEPTH: Final = 10
MAXIMUM_FOLDERS: Final = 200_000
LONGEST_LINE: Final = 4096


def find_repositories(root: Path, scope: str, branch: str) -> list[Found]:
    """Give the repositories below `root`, or below `scope` in it; links are not followed.

    `moved` is the commit of the branch, by default of the one HEAD names. Raises `NotFoundError`
    where there is no such folder, `InputError` for one of too many folders.
    """
    start = root / scope if scope else root
    if not start.is_dir() or start.is_symlink():
        raise NotFoundError(
            _("The folder %(path)s does not exist or cannot be entered.", path=str(start)),
            hint=_("Correct path or group in the settings, or create the folder."),
        )
    found: dict[str, Found] = {}
    for folder in _repositories(str(start)):
        name = os.path.relpath(folder, root).replace(os.sep, "/")
        path = name.removesuffix("/.git").removesuffix(".git") or name
        if not name.isprintable() or len(name) > 200:
            continue
        head, commit = _head(folder, branch)
        found[name] = Found(id=name, path=path, branch=head if commit else "", moved=commit)
    taken: set[str] = set()
    listed = []
    for name in sorted(found):
        item = found[name]
        if item.path in taken:
            item = Found(id=name, path=name, branch=item.branch, moved=item.moved)
        taken.add(item.path)
        listed.append(item)
    return listed


def git_directory(folder: str) -> str:
    """Give where Git keeps things of a repository, empty where a folder is none."""
    inner = f"{folder}/.git"
    for path in (inner, folder):
        if Path(path, "HEAD").is_file() and Path(path, "objects").is_dir():
            return path
    return ""


def _repositories(start: str) -> Iterator[str]:
    pending, count = [(start, 0)], 0
    while pending:
        folder, depth = pending.pop()
        count += 1
        if count > MAXIMUM_FOLDERS:
            raise InputError(
                _("%(path)s has more than %(limit)s folders.", path=start, limit=MAXIMUM_FOLDERS),
                hint=_("Name a smaller folder."),
            )
        try:
            with os.scandir(folder) as entries:
                listed = list(entries)
        except OSError:
            continue
        names = {entry.name for entry in listed}
        if ".git" in names or {"HEAD", "objects", "refs"} <= names:
            if git_directory(folder):
                yield folder
            continue
        if depth < MAXIMUM_DEPTH:
            pending += [
                (entry.path, depth + 1)
                for entry in listed
                if entry.is_dir(follow_symlinks=False) and not entry.name.startswith(".")
            ]


def _head(folder: str, branch: str) -> tuple[str, str]:
    """Give the branch, and its commit or another text that changes with it; empty for none."""
    directory = git_directory(folder)
    tables = _text(f"{directory}/reftable/tables.list")
    if tables:
        # Another format of references, which is not read here; that it changed can be seen.
        return branch or "HEAD", hashlib.sha256(tables.encode()).hexdigest()
    if branch:
        return branch, _commit(directory, f"refs/heads/{branch}")
    head = _text(f"{directory}/HEAD").strip()
    if not head.startswith("ref: "):
        return "HEAD", head[:64]
    reference = head.removeprefix("ref: ").strip()
    name = reference.removeprefix("refs/heads/")
    if ".." in reference or not reference.startswith("refs/heads/") or len(name) > 250:
        return "", ""
    return name, _commit(directory, reference)


def _commit(directory: str, reference: str) -> str:
    loose = _text(f"{directory}/{reference}").strip()
    if loose:
        return loose[:64]
    try:
        with Path(directory, "packed-refs").open(encoding="utf-8", errors="replace") as file:
            for line in file:
                if line.endswith(f" {reference}\n"):
                    return line.partition(" ")[0][:64]
    except OSError:
        pass
    return ""


def _text(path: str) -> str:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
    except OSError:
        return ""
    with os.fdopen(descriptor, "rb") as file:
        try:
            return file.read(LONGEST_LINE).decode("utf-8", "replace")
        except OSError:
            return ""
