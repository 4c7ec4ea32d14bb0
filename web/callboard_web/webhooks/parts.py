"""What deliveries add to the portal: their page and the rights to it."""

from typing import Final

from callboard.contributions import NavItem, Permission
from callboard.i18n import Translator
from callboard_web.parts import Part

_: Final = Translator("callboard")

READ: Final = "portal.webhook.read"
REPLAY: Final = "portal.webhook.replay"

PART: Final = Part(
    navigation=(
        NavItem(
            name="deliveries",
            title=_("Deliveries"),
            path="/deliveries",
            icon="arrow",
            section="administer",
            order=15,
            letter="r",
            permission=READ,
        ),
    ),
    permissions=(
        Permission(
            name=READ, title=_("See webhooks and what was delivered to them"), role="maintainer"
        ),
        Permission(name=REPLAY, title=_("Work a delivery again"), role="maintainer"),
    ),
)
