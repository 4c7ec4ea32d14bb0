"""Entries of the audit log in people's words."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import orjson

from callboard.audit import AuditEntry
from callboard.entities import EntityRef
from callboard.errors import InputError
from callboard.i18n import Text, Translator
from callboard.identity import Permission
from callboard_web.formats import entity_url
from callboard_web.history.differences import Difference, difference

_: Final = Translator("callboard")

MOST_CHANGES: Final = 3
LONGEST_VALUE: Final = 60

ACTIONS: Final[Mapping[str, Text]] = {
    "audit.entry.forward": _("Send the audit log elsewhere"),
    "audit.log.checkpoint": _("Write a checkpoint of the audit log"),
    "audit.log.prune": _("Remove old entries of the audit log"),
    "audit.log.verify": _("Verify the audit log"),
    "catalog.entity.delete": _("Delete an entity"),
    "catalog.location.refresh": _("Read a location again"),
    "catalog.location.update": _("Change a location"),
    "catalog.source.add": _("Add a source"),
    "catalog.source.remove": _("Remove a source"),
    "portal.access.flood": _("Try very many things at once"),
    "portal.account.update": _("Renew what is known of a person"),
    "portal.database.upgrade": _("Upgrade the tables"),
    "portal.session.end": _("Sign out"),
    "portal.session.failed": _("Fail to sign in"),
    "portal.session.start": _("Sign in"),
    "portal.settings.change": _("Change the settings"),
    "portal.usage.forget": _("Delete what is kept of one's looks"),
    "portal.usage.hide": _("Keep one's name from owners again"),
    "portal.usage.show": _("Let owners see that one looked"),
    "portal.webhook.deliver": _("Deliver to a webhook"),
}
"""Actions that are no permissions of their own."""

KINDS: Final[Mapping[str, Text]] = {"token": _("token"), "workload": _("workload")}
"""Kinds of actors that are told beside their name; a person needs no words."""

NAMELESS: Final[Mapping[str, Text]] = {
    "system": _("The portal itself"),
    "anonymous": _("Not signed in"),
}
"""Actors of which there is only one."""

RESULTS: Final[Mapping[str, Text]] = {
    "ok": _.context("audit", "Done"),
    "denied": _.context("audit", "Refused"),
    "failed": _.context("audit", "Failed"),
}
RESULT_STATUS: Final = {"ok": "ok", "denied": "block", "failed": "bad"}


@dataclass(frozen=True, slots=True)
class Named:
    """Someone or something as a page shows it; `path` leads to its page, if it has one."""

    text: Text
    path: str = ""
    kind: Text = ""


@dataclass(frozen=True, slots=True)
class Change:
    """One value that was changed; None where there was none."""

    key: str
    before: str | None
    after: str | None


@dataclass(frozen=True, slots=True)
class Line:
    """An entry as the list shows it; `more` counts the changes that are left out."""

    entry: AuditEntry
    actor: Named
    on_behalf_of: Named | None
    action: Text
    subject: Named
    changes: tuple[Change, ...]
    more: int


class Wording:
    """Puts entries into words, with the titles of the entities among them."""

    def __init__(
        self, permissions: Mapping[str, Permission], titles: Mapping[EntityRef, str]
    ) -> None:
        self._permissions = permissions
        self._titles = titles

    def line(self, entry: AuditEntry) -> Line:
        found = changes(entry)
        return Line(
            entry,
            self.actor(entry.actor),
            self.actor(entry.on_behalf_of) if entry.on_behalf_of else None,
            self.action(entry.action),
            self.subject(entry.subject),
            tuple(found[:MOST_CHANGES]),
            max(len(found) - MOST_CHANGES, 0),
        )

    def action(self, name: str) -> Text:
        """Give the words for an action: its own, or those of the permission of that name."""
        if name in ACTIONS:
            return ACTIONS[name]
        declared = self._permissions.get(name)
        return declared.title if declared else name

    def actor(self, written: str) -> Named:
        kind, _colon, name = written.partition(":")
        if kind in NAMELESS:
            return Named(NAMELESS[kind])
        found = self.subject(name)
        return Named(found.text or kind, found.path, KINDS.get(kind, ""))

    def subject(self, written: str) -> Named:
        ref = reference(written)
        if ref is None or ref not in self._titles:
            return Named(written)
        return Named(self._titles[ref] or ref.name, entity_url(ref))


def references(entries: Iterable[AuditEntry]) -> set[EntityRef]:
    """Give the entities that entries may be about, or be done by."""
    texts = {
        text
        for entry in entries
        for text in (
            entry.subject,
            entry.actor.partition(":")[2],
            entry.on_behalf_of.partition(":")[2],
        )
    }
    return {ref for text in texts if (ref := reference(text)) is not None}


def reference(text: str) -> EntityRef | None:
    """Read a whole reference, `kind:namespace/name`; None for anything else."""
    if ":" not in text or "/" not in text:
        return None
    try:
        return EntityRef.parse(text)
    except InputError:
        return None


def changes(entry: AuditEntry) -> list[Change]:
    """Give what differs between before and after, by keys such as `access.roles[0]`."""
    before, after = dict(_flat(entry.before)), dict(_flat(entry.after))
    keys = sorted(key for key in {**before, **after} if before.get(key) != after.get(key))
    return [Change(key, _short(before.get(key)), _short(after.get(key))) for key in keys]


def compared(entry: AuditEntry) -> Difference:
    """Compare before and after line by line, each line a key and its value."""
    return difference(_lines(entry.before), _lines(entry.after))


def _lines(value: Any) -> str:
    # Of a text with line ends each line is one of its own.
    return "\n".join(f"{key}: {text}" if key else text for key, text in _flat(value))


def _flat(value: Any, key: str = "") -> Iterable[tuple[str, str]]:
    if value is None and not key:
        return
    if isinstance(value, Mapping) and value:
        for name, item in sorted(value.items()):
            yield from _flat(item, f"{key}.{name}" if key else str(name))
    elif isinstance(value, list) and value:
        for index, item in enumerate(value):
            yield from _flat(item, f"{key}[{index}]")
    else:
        yield key, value if isinstance(value, str) else orjson.dumps(value).decode()


def _short(text: str | None) -> str | None:
    if text is None or len(text) <= LONGEST_VALUE:
        return text
    return f"{text[:LONGEST_VALUE]}…"
