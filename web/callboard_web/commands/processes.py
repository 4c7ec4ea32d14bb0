"""Several processes that answer requests on one address, under one that does all else.

The parent holds the lock of a SQLite file, runs jobs, and begins a process anew that has ended.
The others inherit its listening socket, and end when it ends, however that comes about.
"""

import logging
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from typing import Final

import typer

from callboard_web.runtime import Runtime

log = logging.getLogger(__name__)

LOOK_SECONDS: Final = 0.2
PAUSE_SECONDS: Final = 1.0
"""How long a process must have run to be begun anew at once."""

STOP_SECONDS: Final = 20.0


@dataclass(slots=True)
class _Child:
    process: subprocess.Popen[bytes]
    began: float


class Processes:
    """The processes that share a socket; used by the main thread of the parent."""

    def __init__(self, listener: socket.socket, count: int) -> None:
        self._listener = listener
        # It is closed when the parent ends, by whatever signal: the others read that.
        self._ended, self._held = os.pipe()
        self._stopping = threading.Event()
        self._count = count
        self._children: list[_Child] = []

    def run(self) -> None:
        """Keep them running until a signal comes, and end them."""
        for name in (signal.SIGINT, signal.SIGTERM):
            signal.signal(name, lambda *_: self._stopping.set())
        self._children = [self._begin() for _ in range(self._count)]
        try:
            while not self._stopping.wait(LOOK_SECONDS):
                self._children = [self._kept(child) for child in self._children]
        finally:
            self._end()

    def _begin(self) -> _Child:
        given = (self._listener.fileno(), self._ended)
        handed_on = ":".join(map(str, given))
        command = [sys.executable, "-m", "callboard_web", "serve", "--inherit", handed_on]
        # In a session of its own: a key that interrupts the parent must not reach it first.
        process = subprocess.Popen(command, pass_fds=given, start_new_session=True)
        return _Child(process, time.monotonic())

    def _kept(self, child: _Child) -> _Child:
        code = child.process.poll()
        if code is None:
            return child
        log.error("Process %d ended with %s; another one is begun.", child.process.pid, code)
        if time.monotonic() - child.began < PAUSE_SECONDS:
            self._stopping.wait(PAUSE_SECONDS)
        return child if self._stopping.is_set() else self._begin()

    def _end(self) -> None:
        for child in self._children:
            child.process.terminate()
        deadline = time.monotonic() + STOP_SECONDS
        for child in self._children:
            try:
                child.process.wait(max(0.1, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                log.error("Process %d does not end; it is killed.", child.process.pid)
                child.process.kill()
                child.process.wait()
        os.close(self._ended)
        os.close(self._held)


def run_processes(runtime: Runtime, listener: socket.socket, count: int, banner: str) -> None:
    """Run jobs here and answer requests in `count` processes, until a signal comes."""
    runtime.start(worker=True, serve=False, alone=True)
    typer.echo(banner)
    sys.stdout.flush()
    Processes(listener, count).run()


def inherited(text: str) -> socket.socket:
    """Give the socket that the parent handed on; this process ends with the parent."""
    listener, ended = map(int, text.split(":"))
    threading.Thread(target=_end_with, args=(ended,), name="parent", daemon=True).start()
    return socket.socket(fileno=listener)


def _end_with(ended: int) -> None:
    os.read(ended, 1)  # nothing is ever written: it returns when the other end is closed
    os.kill(os.getpid(), signal.SIGTERM)
