"""Which projects are read and how that goes: a page of them all, and a note on entities' pages."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlencode

from sqlalchemy import Connection, Row, select

from callboard.contributions import Fragment, PageContext, Status
from callboard.i18n import Text, Translator
from callboard_ci_tekton.crumbs import PIPELINES
from callboard_ci_tekton.gitlab.projects import PREFIX
from callboard_ci_tekton.models import claim, project, selector

if TYPE_CHECKING:
    from callboard.host import Host

_ = Translator("ci_tekton")

PERMISSION: Final = "ci_tekton.project.read"
PAGE: Final = 100
WORDS: Final[Mapping[str, tuple[Status, Text]]] = {
    "new": ("wait", _("Not read yet")),
    "read": ("ok", _("Read")),
    "failed": ("bad", _("Cannot be read")),
    "off": ("skip", _("CI/CD is switched off")),
    "late": ("warn", _("Does not answer")),
}


def word_of(row: Any) -> str:
    """Give the word of a project's state; `late` where only its host is the reason."""
    return "late" if row.failing_since is not None and row.state != "failed" else str(row.state)


def troubles_of(host: "Host", connection: Connection, ref: str) -> Sequence[Row[Any]]:
    """Give the projects of an entity that could not be read the last time."""
    if not host.settings.gitlab.enabled:
        return ()
    asked = select(selector.c.key).where(selector.c.entity == ref)
    claimed = select(claim.c.key).where(claim.c.entity == ref)
    keys = connection.execute(asked.union(claimed)).scalars()
    addresses = [key.removeprefix(PREFIX) for key in keys if key.startswith(PREFIX)]
    query = select(project).where(
        project.c.address.in_(addresses), project.c.failing_since.is_not(None)
    )
    return connection.execute(query.order_by(project.c.path)).all()


def draw_projects(context: PageContext) -> Fragment:
    """All projects whose pipelines are read, those in trouble alone if it is asked for."""
    failing, after = context.query.get("show") == "failing", context.query.get("after", "")[:20]
    query = select(project).order_by(project.c.id).limit(PAGE + 1)
    if failing:
        query = query.where(project.c.failing_since.is_not(None))
    if after.isdecimal() and int(after) < 2**31:
        query = query.where(project.c.id > int(after))
    with context.host.read() as connection:
        rows = connection.execute(query).all()
    shown = {"show": "failing"} if failing else {}
    following = ""
    if len(rows) > PAGE:
        following = f"/ci_tekton/gitlab?{urlencode({**shown, 'after': str(rows[PAGE - 1].id)})}"
    return Fragment(
        template="ci_tekton/gitlab.html",
        crumbs=(PIPELINES,),
        styles=("ci_tekton/lists.css",),
        context={
            "rows": rows[:PAGE],
            "words": WORDS,
            "word_of": word_of,
            "failing": failing,
            "following": following,
            "first": f"/ci_tekton/gitlab?{urlencode(shown)}" if after else "",
            "enabled": context.host.settings.gitlab.enabled,
        },
    )
