"""The words of the host's own events, and the page's way into the palette."""

from collections.abc import Mapping
from typing import Final
from urllib.parse import quote, urlencode

from sqlalchemy import select

from callboard import contributions as c
from callboard.entities import EntityRef
from callboard.errors import InputError
from callboard.i18n import Text, Translator
from callboard_web.parts import Part
from callboard_web.personal import models

_: Final = Translator("callboard")

LONGEST: Final = 300


def _entities(context: c.ActivityContext) -> Mapping[int, c.ActivityItem]:
    refs = {event.id: ref for event in context.events if (ref := _ref(event.subject))}
    known = context.host.catalog.titles(set(refs.values()))
    return {
        event.id: _entity(event, refs[event.id], known.get(refs[event.id]))
        for event in context.events
        if event.id in refs
    }


def _entity(event: c.Event, ref: EntityRef, title: str | None) -> c.ActivityItem:
    name = ref.name if title is None else title
    what = event.kind.rpartition(".")[2]
    texts: dict[str, Text] = {
        "created": _("%(name)s came into the catalog", name=name),
        "updated": _("%(name)s changed", name=name),
        "deleted": _("%(name)s was deleted", name=name)
        if event.data.get("by")
        else _("%(name)s left the catalog", name=name),
        "restored": _("The deletion of %(name)s was undone", name=name),
        "stale": _("The file of %(name)s does not show it any more", name=name),
        "fresh": _("The file of %(name)s shows it again", name=name),
    }
    path = ref.path("history") if what == "updated" and title is not None else ref.path()
    source = str(event.data.get("source", ""))
    return c.ActivityItem(text=texts.get(what, event.kind), path=path, detail=source)


def _ref(text: str) -> EntityRef | None:
    try:
        return EntityRef.parse(text)
    except InputError:
        return None


def _sources(context: c.ActivityContext) -> Mapping[int, c.ActivityItem]:
    found = {}
    for event in context.events:
        if event.kind == "catalog.source.failed":
            found[event.id] = c.ActivityItem(
                text=_("The source %(name)s cannot be read", name=event.subject),
                path=f"/sources/{quote(event.subject)}",
                status="bad",  # its page says why, in the reader's language
            )
        elif event.kind == "catalog.source.recovered":
            found[event.id] = _recovered(event)
        else:
            found[event.id] = c.ActivityItem(
                text=_("A document of %(source)s was rejected", source=event.subject),
                path=f"/problems?{urlencode({'source': event.subject})}",
                detail=_.plural(
                    "%(number)s fault", "%(number)s faults", len(event.data.get("codes") or ())
                ),
                status="bad",
            )
    return found


def _recovered(event: c.Event) -> c.ActivityItem:
    return c.ActivityItem(
        text=_("The source %(name)s is read again", name=event.subject),
        path=f"/sources/{quote(event.subject)}",
        status="ok",
    )


ANNOUNCED: Final[Mapping[str, Text]] = {
    "announced": _("Announced"),
    "changed": _("The announcement was changed"),
    "withdrawn": _("The announcement was withdrawn"),
    "restored": _("The announcement was brought back"),
}


def _announcements(context: c.ActivityContext) -> Mapping[int, c.ActivityItem]:
    table = models.announcement
    numbers = {int(event.subject) for event in context.events if event.subject.isdigit()}
    statement = select(table.c.id, table.c.texts).where(table.c.id.in_(numbers))
    with context.host.read() as connection:
        texts = {str(row.id): row.texts for row in connection.execute(statement)}
    language = context.locale.replace("_", "-")
    return {
        event.id: c.ActivityItem(
            text=_title(texts[event.subject], language),
            path="/announcements",
            detail=ANNOUNCED.get(event.kind.rpartition(".")[2], ""),
        )
        for event in context.events
        if event.subject in texts
    }


def _title(texts: Mapping[str, Mapping[str, str]], language: str) -> str:
    titles = [texts.get(name, {}).get("title", "") for name in (language, *texts)]
    return next((title for title in titles if title), "–")


def _jobs(context: c.ActivityContext) -> Mapping[int, c.ActivityItem]:
    return {
        event.id: c.ActivityItem(
            text=_("The job %(name)s failed", name=event.subject),
            path=f"/jobs/{event.data.get('run', '')}",
            detail=str(event.data.get("key", "")),
            status="bad",
        )
        for event in context.events
    }


PART: Final = Part(
    navigation=(
        c.NavItem(
            name="activity", title=_("Activity"), path="/activity", icon="commit", order=90,
            letter="v",
        ),
    ),
    acts=(
        c.Act(
            name="activity", title=_("See what happened"), path="/activity", icon="clock",
            words=_("activity events changes news recent"), order=100,
        ),
    ),
    activity=(
        c.Activity(
            name="entities", title=_("Entities"), kinds=("catalog.entity.",), describe=_entities
        ),
        c.Activity(
            name="sources",
            title=_("Sources"),
            kinds=(
                "catalog.source.failed", "catalog.source.recovered", "catalog.document.rejected",
            ),
            describe=_sources,
            permission="catalog.source.read",
        ),
        c.Activity(
            name="announcements", title=_("Announcements"), kinds=("portal.announcement.",),
            describe=_announcements,
        ),
        c.Activity(
            name="jobs", title=_("Jobs"), kinds=("job.run.failed",), describe=_jobs,
            permission="portal.job.read",
        ),
    ),
)  # fmt: skip
