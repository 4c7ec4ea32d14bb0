"""One writer for each mirror, over threads and processes, however the last one ended."""

import contextlib
import fcntl
import json
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from callboard.errors import NotReadyError
from callboard.i18n import Translator

_ = Translator("callboard")

_PAUSE: Final = 0.05


class MirrorLock:
    """A held lock. `descriptor` is handed to git processes, which then hold the lock as well.

    The lock is the kernel's (flock): nobody holds it once all holders are gone, so it is never
    stale. Should this process be killed, the git it started still holds the lock until it ends,
    and two writers never meet; `record` tells the next one which process group to end.
    """

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor

    def record(self, group: int) -> None:
        """Write down the process group that works under this lock."""
        data = json.dumps({"owner": os.getpid(), "group": group}).encode()
        os.ftruncate(self.descriptor, 0)
        os.pwrite(self.descriptor, data, 0)


@contextlib.contextmanager
def lock(path: Path, timeout: float) -> Iterator[MirrorLock]:
    """Hold the lock file at `path`; raises `NotReadyError` when others hold it too long (s)."""
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        _acquire(descriptor, path, timeout)
        os.ftruncate(descriptor, 0)
        yield MirrorLock(descriptor)
    finally:
        os.close(descriptor)


def _acquire(descriptor: int, path: Path, timeout: float) -> None:
    deadline = time.monotonic() + timeout
    while True:
        try:
            return fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            _end_orphan(descriptor)
        if time.monotonic() >= deadline:
            raise NotReadyError(
                _(
                    "The Git mirror %(name)s is in use by another process.",
                    name=repr(path.with_suffix("").name),
                ),
                hint=_("It is tried again later."),
            )
        time.sleep(_PAUSE)


def _end_orphan(descriptor: int) -> None:
    """End the git whose starter was killed.

    While the lock is held and its owner is gone, the recorded group is what holds it, so its
    number cannot have been given to another process.
    """
    try:
        record = json.loads(os.pread(descriptor, 200, 0))
        owner, group = int(record["owner"]), int(record["group"])
    except (ValueError, KeyError, TypeError):
        return
    with contextlib.suppress(ProcessLookupError, PermissionError):
        try:
            os.kill(owner, 0)
        except ProcessLookupError:
            os.killpg(group, signal.SIGKILL)
