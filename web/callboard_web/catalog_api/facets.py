"""How many entities have which value of a key."""

from collections.abc import Sequence
from typing import Final

from callboard.errors import InputError
from callboard_catalog.rest.expressions import Expression
from callboard_web.catalog_api.model import Answer, ApiRequest, Endpoint, Parameter
from callboard_web.catalog_api.reading import queries_of, where
from callboard_web.catalog_api.schemas import (
    FACETS,
    FILTER,
    MOST_FACETS,
    PREDICATE,
    TEXT,
    listed,
    shaped,
)


def facets(request: ApiRequest) -> Answer:
    """Answer the values of each facet with their counts."""
    return _answer(request, request.all("facet"), where(request.all("filter")))


def facets_by_body(request: ApiRequest) -> Answer:
    """Answer the same under a predicate."""
    asked = request.json()
    return _answer(request, asked["facets"], where((), asked.get("query")))


def _answer(request: ApiRequest, keys: Sequence[str], chosen: Expression) -> Answer:
    if len(keys) > MOST_FACETS:
        raise InputError(f"At most {MOST_FACETS} facets can be asked for at once.")
    found = queries_of(request).facets(list(dict.fromkeys(keys)), chosen)
    told = {
        key: [{"value": value, "count": count} for value, count in values]
        for key, values in found.items()
    }
    return Answer.of({"facets": told})


ENDPOINTS: Final = (
    Endpoint(
        method="GET",
        path="/entity-facets",
        view=facets,
        plan=facets,
        about="The values of keys among the entities that match, with their counts.",
        lists=True,
        parameters=(
            Parameter(
                name="facet",
                schema=TEXT,
                about="A dotted path, such as `spec.type`.",
                repeated=True,
                required=True,
            ),
            FILTER,
        ),
        answers={200: FACETS},
        kept=True,
    ),
    Endpoint(
        method="POST",
        path="/entity-facets",
        view=facets_by_body,
        about="The same under a predicate.",
        lists=True,
        body=shaped(
            ("facets",), facets=listed(TEXT, minItems=1, maxItems=MOST_FACETS), query=PREDICATE
        ),
        answers={200: FACETS},
        kept=True,
    ),
)
