"""What a request must be, from what its endpoint declares; words as Backstage's validator has them.

Query parameters are known by name, typed, and never empty. Bodies follow their JSON Schema.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qsl

from callboard.errors import CallboardError, InputError
from callboard_web.catalog_api.model import Endpoint, Parameter, read_json

if TYPE_CHECKING:
    from jsonschema import Draft202012Validator, ValidationError

MOST_PARAMETERS: Final = 1_000
_NUMBER: Final = re.compile(r"-?[0-9]{1,18}", re.ASCII)
_JSON: Final = re.compile(r"application/(?:[\w.+-]+\+)?json\s*(?:;.*)?", re.IGNORECASE)


class MediaTypeError(CallboardError):
    """A body came in a form that is not read here."""

    status = 415
    name = "UnsupportedMediaTypeError"


def read_query(text: bytes) -> list[tuple[str, str]]:
    """Read the query of an address in order; raises `InputError` for what is not UTF-8."""
    if not text:
        return []
    try:
        return parse_qsl(
            text.decode(), keep_blank_values=True, errors="strict", max_num_fields=MOST_PARAMETERS
        )
    except UnicodeDecodeError as error:
        raise InputError("The query of the address is not UTF-8.") from error
    except ValueError as error:
        raise InputError(f"There are over {MOST_PARAMETERS} query parameters.") from error


class Checks:
    """Checks requests to one endpoint."""

    def __init__(self, endpoint: Endpoint) -> None:
        self._parameters = {item.name: item for item in endpoint.parameters}
        self._required = [item.name for item in endpoint.parameters if item.required]
        self._also = frozenset(endpoint.also)
        self._body = endpoint.body

    @cached_property
    def _schema(self) -> "Draft202012Validator | None":
        """What a body follows; most processes never get one that it is loaded for."""
        if self._body is None:
            return None
        from jsonschema import Draft202012Validator

        return Draft202012Validator(self._body)

    def query(self, pairs: Sequence[tuple[str, str]]) -> None:
        """Raise `InputError` for query parameters that are not as declared."""
        seen: set[str] = set()
        for name, value in pairs:
            parameter = self._parameters.get(name)
            if parameter is None:
                raise InputError(f"Unknown query parameter {name[:200]!r}")
            if not value:
                raise InputError(f"Empty value found for query parameter {name!r}")
            fault = _fault(parameter, value, again=name in seen)
            if fault:
                raise InputError(f"request/query/{name} {fault}")
            seen.add(name)
        for name in self._required:
            if name not in seen:
                raise InputError(f"request/query must have required property {name!r}")

    def body(self, body: bytes, media_type: str) -> Any:
        """Give the body as JSON, None where none was sent; raises `InputError` where it is bad.

        One of another type that the endpoint reads itself is None too. Raises `MediaTypeError`
        for one that says to be anything else than JSON.
        """
        if self._schema is None:
            return None
        if body and media_type.partition(";")[0].strip().lower() in self._also:
            return None
        if body and media_type and not _JSON.fullmatch(media_type):
            raise MediaTypeError(f"unsupported media type {media_type[:100]}")
        content = read_json(body) if body else None
        error = next(self._schema.iter_errors({} if content is None else content), None)
        if error is not None:
            place = "".join(f"/{part}" for part in error.absolute_path)[:400]
            raise InputError(f"request/body{place} {_problem(error)}")
        if isinstance(content, dict):
            self._make_whole(content)
        return content

    def _make_whole(self, content: dict[str, Any]) -> None:
        """Turn the integers of a body into such: JSON Schema takes 20.0 for one."""
        properties = {} if self._body is None else self._body.get("properties", {})
        for name, schema in properties.items():
            if schema.get("type") == "integer" and isinstance(content.get(name), float):
                content[name] = int(content[name])


def _fault(parameter: Parameter, value: str, *, again: bool) -> str:
    """Say what is wrong with a value; empty where nothing is."""
    schema = parameter.schema
    kind = schema.get("type", "string")
    if again and not parameter.repeated:
        return f"must be {kind}"
    if kind == "integer":
        return _limit(schema, int(value)) if _NUMBER.fullmatch(value) else "must be integer"
    if kind == "boolean" and value not in ("true", "false"):
        return "must be boolean"
    if "enum" in schema and value not in schema["enum"]:
        return "must be equal to one of the allowed values"
    return ""


def _limit(schema: Mapping[str, Any], value: int) -> str:
    if value < schema.get("minimum", value):
        return f"must be >= {schema['minimum']}"
    if value > schema.get("maximum", value):
        return f"must be <= {schema['maximum']}"
    return ""


def _problem(error: "ValidationError") -> str:
    """Say what one error is, without the value: it may be large."""
    keyword, rule = str(error.validator), error.validator_value
    if keyword == "required":
        names: Any = rule
        given: Any = error.instance
        missing = next(name for name in names if name not in given)
        return f"must have required property {missing!r}"
    told = _PROBLEMS.get(keyword)
    return told(rule) if told else f"must fit the rule {keyword}"


_PROBLEMS: Final[dict[str, Callable[[Any], str]]] = {
    "type": lambda rule: f"must be {rule if isinstance(rule, str) else ','.join(rule)}",
    "enum": lambda rule: "must be equal to one of the allowed values",
    "const": lambda rule: f"must be equal to {rule}",
    "additionalProperties": lambda rule: "must NOT have additional properties",
    "minimum": lambda rule: f"must be >= {rule}",
    "maximum": lambda rule: f"must be <= {rule}",
    "minLength": lambda rule: f"must NOT have fewer than {rule} characters",
    "maxLength": lambda rule: f"must NOT have more than {rule} characters",
    "minItems": lambda rule: f"must NOT have fewer than {rule} items",
    "maxItems": lambda rule: f"must NOT have more than {rule} items",
}
