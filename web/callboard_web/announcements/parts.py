"""What announcements add to the sidebar and the palette, and their right."""

from typing import Final

from callboard.contributions import Act, NavItem, Permission
from callboard.i18n import Translator
from callboard_web.parts import Part

_: Final = Translator("callboard")

PART: Final = Part(
    navigation=(
        NavItem(
            name="announcements", title=_("Announcements"), path="/announcements", icon="bell",
            section="administer", order=45,
        ),
    ),
    acts=(
        Act(
            name="announce", title=_("Announce something"), path="/announcements/new", icon="bell",
            words=_("notice maintenance outage"), permission="portal.announcement.write",
        ),
    ),
    permissions=(
        Permission(name="portal.announcement.write", title=_("Announce something to everyone")),
    ),
)  # fmt: skip
