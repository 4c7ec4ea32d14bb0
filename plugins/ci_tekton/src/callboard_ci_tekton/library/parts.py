"""What the pipeline library adds to the portal."""

from typing import Final

from callboard.contributions import ClusterRule, Page, Permission
from callboard.i18n import Translator
from callboard_ci_tekton.library import views
from callboard_ci_tekton.library.installed import watch
from callboard_ci_tekton.parts import Part

_ = Translator("ci_tekton")

RULES: Final = (
    ClusterRule(
        name="library",
        group="tekton.dev",
        resources=("tasks", "pipelines"),
        verbs=("get", "create", "patch"),
        why=_("Installs tasks and pipelines of the library."),
        optional=True,
    ),
    ClusterRule(
        name="library_account",
        group="",
        resources=("serviceaccounts",),
        verbs=("get", "create", "patch"),
        why=_("Installs the service account of the library, which has no rights."),
        optional=True,
    ),
)
PAGES: Final = (
    Page(
        name="library",
        title=_("Pipeline library"),
        path="library",
        render=views.draw_library,
        permission="ci_tekton.run.read",
    ),
    Page(
        name="library_item",
        title=_("Pipeline library"),
        path="library/{name}",
        render=views.draw_item,
        submit=views.submit_item,
        permission="ci_tekton.run.read",
    ),
)
PERMISSIONS: Final = (
    Permission(
        name="ci_tekton.library.install",
        title=_("Install pipelines of the library into clusters"),
        role="maintainer",
    ),
)
PART: Final = Part(
    cluster_watches=(watch(),), cluster_rules=RULES, pages=PAGES, permissions=PERMISSIONS
)
