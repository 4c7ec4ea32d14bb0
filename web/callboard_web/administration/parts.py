"""What administration adds to the sidebar, and its rights."""

from typing import Final

from callboard.contributions import Act, NavItem, Permission
from callboard.i18n import Text, Translator
from callboard_web.parts import Part

_: Final = Translator("callboard")


def _item(
    name: str, title: Text, icon: str, order: int, permission: str = "", letter: str = ""
) -> NavItem:
    return NavItem(
        name=name, title=title, path=f"/{name}", icon=icon, section="administer", order=order,
        permission=permission, letter=letter,
    )  # fmt: skip


PART: Final = Part(
    navigation=(
        _item("watchers", _("Watchers"), "eye", 35, "portal.health.read"),
        _item("health", _("Health"), "live", 50, "portal.health.read", "l"),
        _item("settings", _("Settings"), "set", 60, "portal.settings.read", "i"),
        _item("about", _("About"), "box", 70),
    ),
    acts=(
        Act(
            name="health", title=_("Check the health of the portal"), path="/health", icon="live",
            words=_("status database disk workers"), permission="portal.health.read",
        ),
    ),
    permissions=(
        Permission(
            name="portal.settings.read",
            title=_("See the settings, without secrets"),
            role="auditor",
        ),
        Permission(
            name="portal.health.read", title=_("See how the portal fares"), role="maintainer"
        ),
        Permission(name="portal.job.run", title=_("Run jobs now and again"), role="maintainer"),
        Permission(name="portal.job.cancel", title=_("Cancel runs that wait"), role="maintainer"),
    ),
)  # fmt: skip
