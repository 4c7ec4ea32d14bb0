"""Words for what the catalog names by a code: kinds, relations, problems."""

from collections.abc import Iterable, Mapping
from typing import Final

from callboard.i18n import Message, Text, Translator
from callboard.kinds import Kind
from callboard_catalog.descriptors.kinds import BUILT_IN_KINDS
from callboard_catalog.problems import Problem
from callboard_web.formats import KIND_ICONS
from callboard_web.translations import RELATIONS as TITLES_OF_RELATIONS

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
    "stale": _("Last good version"),
    "warning": _("Warning"),
}
PROBLEM_STATUS: Final = {
    "rejected": "bad",
    "conflict": "block",
    "dangling": "warn",
    "stale": "unknown",
    "warning": "warn",
}
_PROBLEM_ADVICE: Final[Mapping[str, Text]] = {
    "rejected": _("Correct the file at this line and push; the source is read again by itself."),
    "conflict": _("Give one of the two another name or namespace, or take one of them out."),
    "dangling": _("Correct the reference, or add the missing entity to a source."),
    "stale": _("Mend its file. Until then its page shows what it said last."),
    "warning": _("Nothing is lost. Correct it when you next change the file."),
}
_PUSHED_ADVICE: Final[Mapping[str, Text]] = {
    "rejected": _("Correct the document where it is made, and push it to this source again."),
    "stale": _("Push a version without faults. Until then its page shows what it said last."),
    "warning": _("Nothing is lost. Correct it before the next push."),
}


def problem_advice(problem: Problem) -> Text:
    """Say what whoever owns the document can do about a problem."""
    advice = _PUSHED_ADVICE.get(problem.kind) if problem.pushed else None
    return advice or _PROBLEM_ADVICE[problem.kind]


def relation_words(relation: str) -> Text:
    """Give the words of a relation; those of another than the well-known ones are found when they
    are shown, see `TranslationStore.relations`."""
    return RELATIONS.get(relation) or Message(TITLES_OF_RELATIONS, relation)


def relation_titles(kinds: Iterable[Kind]) -> dict[str, Text]:
    """Give the titles that kinds have for their relations, in both directions, by name."""
    found: dict[str, Text] = {}
    for relation in (relation for kind in kinds for relation in kind.relations):
        for name, title in (
            (relation.relation, relation.title),
            (relation.reverse, relation.reverse_title),
        ):
            if title and name not in RELATIONS:
                found.setdefault(name, title)
    return found


class Words:
    """The titles and icons of kinds, built-in and others, and the words of relations."""

    def __init__(self, others: Iterable[Kind]) -> None:
        self._kinds = {kind.name.lower(): kind for kind in (*BUILT_IN_KINDS, *others)}

    def title(self, kind: str) -> Text:
        """Give what one of the kind is called, such as `Component`."""
        known = self._kinds.get(kind.lower())
        return known.title if known else kind

    def plural(self, kind: str) -> Text:
        """Give what several of the kind are called, such as `Components`."""
        known = self._kinds.get(kind.lower())
        return (known.plural or known.title) if known else kind

    def icon(self, kind: str) -> str:
        """Give the name of the kind's icon."""
        known = self._kinds.get(kind.lower())
        own = known.icon if known else ""
        return own or KIND_ICONS.get(kind.lower(), "box")

    def relation(self, relation: str) -> Text:
        """Give what one says of a relation, such as `part of`."""
        return relation_words(relation)
