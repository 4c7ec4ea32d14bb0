"""A certified provider of OpenID Connect, npm oidc-provider, as a process of its own."""

import json
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2

from callboard.testing import absent

SCRIPT = Path(__file__).with_name("provider.mjs")
START_SECONDS = 30


def folder() -> Path:
    """Find where it is installed; its absence skips a test, and fails one in CI."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    named = os.environ.get("CALLBOARD_OIDC_PROVIDER")
    found = Path(named) if named else cache / "callboard" / "oidc-provider"
    installed = (found / "node_modules" / "oidc-provider" / "package.json").exists()
    if not installed or not shutil.which("node"):
        absent("No oidc-provider: run tools/install_oidc_provider.sh, which needs Node.js.")
    return found


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass
class RealProvider:
    """The running provider."""

    issuer: str

    def control(self, what: str, body: Mapping[str, Any] | None = None) -> dict[str, int]:
        answer = httpx2.post(f"{self.issuer}/control/{what}", json=body or {}, timeout=20)
        told: dict[str, int] = answer.raise_for_status().json()
        return told

    def rotate(self) -> None:
        """Sign with a new key from now on; the old one is published no more."""
        self.control("rotate")

    def person(self, account: str, claims: Mapping[str, Any] | None) -> None:
        """Change what is said of somebody; None takes them away."""
        self.control("person", {"account": account, "claims": claims})


def client_at(portal: str, name: str, **more: Any) -> dict[str, Any]:
    """Give the portal as a client of the provider."""
    return {
        "client_id": "callboard",
        "client_secret": "a secret: with +/%",
        "redirect_uris": [f"{portal}/sign-in/callback/{name}"],
        "post_logout_redirect_uris": [f"{portal}/sign-in"],
        "backchannel_logout_uri": f"{portal}/sign-out/backchannel/{name}",
        "backchannel_logout_session_required": True,
        "grant_types": ["authorization_code", "refresh_token"],
        "response_types": ["code"],
        **more,
    }


@contextmanager
def real_provider(
    port: int, clients: Sequence[Mapping[str, Any]], people: Mapping[str, Any], **more: Any
) -> Iterator[RealProvider]:
    """Run the provider on a port of this machine."""
    settings = {"port": port, "clients": clients, "people": people, **more}
    environ = {**os.environ, "NODE_ENV": "test"}
    with subprocess.Popen(
        ["node", SCRIPT, folder(), json.dumps(settings)],
        env=environ, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    ) as process:  # fmt: skip
        try:
            _wait(process, port)
            yield RealProvider(f"http://localhost:{port}")
        finally:
            process.kill()
            assert process.stdout is not None
            print(process.stdout.read())  # shown where a test fails


def _wait(process: subprocess.Popen[str], port: int) -> None:
    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            assert process.poll() is None, process.stdout and process.stdout.read()
            assert time.monotonic() < deadline, "The provider did not start in time."
            time.sleep(0.05)
