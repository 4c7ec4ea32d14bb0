"""The pod of a task run: init containers, one container per step, sidecars, volumes."""

import base64
from collections.abc import Mapping, Sequence
from typing import Any, Final

from callboard_sandbox.controllers.context import owner_reference
from callboard_sandbox.controllers.names import child_name, digest
from callboard_sandbox.controllers.times import seconds

Json = dict[str, Any]

_ENTRYPOINT_IMAGE: Final = "registry.example.test/tekton/entrypoint:v1"
_SHELL_IMAGE: Final = "registry.example.test/busybox:1"
_WORKING_DIRECTORY_IMAGE: Final = "registry.example.test/tekton/workingdirinit:v1"
_SHARED: Final = ("workspace", "home", "results", "steps", "artifacts")
_ACCOUNT_PATH: Final = "/var/run/secrets/kubernetes.io/serviceaccount"
_DEADLINE_FACTOR: Final = 1.5
_UNTIL_EVICTED_SECONDS: Final = 300


def pod_name(task_run: str, attempt: int) -> str:
    """Give the name of the pod of an attempt, counted from 0."""
    return child_name(task_run, f"-pod-retry{attempt}" if attempt else "-pod")


def pod_body(task_run: Json, task: Json, attempt: int) -> Json:
    """Give the pod that runs a resolved task for the attempt of a task run."""
    name = pod_name(task_run["metadata"]["name"], attempt)
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": _metadata(task_run, name),
        "spec": _spec(task_run, task, name),
        "status": {"phase": "Pending", "qosClass": _quality(task)},
    }


def _metadata(task_run: Json, name: str) -> Json:
    metadata = task_run["metadata"]
    labels = {
        **metadata.get("labels", {}),
        "tekton.dev/taskRun": metadata["name"],
        "tekton.dev/taskRunUID": metadata["uid"],
    }
    return {
        "name": name,
        "namespace": metadata["namespace"],
        "labels": labels,
        "annotations": dict(metadata.get("annotations") or {}),
        "ownerReferences": [owner_reference(task_run)],
    }


def _quality(task: Json) -> str:
    template = (task.get("stepTemplate") or {}).get("computeResources") or {}
    own = [step.get("computeResources") or {} for step in task["steps"]]
    return "Burstable" if any(r.get("requests") for r in (template, *own)) else "BestEffort"


def _spec(task_run: Json, task: Json, name: str) -> Json:
    spec = task_run["spec"]
    token = f"kube-api-access-{digest(name, length=5)}"
    claims = _claims(spec.get("workspaces") or [])
    scripts = [f"script-{i}-{digest(name, i, length=5)}" for i, _ in enumerate(task["steps"])]
    mounts = _Mounts(token, claims, len(task["steps"]))
    limit = seconds(spec.get("timeout") or "") or 3600
    account = spec.get("serviceAccountName", "default")
    result: Json = {
        "volumes": _volumes(task, token, claims),
        "initContainers": _init_containers(task, scripts, mounts),
        "containers": [
            *(_step(task, index, scripts[index], mounts) for index in range(len(task["steps"]))),
            *(_sidecar(sidecar, mounts) for sidecar in task.get("sidecars") or []),
        ],
        "restartPolicy": "Never",
        "terminationGracePeriodSeconds": 30,
        "activeDeadlineSeconds": int(limit * _DEADLINE_FACTOR),
        "dnsPolicy": "ClusterFirst",
        "serviceAccountName": account,
        "serviceAccount": account,
        "securityContext": {},
        "schedulerName": "default-scheduler",
        "tolerations": [_toleration("not-ready"), _toleration("unreachable")],
        "priority": 0,
        "enableServiceLinks": True,
        "preemptionPolicy": "PreemptLowerPriority",
    }
    annotations = task_run["metadata"].get("annotations") or {}
    if assistant := annotations.get("pipeline.tekton.dev/affinity-assistant"):
        result["affinity"] = _affinity(assistant)
    return result


def _toleration(condition: str) -> Json:
    return {
        "key": f"node.kubernetes.io/{condition}",
        "operator": "Exists",
        "effect": "NoExecute",
        "tolerationSeconds": _UNTIL_EVICTED_SECONDS,
    }


def _affinity(assistant: str) -> Json:
    """Pods that share a claim run on the node of its assistant."""
    labels = {
        "app.kubernetes.io/component": "affinity-assistant",
        "app.kubernetes.io/instance": assistant,
    }
    term = {"labelSelector": {"matchLabels": labels}, "topologyKey": "kubernetes.io/hostname"}
    return {"podAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [term]}}


def _claims(workspaces: Sequence[Json]) -> list[tuple[str, str, Json]]:
    """Give (volume, mount path, source) of each workspace."""
    found = []
    for workspace in workspaces:
        source = {k: v for k, v in workspace.items() if k not in ("name", "subPath")}
        volume = f"ws-{digest(sorted(source), source, length=5)}"
        found.append((volume, f"/workspace/{workspace['name']}", source))
    return found


class _Mounts:
    """The volume mounts of the containers of one pod."""

    def __init__(self, token: str, claims: Sequence[tuple[str, str, Json]], steps: int) -> None:
        self._token = {"name": token, "readOnly": True, "mountPath": _ACCOUNT_PATH}
        self._claims = [{"name": volume, "mountPath": path} for volume, path, _ in claims]
        self._steps = steps

    def of(self, *shared: str) -> list[Json]:
        mounts = [{"name": f"tekton-internal-{n}", "mountPath": f"/tekton/{n}"} for n in shared]
        return [*mounts, self._token]

    def of_step(self, index: int) -> list[Json]:
        scripts = {"name": "tekton-internal-scripts", "readOnly": True}
        mounts: list[Json] = [*self._claims, scripts | {"mountPath": "/tekton/scripts"}]
        if index == 0:
            ready = {"name": "tekton-internal-downward", "readOnly": True}
            mounts.append(ready | {"mountPath": "/tekton/downward"})
        mounts.append({"name": f"tekton-creds-init-home-{index}", "mountPath": "/tekton/creds"})
        for number in range(self._steps):
            run: Json = {"name": f"tekton-internal-run-{number}"}
            if number != index:
                run["readOnly"] = True
            mounts.append(run | {"mountPath": f"/tekton/run/{number}"})
        binaries = {"name": "tekton-internal-bin", "readOnly": True, "mountPath": "/tekton/bin"}
        mounts.append(binaries)
        for name in _SHARED:
            path = "/workspace" if name == "workspace" else f"/tekton/{name}"
            mount: Json = {"name": f"tekton-internal-{name}", "mountPath": path}
            mounts.append(mount | ({"readOnly": True} if name == "steps" else {}))
        return [*mounts, self._token]

    def of_sidecar(self) -> list[Json]:
        return [*self._claims, self._token]


def _volumes(task: Json, token: str, claims: Sequence[tuple[str, str, Json]]) -> list[Json]:
    names = [f"tekton-internal-{name}" for name in (*_SHARED, "scripts", "bin")]
    volumes: list[Json] = [{"name": name, "emptyDir": {}} for name in names]
    ready = {
        "path": "ready",
        "fieldRef": {
            "apiVersion": "v1",
            "fieldPath": "metadata.annotations['tekton.dev/ready']",
        },
    }
    downward = {"items": [ready], "defaultMode": 420}
    volumes.append({"name": "tekton-internal-downward", "downwardAPI": downward})
    for index, _ in enumerate(task["steps"]):
        memory = {"name": f"tekton-creds-init-home-{index}", "emptyDir": {"medium": "Memory"}}
        volumes += [memory, {"name": f"tekton-internal-run-{index}", "emptyDir": {}}]
    for volume, _, source in claims:
        if all(known["name"] != volume for known in volumes):
            volumes.append({"name": volume, **source})
    volumes += task.get("volumes") or []
    volumes.append({"name": token, "projected": {"sources": [_TOKEN], "defaultMode": 420}})
    return volumes


_TOKEN: Final = {"serviceAccountToken": {"expirationSeconds": 3607, "path": "token"}}
_DEFAULTS: Final = {
    "terminationMessagePath": "/dev/termination-log",
    "terminationMessagePolicy": "File",
    "imagePullPolicy": "IfNotPresent",
}


def _init_containers(task: Json, scripts: Sequence[str], mounts: _Mounts) -> list[Json]:
    names = [f"step-{step['name']}" for step in task["steps"]]
    entrypoint = ["/ko-app/entrypoint", "init", "/ko-app/entrypoint", "/tekton/bin/entrypoint"]
    found: list[Json] = [
        {
            "name": "prepare",
            "image": _ENTRYPOINT_IMAGE,
            "command": [*entrypoint, *names],
            "workingDir": "/",
            "resources": {},
            "volumeMounts": mounts.of("bin", "steps"),
            **_DEFAULTS,
        }
    ]
    if any(step.get("script") for step in task["steps"]):
        found.append(_place_scripts(task, scripts, mounts))
    directories = sorted({s["workingDir"] for s in task["steps"] if s.get("workingDir")})
    relative = [d for d in directories if d.startswith("/workspace") or not d.startswith("/")]
    if relative:
        found.append(
            {
                "name": "working-dir-initializer",
                "image": _WORKING_DIRECTORY_IMAGE,
                "command": ["/ko-app/workingdirinit"],
                "args": relative,
                "workingDir": "/workspace",
                "resources": {},
                "volumeMounts": mounts.of(*_SHARED),
                **_DEFAULTS,
            }
        )
    return found


def _place_scripts(task: Json, scripts: Sequence[str], mounts: _Mounts) -> Json:
    lines = ""
    for step, script in zip(task["steps"], scripts, strict=True):
        if step.get("script"):
            text = base64.b64encode(step["script"].encode()).decode()
            lines += (
                f'scriptfile="/tekton/scripts/{script}"\n'
                "touch ${scriptfile} && chmod +x ${scriptfile}\n"
                f"cat > ${{scriptfile}} << '_EOF_'\n{text}\n_EOF_\n"
                '/tekton/bin/entrypoint decode-script "${scriptfile}"\n'
            )
    return {
        "name": "place-scripts",
        "image": _SHELL_IMAGE,
        "command": ["sh"],
        "args": ["-c", lines],
        "resources": {},
        "volumeMounts": mounts.of("scripts", "bin"),
        **_DEFAULTS,
    }


def _step(task: Json, index: int, script: str, mounts: _Mounts) -> Json:
    step: Mapping[str, Any] = {**(task.get("stepTemplate") or {}), **task["steps"][index]}
    template = (task.get("stepTemplate") or {}).get("computeResources") or {}
    result = {
        "name": f"step-{step['name']}",
        "image": step.get("image", ""),
        "command": ["/tekton/bin/entrypoint"],
        "args": _arguments(task, step, index, script),
        "env": step.get("env") or [],
        "workingDir": step.get("workingDir", ""),
        "resources": step.get("computeResources") or template,
        "volumeMounts": mounts.of_step(index),
        **_DEFAULTS,
        "terminationMessagePath": "/tekton/termination",
    }
    return {k: v for k, v in result.items() if v or k not in ("env", "workingDir")}


def _arguments(task: Json, step: Mapping[str, Any], index: int, script: str) -> list[str]:
    waits = (
        ["-wait_file", "/tekton/downward/ready", "-wait_file_content"]
        if index == 0
        else ["-wait_file", f"/tekton/run/{index - 1}/out"]
    )
    arguments = [
        *waits,
        *("-post_file", f"/tekton/run/{index}/out"),
        *("-termination_path", "/tekton/termination"),
        *("-step_metadata_dir", f"/tekton/run/{index}/status"),
    ]
    if step.get("onError"):
        arguments += ["-on_error", step["onError"]]
    if results := [result["name"] for result in task.get("results") or []]:
        arguments += ["-results", ",".join(results)]
    own = list(step.get("command") or [])
    entrypoint = f"/tekton/scripts/{script}" if step.get("script") else (own or [""])[0]
    return [*arguments, "-entrypoint", entrypoint, "--", *own[1:], *(step.get("args") or [])]


def _sidecar(sidecar: Mapping[str, Any], mounts: _Mounts) -> Json:
    result = {
        "name": f"sidecar-{sidecar['name']}",
        "image": sidecar.get("image", ""),
        "ports": sidecar.get("ports") or [],
        "resources": sidecar.get("computeResources") or {},
        "volumeMounts": mounts.of_sidecar(),
        **_DEFAULTS,
    }
    return {k: v for k, v in result.items() if v or k != "ports"}
