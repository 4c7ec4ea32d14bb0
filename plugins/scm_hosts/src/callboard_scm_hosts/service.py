"""What others ask of the plugin: that a repository be read next, or a discovery be scanned."""

from typing import TYPE_CHECKING

from sqlalchemy import ColumnElement, func, or_, update

from callboard.errors import NotFoundError
from callboard.i18n import Translator
from callboard_scm_hosts.models import repository
from callboard_scm_hosts.settings import DiscoverSettings, ScmHostsSettings

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from callboard.host import Host

_ = Translator("scm_hosts")


def touched(
    host: "Host", connection: "Connection", host_name: str, repository_name: str
) -> tuple[str, ...]:
    """Have one repository read next, in the caller's transaction.

    `host_name` is that of a configured host; `repository_name` the host's own id of the repository
    (text), or its full path such as `shop/orders`. What it says of itself is not trusted: the
    repository is read anew. Gives the discoveries that were asked; one that does not know the
    repository, but may find it, is scanned whole.
    """
    settings: ScmHostsSettings = host.settings
    asked = []
    for discovery in settings.discover:
        if discovery.host != host_name:
            continue
        marked = connection.execute(
            update(repository)
            .where(repository.c.discovery == discovery.name, _is_named(repository_name))
            .values(touched=repository.c.touched + 1)
        )
        if marked.rowcount:
            ask_scan(host, connection, discovery.name, touched_only=True)
        elif _may_find(discovery, repository_name):
            ask_scan(host, connection, discovery.name)
        else:
            continue
        asked.append(discovery.name)
    return tuple(asked)


def ask_all(host: "Host", connection: "Connection", name: str) -> int:
    """Have a discovery scanned, and at once read again what could not be read; give the run."""
    connection.execute(
        update(repository)
        .where(repository.c.discovery == name, repository.c.state == "failed")
        .values(touched=repository.c.touched + 1)
    )
    return ask_scan(host, connection, name)


def ask_scan(
    host: "Host", connection: "Connection", name: str, *, touched_only: bool = False
) -> int:
    """Have a discovery scanned, or only what was touched of it; give the run's number."""
    if host.settings.discovery(name) is None:
        raise NotFoundError(_("There is no discovery named %(name)s.", name=name))
    if touched_only:
        payload = {"discovery": name, "touched": True}
        return host.submit("read_touched", payload, key=name, connection=connection)
    return host.submit("scan", {"discovery": name}, key=name, connection=connection)


def _is_named(name: str) -> "ColumnElement[bool]":
    return or_(repository.c.remote_id == name, func.lower(repository.c.path) == name.lower())


def _may_find(discovery: DiscoverSettings, name: str) -> bool:
    """Whether a path may be below the group; of an id alone nobody knows."""
    scope = discovery.scope.lower()
    return not scope or "/" not in name or name.lower().startswith(f"{scope}/")
