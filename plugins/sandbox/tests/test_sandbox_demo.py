"""The sandbox's part of the demo."""

import fcntl
import json
import shutil
from datetime import UTC, datetime
from pathlib import Path

import pytest
import yaml
from tekton_site import state

from callboard.contributions import DemoContext
from callboard_sandbox.api.store import Store
from callboard_sandbox.demo import prepare
from callboard_sandbox.demo.history import read_story
from callboard_web.demo.description import read_story as organisation

NOW = datetime(2026, 3, 2, 8, tzinfo=UTC)
RUNS = "pipelineruns.tekton.dev"


def prepared(folder: Path) -> tuple[dict[str, object], dict[str, tuple[str, str, str]]]:
    folder.mkdir(exist_ok=True)
    context = DemoContext(folder=folder, repositories={}, made_at=NOW, now=NOW)
    settings = dict(prepare(context))
    store = Store(folder, clock=lambda: NOW)
    try:
        found = {run["metadata"]["name"]: state(run) for run in store.scan(RUNS)}
    finally:
        store.close()
    return settings, found


Prepared = tuple[Path, dict[str, object], dict[str, tuple[str, str, str]]]


@pytest.fixture(scope="module")
def past(tmp_path_factory: pytest.TempPathFactory) -> Prepared:
    """Give a demo that is prepared, which takes a while; whoever changes it copies its folder."""
    folder = tmp_path_factory.mktemp("demo") / "sandbox"
    return folder, *prepared(folder)


def test_the_demo_has_a_past_and_a_run_on_its_way(past: Prepared) -> None:
    _, settings, runs = past
    reasons = [reason for _, reason, _ in runs.values()]
    assert {"Succeeded", "Failed", "Running", ""} == set(reasons)
    assert reasons.count("") == 1
    assert [name for name in runs if runs[name][1] == "Running"] == [
        name for name in runs if "-promote-" in name
    ]
    failed = {name for name, (_, reason, _) in runs.items() if reason == "Failed"}
    for word in ("scan-fails", "tests-fail", "image-missing"):
        assert any(word in name for name in failed), word
    assert all(runs[name][1] == "Succeeded" for name in runs if "flaky" in name)
    clusters = json.loads(json.dumps(settings))["kubernetes"]["clusters"]
    kubeconfig = yaml.safe_load(Path(clusters[0]["kubeconfig"]).read_text(encoding="utf-8"))
    assert kubeconfig["clusters"][0]["cluster"]["server"].startswith("http://127.0.0.1:")


def test_the_past_is_written_once(past: Prepared, tmp_path: Path) -> None:
    folder, _, first = past
    shutil.copytree(folder, tmp_path / "sandbox")
    _, second = prepared(tmp_path / "sandbox")
    assert len(second) == len(first) + 1
    assert first.keys() < second.keys()


def test_the_services_are_those_of_the_sample_organisation() -> None:
    known = {description.name: description for description in organisation().repositories}
    for service in read_story()["services"]:
        tree = known[service["repository"]].tree()
        folder = "" if service["directory"] == "." else f"{service['directory']}/"
        assert (
            f"backstage.io/kubernetes-id: {service['name']}" in tree[f"{folder}catalog-info.yaml"]
        )
        marks = {"java": "pom.xml", "go": "go.mod", "node": "package.json"}
        assert f"{folder}{marks[service['language']]}" in tree


def test_a_folder_that_is_served_keeps_its_port(past: Prepared) -> None:
    folder, settings, runs = past
    with (folder / "lock").open("wb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        again, same_runs = prepared(folder)
    assert again == settings
    assert same_runs == runs
