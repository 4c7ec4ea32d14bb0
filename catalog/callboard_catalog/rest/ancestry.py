"""Which Location entities led to an entity, and which to those."""

import re
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import urljoin

from sqlalchemy import Connection, select

from callboard.errors import InputError
from callboard_catalog import models
from callboard_catalog.descriptors import matching, resolve_path
from callboard_catalog.descriptors.locations import is_url
from callboard_catalog.service import CatalogService
from callboard_catalog.store.bulk import chunks

DEEPEST: Final = 32
"""Steps that are followed, as Backstage does when it refreshes."""

ENTITY: Final = models.entity
FILE: Final = models.source_file
_WILDCARD: Final = re.compile(r"[*?\[]")


@dataclass(frozen=True, slots=True)
class Ancestor:
    """An entity by its row and reference, with the references of the Locations that led to it."""

    row: int
    ref: str
    parents: Sequence[str]


@dataclass(slots=True)
class _Leads:
    """What the Locations of one source lead to: files by their names, and patterns."""

    paths: defaultdict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    patterns: list[tuple[str, str]] = field(default_factory=list)

    def to(self, path: str) -> list[str]:
        globbed = [ref for pattern, ref in self.patterns if _fits(pattern, path)]
        return [*self.paths.get(path, ()), *globbed]


def ancestry(catalog: CatalogService, ref: str) -> Sequence[Ancestor]:
    """Give an entity and all that led to it, itself first; nothing where it is not seen."""
    found: dict[str, tuple[int, list[str]]] = {}
    pending = [ref]
    with catalog.database.read() as connection:
        sight = catalog.sight()
        for _ in range(DEEPEST):
            following: dict[str, None] = {}
            for row in _rows(connection, pending):
                if sight is None or row.id in sight.rows:
                    parents = _parents(catalog, row)
                    found[row.ref] = (row.id, parents)
                    following.update(dict.fromkeys(parents))
            pending = [item for item in following if item not in found]
            if not pending:
                break
    return [
        Ancestor(row, name, [parent for parent in parents if parent in found])
        for name, (row, parents) in found.items()
    ]


def _rows(connection: Connection, refs: Collection[str]) -> list[Any]:
    joined = ENTITY.join(FILE, FILE.c.id == ENTITY.c.file_id)
    columns = (ENTITY.c.id, ENTITY.c.ref, ENTITY.c.source_id, FILE.c.path)
    return [
        row
        for chunk in chunks(refs)
        for row in connection.execute(
            select(*columns).select_from(joined).where(ENTITY.c.ref.in_(chunk))
        )
    ]


def _parents(catalog: CatalogService, row: Any) -> list[str]:
    source = row.source_id
    leads = catalog.cached_for_all(
        ("ancestry", source), lambda connection: _leads(connection, source)
    )
    return [ref for ref in dict.fromkeys(leads.to(row.path)) if ref != row.ref]


def _leads(connection: Connection, source: int) -> _Leads:
    statement = select(FILE.c.path, FILE.c.targets).where(
        FILE.c.source_id == source, FILE.c.targets.is_not(None)
    )
    leads = _Leads()
    for path, targets in connection.execute(statement):
        for _position, _line, spec, ref in (targets or {"specs": ()})["specs"]:
            for target in _targets(spec):
                _add(leads, path, target, ref)
    return leads


def _targets(spec: Mapping[str, Any]) -> list[str]:
    listed = [spec.get("target"), *(spec.get("targets") or ())]
    return [target for target in listed if isinstance(target, str)]


def _add(leads: _Leads, base: str, target: str, ref: str) -> None:
    if is_url(target):
        leads.paths[target].append(ref)
    elif is_url(base):
        leads.paths[urljoin(base, target)].append(ref)
    else:
        try:
            path = resolve_path(target, base)
        except InputError:
            return  # it leads nowhere: the problems page tells of it
        leads.paths[path].append(ref)
        if _WILDCARD.search(path):
            leads.patterns.append((path, ref))


def _fits(pattern: str, path: str) -> bool:
    try:
        return bool(matching(pattern, [path]))
    except InputError:
        return False
