"""The sources of people and groups: one for each entry of the settings."""

from collections.abc import Iterable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Final

from callboard.contributions import EntitySource, SourceContext, SourceDocument
from callboard.errors import NotFoundError
from callboard.i18n import Translator
from callboard.people import FoundPeople, Rules, documents, settle
from callboard_scm_hosts.client import HostClient
from callboard_scm_hosts.ledger import Ledger
from callboard_scm_hosts.people.asking import Asker, forget_others
from callboard_scm_hosts.people.base import PeopleApi
from callboard_scm_hosts.people.gitea import GiteaPeople
from callboard_scm_hosts.people.github import GitHubPeople
from callboard_scm_hosts.people.gitlab import GitLabPeople
from callboard_scm_hosts.people.models import identity
from callboard_scm_hosts.settings_people import PeopleSettings

if TYPE_CHECKING:
    from callboard.host import Host

_ = Translator("scm_hosts")

APIS: Final[Mapping[str, PeopleApi]] = {
    "gitlab": GitLabPeople(),
    "github": GitHubPeople(),
    "gitea": GiteaPeople(),
}


def people_sources(host: "Host") -> list[EntitySource]:
    """Give the sources that the settings name."""
    return [
        EntitySource(name=item.name, title=item.name, read=partial(read, item), every=item.every)
        for item in host.settings.people
    ]


def read(settings: PeopleSettings, context: SourceContext) -> Iterable[SourceDocument]:
    """Read people and groups. What hinders it is raised, and the last good state stays."""
    forget_others(context.host, [item.name for item in context.host.settings.people])
    people = ask(settings, context.host)
    rules = Rules(
        namespace=settings.namespace,
        maximum_loss=settings.maximum_loss,
        keep_names=settings.keep_names,
    )
    names = settle(context.host, identity, settings.name, people, rules)
    return documents(people, names, namespace=settings.namespace, users=settings.users)


def ask(settings: PeopleSettings, host: "Host") -> FoundPeople:
    """Ask the host for everybody."""
    where = host.settings.host(settings.host)
    if where is None:
        raise NotFoundError(_("There is no host named %(name)s.", name=settings.host))
    ledger = Ledger(host, where.name, where.requests_per_hour)
    asker = Asker(host, HostClient(host.http, where, ledger), settings.name)
    try:
        people = APIS[where.type].read(asker, settings)
    except BaseException:
        asker.interrupt()
        raise
    finally:
        ledger.keep()
    asker.finish()
    return people
