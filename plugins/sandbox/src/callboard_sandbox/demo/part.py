"""Makes the sandbox's part of the demo: a past, settings, and a run that is on its way."""

import socket
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from callboard.contributions import DemoContext
from callboard_sandbox.api.access import kept_tokens
from callboard_sandbox.api.store import Store
from callboard_sandbox.demo.history import PastClock, read_story, start_run, write_history
from callboard_sandbox.kubeconfig import write_kubeconfig
from callboard_sandbox.running import locked

Json = dict[str, Any]

_RUNS: Final = "pipelineruns.tekton.dev"
_KEPT_RUNS: Final = 40


def prepare(context: DemoContext) -> Mapping[str, Any]:
    """Write the past once, start one run, and give the settings of the cluster `sandbox`.

    Where another process serves the folder, its state is left alone.
    """
    folder = context.folder
    lock = locked(folder / "lock")
    if lock is None:
        port = _kept(folder)
    else:
        with lock:
            _write(context)
            port = _free_port(_kept(folder))
            (folder / "port").write_text(str(port), encoding="ascii")
            address = f"http://127.0.0.1:{port}"
            write_kubeconfig(folder / "kubeconfig", address, kept_tokens(folder))
    sandbox = {
        "serve": True,
        "folder": str(folder),
        "port": port,
        "keep_runs": _KEPT_RUNS,
    }
    cluster = {"name": "sandbox", "title": "Sandbox", "kubeconfig": str(folder / "kubeconfig")}
    return {
        "plugins": {"settings": {"sandbox": sandbox}},
        "kubernetes": {"clusters": [cluster]},
    }


def _write(context: DemoContext) -> None:
    story = read_story() | {"repositories": dict(context.repositories)}
    clock = PastClock(context.now)
    store = Store(context.folder, clock=clock)
    written = context.folder / "history-written"
    try:
        if not written.exists():
            write_history(store, clock, context.made_at, story)
            written.touch()
        clock.now = context.now
        number = sum(1 for _ in store.scan(_RUNS))
        service = story["services"][number % len(story["services"])]["name"]
        start_run(store, story, {"service": service, "trigger": "push"}, number, clock.now)
    finally:
        store.close()


def _kept(folder: Path) -> int:
    port = folder / "port"
    return int(port.read_text(encoding="ascii")) if port.exists() else 0


def _free_port(wanted: int) -> int:
    """Give the port that is wanted where it is free, else another one."""
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind(("127.0.0.1", wanted))
        except OSError:
            listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])
