"""Who a binding is for: names in words, looking somebody up, and asking as them."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from callboard.access.settings import subject_name
from callboard.entities import EntityRef
from callboard.errors import InputError
from callboard.i18n import Text, Translator
from callboard.identity import NOBODY, Principal, PrincipalKind, Subject, acting_for
from callboard_web.organisation.models import Organisation, Party, read_organisation
from callboard_web.organisation.names import sort_key
from callboard_web.portal import Portal

_: Final = Translator("callboard")

SUGGESTED: Final = 12

GENERAL: Final[Mapping[str, tuple[str, Text]]] = {
    "everyone": ("globe", _("Everyone, signed in or not")),
    "signed-in": ("users", _("Everyone signed in")),
    "anonymous": ("globe", _("Everyone who has not signed in")),
}

SORTS: Final[Mapping[str, tuple[str, Text]]] = {
    "service": ("srv", _("service account")),
    "provider-group": ("users", _("group of the provider")),
    "workload": ("pipe", _("workload")),
    "token": ("lock", _("token")),
    "person": ("user", _("account")),
    "local": ("lock", _("local account")),
}
"""What stands before the colon of a subject's name."""

_KINDS: Final[Mapping[str, PrincipalKind]] = {
    "token": "token", "workload": "workload", "service": "token", "person": "person",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Named:
    """A subject as a page shows it. `what` says what sort of name it is, `ref` leads to it."""

    name: str
    title: Text
    icon: str
    what: Text = ""
    ref: EntityRef | None = None


class Directory:
    """The people and groups of the catalog, whoever asks: policies name them whoever sees them."""

    def __init__(self, portal: Portal) -> None:
        catalog = portal.runtime.catalog
        with acting_for(None):
            self.organisation: Organisation = catalog.cached(
                ("organisation", "parties"), read_organisation
            )

    def title(self, ref: str) -> str:
        """Give the title of a person or group; empty where the catalog has none."""
        organisation = self.organisation
        party = organisation.groups.get(ref) or organisation.people.get(ref)
        return party.title if party else ""

    def named(self, name: str) -> Named:
        """Give a subject of a binding in words."""
        if name in GENERAL:
            icon, title = GENERAL[name]
            return Named(name, title, icon)
        ref = _reference(name)
        if ref:
            icon = "user" if ref.kind == "user" else "users"
            found = self.title(str(ref))
            if found:
                return Named(name, found, icon, ref=ref)
            return Named(name, name, icon, _("not in the catalog"))
        sort, colon, rest = name.partition(":")
        if colon and rest and sort in SORTS:
            icon, what = SORTS[sort]
            return Named(name, rest, icon, what)
        return Named(name, name, "user")

    def all_named(self, names: Iterable[str]) -> list[Named]:
        """Give several, the general ones first, then by name."""
        return [self.named(name) for name in sorted(names, key=lambda n: (n not in GENERAL, n))]

    def suggest(self, text: str, limit: int = SUGGESTED) -> list[Named]:
        """Give those a text may mean: general names, groups, then people."""
        return [self.named(name) for name in self._matching(text.strip().casefold())[:limit]]

    def _matching(self, wanted: str) -> list[str]:
        general = [
            name
            for name, (_icon, title) in GENERAL.items()
            if wanted in name or wanted in str(title).casefold()
        ]
        return general + [
            item.ref
            for item in self._parties()
            if wanted in item.title.casefold()
            or wanted in item.ref
            or wanted in sort_key(item.title).replace(" ", "")
        ]

    def _parties(self) -> tuple[Party, ...]:
        return (*self.organisation.groups.values(), *self.organisation.people.values())

    def find(self, text: str) -> str:
        """Give the name of the subject a text means: a name as bindings use it, or a title.

        Raises `InputError` for what is nobody's or several people's.
        """
        wanted = text.strip()
        if wanted.casefold() in GENERAL:
            return wanted.casefold()
        if ":" in wanted:
            try:
                return subject_name(wanted)
            except ValueError as error:
                raise InputError(_("%(text)s is no name of a subject.", text=wanted[:80]),
                                 hint=str(error)) from None  # fmt: skip
        folded = wanted.casefold()
        exact = [
            item.ref
            for item in self._parties()
            if folded in (item.title.casefold(), item.ref.rpartition("/")[2])
        ]
        found = self._matching(folded) if folded else []
        if len(exact) == 1 or (not exact and len(found) == 1):
            return (exact or found)[0]
        if found:
            raise InputError(
                _("Several have %(text)s in their name: choose one.", text=wanted[:80])
            )
        raise InputError(
            _("Nobody is called %(text)s.", text=wanted[:80]),
            hint=_("Write a person, a team, or a name with its sort, such as service:deployer."),
        )

    def people(self, names: Iterable[str]) -> int:
        """Count the people of the catalog that these names mean, each once."""
        organisation = self.organisation
        found: set[str] = set()
        for name in names:
            if name in ("everyone", "signed-in"):
                return len(organisation.people)
            if name in organisation.groups:
                found |= organisation.everybody(name)
            elif name in organisation.people:
                found.add(name)
        return len(found)


def _reference(name: str) -> EntityRef | None:
    if name.partition(":")[0].lower() not in ("user", "group"):
        return None
    try:
        return EntityRef.parse(name)
    except InputError:
        return None


def subject_called(portal: Portal, directory: Directory, name: str) -> Subject:
    """Give a subject that has a name, with the groups above it, as it would ask.

    What only its provider knows of a person, such as further groups, is not part of it.
    """
    if name == "anonymous":
        return NOBODY
    title = str(directory.named(name).title)
    ref = _reference(name)
    if ref is None:
        sort, _colon, rest = name.partition(":")
        principal = Principal(kind=_KINDS.get(sort, "person"), name=rest or name)
        names = () if name in GENERAL else (name,)
        return Subject(principal=principal, title=title, names=names)
    mine = portal.personal.above((ref,))[1] or (ref,)
    if ref.kind == "user":
        principal = Principal(kind="person", name=str(ref), entity=ref)
    else:
        principal = Principal(kind="person", name=f"member of {ref}")
    return Subject(principal=principal, title=title, mine=mine)
