"""One entity by its name or uid, and many by their references."""

from collections.abc import Mapping
from typing import Any, Final

from callboard.entities import EntityRef
from callboard_catalog.rest.expressions import In
from callboard_web.catalog_api.model import Answer, ApiRequest, Endpoint, Entities
from callboard_web.catalog_api.reading import (
    ABSENT,
    bytes_of,
    fields_of,
    one,
    queries_of,
    where,
)
from callboard_web.catalog_api.schemas import (
    ENTITY,
    FILTER,
    MOST_REFERENCES,
    PREDICATE,
    TEXT,
    USUAL_ERROR,
    listed,
    shaped,
)


def ref_in(parameters: Mapping[str, str]) -> EntityRef:
    """Give the reference that the parts of a path name, in any case."""
    return EntityRef.of(parameters["kind"], parameters["namespace"], parameters["name"])


def by_name(request: ApiRequest) -> Answer:
    """Answer one entity, whatever the case of its name; 404 where there is none."""
    ref = ref_in(request.parameters)
    (row,) = queries_of(request).rows_of([str(ref)])
    return one(request, row, f"No entity named {str(ref)[:300]} found")


def _named(request: ApiRequest) -> Entities:
    return Entities(ref=str(ref_in(request.parameters)))


def by_uid(request: ApiRequest) -> Answer:
    """Answer the entity with this uid; 404 where there is none."""
    uid = request.parameters["uid"]
    rows = queries_of(request).matching(In("metadata.uid", (uid.lower(),)))
    return one(request, min(rows, default=None), f"No entity with uid {uid[:300]} found")


def by_refs(request: ApiRequest) -> Answer:
    """Answer entities in the order of their references, null for one that is not there.

    References are canonical: full and in lower case.
    """
    asked = request.json()
    queries, filters, predicate = queries_of(request), request.all("filter"), asked.get("query")
    rows = queries.rows_of(asked["entityRefs"])
    if filters or predicate is not None:
        fitting = queries.matching(where(filters, predicate))
        rows = [row if row is not None and row in fitting else None for row in rows]
    there = [row for row in rows if row is not None]
    fields = fields_of(asked.get("fields") or ())
    found = dict(zip(there, bytes_of(request).finished(there, fields), strict=True))
    items = (ABSENT if row is None else found[row] for row in rows)
    return Answer(body=b'{"items":[%b]}' % b",".join(items))


_PARTIAL: Final[Mapping[str, Any]] = {
    "anyOf": [{"$ref": "#/components/schemas/PartialEntity"}, {"type": "null"}]
}

ENDPOINTS: Final = (
    Endpoint(
        method="GET",
        path="/entities/by-name/{kind}/{namespace}/{name}",
        view=by_name,
        plan=_named,
        about="One entity by kind, namespace and name, in any case.",
        answers={200: ENTITY, 404: USUAL_ERROR},
        kept=True,
    ),
    Endpoint(
        method="GET",
        path="/entities/by-uid/{uid}",
        view=by_uid,
        about="One entity by its uid.",
        answers={200: ENTITY, 404: USUAL_ERROR},
        kept=True,
    ),
    Endpoint(
        method="POST",
        path="/entities/by-refs",
        view=by_refs,
        about="Many entities by canonical references, in their order, null for what is not there.",
        lists=True,
        parameters=(FILTER,),
        body=shaped(
            ("entityRefs",),
            entityRefs=listed(TEXT, maxItems=MOST_REFERENCES),
            fields=listed(TEXT, maxItems=1000),
            query=PREDICATE,
        ),
        answers={200: shaped(("items",), items=listed(_PARTIAL))},
        kept=True,
    ),
)
