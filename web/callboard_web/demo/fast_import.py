"""Write a bare Git repository from planned commits, as one `git fast-import` stream."""

import os
import subprocess
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

from callboard.errors import CallboardError

# Nothing of the host's settings may reach the repositories: the same input gives the same hashes.
_ENVIRONMENT: Final = {
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_DEFAULT_HASH": "sha1",
    "GIT_DEFAULT_REF_FORMAT": "files",
    "LC_ALL": "C",
    "TZ": "UTC",
}
_TIME_LIMIT_SECONDS: Final = 60


@dataclass(frozen=True, slots=True)
class Person:
    """Someone who commits."""

    name: str
    email: str


@dataclass(frozen=True, slots=True)
class Commit:
    """One commit: whole files are written, nothing is removed.

    `branch` is the branch it is made on, `parent` the index of its parent in the list of
    commits, `tag` an annotated tag put on it, `release_branch` a branch that stays at it.
    """

    branch: str
    author: Person
    when: datetime
    message: str
    files: Mapping[str, str]
    parent: int | None
    tag: str = ""
    release_branch: str = ""


def write_repository(path: Path, commits: Iterable[Commit]) -> None:
    """Make the bare repository `path`, which must not exist yet, with `main` as its head.

    Raises `CallboardError` where Git is missing, too old or fails.
    """
    _git(path, "init", "--quiet", "--bare", "--template=", "--initial-branch=main", str(path))
    # Without an unpack limit small streams become loose objects, which is slower.
    options = ("-c", "fastimport.unpackLimit=0", f"--git-dir={path}")
    stream = b"".join(_stream(commits))
    _git(path, *options, "fast-import", "--quiet", "--done", stdin=stream)


def _git(path: Path, *arguments: str, stdin: bytes = b"") -> None:
    environment = _ENVIRONMENT | {"PATH": os.environ.get("PATH", os.defpath)}
    try:
        done = subprocess.run(
            ["git", *arguments],
            input=stdin,
            capture_output=True,
            env=environment,
            timeout=_TIME_LIMIT_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise CallboardError(
            f"The sample repository {path} could not be written: {error}.",
            hint="Install git 2.32 or newer.",
        ) from error
    if done.returncode:
        reason = done.stderr.decode(errors="replace").strip()[:500]
        raise CallboardError(
            f"The sample repository {path} could not be written: "
            f"git {' '.join(arguments[:5])} ended with {done.returncode}: {reason}.",
            hint="Check the free disk space and that git is 2.32 or newer.",
        )


def _stream(commits: Iterable[Commit]) -> Iterator[bytes]:
    yield b"feature done\n"
    for index, commit in enumerate(commits):
        yield from _commit(index, commit)
    yield b"done\n"


def _commit(index: int, commit: Commit) -> Iterator[bytes]:
    stamp = commit.when.strftime("%z")
    who = f"{commit.author.name} <{commit.author.email}> {int(commit.when.timestamp())} {stamp}"
    yield f"commit refs/heads/{commit.branch}\nmark :{index + 1}\n".encode()
    yield f"author {who}\ncommitter {who}\n".encode()
    yield _data(commit.message + "\n")
    if commit.parent is not None:
        yield f"from :{commit.parent + 1}\n".encode()
    for path, content in sorted(commit.files.items()):
        yield f"M 100644 inline {path}\n".encode()
        yield _data(content)
    if commit.tag:
        yield f"tag {commit.tag}\nfrom :{index + 1}\ntagger {who}\n".encode()
        yield _data(commit.tag + "\n")
    if commit.release_branch:
        yield f"reset refs/heads/{commit.release_branch}\nfrom :{index + 1}\n\n".encode()


def _data(text: str) -> bytes:
    content = text.encode()
    return b"data %d\n%b\n" % (len(content), content)
