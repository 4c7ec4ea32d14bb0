"""Tokens in words: how one stands, and with which entities it works."""

from collections.abc import Mapping
from typing import Final

from callboard.access.settings import SelectorSettings
from callboard.i18n import Text, Translator
from callboard_web.tokens.service import State

_ = Translator("callboard")

STATES: Final[Mapping[State, tuple[str, Text]]] = {
    "active": ("ok", _.context("token", "Good")),
    "expiring": ("warn", _.context("token", "Ends soon")),
    "expired": ("skip", _.context("token", "Ended")),
    "revoked": ("skip", _.context("token", "Revoked")),
}
FILTERS: Final[Mapping[str, Text]] = {
    "": _("All"),
    "active": _.context("token", "Good"),
    "expiring": _.context("token", "Ends soon"),
    "unused": _.context("token", "Unused"),
    "expired": _.context("token", "Ended"),
    "revoked": _.context("token", "Revoked"),
}
FIELDS: Final[Mapping[str, Text]] = {
    "entity": _("Entities"),
    "system": _("Systems"),
    "domain": _("Domains"),
    "owner": _("Owners"),
    "kind": _("Kinds"),
    "type": _("Types"),
    "namespace": _("Namespaces"),
    "tag": _("Tags"),
    "environment": _("Environments"),
}
"""The fields of a selector, in the order people think of them."""


def narrowed(on: SelectorSettings) -> list[tuple[Text, str]]:
    """Give what a selector asks for: names of fields with their values; nothing for everything."""
    given = [
        (title, ", ".join(getattr(on, name))) for name, title in FIELDS.items() if getattr(on, name)
    ]
    return [*given, (_("What the owner of the token owns"), "")] if on.owned else given
