"""A sandbox in a process of its own: FOLDER PORT as arguments. It runs until it is killed.

The plan of its steps is `plan.json` in the folder, `faults.json` has the faults that befall its
first requests. Each request is noted in `asked`, a line with verb and path, before it is answered.
"""

import json
import sys
import threading
from datetime import UTC, datetime
from pathlib import Path

from callboard_sandbox.api.faults import Faults, Plan, plan_of
from callboard_sandbox.running import Cluster
from callboard_sandbox.settings import SandboxSettings


class NotedFaults(Faults):
    """Faults that note which requests come."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        for plan in json.loads(path.with_name("faults.json").read_text()):
            self.plan(plan_of(plan))
        self._file = path.open("a", buffering=1)

    def meet(self, verb: str, path: str) -> Plan | None:
        """Note a request, and give the fault that befalls it."""
        self._file.write(f"{verb} {path}\n")
        return super().meet(verb, path)


def main() -> None:
    folder, port = Path(sys.argv[1]), int(sys.argv[2])
    settings = SandboxSettings(serve=True, port=port, plan=folder / "plan.json")
    cluster = Cluster(folder, settings, clock=lambda: datetime.now(UTC))
    cluster.server.application.faults = NotedFaults(folder / "asked")  # type: ignore[misc]
    cluster.start()
    threading.Event().wait()


if __name__ == "__main__":
    main()
