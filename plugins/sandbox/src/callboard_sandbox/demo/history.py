"""Runs of the past: the controllers play them on a clock that is ahead of itself."""

from collections.abc import Mapping
from copy import deepcopy
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final

import yaml

from callboard_sandbox.api import admission
from callboard_sandbox.api.store import Store
from callboard_sandbox.controllers import Controllers, Plan
from callboard_sandbox.controllers.names import digest
from callboard_sandbox.demo.commits import last_commit

Json = dict[str, Any]

_FOLDER: Final = Path(__file__).parent
# Steps of the clock: what happens in between is written at once, with its own times.
_STRIDE: Final = timedelta(seconds=4)
# Shorter than the time limit of a run, which nothing waits for once it has ended.
_LONGEST: Final = timedelta(minutes=50)
_ANNOTATIONS: Final = "pipelinesascode.tekton.dev"
_EVENTS: Final = {"push": "push", "merge-request": "pull_request", "manual": "incoming"}


class PastClock:
    """A clock that goes as far as it is told."""

    def __init__(self, now: datetime) -> None:
        self.now = now

    def __call__(self) -> datetime:
        return self.now


def read_story() -> Json:
    """Read the services, their runs and what became of them."""
    text = (_FOLDER / "services.yaml").read_text(encoding="utf-8")
    story: Json = yaml.safe_load(text)
    return story


def write_history(store: Store, clock: PastClock, made_at: datetime, story: Json) -> None:
    """Play the runs of the story, the oldest first, until the time the demo was made.

    `clock` is the store's. Done again after a kill, it leaves out the runs that are there.
    """
    controllers = Controllers(store, clock=clock, plan=Plan(story["plan"]))
    clock.now = made_at - timedelta(hours=story["runs"][0]["hours"], minutes=5)
    _write_pipelines(store, story)
    for number, run in enumerate(story["runs"]):
        clock.now = max(clock.now, made_at - timedelta(hours=run["hours"]))
        start_run(store, story, run, number, clock.now)
        _play(controllers, clock)
    for promotion in story["promotions"]:
        clock.now = max(clock.now, made_at - timedelta(hours=promotion["hours"]))
        _promote(store, story["namespace"], promotion)
        _play(controllers, clock)
    store.collect()


def start_run(store: Store, story: Json, run: Json, number: int, now: datetime) -> None:
    """Create a run as its trigger would, unless it is there."""
    service = next(s for s in story["services"] if s["name"] == run["service"])
    middle = f"-{run['story']}" if "story" in run else ""
    name = f"{service['name']}{middle}-{digest(service['name'], number, now.date(), length=5)}"
    if store.find("pipelineruns.tekton.dev", story["namespace"], name) is None:
        create(store, _run(story, service, run, name, now))


def create(store: Store, body: Json) -> None:
    """Create an object as a client does."""
    resource = f"{body['kind'].lower()}s.tekton.dev"
    admission.fill_in(store.kinds.get(resource), body)
    store.create(resource, body)


def _play(controllers: Controllers, clock: PastClock) -> None:
    end = clock.now + _LONGEST
    while clock.now < end:
        due = controllers.step()
        if due is None or due > end:
            return
        clock.now = max(due, clock.now + _STRIDE)


def _write_pipelines(store: Store, story: Json) -> None:
    namespace = story["namespace"]
    if store.find("namespaces", "", namespace) is None:
        store.create("namespaces", {"metadata": {"name": namespace}})
    bodies = [*_read("tasks.yaml"), *_read("promote.yaml")]
    (template,) = _read("pipeline.yaml")
    languages = sorted({service["language"] for service in story["services"]})
    bodies += [_pipeline(template, language) for language in languages]
    for body in bodies:
        body["metadata"]["namespace"] = namespace
        kind = f"{body['kind'].lower()}s.tekton.dev"
        if store.find(kind, namespace, body["metadata"]["name"]) is None:
            create(store, body)


def _read(name: str) -> list[Json]:
    return list(yaml.safe_load_all((_FOLDER / name).read_text(encoding="utf-8")))


def _pipeline(template: Json, language: str) -> Json:
    pipeline = deepcopy(template)
    pipeline["metadata"]["name"] = f"{language}-build-and-deliver"
    test = next(task for task in pipeline["spec"]["tasks"] if task["name"] == "unit-test")
    test["taskRef"]["name"] = f"{language}-test"
    return pipeline


def _run(story: Json, service: Json, run: Json, name: str, now: datetime) -> Json:
    repository = story["repositories"].get(service["repository"])
    branch = run.get("branch", "main")
    directory = service["directory"]
    commit = last_commit(repository, branch, now, directory) if repository else None
    title = commit.subject if commit else "chore: build"
    sender = commit.author if commit else "ci"
    revision = commit.id if commit else branch
    url = repository.as_uri() if repository else f"https://git.example.test/{service['name']}.git"
    params: Mapping[str, str] = {
        "repo-url": url,
        "revision": revision,
        "name": service["name"],
        "directory": directory,
        "image": f"registry.example.test/apps/{service['name']}",
    }
    return {
        "apiVersion": "tekton.dev/v1",
        "kind": "PipelineRun",
        "metadata": {
            "name": name,
            "namespace": story["namespace"],
            "labels": {"backstage.io/kubernetes-id": service["name"]},
            "annotations": {
                f"{_ANNOTATIONS}/repo-url": url,
                f"{_ANNOTATIONS}/sha": revision,
                f"{_ANNOTATIONS}/sha-title": title,
                f"{_ANNOTATIONS}/branch": f"refs/heads/{branch}",
                f"{_ANNOTATIONS}/sender": sender,
                f"{_ANNOTATIONS}/event-type": _EVENTS[run["trigger"]],
            },
        },
        "spec": {
            "pipelineRef": {"name": f"{service['language']}-build-and-deliver"},
            "params": [{"name": key, "value": value} for key, value in params.items()],
            "workspaces": [_workspace()],
        },
    }


def _promote(store: Store, namespace: str, promotion: Json) -> None:
    """Create a run that waits for people, unless it is there."""
    service = promotion["service"]
    name = f"{service}-promote-{digest(service, 'promote', length=5)}"
    if store.find("pipelineruns.tekton.dev", namespace, name) is not None:
        return
    params = {"name": service, "digest": f"sha256:{digest(service)}"}
    labels = {"backstage.io/kubernetes-id": service}
    body = {
        "apiVersion": "tekton.dev/v1",
        "kind": "PipelineRun",
        "metadata": {"name": name, "namespace": namespace, "labels": labels},
        "spec": {
            "pipelineRef": {"name": "promote-to-production"},
            "params": [{"name": key, "value": value} for key, value in params.items()],
            # People take their time.
            "timeouts": {"pipeline": "720h0m0s"},
        },
    }
    create(store, body)


def _workspace() -> Json:
    storage: Json = {"requests": {"storage": "1Gi"}}
    claim = {"spec": {"accessModes": ["ReadWriteOnce"], "resources": storage}}
    return {"name": "shared", "volumeClaimTemplate": claim}
