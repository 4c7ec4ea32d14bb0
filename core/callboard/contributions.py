"""What hooks return: frozen descriptions of pages, cards, jobs and all else a plugin adds.

Every callable in a contribution is synchronous. Those that draw (cards, tabs, badges, columns,
pages) read tables only: they run while a person waits, under `plugins.time_limit`. Remote reads
belong in jobs and entity sources.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from callboard.entities import Entity, EntityRef
from callboard.i18n import Text
from callboard.identity import EntityFacts, Permission, Principal, Selector, Subject
from callboard.kinds import Kind

if TYPE_CHECKING:
    from fastapi import APIRouter
    from typer import Typer

    from callboard.host import Host

F = TypeVar("F", bound=Callable[..., Any])

Width = Literal[3, 4, 5, 6, 7, 8, 12]
"""How many of the twelve columns of the page a card takes on a wide screen."""

Status = Literal["ok", "run", "wait", "pause", "warn", "bad", "block", "unknown", "skip", "todo"]
"""The one status vocabulary of the product; each state has its own mark and colour."""

__all__ = [
    "Act", "Activity", "ActivityContext", "ActivityItem", "Badge", "CatalogColumn", "Cell",
    "ColumnContext", "Command", "Decider", "DecisionRequest", "EntityBadge", "EntityCard",
    "EntityContext", "EntityProcessor", "EntitySource", "EntityTab", "EntityVerdict", "Event",
    "EventContext", "EventHandler", "FormContext", "Fragment", "HomeCard", "Job", "JobContext",
    "Kind", "Metric", "NavItem", "Page", "PageContext", "Permission", "ProcessorContext",
    "Routes", "Sample", "SearchDocument", "SearchSource", "SourceContext", "SourceDocument",
    "Status", "TabNote", "Verdict", "Waiting", "WaitingItem", "Webhook", "WebhookRequest",
    "Width", "open_to_everyone", "requires",
]  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Fragment:
    """A piece of a page: a template of the plugin, or its source, and what it is filled with.

    `template` is `<plugin>/<file>.html` below a directory given by `callboard_templates`;
    `source` is Jinja text for a plugin of one file. Both are auto-escaped.

    `styles` and `scripts` name files of the directory given by `callboard_static`, as
    `<plugin>/<file>`, which the piece needs. Scripts are loaded as ES modules, once for each page
    whatever number of pieces names them; pieces that come later announce themselves by the event
    `htmx:load`. `title` takes the place of the contribution's own where a page or a tab shows
    one thing of many.
    """

    template: str = ""
    source: str = ""
    context: Mapping[str, Any] = field(default_factory=dict)
    styles: tuple[str, ...] = ()
    scripts: tuple[str, ...] = ()
    title: Text = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class PageContext:
    """What drawing code is told about the request.

    `mine` are the reader's own User entity and the groups above it, the nearest first: what they
    own is the reader's. It is empty for a reader of whom the portal does not know who they are.
    """

    host: "Host"
    principal: Principal
    locale: str
    time_zone: str
    mine: tuple[EntityRef, ...] = ()
    path: Mapping[str, str] = field(default_factory=dict)
    query: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class FormContext(PageContext):
    """A form that was sent to a page: each field with its values, without the portal's token."""

    form: Mapping[str, tuple[str, ...]]


@dataclass(frozen=True, slots=True, kw_only=True)
class EntityContext(PageContext):
    """A request for something about one entity."""

    entity: Entity


@dataclass(frozen=True, slots=True, kw_only=True)
class ColumnContext(PageContext):
    """A request for one cell for each of these entities: all rows of the page at once.

    They have the relations they declare themselves; ask `host.catalog` for those of others.
    """

    entities: Sequence[Entity]


@dataclass(frozen=True, slots=True, kw_only=True)
class NavItem:
    """A link in the sidebar. `section` is `main`, `deliver`, `assure` or `administer`.

    `letter` opens the page after the key `g`. Where it is taken by a link above, or none is asked
    for, the first letter of `name` that is free is taken.
    """

    name: str
    title: Text
    path: str
    icon: str = "plug"
    section: Literal["main", "deliver", "assure", "administer"] = "main"
    order: int = 100
    permission: str = ""
    letter: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """A whole page in the portal's shell, at `/<plugin>/<path>` (`{name}` parts become `path`).

    `permission` is who may open it: one about entities lets those in who have it for any, so the
    page asks again, by `host.require`, with the entity it finds. Without one it is for those who
    may see any entity.

    A page with `submit` takes forms that are sent to its address by POST, of at most 1 MiB, and
    answers them with what `submit` gives. It may take as long as 30 seconds, unlike what draws.
    Templates put `{{ form_token() }}` into each such form.
    """

    name: str
    title: Text
    path: str
    render: Callable[[PageContext], Fragment | None]
    permission: str = ""
    submit: Callable[[FormContext], Fragment | None] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Routes:
    """API routes under `/api/plugins/<plugin>`. `router` is called once, when the portal starts.

    `permission` is asked before a request is read, as of `Page`; `requires` gives one route
    another. The routes are those of `router.get`, `router.post` and so on; others keep the plugin
    from being loaded, as they would not be asked for anything.
    """

    router: Callable[["Host"], "APIRouter"]
    permission: str = ""


def requires(permission: str) -> Callable[[F], F]:
    """Say which permission an API route asks for, in place of that of its `Routes`.

    Example::

        @router.post("/runs")
        @requires("ci.run.start")
        def start(ref: str) -> Run:
            host.require("ci.run.start", EntityRef.parse(ref))
    """

    def mark(function: F) -> F:
        function.callboard_permission = permission  # type: ignore[attr-defined]
        return function

    return mark


def open_to_everyone(why: str) -> Callable[[F], F]:
    """Say that an API route asks for no permission, and why: nobody needs to sign in for it."""

    def mark(function: F) -> F:
        function.callboard_open = why  # type: ignore[attr-defined]
        return function

    return mark


@dataclass(frozen=True, slots=True, kw_only=True)
class HomeCard:
    """A card on the home page. `render` gives None where there is nothing to show."""

    name: str
    title: Text
    render: Callable[[PageContext], Fragment | None]
    width: Width = 6
    order: int = 100
    permission: str = ""


def _always(entity: Entity) -> bool:
    return True


@dataclass(frozen=True, slots=True, kw_only=True)
class EntityCard:
    """A card on the overview of the entities that `applies` accepts."""

    name: str
    title: Text
    render: Callable[[EntityContext], Fragment | None]
    applies: Callable[[Entity], bool] = _always
    width: Width = 6
    order: int = 100
    permission: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class TabNote:
    """What a tab says beside its title before it is opened: a count, or a status and its words.

    Example: `TabNote(status="bad", words=_("last run failed"))`, or `TabNote(count=3)`.
    """

    count: int | None = None
    status: Status | None = None
    words: Text = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class EntityTab:
    """A tab of an entity's page, with a URL of its own.

    Its address ends in `<plugin>.<name>`, or in the plugin's name alone where both are the same.
    `note` is asked on every page of the entity, so it must be cheap: one query at most; None says
    that there is nothing to tell. With `subpages` it also answers to addresses below its own; what
    follows is `path["rest"]`, empty at the tab itself, and None says that there is no such page.
    """

    name: str
    title: Text
    render: Callable[[EntityContext], Fragment | None]
    applies: Callable[[Entity], bool] = _always
    order: int = 100
    permission: str = ""
    subpages: bool = False
    note: Callable[[EntityContext], TabNote | None] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Badge:
    """A status beside an entity's title; `detail` says why, `path` leads to the evidence."""

    status: Status
    label: Text
    detail: Text = ""
    path: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class EntityBadge:
    """Computes a badge for an entity's header; None where there is nothing to say."""

    name: str
    render: Callable[[EntityContext], Badge | None]
    applies: Callable[[Entity], bool] = _always
    order: int = 100
    permission: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One cell of a catalog column. `at` is shown as an age in the reader's language."""

    text: Text = ""
    status: Status | None = None
    at: datetime | None = None
    path: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class CatalogColumn:
    """A column of the catalog list, computed for all rows of a page in one call.

    With a permission about entities, it is asked for those rows only for which the reader has it.
    """

    name: str
    title: Text
    values: Callable[[ColumnContext], Mapping[EntityRef, Cell]]
    kinds: frozenset[str] = frozenset({"component"})
    order: int = 100
    permission: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceDocument:
    """One document of an entity source: YAML text (any number of documents) or one entity."""

    path: str
    content: str | Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceContext:
    """`version` is what the source gave at its last good read, or empty."""

    host: "Host"
    version: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class EntitySource:
    """Finds entities somewhere else and hands them to the catalog.

    `version` is a cheap question, asked first: an answer equal to the last one means that nothing
    changed and `read` is not called. `read` gives the whole set; what it no longer gives leaves
    the catalog. An exception keeps the last good state and is shown with its time.
    """

    name: str
    title: Text
    read: Callable[[SourceContext], Iterable[SourceDocument]]
    version: Callable[[SourceContext], str] | None = None
    every: timedelta = timedelta(minutes=5)


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessorContext:
    """Where the document comes from."""

    host: "Host"
    source: str
    path: str


@dataclass(frozen=True, slots=True, kw_only=True)
class EntityProcessor:
    """Changes or completes an entity before it is stored; must give the same for the same input.

    `process` returns the new document, or None to leave it. A raising processor leaves the
    document as it was and the fault is listed. A new `version` processes every entity again.
    """

    name: str
    process: Callable[[Mapping[str, Any], ProcessorContext], Mapping[str, Any] | None]
    version: str = "1"
    order: int = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchDocument:
    """Something that search finds beside entities. `key` is unique within the search source."""

    key: str
    title: str
    path: str
    text: str = ""
    tags: tuple[str, ...] = ()
    entity: EntityRef | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchSource:
    """Gives the documents to be found; read on schedule, only what changed is written.

    `changed_by` are kinds of events, as of `EventHandler`, after which it is read again within a
    minute or two; one that takes long to read is not read more often than it can bear.

    Documents about an entity are found by those who may see it, and all of them by those only who
    have `permission`.
    """

    name: str
    title: Text
    read: Callable[["Host"], Iterable[SearchDocument]]
    every: timedelta = timedelta(minutes=10)
    icon: str = "file"
    changed_by: tuple[str, ...] = ()
    permission: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Act:
    """Something a person can do from the command palette: it leads to the page that does it.

    `words` are further words it is found by, such as other names of the same thing.
    """

    name: str
    title: Text
    path: str
    icon: str = "right"
    words: Text = ""
    order: int = 100
    permission: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class WaitingItem:
    """One thing that waits for a person: what, why, since when, and the verb that moves it on."""

    status: Status
    title: Text
    path: str
    why: Text = ""
    verb: Text = ""
    at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """Tells what waits for the reader, for the top of the home page; the worst first."""

    name: str
    title: Text
    read: Callable[[PageContext], Sequence[WaitingItem]]
    order: int = 100
    permission: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class JobContext:
    """One run of a job. `payload` is JSON; `attempt` counts from 1."""

    host: "Host"
    run: int
    payload: Mapping[str, Any]
    attempt: int
    progress: Callable[[int, int, str], None]
    """`progress(done, total, what)` shows how far the run is; it may be called often."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """Work outside of requests, scheduled (`every`) or submitted. Safe to be killed and run twice.

    One runner at a time for each (job, key). A failure is tried again `attempts` times in all,
    after `backoff`, doubled each time, with jitter. Of a `quiet` job, one that runs often and
    mostly finds nothing to do, only the latest success is kept and no event tells of it.
    """

    name: str
    title: Text
    run: Callable[[JobContext], None]
    every: timedelta | None = None
    attempts: int = 3
    backoff: timedelta = timedelta(seconds=10)
    timeout: timedelta = timedelta(minutes=10)
    quiet: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """A fact of the event log, such as kind `catalog.entity.updated`, subject an entity ref."""

    id: int
    kind: str
    subject: str
    data: Mapping[str, Any]
    at: datetime
    actor: str


@dataclass(frozen=True, slots=True, kw_only=True)
class EventContext:
    """Events in their order, a batch at a time."""

    host: "Host"
    events: Sequence[Event]


@dataclass(frozen=True, slots=True, kw_only=True)
class EventHandler:
    """Is given every event whose kind is listed or begins with a listed `prefix.`, in order.

    At least once: the cursor moves when `handle` returns.
    """

    name: str
    kinds: tuple[str, ...]
    handle: Callable[[EventContext], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class ActivityContext(PageContext):
    """A request to put events into words: all that are on the page at once."""

    events: Sequence[Event]


@dataclass(frozen=True, slots=True, kw_only=True)
class ActivityItem:
    """An event as a person reads it. `path` leads to what it tells of."""

    text: Text
    path: str = ""
    detail: Text = ""
    status: Status | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Activity:
    """Puts events into words, for lists of what happened.

    It is asked for events whose kind is listed or begins with a listed `prefix.`, and answers by
    the event's id; what it leaves out is not shown.
    """

    name: str
    title: Text
    kinds: tuple[str, ...]
    describe: Callable[[ActivityContext], Mapping[int, ActivityItem]]
    permission: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookRequest:
    """A delivery. Header names are lower-case; the body is at most 5 MiB."""

    host: "Host"
    headers: Mapping[str, str]
    query: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Webhook:
    """Receives POST `/hooks/<plugin>/<name>`.

    `verify` runs first, before anything is stored: False answers 401. `handle` runs in a job and
    is tried again on failure.
    """

    name: str
    title: Text
    verify: Callable[[WebhookRequest], bool]
    handle: Callable[[WebhookRequest], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class DecisionRequest:
    """A question of whether a subject may do something, with an entity or with the portal.

    `environment` is the one that is acted on, or empty.
    """

    subject: Subject
    permission: str
    entity: EntityFacts | None = None
    environment: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What a decider says; `reason` is shown to those who ask why."""

    effect: Literal["allow", "deny", "abstain"]
    reason: Text = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class EntityVerdict:
    """What a decider says of all entities at once: those it allows, and those it denies."""

    allow: tuple[Selector, ...] = ()
    deny: tuple[Selector, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Decider:
    """Takes part in decisions, such as for a permission system of the organisation.

    It is asked about `permissions`, by name or pattern (`cd.*`), where roles and tokens do not
    deny already. What it denies is denied; what it allows is allowed, unless another denies; where
    it abstains, roles decide. An answer may take `access.deciders.time_limit` and holds for
    `access.deciders.keep`. One that raises, is late or is of another type counts as a denial.

    `entities` answers the same for lists, which cannot ask for each row; it must agree with
    `decide`. Without it, lists for its permissions are empty.
    """

    name: str
    title: Text
    permissions: tuple[str, ...]
    decide: Callable[[DecisionRequest, "Host"], Verdict]
    entities: Callable[[Subject, str, "Host"], EntityVerdict] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One value of a metric."""

    value: float
    labels: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """A gauge on `/metrics`, named `callboard_<plugin>_<name>`, read when it is scraped."""

    name: str
    help: str
    read: Callable[["Host"], Iterable[Sample]]
    labels: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """A command group `callboard <name> …`. `load` is called only when the command is used.

    Commands find their `Host` in `typer.Context.obj`.
    """

    name: str
    help: str
    load: Callable[[], "Typer"]
