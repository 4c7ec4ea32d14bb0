"""The roles that are there without being configured, and what everyone has of them."""

from collections.abc import Iterable, Mapping
from typing import Final, get_args

from callboard.access.model import Binding, Role
from callboard.i18n import Text, Translator
from callboard.identity import DefaultRole, Permission, Selector

_ = Translator("callboard")

ABOVE: Final[Mapping[str, tuple[str, ...]]] = {
    "viewer": ("viewer",),
    "developer": ("viewer", "developer"),
    "maintainer": ("viewer", "developer", "maintainer"),
    "security": ("viewer", "auditor", "security"),
    "auditor": ("viewer", "auditor"),
}
"""The levels of permissions that each default role has."""

TITLES: Final[Mapping[str, Text]] = {
    "viewer": _("Viewer"),
    "developer": _("Developer"),
    "maintainer": _("Maintainer"),
    "security": _("Security"),
    "auditor": _("Auditor"),
    "administrator": _("Administrator"),
}

DESCRIPTIONS: Final[Mapping[str, Text]] = {
    "viewer": _("Sees what is there."),
    "developer": _("Acts on entities: given on what one's own teams own, unless bound otherwise."),
    "maintainer": _("Keeps sources, jobs and plugins going."),
    "security": _("Sees what auditors see, revokes tokens, ends sessions, deactivates accounts."),
    "auditor": _("Reads the audit log, policies and settings; explains what others may do."),
    "administrator": _("May do everything, also give roles."),
}

BUILT_IN: Final = _("built in")


def default_roles(permissions: Iterable[Permission]) -> dict[str, Role]:
    """Give the default roles, of all permissions that are declared."""
    declared = list(permissions)
    roles = {}
    for name in get_args(DefaultRole):
        levels = ABOVE.get(name)
        named = (
            ("*",)
            if levels is None
            else tuple(sorted(item.name for item in declared if item.role in levels))
        )
        roles[name] = Role(
            name=name,
            permissions=named,
            title=TITLES[name],
            description=DESCRIPTIONS[name],
            source=BUILT_IN,
        )
    return roles


DEFAULT_BINDINGS: Final = (
    Binding(role="viewer", subjects=frozenset({"signed-in"}), source=BUILT_IN),
    Binding(
        role="developer",
        subjects=frozenset({"signed-in"}),
        on=Selector(owned=True),
        source=BUILT_IN,
    ),
)
"""Everyone signed in sees everything and acts on what they or their groups own."""
