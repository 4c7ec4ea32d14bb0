"""Making sources from settings and from plugins' contributions."""

import hashlib
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from callboard.contributions import EntitySource
from callboard.plugins import Contributed
from callboard.redaction import redact
from callboard_catalog.settings import CatalogSettings, FolderSource, GitSource, UrlSource
from callboard_catalog.sources.base import CONTRIBUTED, Source
from callboard_catalog.sources.contributed import ContributedReader
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
            reader = GitReader(opener, item.branch, item.paths, limit)
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
    contributions: Iterable[Contributed[EntitySource]], host_for: "Callable[[str], Host]"
) -> list[Source]:
    """Make the sources that plugins contribute, named `plugin.name`."""
    return [
        Source(
            name=item.key,
            type=CONTRIBUTED,
            title=item.value.title,
            address=item.plugin,
            every=item.value.every,
            fingerprint=hashlib.sha256(item.key.encode()).hexdigest(),
            reader=ContributedReader(item.plugin, item.value, host_for),
        )
        for item in contributions
    ]
