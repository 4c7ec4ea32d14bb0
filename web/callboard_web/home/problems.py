"""What is wrong with what someone owns, and with the portal's input as a whole."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from callboard.contributions import PageContext, Status, WaitingItem
from callboard.entities import Entity, EntityRef
from callboard.i18n import Text, Translator
from callboard_catalog.problems import CONSEQUENCES, Problem
from callboard_catalog.service import CatalogService
from callboard_catalog.source_states import SourceState
from callboard_web.words import relation_words

_: Final = Translator("callboard")

STATUSES: Final[Mapping[str, Status]] = {"rejected": "bad", "conflict": "block", "dangling": "warn"}
MOST: Final = 8
"""Entities whose problems are told one by one."""

OF_ONE: Final = 20
FAILING: Final = 5


@dataclass(frozen=True, slots=True)
class Owned:
    """How many problems there are with what one owner owns, in how many entities."""

    owner: Entity
    problems: int
    entities: int


def owned_problems(catalog: CatalogService, mine: Sequence[EntityRef]) -> list[Owned]:
    """Count the problems of each of these owners, for those that have any."""
    tally = catalog.problem_tally().owners
    known = catalog.get_many([ref for ref in mine if str(ref) in tally])
    return [
        Owned(known[ref], sum(tally[str(ref)].values()), len(tally[str(ref)]))
        for ref in mine
        if ref in known
    ]


def waiting(context: PageContext) -> list[WaitingItem]:
    """Give the problems of what the reader owns: one item for each entity, then the rest."""
    catalog = context.host.catalog
    if not isinstance(catalog, CatalogService):
        raise TypeError("What waits needs the catalog service.")
    tally = catalog.problem_tally().owners
    found = [
        (owner, ref)
        for owner in context.mine
        for ref in sorted(tally.get(str(owner), {}), key=lambda ref: (not ref, ref))
    ]
    items = [item for owner, ref in found[:MOST] for item in _of(catalog, owner, ref)]
    if len(found) > MOST:
        owner = found[MOST][0]
        items.append(
            WaitingItem(
                status="warn",
                title=_.plural(
                    "%(number)s more thing of yours has problems",
                    "%(number)s more things of yours have problems",
                    len(found) - MOST,
                ),
                path=f"/problems?owner={owner}",
                verb=_("See which"),
            )
        )
    return items


def _of(catalog: CatalogService, owner: EntityRef, ref: str) -> Iterator[WaitingItem]:
    if ref:
        asked = catalog.problems(EntityRef.parse(ref), limit=OF_ONE)
    else:
        everything = catalog.problems(owner=owner, kind="rejected", limit=OF_ONE)
        asked = [problem for problem in everything if problem.ref is None]
    problems = [problem for problem in asked if problem.kind not in CONSEQUENCES]
    if problems:
        yield _item(problems[0], len(problems) - 1, owner)


def _item(problem: Problem, more: int, owner: EntityRef) -> WaitingItem:
    titles: dict[str, Text] = {
        "rejected": _("The new version of %(name)s is not shown", name=problem.title)
        if problem.served
        else _("%(name)s cannot be shown", name=problem.title),
        "conflict": _("%(name)s is claimed twice", name=problem.title),
        "dangling": _(
            "%(name)s: %(relation)s %(target)s, which is in no source",
            name=problem.title,
            relation=relation_words(problem.code),
            target=problem.missing.relative() if problem.missing else problem.other,
        ),
    }  # fmt: skip
    place = f"{problem.path}:{problem.line}"
    why: Text = _("%(place)s in %(source)s", place=place, source=problem.source)
    if problem.kind != "dangling":
        why = _("%(message)s %(place)s", message=problem.message, place=place)
    if more:
        why = _("%(why)s · and %(number)s more", why=why, number=more)
    path = f"/problems?owner={owner}"
    if problem.missing:
        path = problem.missing.path()
    elif problem.ref and problem.served:
        path = problem.ref.path()
    return WaitingItem(
        status=STATUSES[problem.kind],
        title=titles[problem.kind],
        path=path,
        why=why,
        verb=_("Mend") if problem.kind == "dangling" else _("See why"),
        at=problem.since,
    )


def failing(sources: Sequence[SourceState]) -> list[WaitingItem]:
    """Give the sources that cannot be read, for those who run the portal."""
    bad = [source for source in sources if source.state == "failing"]
    items = [
        WaitingItem(
            status="bad",
            title=_("The source %(name)s cannot be read", name=source.name),
            path=f"/sources/{source.name}",
            why=source.error,
            verb=_("Open source"),
            at=source.failing_since,
        )
        for source in bad[:FAILING]
    ]
    if len(bad) > FAILING:
        more = len(bad) - FAILING
        title = _.plural("%(number)s more source fails", "%(number)s more sources fail", more)
        items.append(WaitingItem(status="bad", title=title, path="/sources", verb=_("See which")))
    return items


def everyone(counts: Mapping[str, int]) -> list[WaitingItem]:
    """Give the problems of the whole catalog by kind, for a reader who owns nothing known."""
    told = (
        (
            "rejected",
            _.plural(
                "%(number)s fault in rejected documents",
                "%(number)s faults in rejected documents",
                counts.get("rejected", 0),
            ),
            _("Each with its file, line and reason."),
        ),
        (
            "conflict",
            _.plural(
                "%(number)s name is claimed twice",
                "%(number)s names are claimed twice",
                counts.get("conflict", 0),
            ),
            _("The first source that claimed it is shown."),
        ),
        (
            "dangling",
            _.plural(
                "%(number)s relation leads nowhere",
                "%(number)s relations lead nowhere",
                counts.get("dangling", 0),
            ),
            _("The other entity is in no source."),
        ),
    )
    return [
        WaitingItem(
            status=STATUSES[kind], title=title, path=f"/problems?kind={kind}", why=why,
            verb=_("See which"),
        )
        for kind, title, why in told
        if counts.get(kind)
    ]  # fmt: skip
