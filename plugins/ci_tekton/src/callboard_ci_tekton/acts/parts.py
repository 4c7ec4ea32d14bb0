"""What acting on runs adds to the portal: start, again, retry, cancel, release, approve."""

from typing import Final

from callboard.contributions import ClusterRule, DemoPart, Page, Permission, Waiting
from callboard.i18n import Translator
from callboard_ci_tekton.acts import views
from callboard_ci_tekton.acts.approvals import watch as watch_approvals
from callboard_ci_tekton.acts.demo import prepare
from callboard_ci_tekton.acts.offering import waiting_approvals
from callboard_ci_tekton.acts.pipelines import watch as watch_pipelines
from callboard_ci_tekton.parts import Part

_ = Translator("ci_tekton")

RULES: Final = (
    ClusterRule(
        name="start",
        group="tekton.dev",
        resources=("pipelineruns",),
        verbs=("get", "create"),
        why=_("Starts runs, and repeats them."),
        optional=True,
    ),
    ClusterRule(
        name="stop",
        group="tekton.dev",
        resources=("pipelineruns",),
        verbs=("get", "patch"),
        why=_("Ends runs, and lets held ones begin."),
        optional=True,
    ),
    ClusterRule(
        name="approvals",
        group="openshift-pipelines.org",
        resources=("approvaltasks",),
        verbs=("get", "list", "watch"),
        why=_("Shows what waits for an approval."),
        optional=True,
    ),
    ClusterRule(
        name="approve",
        group="openshift-pipelines.org",
        resources=("approvaltasks",),
        verbs=("get", "patch"),
        why=_("Answers approvals for people."),
        optional=True,
    ),
    ClusterRule(
        name="approve_as_person",
        group="",
        resources=("users",),
        verbs=("impersonate",),
        why=_("Answers approvals in the name of these people, in whatever they may do."),
        optional=True,
        namespaced=False,
        named=lambda host: host.settings.acts.approvals.acts_as_people,
    ),
    ClusterRule(
        name="approve_as_team",
        group="",
        resources=("groups",),
        verbs=("impersonate",),
        why=_("Answers approvals as a member of these groups, in whatever they may do."),
        optional=True,
        namespaced=False,
        named=lambda host: host.settings.acts.approvals.acts_as_teams,
    ),
)
PAGES: Final = (
    Page(
        name="start",
        title=_("Start a run"),
        path="start",
        render=views.draw_start,
        submit=views.submit_start,
        permission="ci_tekton.run.start",
    ),
    Page(
        name="act",
        title=_("Act on a run"),
        path="runs/{id}/acts",
        render=views.draw_act,
        submit=views.submit_act,
        permission="ci_tekton.run.read",
    ),
)
WAITING: Final = (
    Waiting(
        name="approvals",
        title=_("Approvals"),
        read=waiting_approvals,
        permission="ci_tekton.run.approve",
    ),
)
PERMISSIONS: Final = tuple(
    Permission(name=f"ci_tekton.run.{act}", title=title, role="developer", about="entity")
    for act, title in (
        ("start", _("Start pipelines for entities")),
        ("rerun", _("Run pipelines again")),
        ("retry", _("Try runs again that failed")),
        ("cancel", _("End runs")),
        ("release", _("Let held runs begin")),
        ("approve", _("Answer approvals of runs")),
    )
)
PART: Final = Part(
    cluster_watches=(watch_pipelines(), watch_approvals()),
    cluster_rules=RULES,
    pages=PAGES,
    waiting=WAITING,
    demo_parts=(DemoPart(name="approvals", prepare=prepare),),
    permissions=PERMISSIONS,
)
