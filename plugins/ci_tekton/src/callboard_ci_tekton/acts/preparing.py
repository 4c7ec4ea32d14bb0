"""Makes the body of a run from a Pipeline and what it is given, checked against it."""

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from callboard.i18n import Text, Translator
from callboard.kubernetes import Resource
from callboard_ci_tekton.acts.declarations import (
    Declaration,
    UnfitError,
    check_bindings,
    check_values,
    declaration_of,
)
from callboard_ci_tekton.runs.values import mapping, text

if TYPE_CHECKING:
    from callboard.kubernetes import Cluster

_ = Translator("ci_tekton")

PIPELINES: Final = Resource("tekton.dev", "v1", "pipelines", "Pipeline")
SERVICE_ACCOUNT: Final = "callboard.io/service-account"
"""The annotation of a Pipeline that names the service account its runs are started with."""

TIMEOUTS: Final = ("pipeline", "tasks", "finally")
_SPAN: Final = re.compile(r"0|([0-9]+(\.[0-9]+)?(ms|h|m|s))+")


def run_of_pipeline(
    cluster: "Cluster",
    namespace: str,
    pipeline: str,
    parameters: Mapping[str, Any],
    workspaces: Sequence[Mapping[str, Any]] = (),
    *,
    service_account: str = "",
    labels: Mapping[str, str] | None = None,
    annotations: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """Give a PipelineRun of a Pipeline, for `create_run`, checked against its declaration.

    `parameters` are texts, lists of texts, or mappings of texts by the parameter's name;
    `workspaces` are bindings as in `spec.workspaces`. Without a service account it is that which
    the Pipeline's annotation `callboard.io/service-account` names. The Pipeline is asked of the
    cluster. Raises `UnfitError`, whose `faults` say by field what is wrong; `ClusterError`, in the
    state `missing` where there is no such Pipeline.
    """
    found = cluster.get(PIPELINES, namespace, pipeline)
    declaration = declaration_of(mapping(found, "spec"))
    check(declaration, parameters, workspaces)
    account = service_account or text(
        mapping(found, "metadata", "annotations"), SERVICE_ACCOUNT, 253
    )
    return body_of(
        namespace, pipeline, parameters, workspaces,
        service_account=account, labels=labels, annotations=annotations,
    )  # fmt: skip


def check(
    declaration: Declaration,
    parameters: Mapping[str, Any],
    workspaces: Sequence[Mapping[str, Any]],
    timeouts: Mapping[str, str] | None = None,
) -> None:
    """Raise `UnfitError` with all that does not fit."""
    faults = check_values(declaration, parameters) | check_bindings(declaration, workspaces)
    faults |= _wrong_spans(timeouts or {})
    if faults:
        raise UnfitError(faults)


def _wrong_spans(timeouts: Mapping[str, str]) -> dict[str, Text]:
    return {
        f"timeouts.{name}": _("Write a time such as 1h30m; 0 stands for no limit.")
        for name, span in timeouts.items()
        if name not in TIMEOUTS or not _SPAN.fullmatch(span)
    }


def body_of(
    namespace: str,
    pipeline: str,
    parameters: Mapping[str, Any],
    workspaces: Sequence[Mapping[str, Any]] = (),
    *,
    service_account: str = "",
    timeouts: Mapping[str, str] | None = None,
    held: bool = False,
    labels: Mapping[str, str] | None = None,
    annotations: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """Give the body of a PipelineRun. A run that is `held` waits until somebody lets it begin."""
    spec: dict[str, Any] = {
        "pipelineRef": {"name": pipeline},
        "params": [{"name": name, "value": value} for name, value in parameters.items()],
    }
    if workspaces:
        spec["workspaces"] = [dict(item) for item in workspaces]
    if service_account:
        spec["taskRunTemplate"] = {"serviceAccountName": service_account}
    if timeouts:
        spec["timeouts"] = dict(timeouts)
    if held:
        spec["status"] = "PipelineRunPending"
    return {
        "apiVersion": "tekton.dev/v1",
        "kind": "PipelineRun",
        "metadata": {
            "generateName": f"{pipeline}-",
            "namespace": namespace,
            "labels": dict(labels or {}),
            "annotations": dict(annotations or {}),
        },
        "spec": spec,
    }
