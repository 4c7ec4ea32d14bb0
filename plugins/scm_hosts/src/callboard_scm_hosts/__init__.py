"""Repositories found by themselves on GitLab, GitHub, Gitea, Gitee and in folders.

A scan lists the repositories of a place and reads the descriptors of those that changed into
tables; the catalog is given files from there. Modules are imported by the hooks that need them,
so that importing the plugin costs nothing.
"""

from collections.abc import Iterable
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Final

from callboard import hookimpl
from callboard.contributions import Checks, CodeHosts, Job, Metric, NavItem, Page, Sources, Webhook
from callboard.i18n import Translator
from callboard.identity import Permission

if TYPE_CHECKING:
    from pydantic import BaseModel

CALLBOARD_CONTRACT: Final = 1

_ = Translator("scm_hosts")
_HERE: Final = Path(__file__).parent


@hookimpl
def callboard_settings() -> "type[BaseModel]":
    from callboard_scm_hosts.settings import ScmHostsSettings

    return ScmHostsSettings


@hookimpl
def callboard_migrations() -> Path:
    return _HERE / "migrations"


@hookimpl
def callboard_templates() -> Path:
    return _HERE / "templates"


@hookimpl
def callboard_translations() -> Path:
    return _HERE / "locales"


@hookimpl
def callboard_entity_sources() -> Iterable[Sources]:
    from callboard_scm_hosts.people.source import people_sources
    from callboard_scm_hosts.source import make_sources

    return [Sources(sources=make_sources), Sources(sources=people_sources)]


@hookimpl
def callboard_webhooks() -> Iterable[Webhook]:
    from callboard_scm_hosts.webhooks import webhooks

    return webhooks()


@hookimpl
def callboard_jobs() -> Iterable[Job]:
    from callboard_scm_hosts.jobs import LOOK_EVERY, run_look, run_scan, run_touched

    return [
        Job(
            name="look",
            title=_("Look which hosts must be scanned"),
            run=run_look,
            every=LOOK_EVERY,
            quiet=True,
        ),
        Job(
            name="scan",
            title=_("Scan a host for repositories"),
            run=run_scan,
            attempts=1,
            timeout=timedelta(hours=4),
            quiet=True,
        ),
        Job(
            name="read_touched",
            title=_("Read repositories that were pushed to"),
            run=run_touched,
            timeout=timedelta(hours=1),
        ),
    ]


@hookimpl
def callboard_navigation() -> Iterable[NavItem]:
    return [
        NavItem(
            name="hosts",
            title=_("Repository hosts"),
            path="/scm_hosts/",
            icon="branch",
            section="administer",
            order=15,
            letter="f",
            permission="scm_hosts.host.read",
        )
    ]


@hookimpl
def callboard_pages() -> Iterable[Page]:
    from callboard_scm_hosts.views import (
        draw_discovery,
        draw_hosts,
        submit_discovery,
        submit_hosts,
    )

    return [
        Page(
            name="hosts",
            title=_("Repository hosts"),
            path="",
            render=draw_hosts,
            submit=submit_hosts,
            permission="scm_hosts.host.read",
        ),
        Page(
            name="discovery",
            title=_("Found repositories"),
            path="{name}",
            render=draw_discovery,
            submit=submit_discovery,
            permission="scm_hosts.host.read",
        ),
    ]


@hookimpl
def callboard_permissions() -> Iterable[Permission]:
    return [
        Permission(
            name="scm_hosts.host.read",
            title=_("See the hosts of repositories and all that was found on them"),
            role="maintainer",
        ),
        Permission(
            name="scm_hosts.scan.start",
            title=_("Scan a host for repositories"),
            role="maintainer",
        ),
    ]


@hookimpl
def callboard_metrics() -> Iterable[Metric]:
    from callboard_scm_hosts.metrics import (
        count_repositories,
        count_requests,
        longest_failure,
        tell_remaining,
    )

    return [
        Metric(
            name="repositories",
            help="Repositories found, by discovery and state.",
            read=count_repositories,
            labels=("discovery", "state"),
        ),
        Metric(
            name="requests",
            help="Requests sent to each host, by what came of them.",
            read=count_requests,
            labels=("host", "result"),
        ),
        Metric(
            name="remaining_requests",
            help="Requests that each host said it still allows.",
            read=tell_remaining,
            labels=("host",),
        ),
        Metric(
            name="failing_seconds",
            help="For how long each discovery has been failing.",
            read=longest_failure,
            labels=("discovery",),
        ),
    ]


@hookimpl
def callboard_checks() -> Iterable[Checks]:
    from callboard_scm_hosts.checks import make_checks

    return [Checks(checks=make_checks)]


@hookimpl
def callboard_code_hosts() -> Iterable[CodeHosts]:
    from callboard_scm_hosts.speaking import code_hosts

    return [CodeHosts(hosts=code_hosts)]
