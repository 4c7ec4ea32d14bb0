"""Approval tasks: made for the custom runs that ask for them, answered by those who are asked."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from sandbox_api import Api, serving

from callboard_sandbox.controllers import Controllers
from callboard_sandbox.controllers.approvals import APPROVALS
from callboard_sandbox.controllers.context import CUSTOM_RUNS, condition

Json = dict[str, Any]

PATH = "/apis/openshift-pipelines.org/v1alpha1/namespaces/default/approvaltasks/gate"
MERGE = "application/merge-patch+json"


@pytest.fixture
def api(tmp_path: Path) -> Iterator[Api]:
    with serving(tmp_path) as found:
        found.store.create(CUSTOM_RUNS, {
            "apiVersion": "tekton.dev/v1beta1", "kind": "CustomRun",
            "metadata": {"name": "gate", "namespace": "default"},
            "spec": {
                "customRef": {"apiVersion": "openshift-pipelines.org/v1alpha1",
                              "kind": "ApprovalTask"},
                "params": [{"name": "approvers", "value": ["ada", "group:shop", "group:shop"]},
                           {"name": "numberOfApprovalsRequired", "value": "2"}],
            },
        })  # fmt: skip
        work(found)
        yield found


def work(api: Api) -> None:
    Controllers(api.store, clock=api.store.clock).step()


def answered(api: Api, answer: str, entry: str, user: str, **headers: str) -> httpx.Response:
    """Send somebody's answer as a merge patch of the whole list, as clients have to."""
    approvers = api.store.get(APPROVALS, "default", "gate")["spec"]["approvers"]
    for each in approvers:
        if each["name"] == entry:
            each["input"] = answer
            if each["type"] == "Group":
                each["users"] = [*each.get("users", ()), {"name": user, "input": answer}]
    role = headers.pop("role", "portal")
    with api.client(role, **headers) as client:
        return client.patch(
            PATH, json={"spec": {"approvers": approvers}}, headers={"Content-Type": MERGE}
        )


def states(api: Api) -> tuple[str, str]:
    work(api)
    task = api.store.get(APPROVALS, "default", "gate")
    run = condition(api.store.get(CUSTOM_RUNS, "default", "gate"))
    return task["status"]["state"], run["status"] if run else ""


def as_user(name: str, group: str = "") -> dict[str, str]:
    found = {"Impersonate-User": name}
    return {**found, "Impersonate-Group": group} if group else found


def test_people_and_members_of_teams_answer_for_themselves(api: Api) -> None:
    assert states(api) == ("pending", "Unknown")
    refused = answered(api, "approve", "ada", "ada")
    assert refused.status_code == 400
    assert refused.json()["message"] == (
        'admission webhook "validation.webhook.manual-approval.openshift-pipelines.org" denied '
        "the request: User does not exist in the approval list"
    )
    other = answered(api, "approve", "shop", "bea", **as_user("ada"))
    assert "only update their own" in other.json()["message"]
    assert answered(api, "approve", "ada", "ada", **as_user("ada")).status_code == 200
    assert states(api) == ("pending", "Unknown")
    assert answered(api, "approve", "shop", "bea", **as_user("bea", "shop")).status_code == 200
    assert states(api) == ("approved", "True")
    late = answered(api, "reject", "ada", "ada", **as_user("ada"))
    assert "already reached" in late.json()["message"]


def test_one_rejection_ends_it(api: Api) -> None:
    answered(api, "reject", "shop", "bea", **as_user("bea", "shop"))
    assert states(api) == ("rejected", "False")


def test_not_everyone_may_speak_for_others(api: Api) -> None:
    refused = answered(api, "approve", "ada", "ada", role="viewer", **as_user("ada"))
    assert refused.status_code == 403
    assert 'users "ada" is forbidden: User "viewer" cannot impersonate' in refused.json()["message"]
