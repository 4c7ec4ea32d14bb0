"""Why a run does not go on, or failed, in words, and what to do about it.

It is told by the reasons and messages of the run, its tasks and steps, and by what was found at
the pods of tasks that wait (`callboard_ci_tekton.stuck`). Reasons differ between releases of
Tekton and Kubernetes, so most rules look at the message as well. The first rule that fits tells.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Final

from callboard.i18n import Text, Translator

_ = Translator("ci_tekton")

_MOST_SAID: Final = 600


@dataclass(frozen=True, slots=True)
class Hint:
    """A cause and what to do about it. `said` is what the cluster says, word for word."""

    cause: Text
    todo: Text
    said: str = ""


@dataclass(frozen=True, slots=True)
class _Rule:
    """Fits where the reason is one of some, or the message has a pattern."""

    cause: Text
    todo: Text
    reasons: frozenset[str] = frozenset()
    pattern: re.Pattern[str] | None = None

    def fits(self, reason: str, message: str) -> bool:
        if reason in self.reasons:
            return True
        return self.pattern is not None and self.pattern.search(message) is not None


def _rule(cause: Text, todo: Text, reasons: str = "", pattern: str = "") -> _Rule:
    compiled = re.compile(pattern, re.IGNORECASE) if pattern else None
    return _Rule(cause, todo, frozenset(reasons.split()), compiled)


_RULES: Final = (
    # Where a pod may run
    _rule(
        _("The volume of a workspace is bound to nothing yet."),
        _("Look at the claim: its storage class must exist and have room, and its access mode "
          "must suit the nodes on which the tasks run."),
        pattern=r"unbound immediate PersistentVolumeClaims|persistentvolumeclaim \"[^\"]+\" not "
        r"found|pod has unbound|ProvisioningFailed|waiting for a volume to be created",
    ),
    _rule(
        _("The volume of a workspace is on another node, or used by one."),
        _("Tasks that share a volume must run on one node: use the affinity assistant, or a "
          "storage class whose volumes many nodes can write to (ReadWriteMany)."),
        pattern=r"volume node affinity conflict|Multi-Attach error",
    ),
    _rule(
        _("No node has room for the pod."),
        _("Wait until other runs have ended, ask for less in the steps (computeResources), or add "
          "nodes."),
        reasons="ExceededNodeResources",
        pattern=r"Insufficient (cpu|memory|ephemeral-storage|[\w.-]+/[\w.-]+)|Too many pods"
        r"|exceeded available resources",
    ),
    _rule(
        _("No node may be used: all have taints that the pod does not tolerate."),
        _("Add a toleration to the pod template of the run, or remove the taint of a node."),
        pattern=r"untolerated taint|had taint",
    ),
    _rule(
        _("No node has the labels that the pod asks for."),
        _("Compare node selector and affinity of the pod template with the labels of the nodes."),
        pattern=r"didn't match (Pod's )?node (affinity|selector)",
    ),
    _rule(
        _("No node may be used for the pod."),
        _("The message says why each node was left out."),
        reasons="Unschedulable FailedScheduling",
        pattern=r"\d+/\d+ nodes are available",
    ),
    # What is refused
    _rule(
        _("The quota of the namespace is used up, or asks for limits that steps do not name."),
        _("Wait until other runs have ended, raise the quota, or give each step requests and "
          "limits."),
        reasons="ExceededResourceQuota",
        pattern=r"\b(exceeded|failed) quota\b",
    ),
    _rule(
        _("The service account of the run does not exist."),
        _("Create it in the namespace, or start the run with another one "
          "(taskRunTemplate.serviceAccountName)."),
        pattern=r"serviceaccounts? \"[^\"]+\" not found|error looking up service account",
    ),
    _rule(
        _("A policy of the cluster refuses the pod."),
        _("The message names the policy: change the step as it asks, or ask who keeps it."),
        pattern=r"violates PodSecurity|admission webhook \"[^\"]+\" denied",
    ),
    _rule(
        _("The account of Tekton or of the run may not do this."),
        _("Grant what the message names to that account."),
        pattern=r"is forbidden: User \"",
    ),
    # Images and containers
    _rule(
        _("The registry does not give an image to the cluster: it asks who wants it."),
        _("Give the service account a pull secret for the registry, and look whether the name of "
          "the image is right: registries answer the same for images that are not there."),
        pattern=r"pull.*(unauthori[sz]ed|authentication required|access denied|403 Forbidden"
        r"|no basic auth)",
    ),
    _rule(
        _("An image cannot be pulled: the registry cannot be reached."),
        _("Look whether nodes reach the registry and trust its certificate."),
        pattern=r"pull.*(x509|no such host|i/o timeout|connection refused|TLS handshake)",
    ),
    _rule(
        _("An image cannot be pulled."),
        _("Look whether the image and its tag exist, whether the registry is reached from the "
          "nodes, and whether the service account has a pull secret for it."),
        reasons="TaskRunImagePullFailed ImagePullBackOff ErrImagePull InvalidImageName "
        "ErrImageNeverPull",
        pattern=r"Back-off pulling image|failed to pull",
    ),
    _rule(
        _("A Secret or ConfigMap that the task needs is not there."),
        _("Create it in the namespace of the run, or mend its name in the task."),
        reasons="CreateContainerConfigError FailedMount",
        pattern=r"(secret|configmap) \"[^\"]+\" not found|couldn't find key",
    ),
    _rule(
        _("A container cannot be created."),
        _("The message says what is wrong, mostly a command or a mount that does not exist."),
        reasons="CreateContainerError RunContainerError",
    ),
    # What was asked for
    _rule(
        _("A parameter is missing."),
        _("Start the run again with the parameters that the message names."),
        reasons="ParameterMissing",
        pattern=r"missing parameters",
    ),
    _rule(
        _("A parameter has another type than the pipeline wants, or a value it does not allow."),
        _("Start the run again with a value of the kind that the message names."),
        reasons="ParameterTypeMismatch ParamArrayIndexingInvalid ObjectParameterMissKeys "
        "InvalidParamValue",
        pattern=r"parameters types don't match",
    ),
    _rule(
        _("A workspace is missing."),
        _("Start the run again with a volume for each workspace that the message names."),
        reasons="InvalidWorkspaceBindings InvalidWorkspaceBinding",
        pattern=r"requires workspace with name",
    ),
    _rule(
        _("The pipeline or a task of it cannot be found."),
        _("Look whether it exists in the namespace under this name; one from elsewhere needs a "
          "resolver that reaches it."),
        reasons="CouldntGetPipeline CouldntGetTask CouldntGetTaskRun ResolutionFailed "
        "TaskRunResolutionFailed CouldntGetPipelineResult",
    ),
    _rule(
        _("The pipeline or a task is not valid."),
        _("Mend what the message names; the cluster checks it when it is applied."),
        reasons="InvalidPipelineRef FailedValidation PipelineValidationFailed InvalidGraph "
        "TaskValidationFailed InvalidMatrixParameterTypes InvalidPipelineResourceBindings",
    ),
    _rule(
        _("A task gave other results than it declares."),
        _("Look at what the steps write to the paths of the results, and at the declared types."),
        reasons="TaskRunValidationFailed InvalidTaskResultReference FailedToParseResults",
        pattern=r"don't match declared results",
    ),
    _rule(
        _("The results of the task are larger than the cluster takes."),
        _("Write less to results, such as a digest or an address, and the rest to a workspace."),
        reasons="TaskRunResultLargerThanAllowedLimit",
        pattern=r"larger than allowed|termination message.*(limit|exceed)",
    ),
    # How it ended
    _rule(
        _("A step used more memory than it may, and was ended."),
        _("Raise the memory limit of the step, or let it use less: fewer workers, a smaller heap."),
        reasons="StepOOM OOMKilled",
        pattern=r"OOMKilled",
    ),
    _rule(
        _("A node ran short of something, and the pod was evicted."),
        _("Run it again; where it happens often, ask for what the steps really need."),
        reasons="Evicted",
        pattern=r"\bevicted\b|node was low on resource",
    ),
    _rule(
        _("It took longer than it may."),
        _("Look at the time line for what took long, or raise the timeout of the task or run."),
        reasons="PipelineRunTimeout TaskRunTimeout CustomRunTimeout CustomRunTimedOut",
        pattern=r"failed to finish within",
    ),
    _rule(
        _("A program or script that the step starts is not in its image."),
        _("Look at the command of the step and at the image it runs in."),
        pattern=r"exited with code 127\b",
    ),
    _rule(
        _("The program that the step starts may not be executed."),
        _("Make the script executable, or look whether the image is for the nodes' architecture."),
        pattern=r"exited with code 126\b|exec format error",
    ),
    _rule(
        _("A step was killed."),
        _("Most often it used too much memory or disk: look at the end of its log."),
        pattern=r"exited with code 137\b",
    ),
)  # fmt: skip

_NO_POD: Final = _rule(
    _("The pod of the task could not be created."),
    _("The message says what the cluster refuses."),
    reasons="PodCreationFailed CreatePodFailed",
)


def hint_of(reason: str, message: str) -> Hint | None:
    """Give the cause that a reason and its message tell of; None where no rule fits."""
    for rule in (*_RULES, _NO_POD):
        if rule.fits(reason, message):
            return Hint(rule.cause, rule.todo, message.strip()[:_MOST_SAID])
    return None


def first_hint(told: Iterable[tuple[str, str]]) -> Hint | None:
    """Give the hint of the first reason and message that has one."""
    return next(_hints(told), None)


def _hints(told: Iterable[tuple[str, str]]) -> Iterator[Hint]:
    for reason, message in told:
        hint = hint_of(reason, message)
        if hint is not None:
            yield hint


def told_by(row: Any, steps: Iterable[Any], finding: Any | None) -> Iterator[tuple[str, str]]:
    """Yield what tells of a task: its pod first, as it is the most exact, then itself."""
    if finding is not None:
        yield finding.reason, finding.message
    yield row.reason, row.message
    for step in steps:
        if step.reason not in ("", "Completed", "Error"):
            yield step.reason, ""
