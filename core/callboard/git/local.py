"""Repositories on this machine: under allowed folders only, with nothing leading out of them."""

import contextlib
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from callboard.errors import InputError, NotFoundError, NotReadyError
from callboard.i18n import Translator

_ = Translator("callboard")

MAXIMUM_ALTERNATES: Final = 10


def check_local(path: Path, allowed: Sequence[Path]) -> Path:
    """Give the real path of a local repository.

    Raises `InputError` when the repository, or any part of it that git would follow (a symbolic
    link, a `.git` file, `commondir`, alternate object stores), lies outside the allowed folders,
    and `NotFoundError` when there is no such folder. The one who may write a local repository
    could otherwise have this process read repositories that they may not read.
    """
    roots = [root.resolve() for root in allowed]
    real = _inside(path, roots, path)
    if not real.is_dir():
        raise NotFoundError(
            _("There is no folder %(path)s.", path=str(path)),
            hint=_("Correct the repository address."),
        )
    try:
        for store in _stores(real, roots, path):
            for link in _symlinks(store):
                _inside(link, roots, path)
    except PermissionError as error:
        raise NotReadyError(
            _(
                "The repository %(path)s cannot be read: no permission for %(file)s.",
                path=str(path),
                file=str(error.filename),
            ),
            hint=_("Give the user Callboard runs as the right to read it."),
        ) from error
    return real


def _inside(path: Path, roots: Sequence[Path], repository: Path) -> Path:
    real = path.resolve()
    if any(real.is_relative_to(root) for root in roots):
        return real
    if path == repository:
        raise InputError(
            _(
                "The repository %(path)s is refused: it is in no folder of git.allow_local.",
                path=str(repository),
            ),
            hint=_("Add its folder to git.allow_local in the settings."),
        )
    raise InputError(
        _(
            "The repository %(path)s is refused: its %(name)s leads out of the allowed folders.",
            path=str(repository),
            name=repr(path.name),
        ),
        hint=_("Replace links, alternates and work trees by a plain clone."),
    )


def _stores(repository: Path, roots: Sequence[Path], origin: Path) -> Iterator[Path]:
    """Yield each folder git reads objects and references from."""
    git_directory = repository / ".git" if (repository / ".git").exists() else repository
    if git_directory.is_file():
        target = _first_line(git_directory).removeprefix("gitdir:").strip()
        git_directory = repository / target
    git_directory = _inside(git_directory, roots, origin)
    yield git_directory
    common = git_directory
    if (git_directory / "commondir").is_file():
        common = _inside(git_directory / _first_line(git_directory / "commondir"), roots, origin)
        yield common
    waiting, seen = [common / "objects"], 0
    while waiting and seen < MAXIMUM_ALTERNATES:
        objects = waiting.pop()
        for line in _alternates(objects):
            alternate = _inside(objects / line, roots, origin)
            waiting.append(alternate)
            yield alternate
        seen += 1
    if waiting:
        raise InputError(
            _("The repository %(path)s is refused: it has too many alternates.", path=str(origin))
        )


def _alternates(objects: Path) -> list[str]:
    try:
        text = (objects / "info" / "alternates").read_text("utf-8", "surrogateescape")
    except OSError:
        return []
    # git reads quoted lines too; what such a line means is not guessed at.
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    if any(line.startswith('"') for line in lines):
        raise InputError(_("A local repository with quoted alternates is refused."))
    return lines


def _symlinks(directory: Path) -> Iterator[Path]:
    waiting = [str(directory)]
    while waiting:
        # Its owner may pack the repository meanwhile, and folders go.
        with contextlib.suppress(FileNotFoundError), os.scandir(waiting.pop()) as entries:
            for entry in entries:
                if entry.is_symlink():
                    yield Path(entry.path)
                elif entry.is_dir(follow_symlinks=False):
                    waiting.append(entry.path)


def _first_line(path: Path) -> str:
    with path.open(encoding="utf-8", errors="surrogateescape") as file:
        return file.readline(4096).rstrip("\n")
