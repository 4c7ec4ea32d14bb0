"""Words for what the catalog names by a code: kinds, relations, problems."""

from collections.abc import Iterable, Mapping
from typing import Final

from callboard.i18n import Text, Translator
from callboard.kinds import Kind
from callboard_catalog.descriptors.kinds import BUILT_IN_KINDS

_: Final = Translator("callboard")

RELATIONS: Final[Mapping[str, Text]] = {
    "ownedBy": _("owned by"),
    "ownerOf": _("owns"),
    "partOf": _("part of"),
    "hasPart": _("contains"),
    "providesApi": _("provides"),
    "apiProvidedBy": _("provided by"),
    "consumesApi": _("consumes"),
    "apiConsumedBy": _("consumed by"),
    "dependsOn": _("depends on"),
    "dependencyOf": _("needed by"),
    "parentOf": _("parent of"),
    "childOf": _("child of"),
    "memberOf": _("member of"),
    "hasMember": _("has member"),
}
"""The well-known relations, read from this entity to the other one."""

RELATION_ORDER: Final = {name: index for index, name in enumerate(RELATIONS)}

STATUS_WORDS: Final[Mapping[str, Text]] = {
    "ok": _("Good"),
    "run": _("Running"),
    "wait": _("Waiting"),
    "pause": _("Paused"),
    "warn": _("Warning"),
    "bad": _("Failed"),
    "block": _("Blocked"),
    "unknown": _("Unknown"),
    "skip": _("Skipped"),
    "todo": _("Not started"),
}
"""What a mark without words beside it says to a screen reader."""

PROBLEM_KINDS: Final[Mapping[str, Text]] = {
    "rejected": _("Rejected"),
    "conflict": _("Conflict"),
    "dangling": _("Missing target"),
    "warning": _("Warning"),
}
PROBLEM_STATUS: Final = {
    "rejected": "bad",
    "conflict": "block",
    "dangling": "warn",
    "warning": "warn",
}
PROBLEM_ADVICE: Final[Mapping[str, Text]] = {
    "rejected": _("Correct the file at this line and push; the source is read again by itself."),
    "conflict": _("Give one of the two another name or namespace, or take one of them out."),
    "dangling": _("Correct the reference, or add the missing entity to a source."),
    "warning": _("Nothing is lost. Correct it when you next change the file."),
}


def relation_words(relation: str) -> Text:
    """Give the words of a relation; one that a plugin made stays as it is named."""
    return RELATIONS.get(relation, relation)


class Words:
    """The titles of kinds, built-in and contributed, and the words of relations."""

    def __init__(self, contributed: Iterable[Kind]) -> None:
        self._titles: dict[str, Text] = {
            kind.name.lower(): kind.title for kind in (*BUILT_IN_KINDS, *contributed)
        }

    def title(self, kind: str) -> Text:
        """Give what one of the kind is called, such as `Component`."""
        return self._titles.get(kind.lower(), kind)

    def relation(self, relation: str) -> Text:
        """Give what one says of a relation, such as `part of`."""
        return relation_words(relation)
