"""Making sources from settings and from plugins' contributions."""

import hashlib
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from callboard.contributions import (
    EntitySource,
    FileSource,
    SourceContext,
    Sources,
    SourceTrouble,
)
from callboard.plugins import Contributed
from callboard.plugins.contributions import check_contribution
from callboard.redaction import redact
from callboard_catalog.settings import CatalogSettings, FolderSource, GitSource, UrlSource
from callboard_catalog.sources.base import CONTRIBUTED, Reader, Source
from callboard_catalog.sources.contributed import ContributedReader
from callboard_catalog.sources.contributed_files import FilesReader
from callboard_catalog.sources.folder import FolderReader
from callboard_catalog.sources.git import GitReader
from callboard_catalog.sources.url import UrlReader

if TYPE_CHECKING:
    from callboard.git import GitRepository
    from callboard.host import Host
    from callboard.http import HttpClient


def configured_sources(
    settings: CatalogSettings,
    *,
    base: Path,
    open_repository: "Callable[[str, int | None], GitRepository]",
    http: "Callable[[], HttpClient]",
) -> list[Source]:
    """Make the sources of `catalog.sources`; relative folders begin at `base`."""
    limit = settings.limits.file_size
    found = []
    for item in settings.sources:
        reader: FolderReader | GitReader | UrlReader
        if isinstance(item, FolderSource):
            address = str(base / item.path)
            reader = FolderReader(base / item.path, item.paths, limit)
        elif isinstance(item, GitSource):
            address = redact(item.url)
            opener = _opener(open_repository, item)
            reader = GitReader(opener, item.branch, item.paths, limit, item.url)
        else:
            address = redact(item.url)
            reader = UrlReader(http(), item.url)
        found.append(
            Source(
                name=item.name,
                type=item.type,
                title=item.name,
                address=address,
                every=item.schedule,
                fingerprint=hashlib.sha256(_identity(item).encode()).hexdigest(),
                reader=reader,
            )
        )
    return found


def _opener(
    open_repository: "Callable[[str, int | None], GitRepository]", item: GitSource
) -> "Callable[[], GitRepository]":
    return lambda: open_repository(item.url, item.depth)


def _identity(item: FolderSource | GitSource | UrlSource) -> str:
    return item.model_dump_json(exclude={"schedule", "depth", "name"})


def contributed_sources(
    contributions: Iterable[Contributed[EntitySource | FileSource | Sources]],
    host_for: "Callable[[str], Host]",
    maximum_bytes: int,
) -> list[Source]:
    """Make the sources that plugins contribute, named `plugin.name`."""
    found = {item.key: item for one in contributions for item in _each(one, host_for)}
    return [
        Source(
            name=item.key,
            type=CONTRIBUTED,
            title=item.value.title,
            address=item.plugin,
            every=item.value.every,
            fingerprint=hashlib.sha256(item.key.encode()).hexdigest(),
            reader=_contributed_reader(item.plugin, item.value, host_for, maximum_bytes),
            trouble=_trouble(item.plugin, item.value, host_for),
        )
        for item in found.values()
    ]


def _each(
    item: Contributed[EntitySource | FileSource | Sources], host_for: "Callable[[str], Host]"
) -> Iterator[Contributed[EntitySource | FileSource]]:
    if not isinstance(item.value, Sources):
        yield Contributed(item.plugin, item.value)
        return
    for source in item.value.sources(host_for(item.plugin)):
        check_contribution(source, EntitySource | FileSource)
        yield Contributed(item.plugin, source)


def _trouble(
    plugin: str, source: EntitySource | FileSource, host_for: "Callable[[str], Host]"
) -> Callable[[], SourceTrouble | None] | None:
    if isinstance(source, EntitySource) or source.trouble is None:
        return None
    ask = source.trouble
    return lambda: ask(SourceContext(host=host_for(plugin), version=""))


def _contributed_reader(
    plugin: str,
    source: EntitySource | FileSource,
    host_for: "Callable[[str], Host]",
    maximum_bytes: int,
) -> Reader:
    if isinstance(source, FileSource):
        return FilesReader(plugin, source, host_for, maximum_bytes)
    return ContributedReader(plugin, source, host_for)
