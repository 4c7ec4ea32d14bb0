"""`kill -9` of the portal between taking a delivery and working it: it is worked once."""

import signal
from typing import Any

import deliveries as sample
import httpx2
import pytest
from deliveries import SECRET, Repository

from callboard.database import Database
from callboard.events import read
from callboard.repositories.pushed import KIND

pytestmark = pytest.mark.slow  # runs whole processes

SETTINGS = """
jobs: {workers: %(workers)s}
plugins:
  settings:
    scm_hosts:
      hosts:
        - name: code
          type: github
          url: https://git.example.org
          webhook_secrets: [%(secret)s]
"""


def test_a_delivery_outlives_the_portal(commands: Any) -> None:
    commands.environ = {"CALLBOARD_PLUGINS": "scm_hosts", "HOOK_SECRET": SECRET}
    values = {"secret": '"${env:HOOK_SECRET}"'}
    commands.write(SETTINGS % {**values, "workers": 0})
    served = commands.serve()
    sent = sample.github(Repository())
    taken = _post(served.address, sent)
    assert taken.status_code == 202
    served.end(signal.SIGKILL)
    assert _pushes(commands) == 0

    commands.write(SETTINGS % {**values, "workers": 1})
    served = commands.serve()
    number = taken.json()["delivery"]
    commands.wait_until(
        lambda: served.get(f"/api/deliveries/{number}").json()["state"] == "done", 60
    )
    assert _post(served.address, sent).status_code == 200, "known after the restart as well"
    assert served.get(f"/api/deliveries/{number}").json()["attempts"] == 1
    served.end(signal.SIGKILL)
    assert _pushes(commands) == 1


def _post(address: str, sent: sample.Sent) -> httpx2.Response:
    url = f"{address}/hooks/scm_hosts/code"
    return httpx2.post(url, content=sent.body, headers=dict(sent.headers), timeout=20)


def _pushes(commands: Any) -> int:
    [path] = commands.folder.rglob("callboard.sqlite3")
    database = Database(f"sqlite:///{path}")
    try:
        with database.read() as connection:
            return len(read(connection, 0, (KIND,)))
    finally:
        database.close()
