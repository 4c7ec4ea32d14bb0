"""Renders many pages in processes of their own."""

import os
import queue
import subprocess
import sys
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

import orjson

_KEPT: Final = ("PATH", "PYTHONPATH", "LANG", "LC_ALL", "SYSTEMROOT", "TMPDIR", "VIRTUAL_ENV")
"""Variables the process is given; the portal's own, which hold secrets, are none of them."""


class Renderers:
    """A few processes that render; they are started when the first page is."""

    def __init__(self, count: int, seconds: int) -> None:
        self._seconds = seconds
        self._count = count
        self._idle: queue.LifoQueue[_Process] = queue.LifoQueue()
        for _ in range(count):
            self._idle.put(_Process(seconds))

    def __enter__(self) -> "Renderers":
        return self

    def __exit__(self, *_: object) -> None:
        while not self._idle.empty():
            self._idle.get_nowait().close()

    def render(self, texts: Iterable[str]) -> Iterator[dict[str, Any] | None]:
        """Give what came of each text, in order; None for one that could not be rendered."""
        with ThreadPoolExecutor(self._count, thread_name_prefix="docs") as pool:
            yield from pool.map(self._one, texts)

    def _one(self, text: str) -> dict[str, Any] | None:
        process = self._idle.get()
        try:
            return process.render(text)
        finally:
            self._idle.put(process)


class _Process:
    def __init__(self, seconds: int) -> None:
        self._seconds = seconds
        self._process: subprocess.Popen[bytes] | None = None

    def render(self, text: str) -> dict[str, Any] | None:
        process = self._process or self._start()
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            process.stdin.write(orjson.dumps(text.encode(errors="replace").decode()) + b"\n")
            process.stdin.flush()
            line = process.stdout.readline()
        except OSError:
            line = b""
        if not line.endswith(b"\n"):
            self.close()
            return None
        answer: dict[str, Any] = orjson.loads(line)
        return None if "error" in answer else answer

    def _start(self) -> "subprocess.Popen[bytes]":
        self._process = subprocess.Popen(
            [sys.executable, "-m", "callboard_docs.rendering.worker", str(self._seconds)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={name: os.environ[name] for name in _KEPT if name in os.environ},
        )
        return self._process

    def close(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        process.kill()
        process.wait()
        for stream in (process.stdin, process.stdout):
            if stream is not None:
                stream.close()
