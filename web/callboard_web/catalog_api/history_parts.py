"""What histories and past states of the catalog have in common: times, pages, parameters."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from callboard.entities import EntityRef
from callboard.errors import InputError
from callboard_catalog.history.asking import History
from callboard_web.catalog_api.model import Answer, ApiRequest, Endpoint, Parameter
from callboard_web.catalog_api.schemas import NAME, TEXT, Schema, listed, shaped

DEFAULT: Final = 20
MOST: Final = 500
LONGEST_TIME: Final = 40

NAMED: Final = "/entities/by-name/{kind}/{namespace}/{name}"
TIME: Final[Schema] = {"type": "string", "format": "date-time"}
INFO: Final = shaped(nextCursor=NAME)
PATCH: Final = listed(
    shaped(("op", "path"), op={"enum": ["add", "remove", "replace"]}, path=TEXT, value={})
)
LIMIT: Final = Parameter(
    name="limit",
    schema={"type": "integer", "minimum": 1},
    about=f"The size of a page, {DEFAULT} without it; at most {MOST} are given.",
)
CURSOR: Final = Parameter(
    name="cursor", schema=TEXT, about="Where to go on: `nextCursor` of the page before."
)
KIND: Final = Parameter(name="kind", schema=TEXT, about="Only entities of this kind.")


def moment(text: str) -> datetime:
    """Read a time as ISO 8601 has it, a day alone as its first moment; without a zone it is UTC.

    Raises `InputError` for any other text.
    """
    try:
        if len(text) > LONGEST_TIME:
            raise ValueError("too long")
        # A plus that was not encoded arrives as a space.
        found = datetime.fromisoformat(text.strip().replace(" ", "+"))
        return (found if found.tzinfo else found.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise InputError(
            f"{text[:LONGEST_TIME]!r} is not a time; expected such as 2026-10-31T12:00:00Z "
            "or 2026-10-31."
        ) from error


def written(at: datetime) -> str:
    """Write a time as the API does: ISO 8601, in UTC."""
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z")


def history_of(request: ApiRequest) -> History:
    """Give what is asked about changes and the past."""
    return History(request.portal.runtime.catalog)


def ref_of(request: ApiRequest) -> EntityRef:
    """Give the entity that the address names."""
    given = request.parameters
    return EntityRef.of(given["kind"], given["namespace"], given["name"])


def limit_of(request: ApiRequest) -> int:
    """Give the size of the page."""
    return min(request.number("limit", DEFAULT), MOST)


def position_of(request: ApiRequest, kind: str, asked: Sequence[Any]) -> Any:
    """Give where a page begins; raises `InputError` for the cursor of another question."""
    cursor = request.first("cursor")
    if not cursor:
        return None
    content = request.portal.cursors.read(kind, cursor)
    if content[:-1] != list(asked):
        raise InputError("The cursor is of another query.", hint="Start from the first page.")
    return content[-1]


def paged(
    request: ApiRequest, kind: str, asked: Sequence[Any], position: Any, **content: Any
) -> Answer:
    """Answer a page with the cursor of the next one, which begins at `position`."""
    info = {} if not position else {
        "nextCursor": request.portal.cursors.make(kind, [*asked, position])
    }  # fmt: skip
    return Answer.of({**content, "pageInfo": info})


def get(path: str, view: Callable[[ApiRequest], Answer], about: str, **more: Any) -> Endpoint:
    """Describe an endpoint that is read."""
    return Endpoint(method="GET", path=path, view=view, about=about, **more)
