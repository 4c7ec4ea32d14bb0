"""Descriptors: from the bytes of a catalog file to finished entities. Pure functions, no I/O.

The steps for one file, in order: `read_documents`, `resolve` (placeholders), `validate`,
`finish`, `relations`; `Lines` finds the line of a fault. Documents, locations and rules follow
the Backstage descriptor format.
"""

from callboard_catalog.descriptors.faults import Fault, Path, path_text
from callboard_catalog.descriptors.finishing import Finished, Origin, finish, stable_json
from callboard_catalog.descriptors.kinds import BUILT_IN_KINDS, KindRegistry
from callboard_catalog.descriptors.limits import DEFAULT_LIMITS, Limits
from callboard_catalog.descriptors.lines import Lines, locate
from callboard_catalog.descriptors.locations import (
    LocationRef,
    Targets,
    location_targets,
    matching,
    parse_location,
    resolve_path,
)
from callboard_catalog.descriptors.placeholders import Resolved, resolve
from callboard_catalog.descriptors.reader import Document, read_documents
from callboard_catalog.descriptors.relations import (
    RelationPair,
    Relations,
    reference_of,
    relations,
)
from callboard_catalog.descriptors.validation import validate

__all__ = [
    "BUILT_IN_KINDS", "DEFAULT_LIMITS", "Document", "Fault", "Finished", "KindRegistry", "Limits",
    "Lines", "LocationRef", "Origin", "Path", "RelationPair", "Relations", "Resolved", "Targets",
    "finish", "locate", "location_targets", "matching", "parse_location", "path_text",
    "read_documents", "reference_of", "relations", "resolve", "resolve_path", "stable_json",
    "validate",
]  # fmt: skip
