"""Draws OpenAPI: operations, schemas, security, and what is wrong in it."""

import json
from collections.abc import Iterator, Sequence
from typing import Any, Final
from urllib.parse import quote, urlencode

from callboard.i18n import Translator
from callboard_apis.examples import LONGEST_EXAMPLE, Examples, as_json
from callboard_apis.openapi_model import Answer, Body, Media, OpenApi, Operation
from callboard_apis.schemas import SchemaTrees
from callboard_apis.shapes import (
    Definition,
    Fault,
    Item,
    Keys,
    Lines,
    Node,
    as_dict,
    as_list,
    as_text,
    names_in,
    words_of,
)
from callboard_apis.snippets import Request, curl, http
from callboard_apis.texts import first_line, html_of, name_of, plain

_ = Translator("apis")

MANY: Final = 200
"""From so many operations on, trees go one reference deep: the rest is on pages of schemas."""

MOST_FAULTS: Final = 50
MOST_MEDIA: Final = 8
_JSON: Final = ("json", "*/*")


def draw_openapi(document: dict[str, Any], text: str) -> Definition:
    """Give an OpenAPI document of any version as it is shown."""
    api = OpenApi(document)
    operations = list(api.operations())
    drawing = _Drawing(api, text, len(operations))
    drawing.tagged = any(as_list(one.source.get("tags")) for one in operations)
    items = [drawing.operation(one) for one in operations]
    items += drawing.schemas()
    return Definition(
        "openapi",
        dialect=api.dialect,
        title=as_text(api.info.get("title")),
        version=as_text(api.info.get("version")),
        head=drawing.head(),
        items=items,
        faults=drawing.faults(),
        parsed=document,
    )


class _Drawing:
    def __init__(self, api: OpenApi, text: str, operations: int) -> None:
        self.api = api
        self.tagged = True
        self.lines = Lines(text)
        self.paths = self.lines.after("paths")
        self.webhooks = self.lines.after("webhooks")
        keys = Keys()
        self.schema_keys = {reference: keys.key(name) for name, reference, _ in api.schemas()}
        depth = 3 if operations < MANY else 1
        self.trees = SchemaTrees(api.references, self.schema_keys, depth)
        self.operation_keys = Keys()
        self.servers = api.servers()

    # The head

    def head(self) -> dict[str, Any]:
        info, document = self.api.info, self.api.document
        contact, licence = as_dict(info.get("contact")), as_dict(info.get("license"))
        return {
            "description": html_of(info.get("description")),
            "servers": self._servers(),
            "security": [self._scheme(*named) for named in self.api.security_schemes().items()],
            "groups": [
                {"name": as_text(tag.get("name")), "h": html_of(tag.get("description"))}
                for tag in as_list(document.get("tags"))
                if isinstance(tag, dict)
            ],
            "contact": [as_text(contact.get(key)) for key in ("name", "email", "url")],
            "licence": [as_text(licence.get(key)) for key in ("name", "url")],
            "terms": as_text(info.get("termsOfService")),
            "more": as_text(as_dict(document.get("externalDocs")).get("url")),
        }

    def _servers(self) -> list[dict[str, str]]:
        notes = [
            as_dict(item).get("description") for item in as_list(self.api.document.get("servers"))
        ]
        return [
            {"url": url, "note": first_line(notes[at] if at < len(notes) else "")}
            for at, url in enumerate(self.servers)
            if url
        ]

    def _scheme(self, name: str, given: Any) -> dict[str, Any]:
        scheme = self.api.references.follow(given)
        facts = [as_text(scheme.get(key)) for key in ("scheme", "bearerFormat", "in", "name")]
        flows = as_dict(scheme.get("flows"))
        if scheme.get("flow"):
            flows = {as_text(scheme["flow"]): scheme}
        return {
            "name": name_of(name),
            "type": as_text(scheme.get("type")),
            "facts": [fact for fact in facts if fact],
            "h": html_of(scheme.get("description")),
            "flows": [self._flow(*named) for named in flows.items() if isinstance(named[1], dict)],
            "link": as_text(scheme.get("openIdConnectUrl")),
        }

    def _flow(self, name: str, flow: dict[str, Any]) -> dict[str, Any]:
        scopes = as_dict(flow.get("scopes"))
        return {
            "name": name_of(name),
            "urls": [as_text(flow.get(key)) for key in ("authorizationUrl", "tokenUrl")],
            "scopes": [[name_of(key), first_line(value)] for key, value in scopes.items()][:100],
        }

    # Operations

    def operation(self, one: Operation) -> Item:
        source = one.source
        key = self.operation_keys.key(source.get("operationId"), f"{one.method}-{one.path}".lower())
        sections = list(self._sections(one))
        summary = first_line(source.get("summary") or source.get("description"))
        body = {
            "description": html_of(source.get("description")),
            "id": as_text(source.get("operationId")),
            "servers": list(one.servers),
            "security": self._security(one),
            "more": as_text(as_dict(source.get("externalDocs")).get("url")),
            "sections": sections,
            **self._request(one),
        }
        tags = [as_text(tag) for tag in as_list(source.get("tags")) if as_text(tag)]
        return Item(
            kind="operation",
            key=key,
            title=name_of(one.path),
            verb=one.method,
            group=self._group(one, tags),
            summary=summary,
            deprecated=one.deprecated,
            line=self._line(one),
            words=words_of(one.method, one.path, summary, body["id"], tags, _names(sections)),
            body=body,
        )

    def _group(self, one: Operation, tags: list[str]) -> str:
        """Give the first tag; where there is none at all, the first part of the path."""
        if one.webhook:
            return ":webhooks"
        if self.tagged:
            return next(iter(tags), "")
        return name_of("/" + one.path.strip("/").partition("/")[0], 100)

    def _line(self, one: Operation) -> int:
        path = self.lines.after(one.path, self.webhooks if one.webhook else self.paths)
        return self.lines.after(one.method.lower(), path) if path else 0

    def _security(self, one: Operation) -> list[list[dict[str, Any]]]:
        return [
            [
                {"name": name_of(name), "scopes": [as_text(scope) for scope in as_list(scopes)]}
                for name, scopes in alternative.items()
            ]
            for alternative in one.security
        ]

    def _sections(self, one: Operation) -> Iterator[dict[str, Any]]:
        if one.parameters:
            yield {"id": "parameters", "tree": self._parameters(one)}
        if one.body is not None:
            yield self._body_section(one.body)
        if one.answers:
            yield {"id": "responses", "answers": [self._answer(item) for item in one.answers]}
        callbacks = as_dict(one.source.get("callbacks"))
        if callbacks:
            yield {"id": "callbacks", "names": list(self._callbacks(callbacks))}

    def _parameters(self, one: Operation) -> list[Node]:
        found = []
        for parameter in one.parameters:
            node = self.trees.node(name_of(parameter.name), parameter.schema)
            node["i"] = parameter.where
            if parameter.required:
                node["q"] = True
            found.append(node)
        return found

    def _body_section(self, body: Body) -> dict[str, Any]:
        return {
            "id": "request",
            "required": body.required,
            "h": html_of(body.description),
            "media": self._media(body.media, writing=True),
        }

    def _answer(self, answer: Answer) -> dict[str, Any]:
        return {
            "status": name_of(answer.status, 20),
            "line": first_line(answer.description),
            "h": html_of(answer.description),
            "headers": self.trees.fields(answer.headers, lambda schema: schema),
            "media": self._media(answer.media, writing=False),
        }

    def _media(self, media: Sequence[Media], *, writing: bool) -> list[dict[str, Any]]:
        return [
            {
                "type": name_of(one.type, 100),
                "tree": self.trees.tree(one.schema) if one.schema is not None else [],
                "examples": self._examples(one, writing=writing),
            }
            for one in media[:MOST_MEDIA]
        ]

    def _examples(self, media: Media, *, writing: bool) -> list[list[str]]:
        """Give the examples as name and text; a made one has the name `:made`."""
        given = [[name_of(name), as_json(value)] for name, value in media.examples.items()]
        if given or not any(word in media.type for word in _JSON) or media.schema is None:
            return given[:5]
        made = Examples(self.api.references, writing=writing).of(media.schema)
        return [] if made is None else [[":made", as_json(made)]]

    def _callbacks(self, callbacks: dict[str, Any]) -> Iterator[str]:
        for name, given in callbacks.items():
            for address, item in self.api.references.follow(given).items():
                methods = " ".join(key.upper() for key in as_dict(item) if key in ("post", "put"))
                yield f"{name_of(name)}: {methods} {name_of(address)}"

    # The request by hand

    def _request(self, one: Operation) -> dict[str, Any]:
        if one.webhook:
            return {"snippets": []}
        path, query, headers = one.path, [], []
        fields = []
        for parameter in one.parameters:
            example = parameter.example
            if example is None:
                example = Examples(self.api.references, writing=True).of(parameter.schema)
            shown = example if isinstance(example, str) else json.dumps(example, default=str)
            shown = "" if example is None else plain(shown, 200)
            fields.append([parameter.where, name_of(parameter.name), shown, parameter.required])
            if parameter.where == "path":
                path = path.replace(f"{{{parameter.name}}}", quote(shown, safe=""))
            elif parameter.required and parameter.where == "query":
                query.append((parameter.name, shown))
            elif parameter.required and parameter.where == "header":
                headers.append((name_of(parameter.name), name_of(shown)))
        headers += self._credentials(one)
        content_type, body = self._body_example(one)
        if content_type:
            headers.append(("Content-Type", content_type))
        servers = one.servers or self.servers
        base = next((url for url in servers if url), "https://example.com").rstrip("/")
        address = f"https://example.com{base}" if base.startswith("/") else base
        url = address + path + (f"?{urlencode(query)}" if query else "")
        request = Request(one.method, url, headers, body)
        return {
            "snippets": [
                ["curl", plain(curl(request), LONGEST_EXAMPLE)],
                ["HTTP", plain(http(request), LONGEST_EXAMPLE)],
            ],
            "fields": fields,
            "content": [content_type, body],
            "path": one.path,
        }

    def _credentials(self, one: Operation) -> list[tuple[str, str]]:
        schemes = self.api.security_schemes()
        for name in next(iter(one.security), {}):
            scheme = self.api.references.follow(schemes.get(name))
            kind = as_text(scheme.get("type"))
            if kind in ("oauth2", "openIdConnect") or scheme.get("scheme") == "bearer":
                return [("Authorization", "Bearer $TOKEN")]
            if kind == "basic" or scheme.get("scheme") == "basic":
                return [("Authorization", "Basic $CREDENTIALS")]
            if kind == "apiKey" and scheme.get("in") == "header":
                return [(name_of(scheme.get("name", "X-API-Key")), "$KEY")]
        return []

    def _body_example(self, one: Operation) -> tuple[str, str]:
        if one.body is None or not one.body.media:
            return "", ""
        media = next((m for m in one.body.media if "json" in m.type), one.body.media[0])
        examples = self._examples(media, writing=True)
        return name_of(media.type, 100), examples[0][1] if examples else ""

    # Schemas

    def schemas(self) -> list[Item]:
        found = []
        start = self.lines.after("definitions" if self.api.old else "schemas")
        for name, reference, schema in self.api.schemas():
            tree = self.trees.tree(schema, reference)
            known = as_dict(schema)
            made = Examples(self.api.references, writing=False).of(schema)
            found.append(
                Item(
                    kind="schema",
                    key=self.schema_keys[reference],
                    title=name_of(name),
                    verb=as_text(known.get("type")) if not isinstance(known.get("type"), list)
                    else "",
                    group=":schemas",
                    summary=first_line(known.get("title") or known.get("description")),
                    deprecated=known.get("deprecated") is True,
                    line=self.lines.after(name, start),
                    words=words_of(name, first_line(known.get("description")), names_in(tree)),
                    body={
                        "description": html_of(known.get("description")),
                        "sections": [{"id": "fields", "tree": tree}],
                        "examples": [] if made is None else [[":made", as_json(made)]],
                    },
                )
            )  # fmt: skip
        return found

    # What is wrong

    def faults(self) -> list[Fault]:
        found = []
        if not self.api.info:
            found.append(Fault(_("There is no info with title and version.")))
        if not isinstance(self.api.document.get("paths"), dict) and not self.api.document.get(
            "webhooks"
        ):
            found.append(Fault(_("There are no paths.")))
        for reference in self.api.references.missing:
            line = self.lines.anywhere(reference)
            found.append(
                Fault(_("%(reference)s names nothing in this text.", reference=name_of(reference)),
                      line)
            )  # fmt: skip
        return found[:MOST_FAULTS]


def _names(sections: Sequence[dict[str, Any]]) -> list[str]:
    found: list[str] = []
    for section in sections:
        found += names_in(section.get("tree", ()))
        for media in section.get("media", ()):
            found += names_in(media["tree"])
        for answer in section.get("answers", ()):
            for media in answer["media"]:
                found += names_in(media["tree"])
    return found
