"""Every hook a plugin may implement.

A hook is called once, when the portal starts, and returns data; what the data holds is called
later, by the host, with a context. Nothing here may do remote I/O. An implementation is a plain
function of the plugin's module, marked with `@hookimpl` and named as here. Hooks that return an
iterable may return an empty one; None means the same.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pluggy

if TYPE_CHECKING:
    from pydantic import BaseModel

    from callboard import contributions as c
    from callboard.host import Host

hookspec: Final = pluggy.HookspecMarker("callboard")


@hookspec
def callboard_startup(host: "Host") -> None:
    """Called in every process once the settings are read and the database is ready.

    Raising marks the plugin as failed and withdraws its contributions. Nothing is returned.

    Example::

        @hookimpl
        def callboard_startup(host):
            (host.data / "cache").mkdir(exist_ok=True)
    """


@hookspec
def callboard_shutdown(host: "Host") -> None:
    """Called when a process ends in good order; a killed one does not call it.

    Nothing is returned.

    Example::

        @hookimpl
        def callboard_shutdown(host):
            (host.data / "lock").unlink(missing_ok=True)
    """


@hookspec
def callboard_settings() -> "type[BaseModel] | None":
    """Declare the settings under `plugins.settings.<plugin>` of `callboard.yaml`.

    Return a pydantic model; the host forbids unknown keys, fills in secrets and reports faults
    with file and line. None means that the plugin has no settings.

    Example::

        class Settings(BaseModel):
            greeting: str = "Hello"


        @hookimpl
        def callboard_settings():
            return Settings
    """


@hookspec
def callboard_migrations() -> "Path | None":
    """Name the directory of the plugin's Alembic versions, a line of revisions of its own.

    `callboard db upgrade` runs them; tables begin with the plugin's name. None means no tables.

    Example::

        @hookimpl
        def callboard_migrations():
            return Path(__file__).parent / "migrations"
    """


@hookspec
def callboard_templates() -> "Path | None":
    """Name the directory with the plugin's templates, read as `<plugin>/<file>.html`.

    The directory holds a folder named after the plugin. None means no templates.

    Example::

        @hookimpl
        def callboard_templates():
            return Path(__file__).parent / "templates"
    """


@hookspec
def callboard_static() -> "Path | None":
    """Name the directory with the plugin's style sheets, scripts and pictures.

    The directory holds a folder named after the plugin. Its files are served below `/static/`
    with their digest in the name, and kept by browsers for a year; templates give their address
    with `asset("<plugin>/<file>")`. Modules import each other by their plain, relative names, in no
    circle. Served are .css, .js, .mjs, .svg, .png, .ico and .woff2. None means none.

    Example::

        @hookimpl
        def callboard_static():
            return Path(__file__).parent / "static"
    """


@hookspec
def callboard_translations() -> "Path | None":
    """Name the directory with the plugin's gettext catalogs, one `<locale>.po` for each language.

    Their domain is the plugin's name, used by its templates and by `Translator`. None means that
    the plugin speaks English only.

    Example::

        @hookimpl
        def callboard_translations():
            return Path(__file__).parent / "locales"
    """


@hookspec
def callboard_navigation() -> "Iterable[c.NavItem] | None":
    """Add links to the sidebar.

    Example::

        @hookimpl
        def callboard_navigation():
            return [NavItem(name="hello", title=_("Hello"), path="/hello/", letter="e")]
    """


@hookspec
def callboard_pages() -> "Iterable[c.Page] | None":
    """Add whole pages, drawn in the portal's shell.

    Example::

        @hookimpl
        def callboard_pages():
            return [Page(name="hello", title=_("Hello"), path="", render=draw_page)]
    """


@hookspec
def callboard_routes() -> "Iterable[c.Routes] | None":
    """Add FastAPI routes under `/api/plugins/<plugin>`.

    Example::

        @hookimpl
        def callboard_routes():
            return [Routes(router=make_router)]
    """


@hookspec
def callboard_home_cards() -> "Iterable[c.HomeCard] | None":
    """Add cards to the home page.

    Example::

        @hookimpl
        def callboard_home_cards():
            return [HomeCard(name="greeting", title=_("Greeting"), render=draw_greeting)]
    """


@hookspec
def callboard_entity_cards() -> "Iterable[c.EntityCard] | None":
    """Add cards to the overview of entities.

    Example::

        @hookimpl
        def callboard_entity_cards():
            return [EntityCard(name="hello", title=_("Hello"), render=draw_card)]
    """


@hookspec
def callboard_entity_tabs() -> "Iterable[c.EntityTab] | None":
    """Add tabs to the page of entities.

    Example::

        @hookimpl
        def callboard_entity_tabs():
            return [EntityTab(name="hello", title=_("Hello"), render=draw_tab)]
    """


@hookspec
def callboard_entity_badges() -> "Iterable[c.EntityBadge] | None":
    """Add status badges beside the title of entities.

    Example::

        @hookimpl
        def callboard_entity_badges():
            return [EntityBadge(name="stale", render=stale_badge)]
    """


@hookspec
def callboard_catalog_columns() -> "Iterable[c.CatalogColumn] | None":
    """Add columns to the catalog list. Each gets all entities of the page in one call.

    Example::

        @hookimpl
        def callboard_catalog_columns():
            return [CatalogColumn(name="visits", title=_("Visits"), values=visits_of)]
    """


@hookspec
def callboard_entity_sources() -> "Iterable[c.EntitySource | c.FileSource | c.Sources] | None":
    """Add places entities come from, beside those in `catalog.sources`.

    An `EntitySource` hands in whole documents. A `FileSource` lists files with their versions, of
    which only those that changed are read: for hosts of repositories, buckets, file servers. Its
    files may hold Locations and placeholders, and have links of their own. `Sources` gives such
    sources by the plugin's settings.

    Example::

        @hookimpl
        def callboard_entity_sources():
            return [
                EntitySource(name="inventory", title=_("Inventory"), read=read_inventory),
                FileSource(name="bucket", title=_("Bucket"), list=list_objects, read=read_objects),
            ]
    """


@hookspec
def callboard_entity_processors() -> "Iterable[c.EntityProcessor] | None":
    """Complete or change entities before they are stored.

    Example::

        @hookimpl
        def callboard_entity_processors():
            return [EntityProcessor(name="label", process=add_label)]
    """


@hookspec
def callboard_kinds() -> "Iterable[c.Kind | c.EntityField] | None":
    """Declare kinds of entities as data: schema, relations and titles; and fields of other kinds.

    Example::

        @hookimpl
        def callboard_kinds():
            return [
                Kind(name="Robot", api_versions=("example.com/v1",), title=_("Robot")),
                EntityField(name="tier", path="spec.tier", title=_("Tier"), kinds=("Component",)),
            ]
    """


@hookspec
def callboard_search_sources() -> "Iterable[c.SearchSource] | None":
    """Add documents that search finds beside entities.

    Example::

        @hookimpl
        def callboard_search_sources():
            return [SearchSource(name="runbooks", title=_("Runbooks"), read=read_runbooks)]
    """


@hookspec
def callboard_acts() -> "Iterable[c.Act] | None":
    """Add acts to the command palette: what a person can do, found by its words.

    Example::

        @hookimpl
        def callboard_acts():
            return [Act(name="greet", title=_("Change the greeting"), path="/hello/change")]
    """


@hookspec
def callboard_waiting() -> "Iterable[c.Waiting] | None":
    """Tell what waits for the reader, at the top of the home page.

    Example::

        @hookimpl
        def callboard_waiting():
            return [Waiting(name="reviews", title=_("Reviews"), read=reviews_for)]
    """


@hookspec
def callboard_page_notes() -> "Iterable[c.PageNote] | None":
    """Put a sentence at the top of every page, about the portal as a whole.

    Example::

        @hookimpl
        def callboard_page_notes():
            return [PageNote(name="practice", title=_("This portal is for practice."))]
    """


@hookspec
def callboard_activity() -> "Iterable[c.Activity] | None":
    """Put the plugin's events into words, for lists of what happened.

    Example::

        @hookimpl
        def callboard_activity():
            title = _("Greetings")
            return [Activity(name="hello", title=title, kinds=("hello.",), describe=describe)]
    """


@hookspec
def callboard_jobs() -> "Iterable[c.Job] | None":
    """Add work that runs outside of requests, on schedule or when asked for.

    Example::

        @hookimpl
        def callboard_jobs():
            return [Job(name="collect", title=_("Collect"), run=collect, every=timedelta(hours=1))]
    """


@hookspec
def callboard_event_handlers() -> "Iterable[c.EventHandler] | None":
    """Be told of events, in order, at least once each.

    Example::

        @hookimpl
        def callboard_event_handlers():
            return [EventHandler(name="count", kinds=("catalog.entity.",), handle=count)]
    """


@hookspec
def callboard_webhooks() -> "Iterable[c.Webhook] | None":
    """Receive deliveries from other systems at `/hooks/<plugin>/<name>`.

    Example::

        @hookimpl
        def callboard_webhooks():
            return [Webhook(name="push", title=_("Push"), verify=is_signed, handle=on_push)]
    """


@hookspec
def callboard_delivery_follows() -> "Iterable[c.DeliveryFollows] | None":
    """Tell on the page of a delivery what followed from it, such as runs that it started.

    Example::

        @hookimpl
        def callboard_delivery_follows():
            return [DeliveryFollows(name="runs", title=_("Runs"), read=runs_of_delivery)]
    """


@hookspec
def callboard_permissions() -> "Iterable[c.Permission] | None":
    """Declare the rights this plugin asks for, so that they can be given and explained.

    Example::

        @hookimpl
        def callboard_permissions():
            return [Permission(name="hello.greeting.change", title=_("Change the greeting"))]
    """


@hookspec
def callboard_deciders() -> "Iterable[c.Decider] | None":
    """Take part in decisions on who may do what, such as for an outside permission system.

    Example::

        @hookimpl
        def callboard_deciders():
            title = _("Change freeze")
            return [Decider(name="freeze", title=title, permissions=("cd.*",), decide=freeze)]
    """


@hookspec
def callboard_metrics() -> "Iterable[c.Metric] | None":
    """Add gauges to `/metrics`.

    Example::

        @hookimpl
        def callboard_metrics():
            return [Metric(name="visits", help="Visits counted.", read=count_visits)]
    """


@hookspec
def callboard_checks() -> "Iterable[c.Checks] | None":
    """Let `callboard doctor` look at what the plugin needs: servers it asks, tokens, certificates.

    Give one check for each of them, so that each has its own time. A finding says what is there,
    and where it is not `ok` what to do next; never a secret.

    Example::

        @hookimpl
        def callboard_checks():
            return [Checks(checks=look_at_servers)]
    """


@hookspec
def callboard_commands() -> "Iterable[c.Command] | None":
    """Add commands to the `callboard` program.

    Example::

        @hookimpl
        def callboard_commands():
            return [Command(name="hello", help="Say hello.", load=load_commands)]
    """


@hookspec
def callboard_cluster_watches() -> "Iterable[c.ClusterWatch] | None":
    """Follow kinds of objects in the clusters of the settings.

    A kind that several plugins ask for is watched once in each cluster. A cluster without the
    kind is left alone until it has it.

    Example::

        @hookimpl
        def callboard_cluster_watches():
            return [ClusterWatch(name="runs", resource=PIPELINE_RUNS, changed=keep_runs)]
    """


@hookspec
def callboard_cluster_rules() -> "Iterable[c.ClusterRule] | None":
    """Say what the plugin needs to be allowed in a cluster, for `callboard kubernetes rbac`.

    Example::

        @hookimpl
        def callboard_cluster_rules():
            return [
                ClusterRule(
                    name="read",
                    group="tekton.dev",
                    resources=("pipelineruns",),
                    verbs=("get", "list", "watch"),
                    why="Shows runs.",
                )
            ]
    """


@hookspec
def callboard_code_hosts() -> "Iterable[c.CodeHosts] | None":
    """Give the hosts of repositories whose API the plugin speaks, for `host.code_host`.

    Example::

        @hookimpl
        def callboard_code_hosts():
            return [CodeHosts(hosts=make_hosts)]
    """


@hookspec
def callboard_demo_parts() -> "Iterable[c.DemoPart] | None":
    """Add to what `callboard demo` shows: settings, and the files they refer to.

    Example::

        @hookimpl
        def callboard_demo_parts():
            return [DemoPart(name="greeting", prepare=write_greeting)]
    """
