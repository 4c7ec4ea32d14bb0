"""What the audit log adds to the sidebar and the palette, and its rights."""

from typing import Final

from callboard.contributions import Act, NavItem, Permission
from callboard.i18n import Translator
from callboard_web.parts import Part

_: Final = Translator("callboard")

READ: Final = "audit.entry.read"
EXPORT: Final = "audit.entry.export"

PART: Final = Part(
    navigation=(
        NavItem(
            name="audit", title=_("Audit log"), path="/audit", icon="audit", section="administer",
            order=48, permission=READ, letter="u",
        ),
    ),
    acts=(
        Act(
            name="audit", title=_("Look up who did what"), path="/audit", icon="audit",
            words=_("audit security history refused denied sign-in"), permission=READ,
        ),
    ),
    permissions=(
        Permission(name=READ, title=_("Read the audit log"), role="auditor"),
        Permission(name=EXPORT, title=_("Export the audit log"), role="auditor"),
    ),
)  # fmt: skip
