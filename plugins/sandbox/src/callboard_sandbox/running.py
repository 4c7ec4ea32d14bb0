"""One sandbox for all processes of a portal: the one that holds the folder's lock serves it.

The others look every second whether the lock is free, so that the cluster goes on where the
process that served it ends. A lock of the operating system goes with its process.
"""

import contextlib
import fcntl
import logging
import os
import threading
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import IO, Final

from callboard.errors import SettingsError
from callboard_sandbox.api.access import Access, kept_tokens
from callboard_sandbox.api.application import Application
from callboard_sandbox.api.faults import Faults
from callboard_sandbox.api.server import Server
from callboard_sandbox.api.store import Store
from callboard_sandbox.controllers import Controllers, Plan
from callboard_sandbox.kubeconfig import write_kubeconfig
from callboard_sandbox.settings import SandboxSettings

log = logging.getLogger(__name__)

LOOK_SECONDS: Final = 1.0
COLLECT_SECONDS: Final = 2.0
"""How often what lost its owners is deleted; a real cluster takes a few seconds too."""


class Cluster:
    """A sandbox that runs: its store, its server and its controllers."""

    def __init__(
        self, folder: Path, settings: SandboxSettings, *, clock: Callable[[], datetime]
    ) -> None:
        """Open the store and bind the port. Raises `OSError` when the port is taken, and
        `SettingsError` for a plan that cannot be read."""
        plan = _plan(settings)
        tokens = kept_tokens(folder)
        self.faults: Final = Faults()
        self.store: Final = Store(folder, clock=clock, history=settings.history)
        application = Application(self.store, Access(tokens), self.faults)
        try:
            self.server: Final = Server(application, port=settings.port)
        except OSError:
            self.store.close()
            raise
        self.tokens: Final = tokens
        self.kubeconfig: Final = folder / "kubeconfig"
        self.controllers: Final = Controllers(
            self.store,
            clock=clock,
            plan=plan,
            speed=settings.speed,
            seed=settings.seed,
            keep=settings.keep_runs,
        )
        self._ending = threading.Event()
        self._threads = [
            threading.Thread(target=work, name=name, daemon=True)
            for name, work in (("sandbox-runs", self._run), ("sandbox-collect", self._collect))
        ]

    def start(self) -> None:
        """Serve, and write the kubeconfig."""
        self.server.start()
        write_kubeconfig(self.kubeconfig, self.server.address, self.tokens)
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """End; what was written is there again at the next start."""
        self._ending.set()
        self.server.stop()
        self.store.end_waits()
        for thread in self._threads:
            if thread.is_alive():
                thread.join(10)
        self.store.close()

    def _run(self) -> None:
        try:
            self.controllers.run(self._ending)
        except Exception:
            log.exception("The controllers of the sandbox ended.")

    def _collect(self) -> None:
        while not self._ending.wait(COLLECT_SECONDS):
            try:
                self.store.collect()
            except Exception:
                log.exception("The sandbox could not collect what lost its owners.")


def _plan(settings: SandboxSettings) -> Plan:
    if settings.plan is None:
        return Plan(seed=settings.seed)
    try:
        return Plan.read(settings.plan, seed=settings.seed)
    except (OSError, ValueError) as error:
        raise SettingsError(
            f"The plan {settings.plan} of the sandbox cannot be read: {error}.",
            hint="Correct plugins.settings.sandbox.plan: a JSON file with a list `rules`.",
        ) from error


class Keeper:
    """Runs the cluster in this process as long as no other one does."""

    def __init__(
        self, folder: Path, settings: SandboxSettings, *, clock: Callable[[], datetime]
    ) -> None:
        self._folder = folder
        self._settings = settings
        self._clock = clock
        self._ending = threading.Event()
        self._lock: IO[bytes] | None = None
        self._is_told = False
        self._thread = threading.Thread(target=self._keep, name="sandbox-keeper", daemon=True)
        self.cluster: Cluster | None = None

    def start(self) -> None:
        """Serve at once where no other process does; take over when it ends."""
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._try()
        self._thread.start()

    def stop(self) -> None:
        """Serve no longer, and leave it to another process."""
        self._ending.set()
        if self._thread.is_alive():
            self._thread.join(10)
        if self.cluster is not None:
            self.cluster.stop()
            self.cluster = None
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    def _keep(self) -> None:
        while self.cluster is None and not self._ending.wait(LOOK_SECONDS):
            self._try()

    def _try(self) -> None:
        self._lock = locked(self._folder / "lock")
        if self._lock is None:
            return
        try:
            cluster = Cluster(self._folder, self._settings, clock=self._clock)
        except OSError as error:
            # Another program has the port: it may give it back.
            if not self._is_told:
                log.warning("The sandbox cannot listen on port %s: %s", self._settings.port, error)
                self._is_told = True
            self._lock.close()
            self._lock = None
            return
        cluster.start()
        self.cluster = cluster
        log.info("The sandbox cluster answers on %s", cluster.server.address)


def locked(path: Path) -> IO[bytes] | None:
    """Take the lock; None where another process has it."""
    file = os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT, 0o600), "wb")
    with contextlib.suppress(OSError):
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return file
    file.close()
    return None
