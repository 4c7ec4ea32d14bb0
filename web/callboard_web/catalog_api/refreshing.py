"""Asking for the source of an entity to be read soon."""

from typing import Final

from callboard.entities import EntityRef
from callboard.errors import InputError, NotFoundError
from callboard_web.catalog_api.model import Answer, ApiRequest, Endpoint
from callboard_web.catalog_api.schemas import TEXT, USUAL_ERROR, shaped
from callboard_web.entities.reading import ask

REFRESH: Final = "catalog.entity.refresh"


def refresh(request: ApiRequest) -> Answer:
    """Ask for it, as the button of the entity's page does; 404 for what is no full reference.

    What a pipeline pushes is read from nowhere, so nothing is asked for it.
    """
    text = request.json()["entityRef"]
    runtime = request.portal.runtime
    ref = _full(text)
    found = runtime.catalog.get(ref) if ref else None
    place = runtime.catalog.provenance(ref) if ref else None
    if found is None or place is None:
        raise NotFoundError(f"No entity named {text[:300]} found")
    runtime.services.require(REFRESH, found.ref)
    if place.source in runtime.engine.sources:
        ask(request.portal, found, place.source)
    return Answer.empty()


def _full(text: str) -> EntityRef | None:
    """Read a reference with its kind and namespace; None for anything else."""
    try:
        ref = EntityRef.parse(text)
    except InputError:
        return None
    return ref if text.lower() == str(ref) else None


ENDPOINTS: Final = (
    Endpoint(
        method="POST",
        path="/refresh",
        view=refresh,
        about="Has the source of an entity read soon.",
        permission=REFRESH,
        body=shaped(("entityRef",), strict=True, entityRef=TEXT, authorizationToken=TEXT),
        answers={200: None, 404: USUAL_ERROR},
    ),
)
