"""What registered locations add to the palette and to what has happened."""

from collections.abc import Mapping
from typing import Final

from callboard.contributions import Act, Activity, ActivityContext, ActivityItem
from callboard.i18n import Translator
from callboard_web.parts import Part

_: Final = Translator("callboard")

READ: Final = "catalog.location.read"
CREATE: Final = "catalog.location.create"
DELETE: Final = "catalog.location.delete"


def _told(context: ActivityContext) -> Mapping[int, ActivityItem]:
    texts = {
        "created": _("A location was registered"),
        "updated": _("A location leads elsewhere"),
        "deleted": _("A location was removed"),
    }
    return {
        event.id: ActivityItem(
            text=texts.get(event.kind.rpartition(".")[2], event.kind),
            path="/locations",
            detail=str(event.data.get("target", ""))[:300],
        )
        for event in context.events
    }


PART: Final = Part(
    acts=(
        Act(
            name="register", title=_("Register a location"), path="/register", icon="plus",
            words=_("add import component repository catalog-info"), permission=CREATE,
        ),
    ),
    activity=(
        Activity(
            name="locations", title=_("Locations"), kinds=("catalog.location.",),
            describe=_told, permission=READ,
        ),
    ),
)  # fmt: skip
