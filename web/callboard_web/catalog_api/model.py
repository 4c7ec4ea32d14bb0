"""An endpoint of the catalog's API, what it is asked and what it answers.

Endpoints are plain functions from `ApiRequest` to `Answer`. They know nothing of HTTP servers, so
that an answer can be kept, checked against its description, and given by any way in.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

import orjson

from callboard.errors import InputError
from callboard.identity import Subject

if TYPE_CHECKING:
    from callboard_catalog.rest.service import EntityQueries
    from callboard_web.portal import Portal

MOUNT = "/api/catalog"


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameter:
    """A query parameter. `schema` is the JSON Schema of one value; `repeated` may come often."""

    name: str
    schema: Mapping[str, Any]
    about: str
    repeated: bool = False
    required: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiRequest:
    """A request: `path` is below the mount, `query` holds the parameters in order, decoded.

    It has been checked against what its endpoint declares. `content` is the body once it was read.
    `queries` answers in place of the catalog's tables, where what is in memory is to do.
    """

    portal: "Portal"
    subject: Subject
    method: str
    path: str
    parameters: Mapping[str, str]
    query: Sequence[tuple[str, str]] = ()
    body: bytes = b""
    content: Any = None
    queries: "EntityQueries | None" = None

    def all(self, name: str) -> list[str]:
        """Give every value of a query parameter."""
        return [value for key, value in self.query if key == name]

    def first(self, name: str, default: str = "") -> str:
        """Give the first value of a query parameter."""
        return next((value for key, value in self.query if key == name), default)

    def number(self, name: str, default: int) -> int:
        """Give a query parameter that is declared as an integer."""
        return int(self.first(name) or default)

    def json(self) -> Any:
        """Give the body; None where there is none. Raises `InputError` for what is no JSON."""
        if self.content is not None or not self.body:
            return self.content
        return read_json(self.body)


def read_json(body: bytes) -> Any:
    """Read JSON; raises `InputError` for what is none, is not UTF-8, or nests too deeply."""
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise InputError(f"The body is no JSON: {error}.") from error


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What is sent back: bytes at once, or pieces of them one after the other."""

    status: int = 200
    body: bytes | Iterable[bytes] = b""
    headers: Sequence[tuple[str, str]] = ()
    media_type: str = "application/json; charset=utf-8"

    @classmethod
    def of(cls, content: Any, status: int = 200) -> "Answer":
        """Give an answer with this content as JSON."""
        return cls(status=status, body=orjson.dumps(content))

    @classmethod
    def empty(cls, status: int = 200) -> "Answer":
        """Give an answer without a body."""
        return cls(status=status, media_type="")


@dataclass(frozen=True, slots=True, kw_only=True)
class Entities:
    """An answer that lacks but the bytes of entities: by their rows in order, or one by `ref`.

    `begin` and `end` go around them. `fields` are the paths that are kept of each.
    """

    rows: Sequence[int] = ()
    ref: str = ""
    fields: Sequence[str] = ()
    begin: bytes = b""
    end: bytes = b""
    headers: Sequence[tuple[str, str]] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """One address and method, and all that is said of it in the published description.

    `path` is below the mount, with `{names}`. `permission` is asked for as a route's is, about
    `about`; an empty one is open to everyone for the reason `why`. `lists` answers those who are
    signed in and may see nothing as if nothing was there, instead of refusing them. `kept` says
    that the answer depends on nothing but the request, who asks and the state of the catalog, so
    that it may be kept until the catalog changes. `body` is the JSON Schema of the body, `answers`
    maps each status that may come, beside the common errors, to what it holds (a JSON Schema, an
    empty one for the usual error, or None for an empty body). `also` are media types of bodies
    that the endpoint reads itself: such a one is in `body`, and its content is None. `plan` does
    what `view` does, up to reading entities, by asking nothing but `queries_of(request)`.
    """

    method: Literal["GET", "POST", "PUT", "DELETE"]
    path: str
    view: Callable[[ApiRequest], Answer]
    about: str
    permission: str = "catalog.entity.read"
    on: Literal["entity", "portal"] = "entity"
    why: str = ""
    lists: bool = False
    parameters: tuple[Parameter, ...] = ()
    body: Mapping[str, Any] | None = None
    also: tuple[str, ...] = ()
    answers: Mapping[int, Mapping[str, Any] | None] = field(default_factory=dict)
    kept: bool = False
    plan: "Callable[[ApiRequest], Answer | Entities] | None" = None
