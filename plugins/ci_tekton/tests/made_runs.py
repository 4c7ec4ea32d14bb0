"""Runs and services for tests, as clusters and descriptors have them."""

import json
from collections.abc import Mapping
from typing import Any

from callboard_web.testing import PortalUnderTest

REASONS = {"True": "Succeeded", "False": "Failed", "Unknown": "Running"}
DIGEST = f"sha256:{'a' * 64}"


def a_run(
    name: str,
    *,
    state: str = "True",
    version: int = 5,
    pipeline: str = "build",
    namespace: str = "shop-ci",
    created: str = "2026-03-02T07:00:00Z",
    labels: Mapping[str, str] | None = None,
    notes: Mapping[str, str] | None = None,
    parameters: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """Give a PipelineRun of two minutes; `state` is that of its condition."""
    moment = created.removesuffix("00Z")
    status: dict[str, Any] = {
        "startTime": f"{moment}10Z",
        "conditions": [{"type": "Succeeded", "status": state, "reason": REASONS[state]}],
    }
    if state != "Unknown":
        hour, minute = moment[:-1].rsplit(":", 1)
        status["completionTime"] = f"{hour}:{int(minute) + 2:02}:10Z"
        status["results"] = [
            {"name": "IMAGE_URL", "value": "registry.example.test/cart:1"},
            {"name": "IMAGE_DIGEST", "value": DIGEST},
        ]
    return {
        "apiVersion": "tekton.dev/v1",
        "kind": "PipelineRun",
        "metadata": {
            "name": name, "namespace": namespace, "uid": f"uid-{name}",
            "resourceVersion": str(version), "creationTimestamp": created,
            "labels": dict(labels or {}), "annotations": dict(notes or {}),
        },
        "spec": {
            "pipelineRef": {"name": pipeline},
            "params": [{"name": key, "value": value} for key, value in (parameters or {}).items()],
        },
        "status": status,
    }  # fmt: skip


def a_service(name: str, notes: Mapping[str, str] | None = None, owner: str = "shop") -> str:
    """Give the descriptor of a component."""
    return json.dumps({
        "apiVersion": "backstage.io/v1alpha1", "kind": "Component",
        "metadata": {"name": name, "annotations": dict(notes or {})},
        "spec": {"type": "service", "lifecycle": "production", "owner": owner},
    }) + "\n"  # fmt: skip


def identified(name: str) -> dict[str, str]:
    """Give the label, or the annotation, by which a run is a service's."""
    return {"backstage.io/kubernetes-id": name}


def settle(portal: PortalUnderTest) -> None:
    """Run all jobs until none is due."""
    for _ in range(20):
        if not portal.run_jobs():
            return
    raise AssertionError("There is always another job.")


def add(portal: PortalUnderTest, *documents: str) -> None:
    """Take entities into the catalog, and let plugins hear of it."""
    portal.catalog_add("---\n".join(documents))
    settle(portal)
