"""Puts changes of definitions into words, for lists of what happened."""

from collections.abc import Mapping

from callboard.contributions import ActivityContext, ActivityItem
from callboard.entities import EntityRef
from callboard.i18n import Translator

_ = Translator("apis")


def describe(context: ActivityContext) -> Mapping[int, ActivityItem]:
    """Say which API changed and whether that breaks anything; first sights are left out."""
    events = [event for event in context.events if not event.data.get("first")]
    refs = {event.id: EntityRef.parse(event.subject) for event in events}
    found = context.host.catalog.titles(refs.values())
    told = {}
    for event in events:
        ref = refs[event.id]
        title = found.get(ref, ref.name)
        breaking = int(event.data.get("breaking") or 0)
        version = str(event.data.get("version") or "")
        told[event.id] = ActivityItem(
            text=_(
                "The definition of %(title)s changed to version %(version)s",
                title=title,
                version=version,
            )
            if version
            else _("The definition of %(title)s changed", title=title),
            path=ref.path("apis/changes"),
            detail=_.plural("%(number)s breaking change", "%(number)s breaking changes", breaking)
            if breaking
            else "",
            status="bad" if breaking else None,
        )
    return told
