"""The pages: how it stands with each host, and what was found."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import urlencode

from callboard.contributions import FormContext, Fragment, PageContext, SeeOther, Status
from callboard.i18n import Text, Translator
from callboard_scm_hosts.ledger import HOUR, State
from callboard_scm_hosts.pages import Pages
from callboard_scm_hosts.queries import (
    STATES,
    Chosen,
    PeopleRead,
    failures_of,
    load_counts,
    load_discoveries,
    load_people,
    load_repositories,
    load_states,
    total,
)
from callboard_scm_hosts.service import ask_all
from callboard_scm_hosts.settings import DiscoverSettings, HostSettings
from callboard_scm_hosts.settings_people import PeopleSettings

_ = Translator("scm_hosts")

PAGE: Final = 100
START: Final = "scm_hosts.scan.start"
WORDS: Final[Mapping[str, tuple[Status, Text]]] = {
    "read": ("ok", _("with descriptor")),
    "none": ("skip", _("without descriptor")),
    "empty": ("skip", _("empty")),
    "skipped": ("skip", _("left out")),
    "failed": ("bad", _("failed")),
    "new": ("todo", _("not read yet")),
}
TYPES: Final[Mapping[str, Text]] = {
    "gitlab": "GitLab", "github": "GitHub", "gitea": "Gitea", "gitee": "Gitee",
    "folder": _("Folder"),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class DiscoveryView:
    """One entry of `discover`; `row` is None before its first scan."""

    settings: DiscoverSettings
    row: Any
    counts: Mapping[str, int]
    status: Status
    words: Text

    @property
    def repositories(self) -> int:
        return total(self.counts)

    @property
    def waiting(self) -> int:
        return self.counts.get("new", 0)


@dataclass(frozen=True, slots=True)
class PeopleView:
    """One entry of `people`."""

    settings: PeopleSettings
    read: PeopleRead
    status: Status
    words: Text


@dataclass(frozen=True, slots=True)
class HostView:
    """One host with what it was asked and what is looked for on it."""

    settings: HostSettings
    state: State
    status: Status
    words: Text
    hour_left: int
    discoveries: Sequence[DiscoveryView] = field(default_factory=tuple)
    people: Sequence[PeopleView] = field(default_factory=tuple)

    @property
    def type(self) -> Text:
        return TYPES[self.settings.type]


def draw_hosts(context: PageContext) -> Fragment:
    """Every host of the settings."""
    return _hosts(context, "")


def submit_hosts(context: FormContext) -> Fragment | SeeOther:
    """Scan a discovery now; for one that the settings do not name, say so above the hosts."""
    name = (context.form.get("discovery") or ("",))[0][:60]
    if context.host.settings.discovery(name) is None:
        return _hosts(context, _("There is no discovery named %(name)s.", name=name))
    return _ask(context, name, "/scm_hosts/")


def draw_discovery(context: PageContext) -> Fragment | None:
    """The repositories of one entry of `discover`, a page at a time."""
    return _discovery(context)


def submit_discovery(context: FormContext) -> SeeOther | None:
    """Scan it now."""
    name = context.path.get("name", "")
    if context.host.settings.discovery(name) is None:
        return None
    return _ask(context, name, f"/scm_hosts/{name}")


def _ask(context: PageContext, name: str, back: str) -> SeeOther:
    """Have a discovery scanned, and lead to the page `back`."""
    host = context.host
    host.require(START)
    with host.write() as connection:
        run = ask_all(host, connection, name)
        host.audit(connection, START, name, actor=context.principal, after={"run": run})
        host.publish(connection, "scm_hosts.scan.asked", name, actor=context.principal)
    told = _("%(name)s will be scanned in a moment. This page shows what comes of it.", name=name)
    return SeeOther(path=back, told=told)


def _hosts(context: PageContext, fault: Text) -> Fragment:
    shown = {"fault": fault, **_shared(context)}
    return Fragment(template="scm_hosts/hosts.html", context=shown, rejected=bool(fault))


def _shared(context: PageContext) -> dict[str, Any]:
    settings, now = context.host.settings, context.host.now()
    with context.host.read() as connection:
        states = load_states(connection)
        rows = load_discoveries(connection)
        counts = load_counts(connection)
        read = load_people(connection)
    views: dict[str, list[DiscoveryView]] = {}
    for item in settings.discover:
        view = _discovery_view(item, rows.get(item.name), counts.get(item.name, {}))
        views.setdefault(item.host, []).append(view)
    hosts = [
        _host_view(
            item,
            states.get(item.name, State()),
            views.get(item.name, ()),
            [
                _people_view(entry, read.get(entry.name, PeopleRead()))
                for entry in settings.people
                if entry.host == item.name
            ],
            now,
        )
        for item in settings.hosts
    ]
    every = [view for item in hosts for view in item.discoveries]
    return {
        "hosts": hosts,
        "may_scan": context.host.allows(START),
        "may_read_sources": context.host.allows("catalog.source.read"),
        "repositories": sum(view.repositories for view in every),
        "described": sum(view.counts.get("read", 0) for view in every),
    }


def _discovery_view(
    settings: DiscoverSettings, row: Any, counts: Mapping[str, int]
) -> DiscoveryView:
    if row is None:
        return DiscoveryView(settings, row, counts, "todo", _("not scanned yet"))
    if row.failing_since:
        return DiscoveryView(settings, row, counts, "bad", _("failing"))
    if not row.complete or counts.get("new"):
        return DiscoveryView(settings, row, counts, "run", _("being read"))
    failures = failures_of(counts)
    if failures.failed and not failures.read:
        return DiscoveryView(settings, row, counts, "bad", _("none could be read"))
    if failures.failed:
        return DiscoveryView(settings, row, counts, "warn", _("partly read"))
    return DiscoveryView(settings, row, counts, "ok", _("read"))


def _people_view(settings: PeopleSettings, read: PeopleRead) -> PeopleView:
    if read.began_at:
        return PeopleView(settings, read, "wait", _("was interrupted"))
    if read.users or read.groups:
        return PeopleView(settings, read, "ok", _("read"))
    return PeopleView(settings, read, "todo", _("not read yet"))


def _host_view(
    settings: HostSettings, state: State, discoveries: Sequence[DiscoveryView],
    people: Sequence[PeopleView], now: Any,
) -> HostView:  # fmt: skip
    fresh = state.hour_began is not None and now - state.hour_began < HOUR
    left = max(0, settings.requests_per_hour - (state.hour_requests if fresh else 0))
    status: Status
    if state.waiting_until and state.waiting_until > now:
        status, words = "wait", _("waiting")
    elif state.in_a_row or any(view.status == "bad" for view in discoveries):
        status, words = "bad", _("failing")
    elif not any(view.row for view in discoveries) and state.asked_at is None:
        status, words = "todo", _("not asked yet")
    else:
        status, words = "ok", _("answering")
    return HostView(settings, state, status, words, left, tuple(discoveries), people)


def _discovery(context: PageContext) -> Fragment | None:
    settings = context.host.settings.discovery(context.path.get("name", ""))
    if settings is None:
        return None
    chosen = Chosen(
        settings.name,
        state if (state := context.query.get("state", "")) in STATES else "",
        context.query.get("q", "").strip()[:200],
        context.query.get("after", "")[:500],
    )
    with context.host.read() as connection:
        row = load_discoveries(connection).get(settings.name)
        counts = load_counts(connection).get(settings.name, {})
        found = list(load_repositories(connection, chosen, PAGE))
    host = context.host.settings.host(settings.host)
    pages = Pages(host)
    return Fragment(
        template="scm_hosts/discovery.html",
        title=settings.name,
        context={
            "view": _discovery_view(settings, row, counts),
            "host": host,
            "type": TYPES[host.type],
            "chosen": chosen,
            "states": STATES,
            "words": WORDS,
            "rows": found[:PAGE],
            "following": _link(chosen, after=found[PAGE - 1].path) if len(found) > PAGE else "",
            "link": lambda **changed: _link(chosen, **changed),
            "page_of": lambda row: (
                pages.of(row.remote_id, row.path, settings.branch or row.branch).address
            ),
            "may_scan": context.host.allows(START),
            "may_read_sources": context.host.allows("catalog.source.read"),
        },
    )


def _link(chosen: Chosen, **changed: str) -> str:
    kept = {"state": chosen.state, "q": chosen.asked, **changed}
    query = urlencode({key: value for key, value in kept.items() if value})
    return f"/scm_hosts/{chosen.discovery}{'?' if query else ''}{query}"
