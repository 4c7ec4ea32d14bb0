"""The sources of entities: one for each discovery, given from the tables."""

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import select

from callboard.contributions import FileSource, SourceContext, SourceFile, SourceTrouble
from callboard.errors import NotFoundError, NotReadyError
from callboard.i18n import Translator
from callboard_scm_hosts import store
from callboard_scm_hosts.client import HostClient
from callboard_scm_hosts.git_reading import blobs_by_git
from callboard_scm_hosts.hosts import APIS
from callboard_scm_hosts.hosts.base import content_of
from callboard_scm_hosts.ledger import Ledger
from callboard_scm_hosts.models import repository
from callboard_scm_hosts.pages import Pages
from callboard_scm_hosts.queries import load_failures
from callboard_scm_hosts.settings import DiscoverSettings, HostSettings
from callboard_scm_hosts.values import MAXIMUM_BYTES, Found

if TYPE_CHECKING:
    from callboard.host import Host

_ = Translator("scm_hosts")

LOOKED_AT: Final = timedelta(minutes=1)
"""How often the tables are looked at; a scan that found something asks for it at once."""

SLUGS: Final = {
    "github": "github.com/project-slug",
    "gitlab": "gitlab.com/project-slug",
    "gitea": "gitea.com/project-slug",
    "gitee": "gitee.com/project-slug",
}
"""The annotation with the name of a repository, by the type of its host (Backstage's processor
`AnnotateScmSlugEntityProcessor`, and the plugins that read the last two)."""


def make_sources(host: "Host") -> list[FileSource]:
    """Give the sources of entities that the settings name."""
    return [
        FileSource(
            name=discovery.name,
            title=discovery.name,
            list=partial(list_files, discovery),
            read=partial(read_files, discovery),
            version=partial(give_version, discovery),
            every=LOOKED_AT,
            trouble=partial(find_trouble, discovery),
        )
        for discovery in host.settings.discover
    ]


def give_version(discovery: DiscoverSettings, context: SourceContext) -> str:
    """Name what the tables hold of a discovery; raises `NotReadyError` while it fails."""
    with context.host.read() as connection:
        row = store.load_discovery(connection, discovery.name)
        failures = load_failures(connection, discovery.name)
    if row is None:
        return "0"
    if row.failing_since:
        raise NotReadyError(row.error, hint=row.hint)
    host = _host_settings(context.host, discovery)
    said = f"{host.type}\0{host.address}\0{discovery.branch}" + "\0slugs" * discovery.slugs
    settings = hashlib.sha256(said.encode())
    told = f"-{failures.failed}.{failures.read}.{failures.waiting}" if failures.failed else ""
    return f"{row.revision}-{settings.hexdigest()[:12]}{told}"


def find_trouble(discovery: DiscoverSettings, context: SourceContext) -> SourceTrouble | None:
    """Say how many repositories could not be read, if any; those left out do not count."""
    with context.host.read() as connection:
        failures = load_failures(connection, discovery.name)
    if not failures.failed:
        return None
    total = failures.failed + failures.read + failures.waiting
    whole = failures.failed == total
    text = (
        _.plural(
            "The only repository could not be read.",
            "None of the %(number)s repositories could be read.",
            total,
        )
        if whole
        else _(
            "%(number)s of %(total)s repositories could not be read.",
            number=failures.failed,
            total=total,
        )
    )
    return SourceTrouble(
        text=text,
        hint=_("The page of the discovery says of each why, and when it was tried last."),
        whole=whole,
        path=f"/scm_hosts/{discovery.name}?state=failed",
    )


def list_files(discovery: DiscoverSettings, context: SourceContext) -> Iterator[SourceFile]:
    """Give the files of every repository that has a descriptor."""
    host = _host_settings(context.host, discovery)
    pages, slug = Pages(host), SLUGS.get(host.type, "") if discovery.slugs else ""
    query = (
        select(repository.c.remote_id, repository.c.path, repository.c.branch, repository.c.files)
        .where(repository.c.discovery == discovery.name, repository.c.descriptors > 0)
        .order_by(repository.c.path, repository.c.id)
    )
    with context.host.read() as connection:
        rows = connection.execute(query).all()
    taken: set[str] = set()
    for row in rows:
        if row.path in taken:
            # One of them was renamed and is listed anew by the next scan.
            continue
        taken.add(row.path)
        here = pages.of(row.remote_id, row.path, discovery.branch or row.branch)
        for path, blob, size, descriptor in row.files:
            yield SourceFile(
                path=f"{row.path}/{path}",
                version=blob,
                size=size,
                descriptor=descriptor,
                root=row.path,
                location=here.location(path),
                view_url=here.file(path),
                edit_url=here.edit(path),
                source_url=here.folder(path.rpartition("/")[0]),
                annotations={slug: row.path} if slug else {},
            )


def read_files(
    discovery: DiscoverSettings, context: SourceContext, files: Sequence[SourceFile]
) -> Iterator[tuple[str, bytes]]:
    """Give the content of files: descriptors are stored, others are asked for once."""
    by_root: dict[str, list[SourceFile]] = {}
    for file in files:
        by_root.setdefault(file.root, []).append(file)
    reader = _Reader(context.host, discovery)
    for row in _rows(context.host, discovery, by_root):
        wanted = by_root.pop(row.path, [])
        contents = reader.contents(row, wanted)
        for file in wanted:
            if file.version in contents:
                yield file.path, contents[file.version]


class _Reader:
    """Fetches what is not stored."""

    def __init__(self, host: "Host", discovery: DiscoverSettings) -> None:
        self.host = host
        self.settings = _host_settings(host, discovery)
        self.ledger = Ledger(host, self.settings.name, self.settings.requests_per_hour)
        self.client = HostClient(host.http, self.settings, self.ledger)

    def contents(self, row: Any, files: Sequence[SourceFile]) -> Mapping[str, bytes]:
        blobs = {file.version for file in files if file.size <= MAXIMUM_BYTES}
        with self.host.read() as connection:
            found = store.load_contents(connection, row.id, blobs)
        missing = blobs - found.keys()
        if not missing:
            return found
        item = Found(row.remote_id, row.path, row.branch, "")
        api = APIS.get(self.settings.type)
        if api is None or self.settings.through == "git":
            fetched = blobs_by_git(self.host, self.settings, item, missing)
        else:
            fetched = {}
            try:
                for blob in sorted(missing):
                    try:
                        answer = self.client.get(api.blob_address(item, blob))
                    except NotFoundError:
                        continue
                    fetched[blob] = content_of(answer.data, blob)
            finally:
                self._keep(row.id, fetched)
                self.ledger.keep(changed=True)
            return found | fetched
        self._keep(row.id, fetched)
        return found | fetched

    def _keep(self, number: int, fetched: Mapping[str, bytes]) -> None:
        if fetched:
            with self.host.write() as connection:
                store.add_contents(connection, number, fetched)


def _rows(host: "Host", discovery: DiscoverSettings, paths: Iterable[str]) -> list[Any]:
    query = (
        select(repository.c.id, repository.c.remote_id, repository.c.path, repository.c.branch)
        .where(repository.c.discovery == discovery.name, repository.c.path.in_(list(paths)))
        .where(repository.c.descriptors > 0)
        .order_by(repository.c.path, repository.c.id)
    )
    with host.read() as connection:
        return list(connection.execute(query).all())


def _host_settings(host: "Host", discovery: DiscoverSettings) -> HostSettings:
    settings: HostSettings | None = host.settings.host(discovery.host)
    if settings is None:
        raise NotFoundError(_("There is no host named %(name)s.", name=discovery.host))
    return settings
