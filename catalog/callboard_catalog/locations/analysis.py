"""What is at an address: descriptors that are there already, or a first one to write."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

from callboard.entities import EntityRef
from callboard.errors import CallboardError, InputError
from callboard.i18n import Translator
from callboard.repositories import file_page, parse_location, short_name
from callboard.repositories.places import Place
from callboard_catalog.descriptors.finishing import LOCATION
from callboard_catalog.engine import CatalogEngine
from callboard_catalog.locations.model import TYPE, check_target
from callboard_catalog.locations.preview import PreviewEntity, preview
from callboard_catalog.service import CatalogService

_ = Translator("callboard")

MOST_FILES: Final = 50
_NAMES: Final = ("catalog-info.yaml", "catalog-info.yml")
_SLUGS: Final[Mapping[str, str]] = {
    "gitlab": "gitlab.com/project-slug",
    "github": "github.com/project-slug",
    "bitbucket": "bitbucket.org/project-slug",
}
_NOT_IN_NAMES: Final = re.compile(r"[^A-Za-z0-9_.-]+")


@dataclass(frozen=True, slots=True)
class Described:
    """A document that is there. `registered` says whether it is what the catalog serves."""

    target: str
    registered: bool
    document: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Analysis:
    """What is there; without descriptors `suggested` is a document to begin with."""

    existing: Sequence[Described] = ()
    suggested: Mapping[str, Any] | None = None


def analyse(
    engine: CatalogEngine, catalog: CatalogService, target: str, file_name: str = ""
) -> Analysis:
    """Look at the address of a descriptor, or of a repository.

    `file_name` is looked for instead of the usual ones. Raises `InputError` for what cannot be
    read, and says which setting allows it.
    """
    target = check_target(target)
    engine.addresses.check(target)
    engine.database.release()
    if target.partition("?")[0].endswith((".yaml", ".yml", ".json")):
        return Analysis(_described(engine, catalog, [target]))
    place = _repository(engine, target)
    found = _descriptors(engine, place, (file_name,) if file_name else _NAMES)
    if found:
        return Analysis(_described(engine, catalog, found[:MOST_FILES]))
    return Analysis(suggested=_suggestion(place))


def _repository(engine: CatalogEngine, target: str) -> Place:
    """Give the repository, and the folder, that an address means."""
    place = parse_location(target)
    if place is None:
        raise InputError(_("%(target)s is no repository.", target=repr(target[:200])))
    if not engine.addresses.reads_repository(place.url):
        host = urlsplit(place.url).hostname or ""
        raise InputError(
            _("Repositories of %(host)s are not read: no setting names this host.", host=host),
            hint=_("Add it to git.allow_hosts."),
        )
    return place


def _descriptors(engine: CatalogEngine, place: Place, names: Sequence[str]) -> list[str]:
    """Give the addresses of the descriptors of a repository, below the folder if one is given."""
    try:
        repository = engine.addresses.open_repository(place.url, None)
        commit = repository.fetch(place.reference or None)
        files = repository.files(commit, [f"**/{name}" for name in names])
    except CallboardError as error:
        raise InputError(error.message, hint=error.hint) from error
    below = f"{place.folder}/" if place.folder else ""
    pages = (
        file_page(place.url, place.reference or "HEAD", file.path)
        for file in files
        if file.path.startswith(below) and not file.is_symlink
    )
    return sorted(filter(None, pages), key=lambda page: (page.count("/"), page))


def _described(
    engine: CatalogEngine, catalog: CatalogService, targets: Sequence[str]
) -> list[Described]:
    found: list[tuple[str, PreviewEntity]] = []
    for target in targets:
        read = preview(engine, TYPE, target)
        if read.errors and not read.entities:
            fault = read.errors[0]
            raise InputError(fault.message)
        found += [(item.path, item) for item in read.entities]
    known = catalog.get_many([EntityRef.parse(item.ref) for _, item in found])
    return [
        Described(
            path,
            _is_same(known.get(EntityRef.parse(item.ref)), path),
            item.document,
        )
        for path, item in found
    ]


def _is_same(entity: Any, path: str) -> bool:
    if entity is None:
        return False
    location = str(entity.annotations.get(LOCATION, ""))
    if location == f"url:{path}":
        return True
    known, here = parse_location(location), parse_location(path)
    return known is not None and known == here


def _suggestion(place: Place) -> Mapping[str, Any]:
    host = urlsplit(place.url).hostname or ""
    slug = urlsplit(place.url).path.strip("/").removesuffix(".git")
    name = _NOT_IN_NAMES.sub("-", short_name(place.url).rpartition("/")[2]).strip("-_.")[:63]
    key = next((key for part, key in _SLUGS.items() if part in host), "")
    annotations = {key: slug} if key else {}
    source = {"backstage.io/source-location": f"url:{place.url.removesuffix('.git')}/"}
    return {
        "apiVersion": "backstage.io/v1alpha1",
        "kind": "Component",
        "metadata": {"name": name or "unnamed", "annotations": annotations or source},
        "spec": {"type": "other", "lifecycle": "unknown"},
    }
