"""Portals as real processes, for tests of the `callboard` program."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2
import pytest

COMMAND = (sys.executable, "-m", "callboard_web")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_until(condition: Callable[[], object], seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "It did not happen in time."
        time.sleep(0.02)


@dataclass
class Served:
    """A running `callboard serve`."""

    process: subprocess.Popen[str]
    address: str
    log: Path

    def get(self, path: str, **options: Any) -> httpx2.Response:
        return httpx2.get(f"{self.address}{path}", timeout=20, **options)

    def answers(self) -> bool:
        assert self.process.poll() is None, self.log.read_text()
        try:
            return self.get("/healthz").status_code == 200
        except httpx2.TransportError:
            return False

    def end(self, name: signal.Signals = signal.SIGTERM) -> int:
        self.process.send_signal(name)
        return self.process.wait(20)


@dataclass
class Commands:
    """A folder with settings, in which commands are run."""

    folder: Path
    stack: ExitStack
    environ: dict[str, str] = field(default_factory=dict)
    free_port = staticmethod(free_port)
    wait_until = staticmethod(wait_until)

    def write(self, settings: str) -> None:
        (self.folder / "callboard.yaml").write_text(settings)

    def environment(self) -> dict[str, str]:
        kept = {key: value for key, value in os.environ.items() if "CALLBOARD" not in key}
        return {**kept, "CALLBOARD_PLUGINS": "", **self.environ}

    def run(self, *arguments: str, **options: Any) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*COMMAND, *arguments], cwd=self.folder, env=self.environment(),
            capture_output=True, text=True, timeout=60, check=False, **options,
        )  # fmt: skip

    def begin(self, *arguments: str, **options: Any) -> tuple[subprocess.Popen[str], Path]:
        log = self.folder / f"log-{time.monotonic_ns()}"
        with log.open("w") as output:
            process = subprocess.Popen(
                [*COMMAND, *arguments], cwd=self.folder, env=self.environment(),
                stdout=output, stderr=output, text=True, **options,
            )  # fmt: skip
        self.stack.callback(kill, process)
        return process, log

    def fails(self, *arguments: str, **options: Any) -> str:
        """Run a command that fails, and give what it says: words, not a traceback."""
        done = self.run(*arguments, **options)
        assert done.returncode == 1, done.stdout + done.stderr
        assert "Traceback" not in done.stderr
        return done.stderr

    def serve(self, **options: Any) -> Served:
        """Start a portal, with its tables, and wait until it answers."""
        upgraded = self.run("db", "upgrade")
        assert upgraded.returncode == 0, upgraded.stderr
        port = free_port()
        process, log = self.begin("serve", "--listen", f"127.0.0.1:{port}", **options)
        served = Served(process, f"http://127.0.0.1:{port}", log)
        wait_until(served.answers)
        return served


def kill(process: subprocess.Popen[str]) -> None:
    process.kill()
    process.wait()


@pytest.fixture
def commands(tmp_path: Path) -> Iterator[Commands]:
    folder = tmp_path / "portal"
    folder.mkdir()
    with ExitStack() as stack:
        made = Commands(folder, stack)
        made.write("")
        yield made
