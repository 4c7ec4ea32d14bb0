"""What the index of usage adds to the portal: its page, a card for owners, the job that tidies."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any, Final

from callboard.contributions import (
    EntityCard,
    EntityContext,
    Fragment,
    Job,
    JobContext,
    NavItem,
    PageContext,
    Permission,
)
from callboard.i18n import Translator
from callboard.plugin_host import PluginHost
from callboard_catalog.service import CatalogService
from callboard_web.parts import Part
from callboard_web.usage.service import Usage, tidy, totals
from callboard_web.usage.settings import UsageSettings

_: Final = Translator("callboard")

READ: Final = "portal.usage.read"
WIDTH: Final = 240
HEIGHT: Final = 32
EDGE: Final = 2


def settings_of(context: PageContext | JobContext) -> UsageSettings:
    """Give the settings of the index of usage."""
    host = context.host
    if not isinstance(host, PluginHost):
        raise TypeError("Usage needs the portal's own host.")
    return host.services.settings.section(UsageSettings)


def may_see(context: EntityContext) -> bool:
    """Say whether the reader owns the entity, or may see the usage of everything."""
    owners = {*context.entity.related("ownedBy"), context.entity.ref}
    return not owners.isdisjoint(context.mine) or context.host.allows(READ)


def _card(context: EntityContext) -> Fragment | None:
    chosen, catalog = settings_of(context), context.host.catalog
    if not chosen.enabled or not may_see(context) or not isinstance(catalog, CatalogService):
        return None
    usage = Usage(catalog.database, catalog, chosen, context.host.now)
    days = usage.of_entity(context.entity.ref)
    names = usage.names(context.entity.ref)
    titles = catalog.titles({item.ref for item in names if item.ref})
    return Fragment(
        template="portal/usage_card.html",
        context={
            "days": len(days),
            "totals": totals(days),
            "line": line_of([day.looks for day in days]),
            "names": [(item, titles.get(item.ref, "") if item.ref else "") for item in names],
            "picture": {"width": WIDTH, "height": HEIGHT},
        },
    )


def line_of(numbers: Sequence[int]) -> Mapping[str, Any]:
    """Give a line through these numbers, as the path of a picture, and where it ends."""
    most = max(numbers, default=0) or 1
    step = (WIDTH - 2 * EDGE) / max(len(numbers) - 1, 1)
    points = [
        (EDGE + index * step, HEIGHT - EDGE - number / most * (HEIGHT - 2 * EDGE))
        for index, number in enumerate(numbers)
    ]
    path = " ".join(
        f"{'L' if index else 'M'}{x:.1f} {y:.1f}" for index, (x, y) in enumerate(points)
    )
    return {"path": path, "end": points[-1] if points else (0, 0), "most": max(numbers, default=0)}


def _tidy(context: JobContext) -> None:
    with context.host.write() as connection:
        tidy(connection, settings_of(context), context.host.now())


PART: Final = Part(
    navigation=(
        NavItem(
            name="usage", title=_("Usage"), path="/usage", icon="eye", section="administer",
            order=18, permission=READ, letter="e",
        ),
    ),
    entity_cards=(
        EntityCard(name="usage", title=_("Looked at"), render=_card, width=4, order=60),
    ),
    jobs=(
        Job(
            name="tidy-usage",
            title=_("Delete old counts of looks, and what tells people apart within a day"),
            run=_tidy,
            every=timedelta(hours=1),
            quiet=True,
        ),
    ),
    permissions=(
        Permission(
            name=READ,
            title=_("See how often entities are looked at"),
            description=_("Counts of everything one may see; who owns an entity sees its own."),
            role="maintainer",
        ),
    ),
)  # fmt: skip
