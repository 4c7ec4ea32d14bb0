"""What the plugin draws. Everything is read from its own tables."""

from collections.abc import Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import Connection, Row, update

from callboard.contributions import (
    Activity,
    ActivityContext,
    ActivityItem,
    EntityContext,
    Fragment,
    PageContext,
)
from callboard.entities import EntityRef
from callboard.i18n import Translator, from_data
from callboard.repositories import commit_page, edit_page, file_page, short_name
from callboard_docs import queries
from callboard_docs.diagrams import diagram_frame
from callboard_docs.models import site
from callboard_docs.queries import Shown
from callboard_docs.showing import Links, filled, outline, passage, shown_tree, words_of

if TYPE_CHECKING:
    from callboard.host import Host

_ = Translator("docs")

TAB: Final = "docs"
STYLES: Final = ("docs/docs.css",)
SCRIPTS: Final = ("docs/docs.js",)
USED_AGAIN: Final = timedelta(hours=1)


def draw_tab(context: EntityContext) -> Fragment | None:
    """A page of the documentation, a search in it, its pages as a list, or what is wrong in it."""
    version = context.query.get("version", "")[:250]
    with context.host.read() as connection:
        seen = context.host.catalog.seen
        shown = queries.load_shown(connection, context.entity.ref, version, seen)
        if shown is None or shown.entity.fault or shown.site is None:
            return _nothing(context, shown)
        current = shown.version if version else shown.site
        if version and (current is None or current.read_at is None):
            return _wanted_version(context, shown.site, current, version)
        assert current is not None
        if current.read_at is None or not current.pages:
            return _empty(context, connection, current)
        view = _View(context, connection, shown, current, version)
        drawn = view.draw()
    if version:
        _touch(context.host, current)
    return drawn


def _fragment(name: str, context: Mapping[str, Any], title: str = "") -> Fragment:
    return Fragment(
        template=f"docs/{name}.html", context=context, styles=STYLES, scripts=SCRIPTS, title=title
    )


def _nothing(context: EntityContext, shown: Shown | None) -> Fragment:
    fault = shown.entity.fault if shown else ""
    target = EntityRef.parse(shown.entity.target) if shown and shown.entity.target else None
    return _fragment("waiting", {"fault": fault, "target": target, "site": None})


def _empty(context: EntityContext, connection: Connection, current: Row[Any]) -> Fragment:
    tree = queries.load_tree(connection, current.id)
    notes = [from_data(note) for note in tree.notes] if tree else []
    values = {"site": current, "notes": notes, "name": short_name(current.url), "fault": ""}
    return _fragment("empty" if current.read_at else "waiting", values)


def _wanted_version(
    context: EntityContext, main: Row[Any], current: Row[Any] | None, version: str
) -> Fragment:
    """Have a version read that somebody asks for; it may be left and looked at again."""
    offered = version in main.versions
    failing = current is not None and current.failing_since is not None
    if offered and not failing:
        payload = {"site": main.id, "version": version}
        context.host.submit("read", payload, key=f"{main.id} {version}")
    values = {
        "version": version,
        "offered": offered,
        "site": current,
        "failing": failing,
        "back": context.entity.ref.path(TAB),
        "versions": main.versions,
    }
    return _fragment("version", values)


def _touch(host: "Host", current: Row[Any]) -> None:
    """Note that a version is looked at, now and then: those nobody looks at are given up first."""
    now = host.now()
    if now - current.used_at >= USED_AGAIN:
        with host.write() as connection:
            connection.execute(update(site).where(site.c.id == current.id).values(used_at=now))


class _View:
    """One request for a site that was read."""

    def __init__(
        self,
        context: EntityContext,
        connection: Connection,
        shown: Shown,
        current: Row[Any],
        version: str,
    ) -> None:
        self.context = context
        self.connection = connection
        self.shown = shown
        self.site = current
        self.version = version
        base = context.entity.ref.path(TAB)
        self.links = Links(base, current.id, current.url, current.branch, version)

    def draw(self) -> Fragment | None:
        query = self.context.query
        if query.get("q", "").strip():
            return self._search(query["q"].strip()[: queries.LONGEST_QUERY])
        if query.get("show") == "pages":
            return self._list(query.get("after", ""))
        if query.get("show") == "problems":
            return self._problems()
        return self._page()

    def _shared(self, address: str | None) -> dict[str, Any]:
        tree = queries.load_tree(self.connection, self.site.id)
        assert self.shown.site is not None
        return {
            "site": self.site,
            "name": self.site.title or self.context.entity.title,
            "links": self.links,
            "tree": shown_tree(tree.nodes if tree else [], address or "", self.links)
            if address is not None
            else [],
            "notes": [from_data(note) for note in tree.notes] if tree else [],
            "version": self.version,
            "versions": self._versions(self.shown.site.versions, address or ""),
            "text": self.context.query.get("q", "").strip()[: queries.LONGEST_QUERY],
        }

    def _versions(self, offered: list[str], address: str) -> list[tuple[str, str, bool]]:
        """Give name, address and whether it is the one shown; the first has no name of its own."""
        base = self.links.base
        known = list(dict.fromkeys([*offered, *([self.version] if self.version else [])]))
        plain = Links(base, 0, "", "").page(address)
        return [("", plain, not self.version)] + [
            (name, Links(base, 0, "", "", name).page(address), name == self.version)
            for name in known
        ]

    def _page(self) -> Fragment | None:
        rest = self.context.path.get("rest", "").strip("/")
        address = rest or self.shown.entity.path
        row = queries.load_page(self.connection, self.site.id, address)
        if row is None and not rest:
            row = queries.load_first(self.connection, self.site.id)
        if row is None:
            return None
        before, after = (
            queries.load_neighbours(self.connection, self.site.id, row.position)
            if row.listed
            else (None, None)
        )
        url, branch = self.site.url, self.site.branch
        shared = self._shared(row.address)
        values = shared | {
            "page": row,
            "parts": list(filled(row.html, row.targets, self.links)) if row.html else [],
            "has_title": any(level == 1 for level, _anchor, _title in row.headings or ()),
            "outline": outline(row.headings or ()),
            "before": before,
            "after": after,
            "edit": "" if self.version else edit_page(url, branch, row.path),
            "source": file_page(url, branch, row.path),
            "commit": commit_page(url, row.commit),
            "frame": diagram_frame() if row.diagrams else "",
        }
        return _fragment("page", values, row.title)

    def _search(self, text: str) -> Fragment:
        words = words_of(text)
        rows = queries.search_site(self.connection, self.site.id, words)
        found = [
            {
                "href": self.links.page(row.address, f"#{row.anchor}" if row.anchor else ""),
                "title": passage(row.title or row.page, words, 300),
                "page": row.page,
                "passage": passage(row.text, words),
            }
            for row in rows[: queries.RESULTS]
        ]
        values = self._shared(None) | {"found": found, "more": len(rows) > queries.RESULTS}
        return _fragment("search", values)

    def _list(self, after: str) -> Fragment:
        start = int(after) if after.isdecimal() and len(after) < 8 else -1
        rows = queries.load_list(self.connection, self.site.id, start)
        size = 2 * queries.LIST
        values = self._shared(None) | {
            "rows": rows[:size],
            "next": self.links.page(show="pages", after=rows[size - 1].position)
            if len(rows) > size
            else "",
            "first": start < 0,
        }
        return _fragment("list", values)

    def _problems(self) -> Fragment:
        rows = queries.load_problems(self.connection, self.site.id)
        values = self._shared(None) | {
            "problems": rows,
            "edit_page": lambda path: edit_page(self.site.url, self.site.branch, path),
        }
        return _fragment("problems", values)


def draw_index(context: PageContext) -> Fragment:
    """Every documentation of the portal: whose, how much, when it changed last."""
    text = context.query.get("q", "").strip()[: queries.LONGEST_QUERY]
    after = (
        (context.query["title"], context.query.get("after", ""))
        if "title" in context.query
        else None
    )
    with context.host.read() as connection:
        rows = queries.load_index(connection, words_of(text), after, context.host.catalog.seen)
    shown = rows[: queries.LIST]
    refs = {EntityRef.parse(row.owner) for row in shown if row.owner}
    owners = context.host.catalog.titles(refs)
    values = {
        "text": text,
        "rows": [(row, EntityRef.parse(row.ref), EntityRef.parse(row.owner) if row.owner else None)
                 for row in shown],
        "owners": owners,
        "last": shown[-1] if len(rows) > queries.LIST else None,
        "first": after is None,
        "tab": TAB,
    }  # fmt: skip
    return Fragment(template="docs/index.html", context=values, styles=STYLES, scripts=SCRIPTS)


def describe_events(context: ActivityContext) -> Mapping[int, ActivityItem]:
    """Put readings of documentation into words."""
    told: dict[int, ActivityItem] = {}
    for event in context.events:
        changed = event.data.get("changed")
        if event.data.get("version") or not isinstance(changed, int) or not changed:
            continue
        ref = EntityRef.parse(event.subject)
        told[event.id] = ActivityItem(
            text=_("Documentation of %(name)s changed", name=ref.name),
            path=ref.path(TAB),
            detail=_.plural("%(number)s page", "%(number)s pages", changed),
        )
    return told


def activity() -> Activity:
    """Give the contribution for lists of what happened."""
    return Activity(
        name="read", title=_("Documentation"), kinds=("docs.site.",), describe=describe_events
    )
