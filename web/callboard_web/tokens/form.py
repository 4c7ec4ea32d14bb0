"""The form of a new token: what is offered, and what was chosen."""

import re
import secrets
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final

from pydantic import ValidationError

from callboard.access.settings import SelectorSettings
from callboard.i18n import Text, Translator
from callboard.identity import Permission
from callboard_web.forms import Form
from callboard_web.tokens.scopes import unknown
from callboard_web.tokens.service import LONGEST_NAME, LONGEST_PURPOSE, Wish
from callboard_web.tokens.settings import TokensSettings
from callboard_web.tokens.words import FIELDS

_ = Translator("callboard")

DAYS: Final = (1, 7, 30, 90, 180, 365)
HOURS: Final = (0, 1, 24, 72, 168)
MOST_RATE: Final = 100_000
EXAMPLES: Final[Mapping[str, str]] = {
    "entity": "component:default/shop",
    "system": "checkout",
    "domain": "payments",
    "owner": "team-a",
    "kind": "component, api",
    "type": "service",
    "namespace": "default",
    "tag": "pci",
    "environment": "production",
}
_FORM: Final = re.compile(r"[A-Za-z0-9_-]{32}")
_SEPARATORS: Final = re.compile(r"[\s,，、]+")


def first(settings: TokensSettings) -> Form:
    """Give the form as it is first shown."""
    return Form.of(
        {
            "days": str(settings.default_age.days or 1),
            "where": "all",
            "form": secrets.token_urlsafe(24),
        }
    )


def ages(settings: TokensSettings) -> Sequence[tuple[str, Text]]:
    """Give the lengths of life that are offered, in days."""
    most = settings.maximum_age.days or 1
    days = sorted({day for day in (*DAYS, settings.default_age.days, most) if 1 <= day <= most})
    return [(str(day), _.plural("%(number)s day", "%(number)s days", day)) for day in days]


def overlaps(settings: TokensSettings) -> Sequence[tuple[str, Text]]:
    """Give how long an old secret may go on, in hours."""
    most = int(settings.maximum_overlap.total_seconds() // 3600)
    words = {
        0: _("Not at all"),
        1: _("1 hour"),
        24: _("1 day"),
        72: _("3 days"),
        168: _("7 days"),
    }
    return [(str(hours), words[hours]) for hours in HOURS if hours <= most]


def read_wish(
    form: Form,
    settings: TokensSettings,
    now: datetime,
    offered: Iterable[Permission],
    *,
    rate: bool,
) -> Wish | None:
    """Give what was asked for; None, with faults in the form, where it cannot be.

    `offered` are the permissions that may be chosen, `rate` whether a rate may be.
    """
    names = form.all("permission")
    if not form["name"] or len(form["name"]) > LONGEST_NAME or not form["name"].isprintable():
        form.faults["name"] = _("Write a name of at most %(most)s characters.", most=LONGEST_NAME)
    if len(form["purpose"]) > LONGEST_PURPOSE:
        form.faults["purpose"] = _("Write at most %(most)s characters.", most=LONGEST_PURPOSE)
    if not names or unknown(names, {item.name: item for item in offered}):
        form.faults["permission"] = _("Choose what it may do.")
    expires_at = end_of(form, settings, now)
    selector = _selector(form)
    wanted_rate = _rate(form) if rate else None
    key = form["form"] if _FORM.fullmatch(form["form"]) else secrets.token_urlsafe(24)
    if form.faults:
        return None
    return Wish(
        name=form["name"],
        purpose=form["purpose"],
        permissions=names,
        selector=selector,
        expires_at=expires_at,
        rate=wanted_rate,
        form=key,
    )


def end_of(form: Form, settings: TokensSettings, now: datetime) -> datetime:
    """Give when it shall end; a fault where that is not offered."""
    if form["days"] not in dict(ages(settings)):
        form.faults["days"] = _("Choose how long it is good.")
        return now
    return now + timedelta(days=int(form["days"]))


def overlap_of(form: Form, settings: TokensSettings) -> timedelta:
    """Give how long the old secret goes on; a fault where that is not offered."""
    if form["hours"] not in dict(overlaps(settings)):
        form.faults["hours"] = _("Choose how long the old secret goes on.")
        return timedelta(0)
    return timedelta(hours=int(form["hours"]))


def _selector(form: Form) -> SelectorSettings:
    if form["where"] == "owned":
        return SelectorSettings(owned=True)
    if form["where"] != "chosen":
        return SelectorSettings()
    found: dict[str, list[str]] = {}
    for name in FIELDS:
        values = [item for item in _SEPARATORS.split(form[name]) if item]
        if not values:
            continue
        try:
            found |= {name: getattr(SelectorSettings.model_validate({name: values}), name)}
        except ValidationError:
            form.faults[name] = _(
                "%(field)s: write them like %(example)s.",
                field=FIELDS[name], example=EXAMPLES[name],
            )  # fmt: skip
    if not found and not form.faults.keys() & FIELDS.keys():
        form.faults["where"] = _("Say with which entities, or choose all of them.")
    return SelectorSettings.model_validate(found)


def _rate(form: Form) -> int | None:
    if not form["rate"]:
        return None
    if not form["rate"].isdecimal() or not 1 <= int(form["rate"][:9]) <= MOST_RATE:
        form.faults["rate"] = _("Write a number from 1 to %(most)s.", most=MOST_RATE)
        return None
    return int(form["rate"])


def values_of(form: Form) -> Mapping[str, bool]:
    """Give which permissions are checked."""
    return dict.fromkeys(form.all("permission"), True)
