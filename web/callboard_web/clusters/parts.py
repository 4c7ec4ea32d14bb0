"""What clusters add to the portal: their page."""

from typing import Final

from callboard.contributions import Act, NavItem
from callboard.i18n import Translator
from callboard_web.parts import Part

_: Final = Translator("callboard")

READ: Final = "portal.health.read"

PART: Final = Part(
    navigation=(
        NavItem(
            name="clusters",
            title=_("Clusters"),
            path="/clusters",
            icon="os",
            section="administer",
            order=17,
            permission=READ,
        ),
    ),
    acts=(
        Act(
            name="clusters",
            title=_("See how clusters fare"),
            path="/clusters",
            icon="os",
            words=_("kubernetes watch lag reconnect"),
            permission=READ,
        ),
    ),
)
