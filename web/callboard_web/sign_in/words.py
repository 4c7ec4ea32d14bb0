"""Words for what the resolver tried, in the language of the reader."""

from collections.abc import Mapping
from typing import Any, Final

from callboard.i18n import Text, Translator

_: Final = Translator("callboard")

RULES: Final[Mapping[str, Text]] = {
    "annotation": _("Annotation"),
    "email": _("E-mail address"),
    "username": _("User name"),
    "sub": _.context("claim", "Subject (sub)"),
}
OUTCOMES: Final[Mapping[str, tuple[str, Text]]] = {
    "matched": ("ok", _("Matched")),
    "nobody": ("skip", _("Nobody")),
    "several": ("bad", _("Several")),
    "no-claim": ("skip", _("No such claim")),
    "unproven": ("warn", _("Not proven")),
    "untrusted": ("skip", _("Not trusted")),
    "no-annotation": ("skip", _("Not set up")),
}


def said_of(step: Mapping[str, Any]) -> Text:
    """Say what one step tried and what came of it. `step` is as `resolver.Step.plain` gives it."""
    outcome = step.get("outcome")
    field, value = str(step.get("field", "")), str(step.get("value", ""))
    if outcome == "no-claim":
        return _("The claim %(claim)s did not come, or is no plain text.", claim=field)
    if outcome == "unproven":
        return _("%(value)s came without email_verified.", value=value)
    if outcome == "untrusted":
        return _(
            "User names of this provider do not stand for Users (trust_usernames); "
            "%(value)s was not looked for.",
            value=value,
        )
    if outcome == "no-annotation":
        return _("No annotation is set for this provider.")
    if outcome == "several":
        return _(
            "Several Users have %(value)s in %(field)s; none was guessed.",
            value=value, field=field,
        )  # fmt: skip
    if outcome == "matched":
        return _("The User with %(value)s in %(field)s.", value=value, field=field)
    return _("No User has %(value)s in %(field)s.", value=value, field=field)
