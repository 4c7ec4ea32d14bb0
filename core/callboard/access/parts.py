"""What access adds to the portal: its own permissions, and the job that reads policies."""

from collections.abc import Callable
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from callboard.access.settings import AccessSettings
from callboard.contributions import Job, JobContext, Permission
from callboard.i18n import Translator

if TYPE_CHECKING:
    from callboard.access.sources import SourceReader

_ = Translator("callboard")

READ_POLICY: Final = "access.policy.read"
CHANGE_POLICY: Final = "access.policy.change"
EXPLAIN_OTHERS: Final = "access.decision.explain"

PERMISSIONS: Final = (
    Permission(
        name=READ_POLICY,
        title=_("See roles, bindings and where they come from"),
        description=_("What one has oneself, everyone signed in may see without it."),
        role="auditor",
    ),
    Permission(
        name=CHANGE_POLICY,
        title=_("Make and change roles and bindings"),
        description=_("Who may do this can give themselves everything else."),
    ),
    Permission(
        name=EXPLAIN_OTHERS,
        title=_("See what somebody else may do, and why"),
        description=_("Each look at somebody else is written to the audit log."),
        role="auditor",
    ),
)


def policy_job(settings: AccessSettings, reader: "Callable[[], SourceReader]") -> Job:
    """Give the job that reads policies from folders and repositories; `reader` makes what does."""

    def run(context: JobContext) -> None:
        reader().read_all()

    return Job(
        name="policies",
        title=_("Read policies from folders and repositories"),
        run=run,
        every=settings.refresh,
        timeout=timedelta(minutes=10),
        quiet=True,
    )
