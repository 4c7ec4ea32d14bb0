"""What the pages of access add to the sidebar and the palette."""

from typing import Final

from callboard.contributions import Act, NavItem
from callboard.i18n import Translator
from callboard_web.parts import Part

_: Final = Translator("callboard")

PART: Final = Part(
    navigation=(
        NavItem(
            name="access", title=_("Access"), path="/access", icon="lock", section="administer",
            order=46, permission="access.policy.read",
        ),
    ),
    acts=(
        Act(
            name="my-access", title=_("See what I may do"), path="/me/access", icon="lock",
            words=_("permissions roles rights why not allowed forbidden"),
        ),
        Act(
            name="explain-access", title=_("Explain what somebody may do"), path="/access/explain",
            icon="lock", words=_("permissions rights why not allowed access"),
            permission="access.decision.explain",
        ),
        Act(
            name="give-role", title=_("Give a role"), path="/access/bindings/new", icon="lock",
            words=_("binding permissions team access grant"), permission="access.policy.change",
        ),
    ),
)  # fmt: skip
