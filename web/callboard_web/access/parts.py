"""What the pages of access add to the sidebar and the palette."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Final
from urllib.parse import quote

from callboard.contributions import Act, Activity, ActivityContext, ActivityItem, NavItem
from callboard.i18n import Message, Translator
from callboard_web.parts import Part

_: Final = Translator("callboard")

HAPPENED: Final[Mapping[str, Message]] = {
    "access.role.added": _("The role %(name)s was made"),
    "access.role.changed": _("The role %(name)s was changed"),
    "access.role.removed": _("The role %(name)s was removed"),
    "access.binding.added": _("Binding %(name)s was made"),
    "access.binding.changed": _("Binding %(name)s was changed"),
    "access.binding.removed": _("Binding %(name)s was removed"),
}


def _happened(context: ActivityContext) -> Mapping[int, ActivityItem]:
    found = {}
    for event in context.events:
        told = HAPPENED.get(event.kind)
        if told:
            name = event.subject.partition(":")[2]
            is_role = event.kind in ("access.role.added", "access.role.changed")
            found[event.id] = ActivityItem(
                text=replace(told, arguments=(("name", name),)),
                path=f"/access/role?name={quote(name, safe='')}" if is_role else "/access/bindings",
            )
    return found


PART: Final = Part(
    navigation=(
        NavItem(
            name="access", title=_("Access"), path="/access", icon="lock", section="administer",
            order=46, letter="x", permission="access.policy.read",
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
    activity=(
        Activity(
            name="access", title=_("Access"), kinds=("access.role.", "access.binding."),
            describe=_happened, permission="access.policy.read",
        ),
    ),
)  # fmt: skip
