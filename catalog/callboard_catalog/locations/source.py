"""All registered locations as one source: each is a document that leads to its address."""

import hashlib
from collections.abc import Callable, Collection, Iterator, Sequence
from datetime import timedelta
from typing import Final

from callboard.errors import CallboardError
from callboard.i18n import Translator
from callboard.repositories.pushed import Pushed
from callboard_catalog.descriptors import stable_json
from callboard_catalog.locations.model import Location
from callboard_catalog.settings import REGISTERED
from callboard_catalog.sources.addresses import Addresses
from callboard_catalog.sources.base import LOCATIONS, FoundFile, Source, WebAddress

_ = Translator("callboard")

FOLDER: Final = "locations/"


def registered_source(
    locations: Callable[[], Sequence[Location]], addresses: Addresses, every: timedelta
) -> Source:
    """Make the source whose roots are the registered locations."""
    return Source(
        name=REGISTERED,
        type=LOCATIONS,
        title=_("Registered locations"),
        address="/locations",
        every=every,
        fingerprint=hashlib.sha256(REGISTERED.encode()).hexdigest(),
        reader=LocationsReader(locations, addresses),
    )


class LocationsReader:
    """Reads what is registered; its version changes with what that is, not with what it holds."""

    def __init__(self, locations: Callable[[], Sequence[Location]], addresses: Addresses) -> None:
        self.locations = locations
        self.addresses = addresses

    def version(self, known: str) -> str:
        return LocationsSnapshot(self.locations()).version

    def snapshot(self, version: str) -> "LocationsSnapshot":
        return LocationsSnapshot(self.locations())

    def kept(self, path: str, blob: str) -> bytes | None:
        page = self.addresses.page(path)
        if page is None:
            return None
        try:
            repository = self.addresses.open_repository(page.repository, None)
            return next((data for _, data in repository.read([blob.partition("-")[0]])), None)
        except CallboardError:
            return None

    def follows(self, pushed: Pushed) -> bool:
        """Say whether a registered address is a file of the repository that was pushed to.

        Which part of an address is the branch cannot be told here: any of them will do.
        """
        for location in self.locations():
            page = self.addresses.page(location.target)
            if page and any(
                pushed.is_of(page.repository, "" if branch == "HEAD" else branch)
                for branch, _path in page.readings()
            ):
                return True
        return False


class LocationsSnapshot:
    """The registered locations as documents, each in a file of its own."""

    def __init__(self, locations: Sequence[Location]) -> None:
        self.by_path = {f"{FOLDER}{location.id}": location for location in locations}
        self.contents = {
            path: stable_json(location.document()) for path, location in self.by_path.items()
        }
        self.files = {
            path: FoundFile(path, hashlib.sha256(content).hexdigest(), len(content))
            for path, content in self.contents.items()
        }
        self.roots: Collection[str] = list(self.files)
        digest = hashlib.sha256()
        for path in sorted(self.files):
            digest.update(f"{path}\0{self.files[path].blob}\0".encode())
        self.version = digest.hexdigest()

    def read(self, paths: Collection[str]) -> Iterator[tuple[str, bytes]]:
        for path in paths:
            if path in self.contents:
                yield path, self.contents[path]

    def location(self, path: str) -> str:
        return self.by_path[path].text

    def web(self, path: str) -> WebAddress:
        return WebAddress(view=self.by_path[path].target)

    def commit(self, paths: Sequence[str]) -> None:
        return None
