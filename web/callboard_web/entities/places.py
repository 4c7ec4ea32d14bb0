"""Where an entity's file is seen, edited, and at which line it is wrong."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from callboard.entities import Entity
from callboard.repositories import commit_page, edit_page_of, line_page
from callboard_catalog.descriptors.finishing import EDIT_URL, SOURCE_LOCATION, VIEW_URL
from callboard_catalog.problems import Problem
from callboard_catalog.service import CatalogService
from callboard_catalog.source_states import SourceState

_MANAGED_BY: Final = "backstage.io/managed-by-location"


@dataclass(frozen=True, slots=True)
class Places:
    """Addresses on the host of the repository; empty where none is known."""

    view: str = ""
    edit: str = ""
    code: str = ""
    code_text: str = ""


def places_of(entity: Entity) -> Places:
    """Read them from the annotations, or work them out of one another."""
    annotations = entity.annotations
    location = str(annotations.get(_MANAGED_BY, "")).removeprefix("url:")
    view = _web(annotations.get(VIEW_URL)) or _web(location)
    edit = _web(annotations.get(EDIT_URL)) or edit_page_of(view)
    code = str(annotations.get(SOURCE_LOCATION, "")).removeprefix("url:")
    return Places(view, edit, _web(code), code)


def is_pushed(entity: Entity) -> bool:
    """Say whether an entity was handed in: then there is no source to read again."""
    return str(entity.annotations.get(_MANAGED_BY, "")).startswith("push:")


def _web(value: object) -> str:
    text = str(value or "").strip()
    return text if text.startswith(("https://", "http://")) else ""


def problem_lines(catalog: CatalogService, problems: Iterable[Problem]) -> Mapping[str, str]:
    """Give the page of each problem's line on its host, by the problem's id."""
    listed = list(problems)
    if not listed:
        return {}
    sources = {source.name: source for source in catalog.sources()}
    found = {}
    for problem in listed:
        address = source_line(sources.get(problem.source), problem.path, problem.line)
        if address:
            found[problem.id] = address
    return found


def source_line(source: SourceState | None, path: str, line: int) -> str:
    """Give the page of a line as the source was last read, or nothing."""
    if source is None or source.type != "git":
        return ""
    return line_page(source.address, source.head, path, line)


def source_commit(source: SourceState | None, commit: str) -> str:
    """Give the page of a commit of a source, or nothing."""
    if source is None or source.type != "git":
        return ""
    return commit_page(source.address, commit)
