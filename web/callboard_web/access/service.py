"""What somebody may do, and why: decisions of the portal with all that pages tell of them."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from callboard.access import Access, Binding, Considered, ConsideredLimit, Explanation, Role
from callboard.access.service import CHANGE, READ
from callboard.entities import Entity, EntityRef
from callboard.errors import InputError
from callboard.i18n import Text, Translator
from callboard.identity import EVERYTHING, EntityFacts, Permission, Selector, Subject
from callboard_catalog.query import ListRequest
from callboard_web.access.subjects import Directory, Named
from callboard_web.access.words import AREAS, area_of, selector_words, title_of, why
from callboard_web.portal import Portal

_: Final = Translator("callboard")

Extent = Literal["all", "some", "none"]
Where = Sequence[tuple[Text, ...]]

MOST_NAMED: Final = 8
"""Subjects that are told by name; the rest are counted."""

MOST_MATCHES: Final = 8
LONGEST: Final = 300


@dataclass(frozen=True, slots=True, kw_only=True)
class Holding:
    """A role that somebody has, or that is taken from them, and by which of their names."""

    binding: Binding
    role: Role | None
    title: Text
    where: tuple[Text, ...]
    through: Sequence[Named]


@dataclass(frozen=True, slots=True, kw_only=True)
class Right:
    """A permission as somebody has it. `where` it is given, `but` not there, `within` a token."""

    permission: Permission
    extent: Extent
    where: Where = ()
    but: Where = ()
    within: Where | None = None
    roles: Sequence[Text] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Area:
    """The permissions of one part of the portal, or of a plugin."""

    name: str
    title: Text
    rights: Sequence[Right]


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """Whether something may be done; `entity` and `environment` may be empty."""

    permission: str
    entity: str = ""
    environment: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """A binding that was looked at, in words."""

    considered: Considered
    title: Text
    where: tuple[Text, ...]
    through: Sequence[Named]
    why: Text


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What was decided, and all that speaks for and against it.

    `about` is the entity, None for the portal or everything. `seen` are the bindings for the one
    it is about; `others` counts the rest. `having` are roles that have the permission, `holders`
    those who have it there, `administrators` those who can give it.
    """

    question: Question
    explanation: Explanation
    permission: Permission
    about: Entity | None
    extent: Extent
    right: Right
    decided_by: Seen | None
    seen: Sequence[Seen]
    limits: Sequence[tuple[ConsideredLimit, tuple[Text, ...]]]
    others: int
    having: Sequence[Role]
    holders: Sequence[Named]
    administrators: Sequence[Named]

    @property
    def allowed(self) -> bool:
        """Whether it may be done as it was asked."""
        return self.explanation.allowed


class UnknownWordError(InputError):
    """A field of a question means nothing, or several things; `matches` are what it may mean."""

    def __init__(
        self, field: str, message: Text, matches: Sequence[tuple[str, Text]] = (), hint: Text = ""
    ) -> None:
        super().__init__(message, hint=hint)
        self.field = field
        self.matches = matches


class Decisions:
    """Answers for one portal. `yours` words it for the one who asks themselves."""

    def __init__(self, portal: Portal, *, yours: bool) -> None:
        self.portal = portal
        self.access: Access = portal.runtime.services.access
        self.directory = Directory(portal)
        self.yours = yours

    # What somebody has

    def holdings(self, subject: Subject) -> list[Holding]:
        """Give the roles somebody has, what takes from them first."""
        places = {id(item): place for place, item in enumerate(self.access.policy.bindings)}
        found = sorted(
            self.access.bindings_of(subject),
            key=lambda item: (item.effect != "deny", places.get(id(item), len(places))),
        )
        return [self._holding(item, subject) for item in found]

    def _holding(self, binding: Binding, subject: Subject) -> Holding:
        role = self.access.policy.roles.get(binding.role)
        return Holding(
            binding=binding,
            role=role,
            title=title_of(role, binding.role),
            where=selector_words(binding.on, yours=self.yours),
            through=self.directory.all_named(binding.subjects & subject.called),
        )

    def areas(self, subject: Subject, entity: Entity | None = None) -> list[Area]:
        """Give every permission as somebody has it, by area; with an entity, those on it."""
        holdings = self.holdings(subject)
        services = self.portal.runtime.services
        facts = services.facts(entity.ref) if entity else None
        found: dict[str, list[Right]] = {}
        for permission in sorted(self.access.permissions.values(), key=lambda item: item.name):
            if facts is None:
                right = self.right(subject, permission, holdings)
            elif permission.about == "entity":
                right = self._right_there(subject, permission, facts)
            else:
                continue
            found.setdefault(area_of(permission.name), []).append(right)
        return [
            Area(name=name, title=title, rights=found[name])
            for name, title in areas_of(self.portal, found)
        ]

    def right(self, subject: Subject, permission: Permission, holdings: Iterable[Holding]) -> Right:
        """Give one permission as somebody has it."""
        name = permission.name
        giving = [
            item
            for item in holdings
            if item.binding.effect == "allow"
            and name in self.access.permissions_of(item.binding.role)
        ]
        everywhere = _titles(item for item in giving if item.binding.on == EVERYTHING)
        if permission.about == "portal":
            given = self.access.decide(subject, name).allowed
            roles = everywhere if given else []
            return Right(permission=permission, extent="all" if given else "none", roles=roles)
        found = self.access.filter(subject, name)
        roles = everywhere if found.everything else _titles(giving)
        if not found.nothing:
            return Right(
                permission=permission,
                extent="all" if found.everything else "some",
                where=self._where(found.allow),
                but=self._where(found.deny),
                within=None if found.within is None else self._where(found.within),
                roles=roles,
            )
        if self.access.anywhere(subject, name):  # a plugin decides, one by one
            where = [(_("what is decided one by one"),)]
            return Right(permission=permission, extent="some", where=where, roles=roles)
        return Right(permission=permission, extent="none")

    def _right_there(self, subject: Subject, permission: Permission, facts: EntityFacts) -> Right:
        decision = self.access.decide(subject, permission.name, facts)
        policy = self.access.policy
        roles = [
            title_of(policy.roles.get(item.binding.role), item.binding.role)
            for item in decision.reasons
            if item.binding and item.effect == "allow" and decision.allowed
        ]
        extent: Extent = "all" if decision.allowed else "none"
        return Right(permission=permission, extent=extent, roles=list(dict.fromkeys(roles)))

    def _where(self, selectors: Iterable[Selector]) -> list[tuple[Text, ...]]:
        words = [selector_words(item, yours=self.yours) for item in selectors]
        return sorted(words, key=lambda parts: [str(part) for part in parts])

    # Questions

    def ask(self, subject: Subject, question: Question) -> Answer:
        """Answer a question; raises `UnknownWordError` for what it may not mean.

        An entity that the one who asks may not see is answered like one that is not there.
        """
        permission = self.permission(question.permission)
        entity = self.entity(question.entity) if question.entity else None
        if permission.about == "portal":
            entity = None
        services = self.portal.runtime.services
        facts = services.facts(entity.ref) if entity else None
        environment = question.environment[:LONGEST]
        found = self.access.explain(subject, permission.name, facts, environment=environment)
        seen = [
            self._seen(item, subject, about=facts is not None)
            for item in found.bindings
            if item.outcome != "subject"
        ]
        right = self.right(subject, permission, self.holdings(subject))
        extent: Extent = "all" if found.allowed else "none"
        if entity is None and not environment:
            extent = right.extent
        deciding = found.reasons[0].binding if found.reasons else None
        givers = self.access.who_may(permission.name, facts)
        names = {
            facts.owner if name in ("everyone", "signed-in") and item.on.owned and facts else name
            for giver in givers
            for item in giver.bindings
            for name in item.subjects
        }
        return Answer(
            question=question,
            explanation=found,
            permission=permission,
            about=entity,
            extent=extent,
            right=right,
            decided_by=next((item for item in seen if item.considered.binding is deciding), None),
            seen=seen,
            limits=[
                (item, selector_words(item.limit.on, yours=self.yours)) for item in found.limits
            ],
            others=len(found.bindings) - len(seen),
            having=[giver.role for giver in givers],
            holders=self.directory.all_named(names - {""}),
            administrators=self.administrators(),
        )

    def _seen(self, item: Considered, subject: Subject, *, about: bool) -> Seen:
        binding = item.binding
        return Seen(
            considered=item,
            title=title_of(item.role, binding.role),
            where=selector_words(binding.on, yours=self.yours),
            through=self.directory.all_named(binding.subjects & subject.called),
            why=why(item, yours=self.yours, about=about),
        )

    def administrators(self) -> list[Named]:
        """Give those who can give roles."""
        names = {
            name
            for giver in self.access.who_may(CHANGE)
            for item in giver.bindings
            for name in item.subjects
        }
        return self.directory.all_named(names)

    def permission(self, text: str) -> Permission:
        """Give the permission that a name or a title means."""
        known = self.access.permissions
        wanted = text.strip()[:LONGEST]
        if wanted in known:
            return known[wanted]
        titles = self.titles()
        folded = wanted.casefold()
        exact = [name for name, told in titles.items() if folded in (name, *told)]
        if len(exact) == 1:
            return known[exact[0]]
        near = [
            name for name, told in titles.items()
            if folded in name or any(folded in title for title in told)
        ]  # fmt: skip
        raise UnknownWordError(
            "permission",
            _("There is no permission %(text)s.", text=wanted[:80]),
            [(name, known[name].title) for name in near[:MOST_MATCHES]],
            hint=_("The list below names all there are."),
        )

    def titles(self) -> Mapping[str, set[str]]:
        """Give what each permission is called in every language, in lower case."""
        store = self.portal.runtime.translations
        languages = [tag.replace("-", "_") for tag in self.portal.runtime.portal.languages]
        return {
            item.name: {store.text(language, item.title).casefold() for language in languages}
            for item in self.access.permissions.values()
        }

    def entity(self, text: str) -> Entity:
        """Give the entity that a reference or a name means, of those the asker may see."""
        catalog = self.portal.runtime.catalog
        wanted = text.strip()[:LONGEST].replace("\0", "")
        ref = _reference(wanted)
        found = catalog.get(ref) if ref else None
        if found is not None:
            return found
        near = catalog.list(ListRequest(text=wanted, limit=MOST_MATCHES)).entities
        named = [
            item for item in near if wanted.casefold() in (item.ref.name, item.title.casefold())
        ]
        if ":" not in wanted and len(named) == 1:
            return named[0]
        raise UnknownWordError(
            "entity",
            _("There is no entity %(text)s that you may see.", text=wanted[:80]),
            [(str(item.ref), item.title) for item in near],
            hint=_("Write its name or its reference, such as component:default/order-service."),
        )


def _titles(holdings: Iterable[Holding]) -> list[Text]:
    return list(dict.fromkeys(item.title for item in holdings))


def areas_of(portal: Portal, names: Iterable[str]) -> list[tuple[str, Text]]:
    """Give areas with their titles: the catalog, plugins, then what is about the portal itself.

    A plugin is called as its link in the sidebar, where it has one.
    """
    links = portal.runtime.plugins.contributions.navigation
    titles = {**{item.plugin: item.value.title for item in reversed(links)}, **AREAS}
    order = {"catalog": 0, "portal": 2, "access": 3, "audit": 4}
    ordered = sorted(names, key=lambda name: (order.get(name, 1), name))
    return [(name, titles.get(name, name)) for name in ordered]


def may_look(access: Access, subject: Subject) -> bool:
    """Say whether somebody may ask what they may do: everyone known, and all who may read."""
    return subject.signed_in or access.anywhere(subject, READ)


def _reference(text: str) -> EntityRef | None:
    try:
        return EntityRef.parse(text, default_kind="component")
    except InputError:
        return None
