"""What to do about a failure, by the reason that GitLab gives for it.

Reasons are those of `failure_reason` in the jobs API, and `config_error` of a pipeline.
"""

from collections.abc import Mapping
from typing import Final

from callboard.i18n import Text, Translator

_ = Translator("ci_tekton")

_RUNNER: Final = _("The runner failed, not the job. Try it again; look at the runner's own log.")
_REFUSED: Final = _("GitLab did not let the job run. Try it again, or ask who runs GitLab.")
_DOWNSTREAM: Final = _(
    "The pipeline it starts could not be made. Check the project and the branch named by trigger, "
    "and that who started this one may run pipelines there."
)

HINTS: Final[Mapping[str, Text]] = {
    "script_failure": _("A command of the script failed: its log says which, near the end."),
    "config_error": _("Its configuration is not valid: mend .gitlab-ci.yml as the message says."),
    "job_execution_timeout": _(
        "The job took longer than its timeout. Make it shorter, or raise timeout of the job, the "
        "project or the runner."
    ),
    "stuck_or_timeout_failure": _(
        "No runner took the job, or it stopped answering. Check that a runner with all tags of the "
        "job is online."
    ),
    "no_matching_runner": _("No runner has all tags of the job. Add one, or correct the tags."),
    "runner_system_failure": _RUNNER,
    "runner_provisioning_failure": _RUNNER,
    "runner_unsupported": _("The runner is too old for what the job asks. Upgrade the runner."),
    "missing_dependency_failure": _(
        "Artifacts it needs are not there: the job that makes them failed, or they have expired."
    ),
    "unmet_prerequisites": _("What its environment needs, such as a cluster, could not be set up."),
    "stale_schedule": _("A delayed job could not be started in time. Start it again."),
    "archived_failure": _("The pipeline is too old to be run again. Start a new one."),
    "forward_deployment_failure": _(
        "A newer deployment to the same environment went first, so this one was prevented."
    ),
    "failed_outdated_deployment_job": _(
        "A newer deployment to the same environment went first, so this one was prevented."
    ),
    "protected_environment_failure": _(
        "Who started it may not deploy to this protected environment."
    ),
    "environment_creation_failure": _("The environment could not be made: check its name."),
    "deployment_rejected": _("The deployment was rejected by who had to approve it."),
    "ci_quota_exceeded": _("The compute minutes of the group or person are used up."),
    "trace_size_exceeded": _("The log grew too long. Have the script write less."),
    "secrets_provider_not_found": _("The provider of its secrets is not set up: check id_tokens "
                                    "and the variables of the provider."),
    "user_blocked": _("Who started it is blocked in GitLab. Have somebody else start it."),
    "builds_disabled": _("CI/CD is switched off in this project."),
    "api_failure": _REFUSED,
    "scheduler_failure": _REFUSED,
    "data_integrity_failure": _REFUSED,
    "unknown_failure": _REFUSED,
    "insufficient_bridge_permissions": _DOWNSTREAM,
    "downstream_bridge_project_not_found": _DOWNSTREAM,
    "invalid_bridge_trigger": _DOWNSTREAM,
    "downstream_pipeline_creation_failed": _DOWNSTREAM,
    "upstream_bridge_project_not_found": _DOWNSTREAM,
    "pipeline_loop_detected": _("Pipelines start each other in a circle: break it."),
    "reached_max_descendant_pipelines_depth": _("Child pipelines may be two deep at most."),
    "reached_max_pipeline_hierarchy_size": _(
        "Pipelines that start each other have become too many for one tree."
    ),
}  # fmt: skip


def hint_of(reason: str) -> Text:
    """Give what to do, empty for a reason that is not known."""
    return HINTS.get(reason, "")
