"""The real processes that are measured: the portal, its commands, a PostgreSQL of its own."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import psutil
import psycopg

START_SECONDS = 120
STOP_SECONDS = 30
COMMAND_SECONDS = 900
DONT_WRITE = "PYTHONDONTWRITEBYTECODE"
CALLBOARD = (sys.executable, "-m", "callboard_web")


def environment(directory: Path) -> dict[str, str]:
    """Give what a process is started with: it keeps bytecode beside its settings.

    An installed package has its bytecode; of this folder's files it would be made at each start.
    """
    given = {name: value for name, value in os.environ.items() if name != DONT_WRITE}
    return {**given, "PYTHONPYCACHEPREFIX": str(directory / "bytecode")}


class BenchError(Exception):
    """A measurement could not be made; the message says why."""


@dataclass(frozen=True)
class Ran:
    """How one command went: wall time, time of the processor, the most memory it held."""

    seconds: float
    cpu_seconds: float
    peak_megabytes: float
    output: str


def megabytes(process: psutil.Process) -> float:
    """Give the resident memory of a process and all below it; 0 once it has ended."""
    total = 0
    try:
        for item in [process, *process.children(recursive=True)]:
            total += item.memory_info().rss
    except psutil.NoSuchProcess:
        return total / 1e6
    return total / 1e6


def run(config: Path, *arguments: str) -> Ran:
    """Run a command of Callboard to its end, watching its memory; it must succeed."""
    begin = time.perf_counter()
    with config.with_name("command.log").open("w+b") as output:
        process = psutil.Popen(
            [*CALLBOARD, "--config", str(config), *arguments],
            cwd=config.parent, env=environment(config.parent),
            stdout=output, stderr=subprocess.STDOUT,
        )  # fmt: skip
        peak, cpu = 0.0, 0.0
        while process.poll() is None:
            peak = max(peak, megabytes(process))
            try:
                times = process.cpu_times()
                cpu = times.user + times.system
            except psutil.NoSuchProcess:
                break
            if time.perf_counter() - begin > COMMAND_SECONDS:
                process.kill()
            time.sleep(0.01)
        code = process.wait(STOP_SECONDS)
        seconds = time.perf_counter() - begin
        output.seek(0)
        said = output.read().decode(errors="replace")
    if code:
        raise BenchError(f"callboard {' '.join(arguments)} ended with {code}:\n{said[-4000:]}")
    return Ran(seconds, cpu, peak, said)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


@dataclass
class Portal:
    """A running `callboard serve`."""

    process: psutil.Popen
    client: httpx.Client
    began: float
    ready_seconds: float

    @property
    def megabytes(self) -> float:
        return megabytes(self.process)

    @property
    def age(self) -> float:
        """Seconds since the process was started."""
        return time.perf_counter() - self.began


@contextmanager
def serving(config: Path, port: int) -> Iterator[Portal]:
    """Start the portal, wait until it is ready, and stop it in the end."""
    began = time.perf_counter()
    log = config.with_suffix(".log")
    with log.open("wb") as output:
        process = psutil.Popen(
            [*CALLBOARD, "--config", str(config), "serve"],
            cwd=config.parent, env=environment(config.parent),
            stdout=output, stderr=subprocess.STDOUT,
        )  # fmt: skip
    # Callboard answers this machine by itself: no proxy of the environment is asked.
    with httpx.Client(
        base_url=f"http://127.0.0.1:{port}", timeout=30, follow_redirects=True, trust_env=False
    ) as client:
        try:
            _wait_until_ready(client, process, log, began)
            yield Portal(process, client, began, time.perf_counter() - began)
        finally:
            _stop(process)


def _wait_until_ready(client: httpx.Client, process: psutil.Popen, log: Path, began: float) -> None:
    while time.perf_counter() - began < START_SECONDS:
        if process.poll() is not None:
            break
        try:
            if client.get("/readyz").status_code == 200:
                return
        except httpx.TransportError:
            pass
        time.sleep(0.01)
    raise BenchError(f"The portal did not become ready:\n{log.read_text('utf-8')[-4000:]}")


def _stop(process: psutil.Popen) -> None:
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(STOP_SECONDS)
        except psutil.TimeoutExpired:
            process.kill()
            process.wait(STOP_SECONDS)


@dataclass(frozen=True)
class Postgres:
    """A PostgreSQL server of this run's own, with its usual settings for safety and memory."""

    directory: Path

    def url(self, name: str) -> str:
        return f"postgresql://callboard@/{name}?host={self.directory}"

    def connect(self, name: str) -> psycopg.Connection[tuple[object, ...]]:
        return psycopg.connect(
            host=str(self.directory), user="callboard", dbname=name, autocommit=True
        )

    def create(self, name: str) -> str:
        """Create an empty database and give its URL."""
        with self.connect("postgres") as connection:
            connection.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)'.encode())
            connection.execute(f'CREATE DATABASE "{name}"'.encode())
        return self.url(name)


def postgres_programs() -> Path | None:
    """Find the folder with `initdb` and `postgres`."""
    found = shutil.which("initdb")
    if found:
        return Path(found).resolve().parent
    installed = Path("/usr/lib/postgresql").glob("*/bin/initdb")
    newest = max(installed, key=lambda path: int(path.parts[-3]), default=None)
    return newest.parent if newest else None


@contextmanager
def postgres(programs: Path) -> Iterator[Postgres]:
    """Start a server below `/tmp`, reached by a Unix socket, and end it with its files."""
    directory = Path(tempfile.mkdtemp(prefix="callboard-bench-", dir="/tmp"))
    user = "postgres" if os.geteuid() == 0 else None  # it refuses to run as root
    if user:
        shutil.chown(directory, user, user)
    data = directory / "data"
    subprocess.run(
        [programs / "initdb", "-D", data, "-U", "callboard", "-A", "trust", "-E", "UTF8",
         "--locale=C.UTF-8"],
        check=True, capture_output=True, cwd=directory, user=user, group=user,
    )  # fmt: skip
    with (directory / "log").open("wb") as output:
        process = subprocess.Popen(
            [programs / "postgres", "-D", data, "-c", "listen_addresses=",
             "-c", f"unix_socket_directories={directory}"],
            stdout=output, stderr=output, cwd=directory, user=user, group=user,
        )  # fmt: skip
    server = Postgres(directory)
    try:
        _wait_for_postgres(server, process)
        yield server
    finally:
        process.send_signal(signal.SIGINT)  # a fast shutdown, whoever is connected
        process.wait(STOP_SECONDS)
        shutil.rmtree(directory, ignore_errors=True)


def _wait_for_postgres(server: Postgres, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        try:
            server.connect("postgres").close()
        except psycopg.OperationalError:
            time.sleep(0.05)
        else:
            return
    raise BenchError((server.directory / "log").read_text("utf-8"))
