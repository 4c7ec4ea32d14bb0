"""Where archives of logs are kept: in a folder, or in an object store."""

import os
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Final, Protocol

from callboard.i18n import Translator
from callboard_ci_tekton.logs.archive import damaged

if TYPE_CHECKING:
    from callboard.host import Host

_ = Translator("ci_tekton")

_OTHER: Final = re.compile(r"[^A-Za-z0-9.-]")
_SAVED: Final = "saved-"


class Place(Protocol):
    """Keeps files by name. A file is there whole or not at all, and never changes."""

    is_remote: bool
    """Whether reading asks another machine: pages do not."""

    def put(self, name: str, file: Path) -> None:
        """Keep a file, which may be taken away from where it is."""

    def read(self, name: str, offset: int, length: int) -> bytes:
        """Give a part of a file. Raises `DamagedError` where there is no such file."""

    def size(self, name: str) -> int:
        """Give how many bytes a file has. Raises `DamagedError` where there is none."""

    def names(self, beginning: str) -> list[str]:
        """Give the names of files that begin so."""

    def delete(self, name: str) -> None:
        """Forget a file, if it is there."""


class Folder:
    """A folder of this machine, or one that all processes share."""

    is_remote = False

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def put(self, name: str, file: Path) -> None:
        """Move a file here: from another file system by a copy beside its place."""
        target = self._folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(
            dir=target.parent, prefix=".", suffix=".part", delete=False
        ) as part:
            try:
                with file.open("rb") as given:
                    while piece := given.read(1024**2):
                        part.write(piece)
                part.flush()
                os.fsync(part.fileno())
                Path(part.name).replace(target)
            except BaseException:
                Path(part.name).unlink(missing_ok=True)
                raise
        _write_down(target.parent)

    def read(self, name: str, offset: int, length: int) -> bytes:
        try:
            with (self._folder / name).open("rb") as file:
                file.seek(offset)
                return file.read(length)
        except OSError as error:
            raise damaged(_("its file cannot be read")) from error

    def size(self, name: str) -> int:
        try:
            return (self._folder / name).stat().st_size
        except OSError as error:
            raise damaged(_("its file cannot be read")) from error

    def names(self, beginning: str) -> list[str]:
        parent, _slash, start = beginning.rpartition("/")
        folder = self._folder / parent
        if not folder.is_dir():
            return []
        return sorted(f"{parent}/{file.name}" for file in folder.iterdir()
                      if file.name.startswith(start) and file.suffix == ".gz")  # fmt: skip

    def delete(self, name: str) -> None:
        file = self._folder / name
        file.unlink(missing_ok=True)
        for folder in (file.parent, file.parent.parent):
            try:
                folder.rmdir()
            except OSError:
                return  # there are others


def _write_down(folder: Path) -> None:
    """Let a name that was given in a folder outlive a loss of power."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def place_of(host: "Host") -> Place:
    """Give the place that the settings name."""
    settings = host.settings.logs
    if settings.bucket:
        from callboard_ci_tekton.logs.objects import ObjectStore

        return ObjectStore(host.http, settings, host.now)
    return Folder(Path(settings.place) if settings.place else host.data / "logs")


@contextmanager
def working_file(host: "Host") -> Iterator[tuple[BinaryIO, Path]]:
    """Give a file to write an archive into; it is gone after the block."""
    folder = host.data / "working"
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=folder, delete=False) as file:
        path = Path(file.name)
        try:
            yield file, path  # type: ignore[misc]  # what wraps the file behaves like it
        finally:
            path.unlink(missing_ok=True)


def beginning_of(task: Any, container: str) -> str:
    """Give what names of archives of a container begin with.

    The uid of a task names it for ever; the first letters spread folders.
    """
    uid = _OTHER.sub("_", task.uid) or "_"
    attempt = f"{uid}-{task.attempt}"
    return f"{_OTHER.sub('_', task.cluster)}/{uid[:2]}/{attempt}/{_OTHER.sub('_', container)}."


def name_of(task: Any, container: str, digest: str) -> str:
    """Give the name of an archive: what is the same has the same name."""
    return f"{beginning_of(task, container)}{digest[:16]}.gz"


def saved_name(task: Any, container: str, digest: str) -> str:
    """Give the name of an archive that was written before the log had an end."""
    return f"{beginning_of(task, container)}{_SAVED}{digest[:16]}.gz"


def is_whole(task: Any, container: str, name: str) -> bool:
    """Say whether the name of an archive is that of a log that was read to its end."""
    return not name.startswith(f"{beginning_of(task, container)}{_SAVED}")
