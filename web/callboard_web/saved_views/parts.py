"""What saved views add to the portal."""

from collections.abc import Mapping
from typing import Final

from callboard import contributions as c
from callboard.i18n import Translator
from callboard_web.parts import Part
from callboard_web.saved_views.service import MANAGE, SHARE

_: Final = Translator("callboard")


def _describe(context: c.ActivityContext) -> Mapping[int, c.ActivityItem]:
    found = {}
    for event in context.events:
        name = event.data.get("name", "")
        texts = {
            "created": _("The view %(name)s was shared", name=name),
            "updated": _("The shared view %(name)s was changed", name=name),
            "deleted": _("The shared view %(name)s was deleted", name=name),
            "restored": _("The shared view %(name)s is there again", name=name),
        }
        what = event.kind.rpartition(".")[2]
        if what in texts:
            path = "" if what == "deleted" else f"/views/{event.subject.removeprefix('view:')}/open"
            found[event.id] = c.ActivityItem(text=texts[what], path=path)
    return found


PART: Final = Part(
    permissions=(
        c.Permission(name=SHARE, title=_("Share views of the catalog"), role="maintainer"),
        c.Permission(name=MANAGE, title=_("Change the views that others share")),
    ),
    activity=(
        c.Activity(
            name="views", title=_("Shared views"), kinds=("portal.view.",), describe=_describe
        ),
    ),
)
