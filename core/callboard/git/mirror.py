"""A bare mirror on disk: made, brought up to date, cleaned, and made anew when it is damaged."""

import contextlib
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

from callboard.git.failures import is_remote_fault
from callboard.git.lock import MirrorLock, lock
from callboard.git.runner import GitFailedError, GitRunner
from callboard.i18n import Message, Translator

_ = Translator("callboard")

_DAMAGED: Final = "callboard-damaged"
_LEFTOVERS: Final = (".lock", ".pid")
_TEMPORARY: Final = ("tmp_", ".tmp-", "incoming-")


class Mirror:
    """The bare repository in `directory`; its lock and temporary folders lie beside it."""

    def __init__(
        self, directory: Path, runner: GitRunner, *, timeout: float, maximum_bytes: int
    ) -> None:
        self.directory = directory.absolute()
        self._runner = runner.at(self.directory)
        self._timeout = timeout
        self._maximum_bytes = maximum_bytes

    @property
    def runner(self) -> GitRunner:
        """Runs git in the mirror."""
        return self._runner

    @contextlib.contextmanager
    def lock(self) -> Iterator[MirrorLock]:
        """Be the only writer; raises `NotReadyError` when another one does not end in time."""
        with lock(self.directory.with_name(f"{self.directory.name}.lock"), self._timeout) as held:
            yield held

    def references(self) -> dict[str, str]:
        """Give each reference of the mirror with its object, none for a missing or damaged one."""
        if not (self.directory / "HEAD").is_file() or (self.directory / _DAMAGED).exists():
            return {}
        try:
            output = self._runner.run("for-each-ref", "--format=%(objectname) %(refname)")
        except GitFailedError:
            return {}
        pairs = (line.split(" ", 1) for line in output.decode("utf-8", "replace").splitlines())
        return {name: value for value, name in pairs}

    @property
    def is_shallow(self) -> bool:
        """Whether history is cut off somewhere."""
        return (self.directory / "shallow").exists()

    def has(self, commit: str) -> bool:
        """Whether a commit and its tree are here."""
        try:
            self._runner.run("cat-file", "-e", f"{commit}^{{tree}}")
        except GitFailedError:
            return False
        return True

    def mark_damaged(self) -> None:
        """Have the next fetch make the mirror anew."""
        with contextlib.suppress(OSError):
            (self.directory / _DAMAGED).touch()

    def update(
        self, held: MirrorLock, url: str, refspecs: Sequence[str], options: Sequence[str]
    ) -> None:
        """Fetch under the lock; a mirror that is damaged is replaced by a new one.

        Raises `GitFailedError` when the remote or a limit is at fault.
        """
        fresh = self.prepare()
        try:
            self._fetch(held, url, refspecs, options)
        except GitFailedError as failure:
            if fresh or is_remote_fault(failure):
                raise
            self._make()
            self._fetch(held, url, refspecs, options)

    def prepare(self) -> bool:
        """Clean up after a killed process (under the lock); give whether it was made anew."""
        if self.references() or (self._is_sound() and not (self.directory / _DAMAGED).exists()):
            self._remove_leftovers()
            return False
        self._make()
        return True

    def _is_sound(self) -> bool:
        try:
            self._runner.run("rev-parse", "--git-dir")
        except (GitFailedError, OSError):
            return False
        return True

    def _make(self) -> None:
        """Put an empty repository in place; it is complete before it gets its name."""
        new = self.directory.with_name(f"{self.directory.name}.new")
        old = self.directory.with_name(f"{self.directory.name}.old")
        for path in (new, old):
            shutil.rmtree(path, ignore_errors=True)
        new.mkdir(parents=True)
        self._runner.at(None).run("init", "--quiet", "--bare", "--template=", "--", str(new))
        if self.directory.exists():
            self.directory.rename(old)
        new.rename(self.directory)
        shutil.rmtree(old, ignore_errors=True)

    def _remove_leftovers(self) -> None:
        for folder, folders, files in os.walk(self.directory):
            for name in files:
                if name.endswith(_LEFTOVERS) or name.startswith(_TEMPORARY):
                    Path(folder, name).unlink(missing_ok=True)
            for name in [name for name in folders if name.startswith(_TEMPORARY)]:
                shutil.rmtree(Path(folder, name), ignore_errors=True)

    def _fetch(
        self, held: MirrorLock, url: str, refspecs: Sequence[str], options: Sequence[str]
    ) -> None:
        try:
            self._locked(
                held,
                *("fetch", "--quiet", "--no-tags", "--no-recurse-submodules"),
                *("--no-write-fetch-head", "--no-auto-maintenance", "--update-shallow", "--force"),
                *(*options, "--", url, *refspecs),
            )
        finally:
            self._remove_leftovers()
            objection = self._object_to_size()
            if objection:
                # It grew between two looks; what came is not kept, or it would count as fetched.
                self._make()
        if objection:
            raise GitFailedError("", 0, objection, is_too_large=True)
        # Each fetch adds a pack; git joins them when there are many.
        with contextlib.suppress(GitFailedError):
            self._locked(held, "gc", "--auto", "--quiet")

    def _locked(self, held: MirrorLock, *arguments: str) -> None:
        self._runner.run(
            *arguments,
            watch=self._object_to_size,
            inherit=[held.descriptor],
            started=held.record,
        )

    def _object_to_size(self) -> Message | None:
        if size_of(self.directory / "objects") > self._maximum_bytes:
            return _(
                "the repository is too large: more than %(limit)s bytes", limit=self._maximum_bytes
            )
        return None


def size_of(directory: Path) -> int:
    """Give the bytes of all files below a folder that may be changing."""
    total = 0
    for folder, _, files in os.walk(directory):
        for name in files:
            with contextlib.suppress(OSError):
                total += Path(folder, name).lstat().st_size
    return total


def missing(local: Mapping[str, str], remote: Mapping[str, str]) -> bool:
    """Whether a reference of the remote is absent or different here."""
    return any(local.get(name) != value for name, value in remote.items())
