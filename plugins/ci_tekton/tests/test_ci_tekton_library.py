"""The library: manifests that hold together, scripts that do what they say, and their pages."""

import copy
import hashlib
import json
import os
import re
import subprocess
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml
from library_checks import faults, unresolved, validator
from pydantic import ValidationError
from sqlalchemy import select

from callboard.audit.models import audit_entry
from callboard.testing import Clock, absent
from callboard_ci_tekton.library import items
from callboard_ci_tekton.library.installing import plan
from callboard_ci_tekton.library.items import VERSION, Item, load_items, with_needs
from callboard_ci_tekton.library.settings import IMAGES, REGISTRY, LibrarySettings
from callboard_ci_tekton.library.texts import said
from callboard_sandbox.running import Cluster
from callboard_sandbox.settings import SandboxSettings
from callboard_web.testing import PortalUnderTest, portal_under_test

ROOT = Path(__file__).parents[3]
VERSIONS = Path(__file__).with_name("library_versions.json")
CORPUS = ROOT.parent / "shared/fixtures/crds/tekton"
SHIPPED = ROOT / "plugins/sandbox/src/callboard_sandbox/api/crds"
ITEMS = load_items(LibrarySettings())
TEKTON = [item for item in ITEMS.values() if item.kind != "ServiceAccount"]
SCRIPTS = [
    pytest.param(step["script"], id=f"{item.name}-{step['name']}")
    for item in TEKTON
    for step in item.body["spec"].get("steps", ())
]
PIPELINE = "callboard-go-build-and-deploy"
DIGEST = f"sha256:{'a' * 64}"


@pytest.fixture(params=[pytest.param(CORPUS, marks=pytest.mark.corpus), SHIPPED],
                ids=["recorded", "shipped"])  # fmt: skip
def definitions(request: pytest.FixtureRequest) -> Path:
    folder: Path = request.param
    if not folder.is_dir():
        absent("the corpus is absent")
    return folder


def test_manifests_fit_the_definitions(definitions: Path) -> None:
    found = {
        kind: validator(definitions, f"{kind.lower()}s.tekton.dev") for kind in ("Task", "Pipeline")
    }
    for item in TEKTON:
        assert faults(found[item.kind], dict(item.body)) == [], item.name
    broken = copy.deepcopy(dict(ITEMS["callboard-git-clone"].body))
    broken["spec"]["steps"][0]["securityContext"] = {"runAsNonroot": True}
    broken["spec"]["params"][0]["default"] = "x"
    broken["spec"]["steps"][0]["workingDir"] = 7
    assert len(faults(found["Task"], broken)) == 2


def test_every_reference_leads_somewhere() -> None:
    assert unresolved(item.body for item in ITEMS.values()) == []


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("$(params.url)", "$(params.uri)", "params.uri"),
        ("$(workspaces.output.path)", "$(workspaces.outptu.path)", "workspaces.outptu.path"),
        ("$(results.commit.path)", "$(results.comit.path)", "results.comit.path"),
        ("name: scratch, mountPath", "name: scrach, mountPath", "volume scrach"),
        ("$(tasks.build.results.TAG)", "$(tasks.build.results.LABEL)", "build.results.LABEL"),
        ("$(params.severity)", "HIGH", "parameter severity is not used"),
        ("workspace: docker-config}", "workspace: docker-confg}", "workspace docker-confg"),
        ("name: callboard-notify}", "name: callboard-notfy}", "task callboard-notfy"),
        ("{name: image, value", "{name: imag, value", "has no parameter imag"),
    ],
)
def test_a_reference_that_leads_nowhere_is_found(old: str, new: str, told: str) -> None:
    source = next(
        item.text
        for item in ITEMS.values()
        if old in item.text and item.name in (PIPELINE, "callboard-git-clone")
    )
    broken = yaml.safe_load(source.replace(old, new))
    bodies = {name: item.body for name, item in ITEMS.items()}
    bodies[broken["metadata"]["name"]] = broken
    assert any(told in each for each in unresolved(bodies.values()))


def test_steps_have_no_more_rights_than_they_need() -> None:
    for item in TEKTON:
        if item.kind != "Task":
            continue
        spec = item.body["spec"]
        allowed = spec["stepTemplate"]["securityContext"]
        assert allowed["runAsNonRoot"] is True
        assert allowed["allowPrivilegeEscalation"] is False
        assert allowed["readOnlyRootFilesystem"] is True
        assert allowed["capabilities"] == {"drop": ["ALL"]}
        for step in spec["steps"]:
            assert set(step.get("securityContext", ())) <= {"runAsUser", "runAsGroup"}, item.name
            assert step["computeResources"]["requests"].keys() == {"cpu", "memory"}
            assert step["computeResources"]["limits"].keys() == {"memory"}
            assert re.fullmatch(r"\$\(params\.registry\)/\$\(params\.[a-z-]+-image\)",
                                step["image"])  # fmt: skip
            assert not re.search(r"secretKeyRef|envFrom", json.dumps(step))
        for sidecar in spec.get("sidecars", ()):
            assert "workspaces" not in sidecar
            assert sidecar["securityContext"]["runAsNonRoot"] is True
            assert "privileged" not in sidecar["securityContext"]
            assert all(step["workspaces"] for step in spec["steps"])
    account = ITEMS["callboard-build"].body
    assert account["automountServiceAccountToken"] is False
    assert not re.search(r"kind: (Cluster)?Role", "".join(item.text for item in ITEMS.values()))


def test_credentials_are_not_mounted_into_the_builder() -> None:
    spec = ITEMS["callboard-buildkit-build"].body["spec"]
    [step] = spec["steps"]
    assert {each["name"] for each in step["workspaces"]} == {
        each["name"] for each in spec["workspaces"]
    }


def test_what_is_built_is_known_by_its_digest() -> None:
    """Type hints of Tekton Chains, and no tag handed on as an identity."""
    for language in ("java", "go", "python", "node"):
        spec = ITEMS[f"callboard-{language}-build-and-deploy"].body["spec"]
        results = {each["name"]: each["value"] for each in spec["results"]}
        assert results["IMAGE_URL"] == "$(tasks.build.results.IMAGE_URL)"
        assert results["IMAGE_DIGEST"] == "$(tasks.build.results.IMAGE_DIGEST)"
        assert {"CHAINS-GIT_URL", "CHAINS-GIT_COMMIT"} <= results.keys()
        assert "environment" not in {each["name"] for each in spec["params"]}
        for name in ("scan", "update-manifest"):
            [task] = [each for each in spec["tasks"] if each["name"] == name]
            given = {each["name"]: each["value"] for each in task["params"]}
            assert given["digest"] == "$(tasks.build.results.IMAGE_DIGEST)"
        assert all("timeout" in task for task in [*spec["tasks"], *spec["finally"]])
        after = {task["name"]: task.get("runAfter") for task in spec["tasks"]}
        assert after["unit-test"] == after["lint"] == ["clone"]


def test_files_name_their_version_and_what_is_in_them() -> None:
    for item in ITEMS.values():
        metadata = item.body["metadata"]
        assert metadata["labels"]["app.kubernetes.io/version"] == VERSION
        assert metadata["annotations"]["callboard.io/library-version"] == VERSION
        assert metadata["annotations"]["callboard.io/library-digest"] == item.digest
        assert "LANGUAGE" not in item.text
    assert len({item.digest for item in ITEMS.values()}) == len(ITEMS)


def digest_of_files() -> str:
    """Give one digest of all files of the library, as they stand in the sources."""
    found = hashlib.sha256()
    for path in sorted((Path(items.__file__).parent / "files").glob("*.yaml")):
        found.update(f"{path.name}\0".encode() + path.read_bytes() + b"\0")
    return f"sha256:{found.hexdigest()}"


def test_who_changes_a_file_raises_the_version() -> None:
    """A cluster that has a version must not be told that it has another one of the same name."""
    versions: dict[str, str] = json.loads(VERSIONS.read_text("utf-8"))
    assert versions.get(VERSION) == digest_of_files(), (
        "Files of the library were changed. Raise VERSION in library/items.py, and add it with"
        f" {digest_of_files()} to {VERSIONS.name}; what stands there stays."
    )
    assert len(set(versions.values())) == len(versions)
    numbers = [tuple(map(int, each.split("."))) for each in versions]
    assert numbers == sorted(numbers)
    assert list(versions)[-1] == VERSION


def test_versions_that_were_there_stay_as_they_were() -> None:
    """Whoever changes a digest in the list of versions is found by the list's own past."""
    name = VERSIONS.relative_to(ROOT).as_posix()
    versions = json.loads(VERSIONS.read_text("utf-8"))
    for commit in past("log", "--format=%H", "--", name).split():
        before = json.loads(past("show", f"{commit}:{name}"))
        assert before.items() <= versions.items(), commit


def past(*arguments: str) -> str:
    """Ask the repository; it says nothing where the sources come without it."""
    command = ["git", "-C", str(ROOT), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout


def test_every_text_is_there_in_chinese() -> None:
    for item in ITEMS.values():
        texts = [item.description, *(each.description for each in item.parameters)]
        texts += [each.description for each in item.results]
        texts += [each.description for each in item.workspaces]
        if item.kind != "ServiceAccount":
            texts.append(item.title)
        for text in texts:
            assert text, item.name
            assert said(text, "zh-CN") != text, (item.name, text)


def test_images_are_those_of_the_site() -> None:
    assert REGISTRY in ITEMS["callboard-git-clone"].text
    named = {
        each.name.removesuffix("-image"): each.default
        for item in TEKTON
        for each in item.parameters
        if each.name.endswith("-image")
    }
    assert named == IMAGES
    pinned = f"mirror/git@{DIGEST}"
    own = load_items(LibrarySettings(registry="harbor.example:8443/ci", images={"git": pinned}))
    found = {each.name: each.default for each in own["callboard-git-clone"].parameters}
    assert (found["registry"], found["git-image"]) == ("harbor.example:8443/ci", pinned)
    assert not any(REGISTRY in item.text for item in own.values())
    assert own["callboard-git-clone"].digest != ITEMS["callboard-git-clone"].digest
    for wrong in ({"registry": "https://harbor.example"}, {"registry": "a\nb"},
                  {"images": {"gti": "git:1"}}, {"images": {"git": "git:1\n  x: y"}}):  # fmt: skip
        with pytest.raises(ValidationError):
            LibrarySettings.model_validate(wrong)
    documented = (ROOT / "docs/operator/library.md").read_text("utf-8")
    assert all(f"`{image}`" in documented for image in IMAGES.values())


@pytest.mark.parametrize("script", SCRIPTS)
def test_scripts_are_posix(script: str) -> None:
    assert script.startswith("#!/bin/sh\nset -eu\n")
    subprocess.run(["sh", "-n"], input=script.encode(), check=True, capture_output=True)
    assert "$(params" not in script, "values reach scripts by the environment, not as their text"


Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def run_step(tmp_path: Path) -> Run:
    """Give what runs a step's script here, with commands of the test before the machine's."""
    (tmp_path / "bin").mkdir()
    (tmp_path / "results").mkdir()
    (tmp_path / "home").mkdir()

    def run(task: str, step: str, *arguments: str, commands: Mapping[str, str] | None = None,
            **values: str) -> "subprocess.CompletedProcess[str]":  # fmt: skip
        spec = ITEMS[task].body["spec"]
        [found] = [each for each in spec["steps"] if each["name"] == step]
        script = found["script"].replace("/tmp/", f"{tmp_path}/")
        script = re.sub(r"\$\(results\.([\w-]+)\.path\)", rf"{tmp_path}/results/\1", script)
        for name, text in (commands or {}).items():
            path = tmp_path / "bin" / name
            path.write_text(f"#!/bin/sh\n{text}\n")
            path.chmod(0o755)
        declared = {each["name"]: "" for each in found["env"]}
        environment = {
            **declared,
            **values,
            "HOME": str(tmp_path / "home"),
            "PATH": f"{tmp_path}/bin:{os.environ['PATH']}",
            "GIT_CONFIG_NOSYSTEM": "1",
        }
        return subprocess.run(["sh", "-c", script, "sh", *arguments], env=environment,
                              capture_output=True, text=True, check=False, timeout=60)  # fmt: skip

    return run


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    folder = tmp_path / "repository"
    folder.mkdir()
    values = folder / "environments/dev/cart/values.yaml"
    values.parent.mkdir(parents=True)
    values.write_text(f"image: {{tag: old, digest: sha256:{'0' * 64}}}\n")
    for command in (
        "init -q -b main", "add .", "commit -qm first", "tag v1", "checkout -qb release/1.2",
        "commit -qm second --allow-empty", "checkout -q main",
        "config receive.denyCurrentBranch updateInstead",
    ):  # fmt: skip
        git(folder, *command.split())
    return folder


def git(folder: Path, *arguments: str) -> str:
    identity = ("-c", "user.name=a", "-c", "user.email=a@example.test")
    command = ["git", "-C", str(folder), *identity, *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


@pytest.mark.parametrize(
    ("revision", "branch", "of"),
    [("refs/heads/release/1.2", "release/1.2", "release/1.2"), ("release/1.2",) * 3,
     ("refs/tags/v1", "v1", "main"), ("main", "main", "main"), ("commit", "", "release/1.2")],
)  # fmt: skip
def test_a_revision_is_found_however_it_is_written(
    run_step: Run, repository: Path, tmp_path: Path, revision: str, branch: str, of: str
) -> None:
    commit = git(repository, "rev-parse", of)
    values = {"URL": repository.as_uri(), "DEPTH": "1", "SUBMODULES": "false",
              "REVISION": commit if revision == "commit" else revision,
              "OUTPUT": str(tmp_path)}  # fmt: skip
    done = run_step("callboard-git-clone", "clone", **values)
    assert done.returncode == 0, done.stderr
    results = {path.name: path.read_text() for path in (tmp_path / "results").iterdir()}
    assert results["commit"] == results["CHAINS-GIT_COMMIT"] == commit
    assert results["branch"] == branch
    assert results["url"] == repository.as_uri()
    again = run_step("callboard-git-clone", "clone", **values)
    assert again.returncode == 0, again.stderr


@pytest.mark.parametrize("revision", ["", "0" * 40, "--upload-pack=x", "a b"])
def test_what_is_no_revision_is_refused(run_step: Run, tmp_path: Path, revision: str) -> None:
    done = run_step("callboard-git-clone", "clone", URL="file:///nowhere", DEPTH="1",
                    REVISION=revision, OUTPUT=str(tmp_path))  # fmt: skip
    assert done.returncode == 1
    assert "revision" in done.stderr


def test_the_digest_reaches_the_manifest_of_dev_and_no_other(
    run_step: Run, repository: Path, tmp_path: Path
) -> None:
    values = {"URL": repository.as_uri(), "BRANCH": "main", "NAME": "cart", "DIGEST": DIGEST,
              "ENVIRONMENT": "dev", "TEMPLATE": "environments/{environment}/{name}/values.yaml",
              "IMAGE": "registry.example/cart", "TAG": "v2", "COMMIT": "c" * 40, "RUN": "run-1",
              "AUTHOR_NAME": "CI", "AUTHOR_EMAIL": "ci@example.test"}  # fmt: skip
    task = "callboard-update-manifest"
    for wrong in (
        "environments/prod/{name}/values.yaml",
        "{environment}/../{name}",
        "/{name}",
        "environments/{environment}/values.yaml",
        "{environment}/{name}/$(id)",
    ):
        refused = run_step(task, "fetch", **values | {"TEMPLATE": wrong})
        assert refused.returncode == 1, wrong
        assert refused.stderr
    assert run_step(task, "fetch", **values | {"NAME": "apps/cart"}).returncode == 1
    absent = run_step(task, "fetch", **values | {"NAME": "orders"})
    assert "There is no environments/dev/orders/values.yaml" in absent.stderr
    subprocess.run(["rm", "-rf", str(tmp_path / "manifests")], check=True)
    assert run_step(task, "fetch", **values).returncode == 0
    changed = tmp_path / "manifests/environments/dev/cart/values.yaml"
    changed.write_text(f"image: {{tag: v2, digest: {DIGEST}}}\n")
    done = run_step(task, "push", **values)
    assert done.returncode == 0, done.stderr
    assert DIGEST in git(repository, "show", "main:environments/dev/cart/values.yaml")
    message = git(repository, "log", "-1", "--format=%B", "main")
    assert message.startswith("deliver(dev): cart v2")
    assert f"Digest: {DIGEST}" in message
    again = run_step(task, "push", **values)
    assert "It says so already." in again.stdout
    assert git(repository, "rev-list", "--count", "main") == "2"


def test_an_image_is_named_without_its_tag(run_step: Run, tmp_path: Path) -> None:
    (tmp_path / "Dockerfile").write_text("FROM scratch\n")
    builder = (
        f'printf "%s\\n" "$@" > {tmp_path}/asked\n'
        f'printf \'{{\\n  "containerimage.digest": "{DIGEST}"\\n}}\' > {tmp_path}/metadata.json'
    )
    values = {"IMAGE": "registry.example:5000/apps/cart", "TAG": "release/1.2", "COMMIT": "c" * 40,
              "SOURCE": str(tmp_path), "CONTEXT": ".", "DOCKERFILE": "Dockerfile"}  # fmt: skip
    task = "callboard-buildkit-build"
    done = run_step(task, "build-and-push", "VERSION=a b", commands={"buildctl": builder}, **values)
    assert done.returncode == 0, done.stderr
    results = {path.name: path.read_text() for path in (tmp_path / "results").iterdir()}
    assert results == {
        "IMAGE_URL": values["IMAGE"], "IMAGE_DIGEST": DIGEST, "TAG": "release-1.2"
    }  # fmt: skip
    asked = (tmp_path / "asked").read_text().splitlines()
    assert "build-arg:VERSION=a b" in asked
    assert f"type=image,name={values['IMAGE']}:release-1.2,push=true" in asked
    wrong = run_step(task, "build-and-push", **values | {"IMAGE": "registry.example/cart:1"})
    assert wrong.returncode == 1
    assert "without a tag" in wrong.stderr


@pytest.mark.parametrize(
    ("severity", "unfixed", "passed"),
    [("HIGH,CRITICAL", "true", False), ("CRITICAL", "true", True), ("CRITICAL", "false", False)],
)
def test_a_scan_is_judged_by_what_counts(
    run_step: Run, tmp_path: Path, severity: str, unfixed: str, passed: bool
) -> None:
    found = "HIGH fixed\nHIGH open\nCRITICAL open\nLOW fixed\n"
    trivy = f'case "$*" in *template*) printf "{found}" > {tmp_path}/found ;; esac'
    done = run_step(
        "callboard-trivy-scan",
        "judge",
        commands={"trivy": trivy},
        DIGEST=DIGEST,
        SEVERITY=severity,
        IGNORE_UNFIXED=unfixed,
        EXIT_CODE="1",
        IMAGE="x",
    )
    assert done.returncode == (0 if passed else 1), done.stderr
    told = json.loads((tmp_path / "results/SCAN_OUTPUT").read_text())
    counts = {"critical": 1, "high": 2, "medium": 0, "low": 1}
    assert told == {"digest": DIGEST, "vulnerabilities": counts}
    assert (tmp_path / "results/SCAN_PASSED").read_text() == str(passed).lower()


@pytest.mark.parametrize("chat", ["slack", "wecom", "dingtalk", "feishu"])
def test_a_chat_is_told_in_its_own_words(run_step: Run, tmp_path: Path, chat: str) -> None:
    (tmp_path / "url").write_text("https://chat.example.test/secret")
    curl = f'printf "%s\\n" "$@" > {tmp_path}/asked; cat > {tmp_path}/body'
    done = run_step("callboard-notify", "send", commands={"curl": curl}, FORMAT=chat,
                    WEBHOOK=str(tmp_path), PIPELINE='a "b" \\c', STATUS="Failed",
                    RUN="run-1", SUBJECT="cart\n")  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert 'a \\"b\\" \\\\c: Failed' in (tmp_path / "body").read_text()
    json.loads((tmp_path / "body").read_text())
    assert "secret" not in (tmp_path / "asked").read_text() + done.stdout
    (tmp_path / "url").unlink()
    (tmp_path / "body").unlink()
    assert run_step("callboard-notify", "send", FORMAT=chat, WEBHOOK=str(tmp_path)).returncode == 0
    assert not (tmp_path / "body").exists()


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    settings = SandboxSettings(serve=True, port=0, speed=1000)
    made = Cluster(tmp_path_factory.mktemp("cluster"), settings, clock=lambda: datetime.now(UTC))
    made.start()
    made.store.create("namespaces", {"metadata": {"name": "builds"}})
    yield made
    made.stop()


@contextmanager
def a_portal(folder: Path, cluster: Cluster, role: str) -> Iterator[PortalUnderTest]:
    clusters = [{"name": "build", "kubeconfig": str(cluster.kubeconfig)}]
    settings = {"access": {"anonymous": role}, "kubernetes": {"clusters": clusters}}
    with portal_under_test(
        folder, plugins=["ci_tekton"], settings=settings, clock=Clock(datetime.now(UTC)),
        templates={},
    ) as made:  # fmt: skip
        yield made


@pytest.fixture(scope="module")
def portal(tmp_path_factory: pytest.TempPathFactory, cluster: Cluster) -> Iterator[PortalUnderTest]:
    with a_portal(tmp_path_factory.mktemp("library") / "portal", cluster, "administrator") as made:
        yield made


def send(portal: PortalUnderTest, name: str, **form: str) -> str:
    path = f"/ci_tekton/library/{name}"
    page = portal.client.get(path).text
    token = page.partition('name="csrf_token" value="')[2].partition('"')[0]
    text: str = portal.client.post(path, data={"csrf_token": token, **form}).text
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", text))


def acts(portal: PortalUnderTest) -> list[Any]:
    with portal.host("ci_tekton").read() as connection:
        return list(
            connection.execute(
                select(audit_entry).where(audit_entry.c.action == "ci_tekton.library.install")
            )
        )


def objects(cluster: Cluster) -> dict[str, dict[str, Any]]:
    store = cluster.store
    return {
        body["metadata"]["name"]: body
        for resource in ("tasks.tekton.dev", "pipelines.tekton.dev")
        for body in store.scan(resource)
        if body["metadata"]["namespace"] == "builds"
    }


def test_pages_show_what_there_is(portal: PortalUnderTest) -> None:
    page = portal.client.get("/ci_tekton/library").text
    for item in ITEMS.values():
        assert f'href="/ci_tekton/library/{item.name}"' in page
        answer = portal.client.get(f"/api/plugins/ci_tekton/library/{item.name}.yaml")
        assert yaml.safe_load(answer.text) == item.body
    for name in ("callboard-build", "callboard-notify", PIPELINE):
        page = portal.client.get(f"/ci_tekton/library/{name}").text
    assert 'class="lk"' in page
    assert "manifest-path" in page
    answer = portal.client.get(f"/api/plugins/ci_tekton/library/{PIPELINE}.yaml?needs=true")
    needed = [body["metadata"]["name"] for body in yaml.safe_load_all(answer.text)]
    assert needed == [item.name for item in with_needs(ITEMS, ITEMS[PIPELINE])]
    assert needed[0] == "callboard-build"
    assert needed[-1] == PIPELINE
    whole = portal.client.get("/api/plugins/ci_tekton/library.yaml").text
    assert len(list(yaml.safe_load_all(whole))) == len(ITEMS)
    assert portal.client.get("/ci_tekton/library/nothing").status_code == 404
    assert portal.client.get("/api/plugins/ci_tekton/library/nothing.yaml").status_code == 404
    chinese = portal.client.get("/ci_tekton/library", headers={"accept-language": "zh-CN"}).text
    assert "Go：构建与部署" in chinese


def test_a_pipeline_is_installed_once_and_runs(portal: PortalUnderTest, cluster: Cluster) -> None:
    place = {"cluster": "build", "namespace": "builds"}
    looked = send(portal, PIPELINE, step="plan", **place)
    assert looked.count("Is created") == len(with_needs(ITEMS, ITEMS[PIPELINE]))
    assert objects(cluster) == {}
    before = len(acts(portal))
    done = send(portal, PIPELINE, step="install", **place)
    assert "Installed in build/builds" in done
    assert set(objects(cluster)) == {*ITEMS[PIPELINE].needs, PIPELINE} - {"callboard-build"}
    assert cluster.store.find("serviceaccounts", "builds", "callboard-build")
    versions = {n: b["metadata"]["resourceVersion"] for n, b in objects(cluster).items()}
    again = send(portal, PIPELINE, step="install", **place)
    assert "As it was" in again
    assert {n: b["metadata"]["resourceVersion"] for n, b in objects(cluster).items()} == versions
    assert len(acts(portal)) == before + 1
    spec = {
        "pipelineRef": {"name": PIPELINE},
        "taskRunTemplate": {"serviceAccountName": "callboard-build"},
        "params": [{"name": name, "value": value} for name, value in (
            ("git-url", "https://git.example.test/cart.git"), ("name", "cart"),
            ("image-name", "registry.example.test/cart"),
            ("manifest-repository", "https://git.example.test/manifests.git"))],
        "workspaces": [{"name": "shared-workspace", "emptyDir": {}}],
    }  # fmt: skip
    client = portal.host("ci_tekton").clusters.get("build")
    from callboard_ci_tekton.following import PIPELINE_RUNS

    body = {"metadata": {"name": "cart-1", "namespace": "builds"}, "spec": spec}
    client.create(PIPELINE_RUNS, body)
    run = ended(cluster, "cart-1")
    condition = run["status"]["conditions"][0]
    assert condition["status"] == "True", condition
    assert [each["name"] for each in run["status"]["skippedTasks"]] == ["helm-package"]
    results = {each["name"]: each["value"] for each in run["status"]["results"]}
    assert results["IMAGE_URL"] == "registry.example.test/cart"
    assert re.fullmatch("sha256:[0-9a-f]{64}", results["IMAGE_DIGEST"])


def ended(cluster: Cluster, name: str) -> dict[str, Any]:
    """Wait until a run has ended."""
    while True:
        version = cluster.store.version
        run = cluster.store.find("pipelineruns.tekton.dev", "builds", name)
        conditions = (run or {}).get("status", {}).get("conditions", [])
        if run and conditions and conditions[0]["status"] != "Unknown":
            return run
        assert cluster.store.wait(version, 30) > version, run


def test_what_others_manage_is_taken_over_only_by_who_says_so(
    portal: PortalUnderTest, cluster: Cluster
) -> None:
    name, place = "callboard-python-lint", {"cluster": "build", "namespace": "builds"}
    send(portal, name, step="install", **place)
    body = objects(cluster)[name]
    for index, image in enumerate(("theirs:1", "theirs:2")):
        changed = copy.deepcopy(body)
        changed["spec"]["description"] = f"Ours, {index}"
        admin(cluster, "PUT", name, changed)
        looked = send(portal, name, step="plan", **place)
        assert "Is managed by others" in looked, image
        assert "Take over what others manage" in looked
        refused = send(portal, name, step="install", **place)
        assert "Nothing was written: others manage part of it." in refused
        assert objects(cluster)[name]["spec"]["description"] == f"Ours, {index}"
        taken = send(portal, name, step="install", take_over="yes", **place)
        assert "Installed in build/builds" in taken
        body = objects(cluster)[name]
        assert body["spec"]["description"] == ITEMS[name].description


def admin(cluster: Cluster, method: str, name: str, body: dict[str, Any]) -> None:
    """Change a task as another client does."""
    import httpx

    answer = httpx.request(
        method, f"{cluster.server.address}/apis/tekton.dev/v1/namespaces/builds/tasks/{name}",
        params={"fieldManager": "kubectl-edit"}, json=body, trust_env=False,
        headers={"Authorization": f"Bearer {cluster.tokens['admin']}"},
    )  # fmt: skip
    answer.raise_for_status()


def test_an_older_version_is_upgraded(portal: PortalUnderTest, cluster: Cluster) -> None:
    name, host = "callboard-node-lint", portal.host("ci_tekton")
    old = copy.deepcopy(dict(ITEMS[name].body))
    old["metadata"]["namespace"] = "builds"
    old["metadata"]["annotations"]["callboard.io/library-version"] = "0.9.0"
    old["metadata"]["annotations"]["callboard.io/library-digest"] = DIGEST
    item = ITEMS[name]
    written = host.clusters.get("build").apply(item.resource, old).object
    portal.observe("build", item.resource, written)
    page = portal.client.get(f"/ci_tekton/library/{name}").text
    assert "0.9.0" in page
    assert "Older" in page
    assert "Upgrade" in page
    looked = send(portal, name, step="plan", cluster="build", namespace="builds")
    assert "Is upgraded 0.9.0 → 1.0.0" in looked
    send(portal, name, step="install", cluster="build", namespace="builds")
    [done] = plan(host, "build", "builds", [ITEMS[name]])
    assert done.step == "same"


@pytest.mark.parametrize(
    ("place", "told"),
    [
        ({"cluster": "build", "namespace": "Nowhere!"}, "small letters, digits and hyphens"),
        ({"cluster": "other", "namespace": "builds"}, "Choose a cluster."),
        ({"cluster": "build", "namespace": "nowhere"}, "nowhere"),
    ],
)
def test_refusals_are_told(portal: PortalUnderTest, place: dict[str, str], told: str) -> None:
    before = len(acts(portal))
    for step in ("plan", "install"):
        assert told in send(portal, "callboard-notify", step=step, **place)
    assert len(acts(portal)) == before


def test_readers_install_nothing(tmp_path: Path, cluster: Cluster) -> None:
    with a_portal(tmp_path / "portal", cluster, "viewer") as portal:
        path = "/ci_tekton/library/callboard-notify"
        assert 'id="install"' not in portal.client.get(path).text
        token = portal.client.get("/me").text.partition('name="csrf_token" value="')[2]
        form = {"csrf_token": token.partition('"')[0], "step": "install", "cluster": "build",
                "namespace": "builds"}  # fmt: skip
        assert portal.client.post(path, data=form).status_code == 401


def test_items_are_loaded_once() -> None:
    again: Mapping[str, Item] = load_items(LibrarySettings())
    assert again is ITEMS
