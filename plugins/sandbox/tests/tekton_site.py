"""A sandbox with the controllers of Tekton, a clock of its own, and the recorded manifests."""

import copy
import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import yaml

from callboard.testing import Clock, absent
from callboard_sandbox.api import admission
from callboard_sandbox.api.store import Store
from callboard_sandbox.controllers import Controllers, Plan

Json = dict[str, Any]

RECORDED: Final = Path(__file__).parents[4] / "shared/fixtures/tekton"
NAMESPACE: Final = "shop-ci"
PIPELINE_RUNS: Final = "pipelineruns.tekton.dev"
TASK_RUNS: Final = "taskruns.tekton.dev"
CUSTOM_RUNS: Final = "customruns.tekton.dev"
BEGIN: Final = datetime(2026, 11, 20, 10, 12, 38, 250_000, tzinfo=UTC)
_LONGEST: Final = timedelta(seconds=90)


def recorded(name: str) -> Any:
    """Read a recorded file: JSON, or a list of the lines of a stream."""
    path = RECORDED / name
    if not path.is_file():
        absent(f"the recorded objects are not at {RECORDED}")
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".ndjson":
        return [json.loads(line) for line in text.splitlines()]
    return list(yaml.safe_load_all(text)) if path.suffix == ".yaml" else json.loads(text)


class Site:
    """A store, a clock and controllers; time goes on only when something is due."""

    def __init__(self, folder: Path, plan: Plan, *, speed: float = 1.0) -> None:
        self.clock = Clock(BEGIN)
        self.store = Store(folder, clock=self.clock)
        self.plan = plan
        self.speed = speed
        if self.store.find("namespaces", "", NAMESPACE) is None:
            self.store.create("namespaces", {"metadata": {"name": NAMESPACE}})
        self.controllers = self.begin_controllers()

    def begin_controllers(self) -> Controllers:
        """Give controllers that know nothing but the store."""
        return Controllers(self.store, clock=self.clock, plan=self.plan, speed=self.speed)

    def apply(self, body: Json) -> Json:
        """Create an object as a client does: with the defaults of the webhooks."""
        body = copy.deepcopy(body)
        resource = f"{body['kind'].lower()}s.tekton.dev"
        body.setdefault("metadata", {}).setdefault("namespace", NAMESPACE)
        kind = self.store.kinds.get(resource)
        admission.fill_in(kind, body)
        admission.review(kind, body, None)
        return self.store.create(resource, body)

    def apply_manifests(self) -> None:
        for name in ("tasks", "pipelines"):
            for body in recorded(f"manifests/{name}.yaml"):
                self.apply(body)

    def run(self, name: str, **spec: Any) -> Json:
        """Create a run of the recorded template; a value of None takes a part away."""
        body = copy.deepcopy(recorded("manifests/run-template.json"))
        body["metadata"]["name"] = name
        body["spec"] |= spec
        body["spec"] = {key: value for key, value in body["spec"].items() if value is not None}
        return self.apply(body)

    def get(self, name: str, resource: str = PIPELINE_RUNS) -> Json:
        return self.store.get(resource, NAMESPACE, name)

    def patch(self, name: str, status: str, resource: str = PIPELINE_RUNS) -> None:
        def change(run: Json) -> None:
            run["spec"]["status"] = status

        self.store.update(resource, NAMESPACE, name, change)

    def settle(
        self, until: Callable[[], bool] = lambda: False, longest: timedelta = _LONGEST
    ) -> None:
        """Let time pass until it is so, or nothing is due for long."""
        for _ in range(5000):
            due = self.controllers.step()
            if until() or due is None or due - self.clock.now > longest:
                return
            self.clock.now = max(self.clock.now, due)
        raise AssertionError("the controllers find no rest")

    def finish(self, name: str) -> Json:
        """Let time pass until a run ends, and its pods with it."""
        self.settle()
        run = self.get(name)
        assert state(run)[0] in ("True", "False"), state(run)
        return run

    def seen(self, name: str, after: int = 0, resource: str = PIPELINE_RUNS) -> list[Json]:
        """Give what a watch would have shown of an object."""
        found = []
        while changes := self.store.changes(after, resources=(resource,), limit=500):
            found += [c.object for c in changes if c.object["metadata"]["name"] == name]
            after = changes[-1].version
        return found

    def log(self, pod: str, container: str) -> list[str]:
        uid = self.store.get("pods", NAMESPACE, pod)["metadata"]["uid"]
        lines = self.store.log_lines(uid, container, limit=10_000)
        return [line.text.decode() for line in lines]


@contextmanager
def tekton_site(folder: Path, plan: Plan, *, speed: float = 1.0) -> Iterator[Site]:
    """Open a sandbox in a folder and close it in the end."""
    site = Site(folder, plan, speed=speed)
    try:
        yield site
    finally:
        site.store.close()


def condition(run: Json) -> Json:
    found = (run.get("status") or {}).get("conditions") or [{}]
    result: Json = found[0]
    return result


def state(run: Json) -> tuple[str, str, str]:
    """Give status, reason and message of the condition `Succeeded`."""
    found = condition(run)
    return found.get("status", ""), found.get("reason", ""), found.get("message", "")


_VOLATILE: Final = ("resourceVersion", "containerID", "uid", "tekton.dev/pipelineRunUID")
_OF_A_CLIENT: Final = ("portal.example.test/seen",)
_DRAWN: Final = re.compile(r"\b(pvc|affinity-assistant)-[0-9a-f]{10}\b")


def stable(value: Any, key: str = "") -> Any:
    """Give an object without what differs each time: times, identifiers, drawn names."""
    if isinstance(value, dict):
        return {k: stable(v, k) for k, v in value.items() if k not in _OF_A_CLIENT}
    if isinstance(value, list):
        return [stable(item, key) for item in value]
    if key in _VOLATILE or key.endswith(("Time", "Timestamp", "startedAt", "finishedAt")):
        return "*"
    return _DRAWN.sub(r"\1-*", value) if isinstance(value, str) else value


def folded(items: list[Any]) -> list[Any]:
    """Leave out what is the same as what comes before it."""
    return [item for number, item in enumerate(items) if number == 0 or items[number - 1] != item]


def same(ours: Any, theirs: Any, about: str = "") -> None:
    """Fail with the places where two objects differ."""
    found = list(_differences(ours, theirs, ""))
    assert not found, "\n".join([about, *found[:20]])


def _differences(ours: Any, theirs: Any, path: str) -> Iterator[str]:
    if isinstance(ours, dict) and isinstance(theirs, dict):
        for key in sorted(ours.keys() | theirs.keys()):
            pair = ours.get(key, "(none)"), theirs.get(key, "(none)")
            yield from _differences(*pair, f"{path}.{key}")
    elif isinstance(ours, list) and isinstance(theirs, list) and len(ours) == len(theirs):
        for number, pair in enumerate(zip(ours, theirs, strict=True)):
            yield from _differences(*pair, f"{path}[{number}]")
    elif ours != theirs:
        yield f"{path}: {ours!r:.400}, recorded {theirs!r:.400}"
