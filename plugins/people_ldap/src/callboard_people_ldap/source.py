"""The sources of entities: one for each server."""

from collections.abc import Iterable
from functools import partial
from typing import TYPE_CHECKING

from callboard.contributions import EntitySource, SourceContext, SourceDocument
from callboard.people import Rules, documents, settle
from callboard_people_ldap.models import identity
from callboard_people_ldap.reading import read_people
from callboard_people_ldap.settings import ServerSettings

if TYPE_CHECKING:
    from callboard.host import Host


def make_sources(host: "Host") -> list[EntitySource]:
    """Give the sources of entities that the settings name."""
    return [
        EntitySource(
            name=server.name, title=server.name, read=partial(read, server), every=server.every
        )
        for server in host.settings.servers
    ]


def read(server: ServerSettings, context: SourceContext) -> Iterable[SourceDocument]:
    """Read a directory. What hinders it is raised, and the last good state stays."""
    people = read_people(server)
    rules = Rules(
        namespace=server.namespace,
        maximum_loss=server.maximum_loss,
        keep_names=server.keep_names,
    )
    names = settle(context.host, identity, server.name, people, rules)
    return documents(people, names, namespace=server.namespace)
