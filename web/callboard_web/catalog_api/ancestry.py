"""What led to an entity."""

from typing import Final

import orjson

from callboard.errors import NotFoundError
from callboard_catalog.rest.ancestry import ancestry as ancestors
from callboard_web.catalog_api.entities import ref_in
from callboard_web.catalog_api.model import Answer, ApiRequest, Endpoint
from callboard_web.catalog_api.reading import bytes_of
from callboard_web.catalog_api.schemas import ENTITY, NAME, USUAL_ERROR, listed, shaped


def ancestry(request: ApiRequest) -> Answer:
    """Answer an entity and the Location entities that led to it; 404 where there is none."""
    ref = str(ref_in(request.parameters))
    found = ancestors(request.portal.runtime.catalog, ref)
    if not found:
        raise NotFoundError(f"No entity named {ref[:300]} found")
    documents = bytes_of(request).finished([item.row for item in found])
    items = (
        b'{"entity":%b,"parentEntityRefs":%b}' % (document, orjson.dumps(item.parents))
        for item, document in zip(found, documents, strict=True)
    )
    return Answer(body=b'{"rootEntityRef":%b,"items":[%b]}' % (orjson.dumps(ref), b",".join(items)))


ENDPOINTS: Final = (
    Endpoint(
        method="GET",
        path="/entities/by-name/{kind}/{namespace}/{name}/ancestry",
        view=ancestry,
        about="One entity, and the Location entities by which it was found, up to the first.",
        answers={
            200: shaped(
                ("rootEntityRef", "items"),
                rootEntityRef=NAME,
                items=listed(
                    shaped(
                        ("entity", "parentEntityRefs"), entity=ENTITY, parentEntityRefs=listed(NAME)
                    )
                ),
            ),
            404: USUAL_ERROR,
        },
        kept=True,
    ),
)
