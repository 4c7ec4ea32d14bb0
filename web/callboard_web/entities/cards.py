"""The portal's own cards of an entity's overview.

Their order: relations and about first, at 10 and 11; what an entity of its kind is asked for (who
provides and consumes an API, who is in a team, what is in a system) at 20 to 29. Cards of plugins
stand at 100 unless they say otherwise; below 10 they stand first.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from callboard.contributions import EntityCard, EntityContext, Fragment
from callboard.entities import Entity, EntityRef
from callboard.i18n import Text, Translator
from callboard_catalog.reading import Related
from callboard_catalog.service import CatalogService
from callboard_web.entities.places import places_of, source_commit, source_line
from callboard_web.entities.words import facts_of
from callboard_web.parts import Part

_: Final = Translator("callboard")

RELATED_LIMIT: Final = 500
LISTED: Final = 6
"""Entities a group of a card shows; the relations tab has them all."""

FACTS: Final = 6
"""Labels and annotations that stand open; the others are folded."""


def _service(context: EntityContext) -> CatalogService:
    catalog = context.host.catalog
    if not isinstance(catalog, CatalogService):
        raise TypeError("The portal's own cards need the catalog service.")
    return catalog


# About


def _about(context: EntityContext) -> Fragment:
    entity, catalog = context.entity, _service(context)
    provenance = catalog.provenance(entity.ref)
    change = catalog.last_change(entity.ref)
    source = catalog.source(provenance.source) if provenance else None
    line = commit = ""
    if provenance:
        line = source_line(source, provenance.path, provenance.line)
    if change and change.commit:
        commit = source_commit(source, change.commit.hash)
    facts = facts_of(entity, catalog.entity_fields)
    return Fragment(
        template="portal/about.html",
        context={
            "entity": entity,
            "provenance": provenance,
            "places": places_of(entity),
            "line": line,
            "change": change,
            "commit": commit,
            "email": _email(entity),
            "facts": facts[:FACTS],
            "folded": facts[FACTS:],
        },
    )


def _email(entity: Entity) -> str:
    profile = entity.spec.get("profile")
    return str(profile.get("email") or "") if isinstance(profile, Mapping) else ""


# Those that an entity has to do with


@dataclass(frozen=True, slots=True)
class Group:
    """A part of a card: a heading, the first of those below it, and how many there are."""

    title: Text
    items: Sequence[Related]
    total: int
    empty: Text = ""

    @property
    def mixed(self) -> bool:
        """Whether they are of several kinds, so that each must say its own."""
        return len({item.kind for item in self.items}) > 1


@dataclass(frozen=True, slots=True)
class Asked:
    """A group to be shown: relations under one heading. `empty` is said where there is none."""

    title: Text
    relations: tuple[str, ...]
    empty: Text = ""
    kinds: tuple[str, ...] = ()


def _groups(related: Sequence[Related], asked: Sequence[Asked]) -> list[Group]:
    found = []
    for part in asked:
        items = _matching(related, part)
        if items or part.empty:
            found.append(Group(part.title, items[:LISTED], len(items), part.empty))
    return found


def _matching(related: Sequence[Related], part: Asked) -> list[Related]:
    chosen: dict[EntityRef, Related] = {}
    for item in related:
        if item.type in part.relations and (not part.kinds or item.kind in part.kinds):
            chosen.setdefault(item.ref, item)
    return sorted(chosen.values(), key=lambda item: (item.kind, item.title.lower(), item.ref))


def _grouped(*asked: Asked) -> Callable[[EntityContext], Fragment | None]:
    def render(context: EntityContext) -> Fragment | None:
        related = _service(context).related(context.entity.ref, limit=RELATED_LIMIT)
        groups = _groups(related, asked)
        if not groups:
            return None
        fewer = len(related) == RELATED_LIMIT
        return Fragment(
            template="portal/groups_card.html",
            context={"groups": groups, "ref": context.entity.ref, "fewer": fewer},
        )

    return render


def _of(*kinds: str) -> Callable[[Entity], bool]:
    return lambda entity: entity.ref.kind in kinds


_DEPENDENTS: Final = Asked(
    _("Needed by"), ("dependencyOf",), _("Nothing in the catalog says that it needs this.")
)
_CONSUMERS: Final = Asked(_("Consumers of its APIs"), ("apiConsumedBy",))


def _users(context: EntityContext) -> Fragment:
    """Those who need it, and those who consume what it provides."""
    catalog, ref = _service(context), context.entity.ref
    related = catalog.related(ref, limit=RELATED_LIMIT)
    groups = _groups(related, [_DEPENDENTS])
    provided = [item.ref for item in related if item.type == "providesApi"]
    if provided:
        consumers = [item for item in catalog.related_to_any(provided) if item.ref != ref]
        through = _groups(consumers, [_CONSUMERS])
        groups = through if through and not groups[0].total else [*groups, *through]
    return Fragment(
        template="portal/groups_card.html",
        context={"groups": groups, "ref": ref, "fewer": len(related) == RELATED_LIMIT},
    )


# Locations


@dataclass(frozen=True, slots=True)
class Target:
    """What a Location points to; `url` where a person can open it."""

    text: str
    url: str


def _targets(context: EntityContext) -> Fragment | None:
    spec = context.entity.spec
    given = [spec["target"]] if isinstance(spec.get("target"), str) else []
    listed = spec.get("targets")
    given += [item for item in listed if isinstance(item, str)] if isinstance(listed, list) else []
    if not given:
        return None
    targets = [
        Target(text, text if text.startswith(("https://", "http://")) else "") for text in given
    ]
    return Fragment(
        template="portal/targets_card.html",
        context={"targets": targets[:RELATED_LIMIT], "total": len(targets)},
    )


CARDS: Final = (
    EntityCard(name="about", title=_("About"), render=_about, width=4, order=11),
    EntityCard(
        name="used-by", title=_("Providers and consumers"), order=20, applies=_of("api"),
        render=_grouped(
            Asked(_("Provided by"), ("apiProvidedBy",), _("No component says that it does.")),
            Asked(_("Consumed by"), ("apiConsumedBy",), _("No component says that it does.")),
        ),
    ),
    EntityCard(
        name="dependents", title=_("Used by"), order=20, width=4,
        applies=_of("component", "resource"), render=_users,
    ),
    EntityCard(
        name="dependencies", title=_("Uses"), order=21, width=8,
        applies=_of("component", "resource"),
        render=_grouped(
            Asked(_("Depends on"), ("dependsOn",)),
            Asked(_("Consumes"), ("consumesApi",)),
            Asked(_("Provides"), ("providesApi",)),
            Asked(_("Contains"), ("hasPart",)),
        ),
    ),
    EntityCard(
        name="contents", title=_("Contents"), order=20, width=12, applies=_of("system", "domain"),
        render=_grouped(
            Asked(_("Systems"), ("hasPart",), kinds=("system",)),
            Asked(_("Domains"), ("hasPart",), kinds=("domain",)),
            Asked(_("Components"), ("hasPart",), kinds=("component",)),
            Asked(_("APIs"), ("hasPart",), kinds=("api",)),
            Asked(_("Resources"), ("hasPart",), kinds=("resource",)),
        ),
    ),
    EntityCard(
        name="members", title=_("Members"), order=20, width=4, applies=_of("group"),
        render=_grouped(
            Asked(_("People"), ("hasMember",), _("Nobody says that they are a member.")),
            Asked(_("Teams below"), ("parentOf",)),
        ),
    ),
    EntityCard(
        name="teams", title=_("Teams"), order=20, width=4, applies=_of("user"),
        render=_grouped(Asked(_("Member of"), ("memberOf",), _("In no team."))),
    ),
    EntityCard(
        name="owned", title=_("Owns"), order=22, width=8, applies=_of("group", "user"),
        render=_grouped(
            Asked(_("Components"), ("ownerOf",), kinds=("component",)),
            Asked(_("APIs"), ("ownerOf",), kinds=("api",)),
            Asked(_("Systems"), ("ownerOf",), kinds=("system", "domain")),
            Asked(_("Resources"), ("ownerOf",), kinds=("resource",)),
        ),
    ),
    EntityCard(
        name="targets", title=_("Points to"), order=20, applies=_of("location"), render=_targets
    ),
)  # fmt: skip
PART: Final = Part(entity_cards=CARDS)
