"""OpenAPI 2.0, 3.0 and 3.1 in one form, for drawing and for comparing.

Sources: OpenAPI Specification 2.0, 3.0.4 and 3.1.1. What does not have the type that the
specification says is left out: a definition is shown as far as it can be understood.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from callboard_apis.references import References
from callboard_apis.shapes import as_dict, as_list, as_text

METHODS: Final = ("get", "put", "post", "delete", "options", "head", "patch", "trace", "query")
MOST_OPERATIONS: Final = 10_000
_SCHEMA_KEYS: Final = frozenset((
    "type", "format", "items", "default", "enum", "minimum", "maximum", "exclusiveMinimum",
    "exclusiveMaximum", "minLength", "maxLength", "pattern", "minItems", "maxItems",
    "uniqueItems", "multipleOf",
))  # fmt: skip


@dataclass(frozen=True, slots=True)
class Parameter:
    name: str
    where: str
    required: bool
    schema: dict[str, Any]
    example: Any = None


@dataclass(frozen=True, slots=True)
class Media:
    """A body in one media type. `examples` are those given, by name."""

    type: str
    schema: Any
    examples: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Body:
    required: bool
    description: Any
    media: tuple[Media, ...]


@dataclass(frozen=True, slots=True)
class Answer:
    status: str
    description: Any
    headers: dict[str, Any]
    media: tuple[Media, ...]


@dataclass(frozen=True, slots=True)
class Operation:
    """One method of one path. `webhook` marks those that the API itself sends."""

    method: str
    path: str
    source: dict[str, Any]
    parameters: tuple[Parameter, ...]
    body: Body | None
    answers: tuple[Answer, ...]
    security: tuple[dict[str, Any], ...]
    servers: tuple[str, ...]
    webhook: bool = False

    @property
    def deprecated(self) -> bool:
        return self.source.get("deprecated") is True

    @property
    def title(self) -> str:
        return f"{self.method} {self.path}"


class OpenApi:
    """A document with what is needed to read it."""

    def __init__(self, document: dict[str, Any]) -> None:
        self.document = document
        self.references = References(document)
        self.old = "swagger" in document
        self.dialect = as_text(document.get("swagger") or document.get("openapi"))
        self.info = as_dict(document.get("info"))

    def schemas(self) -> Iterator[tuple[str, str, Any]]:
        """Give each named schema with the reference it is known by."""
        if self.old:
            named, prefix = self.document.get("definitions"), "#/definitions/"
        else:
            named = as_dict(self.document.get("components")).get("schemas")
            prefix = "#/components/schemas/"
        for name, schema in as_dict(named).items():
            yield name, prefix + name.replace("~", "~0").replace("/", "~1"), schema

    def servers(self) -> tuple[str, ...]:
        """Give the addresses of the API, variables filled with their defaults."""
        if not self.old:
            return _servers(self.document.get("servers"))
        host = as_text(self.document.get("host"))
        base = as_text(self.document.get("basePath"))
        schemes = [as_text(item) for item in as_list(self.document.get("schemes"))] or ["https"]
        return tuple(f"{scheme}://{host}{base}" for scheme in schemes) if host else (base,)

    def security_schemes(self) -> dict[str, Any]:
        if self.old:
            return as_dict(self.document.get("securityDefinitions"))
        return as_dict(as_dict(self.document.get("components")).get("securitySchemes"))

    def operations(self) -> Iterator[Operation]:
        """Give every operation in the order it is written, webhooks last."""
        count = 0
        for paths, webhook in (("paths", False), ("webhooks", True)):
            for path, given in as_dict(self.document.get(paths)).items():
                item = self.references.follow(given)
                for method in METHODS:
                    if isinstance(item.get(method), dict):
                        count += 1
                        if count > MOST_OPERATIONS:
                            return
                        yield self._operation(path, method, item, webhook)

    def _operation(self, path: str, method: str, item: dict[str, Any], webhook: bool) -> Operation:
        source = item[method]
        given = self._parameters(item, source)
        security = source.get("security", self.document.get("security"))
        return Operation(
            method=method.upper(),
            path=path,
            source=source,
            parameters=tuple(
                self._parameter(one) for one in given if one.get("in") not in ("body", "formData")
            ),
            body=self._old_body(source, given) if self.old else self._body(source),
            answers=tuple(self._answers(source)),
            security=tuple(one for one in as_list(security) if isinstance(one, dict)),
            servers=_servers(source.get("servers")) or _servers(item.get("servers")),
            webhook=webhook,
        )

    def _parameters(self, item: dict[str, Any], source: dict[str, Any]) -> list[dict[str, Any]]:
        """Give the parameters of a path and an operation; the latter's take precedence."""
        found: dict[tuple[str, str], dict[str, Any]] = {}
        for listed in (item.get("parameters"), source.get("parameters")):
            for given in as_list(listed):
                one = self.references.follow(given)
                if isinstance(one.get("name"), str):
                    found[one["name"], as_text(one.get("in"))] = one
        return list(found.values())

    def _parameter(self, given: dict[str, Any]) -> Parameter:
        schema = given.get("schema")
        if not isinstance(schema, dict):
            content = as_dict(given.get("content"))
            inner = next((as_dict(media).get("schema") for media in content.values()), None)
            schema = as_dict(inner) or _own_schema(given)
        about = {name: given[name] for name in ("description", "deprecated") if name in given}
        merged = {**schema, **about}
        examples = as_dict(given.get("examples"))
        example = given.get("example")
        if example is None and examples:
            first = self.references.follow(next(iter(examples.values())))
            example = first.get("value")
        return Parameter(
            given["name"], as_text(given.get("in")), given.get("required") is True, merged, example
        )

    def _body(self, source: dict[str, Any]) -> Body | None:
        body = self.references.follow(source.get("requestBody"))
        if not body:
            return None
        media = tuple(self._media(body.get("content")))
        return Body(body.get("required") is True, body.get("description"), media)

    def _old_body(self, source: dict[str, Any], given: list[dict[str, Any]]) -> Body | None:
        consumes = as_list(source.get("consumes", self.document.get("consumes")))
        types = [as_text(item) for item in consumes]
        for one in given:
            if one.get("in") == "body":
                media = (Media(name, one.get("schema")) for name in types or ["application/json"])
                return Body(one.get("required") is True, one.get("description"), tuple(media))
        fields = [one for one in given if one.get("in") == "formData"]
        if not fields:
            return None
        schema = {
            "type": "object",
            "properties": {
                one["name"]: {**_own_schema(one), "description": one.get("description")}
                for one in fields
            },
            "required": [one["name"] for one in fields if one.get("required") is True],
        }
        form = "multipart/form-data" if any(one.get("type") == "file" for one in fields) else ""
        name = form or next(iter(types), "application/x-www-form-urlencoded")
        return Body(bool(schema["required"]), None, (Media(name, schema),))

    def _answers(self, source: dict[str, Any]) -> Iterator[Answer]:
        for status, given in as_dict(source.get("responses")).items():
            if status.startswith("x-"):
                continue
            answer = self.references.follow(given)
            headers = {
                name: self._header(value) for name, value in as_dict(answer.get("headers")).items()
            }
            media = tuple(
                self._old_media(source, answer) if self.old else self._media(answer.get("content"))
            )
            yield Answer(status, answer.get("description"), headers, media)

    def _header(self, given: Any) -> dict[str, Any]:
        header = self.references.follow(given)
        schema = header.get("schema")
        about = {name: header[name] for name in ("description", "deprecated") if name in header}
        return {**(schema if isinstance(schema, dict) else _own_schema(header)), **about}

    def _old_media(self, source: dict[str, Any], answer: dict[str, Any]) -> Iterator[Media]:
        if "schema" not in answer:
            return
        examples = as_dict(answer.get("examples"))
        produces = as_list(source.get("produces", self.document.get("produces")))
        for name in [as_text(item) for item in produces] or ["application/json"]:
            given = {"": examples[name]} if name in examples else {}
            yield Media(name, answer["schema"], given)

    def _media(self, content: Any) -> Iterator[Media]:
        for name, given in as_dict(content).items():
            media = as_dict(given)
            examples = {
                key: self.references.follow(value).get("value")
                for key, value in as_dict(media.get("examples")).items()
            }
            if "example" in media:
                examples = {"": media["example"], **examples}
            kept = {key: value for key, value in examples.items() if value is not None}
            yield Media(name, media.get("schema"), kept)


def _own_schema(given: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in given.items() if name in _SCHEMA_KEYS}


def _servers(listed: Any) -> tuple[str, ...]:
    found = []
    for server in as_list(listed):
        url = as_text(as_dict(server).get("url"))
        for name, variable in as_dict(as_dict(server).get("variables")).items():
            url = url.replace(f"{{{name}}}", as_text(as_dict(variable).get("default")))
        if url:
            found.append(url)
    return tuple(found)
