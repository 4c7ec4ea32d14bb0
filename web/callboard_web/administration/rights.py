"""What is odd in who may do what: strangers who may more than look, and nobody who may all."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from callboard.i18n import Text, Translator
from callboard.identity import NOBODY
from callboard_web.sessions import SessionsSettings

if TYPE_CHECKING:
    from callboard_web.runtime import Runtime

_: Final = Translator("callboard")

NAMED: Final = 5


def oddities(runtime: "Runtime") -> Iterator[tuple[Text, Text, Text]]:
    """Give what is odd: what it is, what of it there is, and what to do."""
    access = runtime.services.access
    held = [
        item.name
        for item in access.permissions.values()
        if item.role != "viewer" and access.anywhere(NOBODY, item.name)
    ]
    if held:
        more = len(held) - NAMED
        named = ", ".join(sorted(held)[:NAMED]) + (f" (+{more})" if more > 0 else "")
        yield (
            _("Strangers may do more than look"),
            _("Without signing in: %(names)s", names=named),
            _("Set access.anonymous to viewer or leave it out, and look at bindings to everyone."),
        )
    with runtime.database.read() as connection:
        if access.has_administrator(connection):
            return
    chosen = runtime.settings.section(SessionsSettings)
    yield (
        _("Nobody is an administrator"),
        _("Only the local administrator for emergencies is.") if chosen.break_glass else "",
        _("Name people or groups in access.administrators."),
    )
