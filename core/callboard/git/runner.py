"""Runs git, through GitPython, with bounded time, output and growth."""

import contextlib
import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, Any, Final, TypeAlias, cast

from callboard.errors import NotReadyError
from callboard.git.environment import base_config, base_environment, config_environment, inherited
from callboard.i18n import Message, Text, Translator

_ = Translator("callboard")

MAXIMUM_OUTPUT: Final = 256 * 2**20
_MAXIMUM_MESSAGES: Final = 64 * 2**10
_WATCH_INTERVAL: Final = 0.05
_CHUNK: Final = 2**16

Watch: TypeAlias = Callable[[], Message | None]
"""Gives why a running process takes up too much and is to be stopped, None while it may go on."""


class GitFailedError(Exception):
    """A git process failed. `stopped` says why it was ended by us, empty if it ended by itself.

    `is_too_large` says that it was ended since it took up too much of the disk.
    """

    def __init__(
        self, messages: str, status: int, stopped: Text = "", *, is_too_large: bool = False
    ) -> None:
        super().__init__(messages)
        self.messages = messages
        self.status = status
        self.stopped = stopped
        self.is_too_large = is_too_large


class GitProcess:
    """A running git, ended with all its children at its deadline or when its watch objects."""

    def __init__(self, process: "subprocess.Popen[bytes]", timeout: float, watch: Watch | None):
        self._process = process
        self._timeout = timeout
        self._watch = watch
        self._messages = bytearray()
        self._done = threading.Event()
        self.stopped: Text = ""
        self.is_too_large = False
        self.extend()
        self._threads = [
            threading.Thread(target=self._collect_messages, daemon=True),
            threading.Thread(target=self._guard, daemon=True),
        ]
        for thread in self._threads:
            thread.start()

    @property
    def pid(self) -> int:
        """The id of the process and of the group it leads."""
        return self._process.pid

    @property
    def output(self) -> IO[bytes]:
        """Its standard output."""
        return cast("IO[bytes]", self._process.stdout)

    def extend(self) -> None:
        """Count the time allowed from now: the process is at work, its reader is slow."""
        self._deadline = time.monotonic() + self._timeout

    def stop(self, reason: Text) -> None:
        """End the process and its children now."""
        self.stopped = self.stopped or reason
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)

    def feed(self, data: bytes) -> None:
        """Write all input from a thread of its own, so that reading can go on."""
        thread = threading.Thread(target=self._write, args=(data,), daemon=True)
        self._threads.append(thread)
        thread.start()

    def finish(self) -> None:
        """Wait for the end; raises `GitFailedError` unless it went well."""
        status = self._process.wait()
        self._done.set()
        for thread in self._threads:
            thread.join()
        for stream in (self._process.stdout, self._process.stderr):
            if stream is not None:
                stream.close()
        if status != 0 or self.stopped:
            messages = self._messages.decode("utf-8", "replace")
            raise GitFailedError(messages, status, self.stopped, is_too_large=self.is_too_large)

    def _write(self, data: bytes) -> None:
        stream = cast("IO[bytes]", self._process.stdin)
        with contextlib.suppress(BrokenPipeError):
            stream.write(data)
        with contextlib.suppress(BrokenPipeError):
            stream.close()

    def _collect_messages(self) -> None:
        stream = cast("IO[bytes]", self._process.stderr)
        while chunk := stream.read1(_CHUNK):  # type: ignore[attr-defined]
            self._messages += chunk
            del self._messages[:-_MAXIMUM_MESSAGES]

    def _guard(self) -> None:
        while True:
            remaining = self._deadline - time.monotonic()
            pause = min(remaining, _WATCH_INTERVAL) if self._watch else remaining
            if self._done.wait(max(0.0, pause)):
                return
            if time.monotonic() >= self._deadline:
                limit = f"{self._timeout:g}"
                self.stop(_("it took longer than %(limit)s s", limit=limit))
            elif self._watch and (objection := self._watch()):
                self.is_too_large = True
                self.stop(objection)
            if self.stopped:
                return


class GitRunner:
    """Runs git for one repository with a cleaned environment.

    `directory` is the bare repository, None for commands that need none.
    """

    def __init__(
        self,
        directory: Path | None,
        *,
        timeout: float,
        config: Mapping[str, str] | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self._directory = directory
        self._timeout = timeout
        self._config = {**base_config(), **(config or {})}
        self._environment = {**base_environment(), **(environment or {})}
        if directory is not None:
            self._environment["GIT_DIR"] = str(directory)

    def at(self, directory: Path | None) -> "GitRunner":
        """Give the same runner for another directory."""
        environment = {k: v for k, v in self._environment.items() if k != "GIT_DIR"}
        return GitRunner(
            directory, timeout=self._timeout, config=self._config, environment=environment
        )

    def run(
        self,
        *arguments: str,
        data: bytes = b"",
        config: Mapping[str, str] | None = None,
        environment: Mapping[str, str] | None = None,
        watch: Watch | None = None,
        inherit: Sequence[int] = (),
        started: Callable[[int], None] | None = None,
    ) -> bytes:
        """Run one command to its end and give its output.

        Raises `GitFailedError`, also for more than `MAXIMUM_OUTPUT` bytes of output.
        """
        with self.stream(
            *arguments,
            data=data,
            config=config,
            environment=environment,
            watch=watch,
            inherit=inherit,
        ) as process:
            if started:
                started(process.pid)
            output = bytearray()
            while chunk := process.output.read(_CHUNK):
                output += chunk
                if len(output) > MAXIMUM_OUTPUT:
                    process.stop(_("it gave more than %(limit)s bytes", limit=MAXIMUM_OUTPUT))
                    break
            return bytes(output)

    @contextlib.contextmanager
    def stream(
        self,
        *arguments: str,
        data: bytes = b"",
        config: Mapping[str, str] | None = None,
        environment: Mapping[str, str] | None = None,
        watch: Watch | None = None,
        inherit: Sequence[int] = (),
    ) -> Iterator[GitProcess]:
        """Run one command while its output is read; it is ended when the block is left early."""
        variables = {
            **self._environment,
            **(environment or {}),
            **config_environment({**self._config, **(config or {})}),
        }
        keeper = _start(arguments, variables, self._directory, inherit)
        process = GitProcess(keeper.proc, self._timeout, watch)
        process.feed(data)
        try:
            yield process
        except BaseException:
            process.stop(_("its reader left"))
            with contextlib.suppress(GitFailedError):
                process.finish()
            raise
        process.finish()


def _start(
    arguments: Sequence[str],
    variables: Mapping[str, str],
    directory: Path | None,
    inherit: Sequence[int],
) -> Any:
    try:
        from git.cmd import Git
        from git.exc import GitCommandNotFound
    except ImportError as error:
        raise _no_git() from error
    # GitPython adds to our environment and takes nothing away; `env -u` does, by name only.
    unwanted = [name for name in os.environ if not inherited(name) and name not in variables]
    command = ["env"]
    for name in unwanted:
        command += ["-u", name]
    command += [Git.GIT_PYTHON_GIT_EXECUTABLE or "git", *arguments]
    try:
        return Git(directory or "/").execute(
            command,
            istream=cast("Any", subprocess.PIPE),
            as_process=True,
            env=variables,
            shell=False,
            start_new_session=True,
            pass_fds=tuple(inherit),
        )
    except GitCommandNotFound as error:
        raise _no_git() from error


def _no_git() -> NotReadyError:
    return NotReadyError(
        _("The git program was not found."), hint=_("Install git and see that it is on PATH.")
    )
