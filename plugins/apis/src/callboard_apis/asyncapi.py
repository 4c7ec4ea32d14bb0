"""Draws AsyncAPI: operations, channels, messages, schemas, servers, bindings."""

from collections.abc import Sequence
from typing import Any

from callboard.i18n import Translator
from callboard_apis.asyncapi_model import AsyncApi, Channel, Message, Operation
from callboard_apis.examples import Examples, as_json
from callboard_apis.schemas import SchemaTrees, written
from callboard_apis.shapes import (
    Definition,
    Fault,
    Item,
    Keys,
    Lines,
    as_dict,
    as_list,
    as_text,
    names_in,
    words_of,
)
from callboard_apis.texts import first_line, html_of, name_of

_ = Translator("apis")

MOST_FAULTS = 50


def draw_asyncapi(document: dict[str, Any], text: str) -> Definition:
    """Give an AsyncAPI document of version 2 or 3 as it is shown."""
    api = AsyncApi(document)
    drawing = _Drawing(api, text)
    items = [drawing.operation(one) for one in api.operations()]
    items += [drawing.channel(one) for one in api.channels()]
    items += [drawing.message(one) for one in api.messages()]
    items += [drawing.schema(*one) for one in api.schemas()]
    return Definition(
        "asyncapi",
        dialect=api.dialect,
        title=as_text(api.info.get("title")),
        version=as_text(api.info.get("version")),
        head=drawing.head(),
        items=items,
        faults=drawing.faults(),
        parsed=document,
    )


class _Drawing:
    def __init__(self, api: AsyncApi, text: str) -> None:
        self.api = api
        self.lines = Lines(text)
        keys = Keys()
        self.schema_keys = {reference: keys.key(name) for name, reference, _ in api.schemas()}
        self.message_keys = {m.name: keys.key(m.name) for m in api.messages()}
        self.channel_keys = {c.name: keys.key(c.name) for c in api.channels()}
        self.operation_keys = Keys()
        self.trees = SchemaTrees(api.references, self.schema_keys)

    def head(self) -> dict[str, Any]:
        info, document = self.api.info, self.api.document
        contact, licence = as_dict(info.get("contact")), as_dict(info.get("license"))
        schemes = as_dict(as_dict(document.get("components")).get("securitySchemes"))
        servers = as_dict(document.get("servers"))
        tags = as_list(info.get("tags")) or as_list(document.get("tags"))
        return {
            "description": html_of(info.get("description")),
            "servers": [self._server(*named) for named in servers.items()],
            "security": [self._scheme(*named) for named in schemes.items()],
            "groups": [
                {"name": as_text(tag.get("name")), "h": html_of(tag.get("description"))}
                for tag in tags
                if isinstance(tag, dict)
            ],
            "contact": [as_text(contact.get(key)) for key in ("name", "email", "url")],
            "licence": [as_text(licence.get(key)) for key in ("name", "url")],
            "terms": as_text(info.get("termsOfService")),
            "more": "",
        }

    def _server(self, name: str, given: Any) -> dict[str, str]:
        server = self.api.references.follow(given)
        host = as_text(server.get("url")) or as_text(server.get("host"))
        address = host + as_text(server.get("pathname"))
        note = first_line(server.get("description"))
        return {
            "url": address,
            "note": " · ".join(
                filter(None, (name_of(name), as_text(server.get("protocol")), note))
            ),
        }

    def _scheme(self, name: str, given: Any) -> dict[str, Any]:
        scheme = self.api.references.follow(given)
        facts = [as_text(scheme.get(key)) for key in ("scheme", "bearerFormat", "in", "name")]
        return {
            "name": name_of(name), "type": as_text(scheme.get("type")), "flows": [], "link": "",
            "facts": [fact for fact in facts if fact], "h": html_of(scheme.get("description")),
        }  # fmt: skip

    def operation(self, one: Operation) -> Item:
        summary = first_line(one.source.get("summary") or one.source.get("description"))
        tags = [as_text(as_dict(tag).get("name")) for tag in as_list(one.source.get("tags"))]
        sections: list[dict[str, Any]] = [
            {
                "id": "channel",
                "links": [[name_of(one.channel.address), self._channel_key(one.channel)]],
            },
            {"id": "messages", "messages": [self._message(message) for message in one.messages]},
        ]
        if one.reply:
            replies = [self._message(message) for message in one.reply]
            sections.append({"id": "reply", "messages": replies})
        sections += self._bindings(one.source)
        return Item(
            kind="operation",
            key=self.operation_keys.key(one.name, f"{one.action}-{one.channel.address}"),
            title=name_of(one.channel.address or one.name),
            verb=one.action.upper(),
            group=next(filter(None, tags), ""),
            summary=summary,
            deprecated=one.source.get("deprecated") is True,
            line=self.lines.after(one.name or one.channel.name),
            words=words_of(one.action, one.name, one.channel.address, summary, _names(sections)),
            body={
                "description": html_of(one.source.get("description")),
                "id": name_of(one.name),
                "sections": sections,
            },
        )

    def _channel_key(self, channel: Channel) -> str:
        return self.channel_keys.get(channel.name, "")

    def _message(self, message: Message) -> dict[str, Any]:
        payload = self.api.payload(message)
        return {
            "name": name_of(message.name),
            "key": self.message_keys.get(message.name, ""),
            "h": html_of(message.source.get("description") or message.source.get("summary")),
            "content": as_text(message.source.get("contentType")),
            "tree": self.trees.tree(payload) if payload is not None else [],
            "headers": self.trees.tree(message.source["headers"])
            if isinstance(message.source.get("headers"), dict)
            else [],
            "examples": self._examples(message),
            "foreign": ""
            if payload is not None or not message.source.get("payload")
            else as_json(message.source["payload"]),
        }

    def _examples(self, message: Message) -> list[list[str]]:
        given = [
            [as_text(as_dict(one).get("name")), as_json(as_dict(one).get("payload"))]
            for one in as_list(message.source.get("examples"))
            if as_dict(one).get("payload") is not None
        ]
        if given or self.api.payload(message) is None:
            return given[:5]
        made = Examples(self.api.references, writing=True).of(self.api.payload(message))
        return [] if made is None else [[":made", as_json(made)]]

    def _bindings(self, source: dict[str, Any]) -> list[dict[str, Any]]:
        bindings = self.api.references.follow(source.get("bindings"))
        rows = [
            [name_of(protocol), name_of(key), written(value)]
            for protocol, given in bindings.items()
            for key, value in as_dict(self.api.references.follow(given)).items()
            if key != "bindingVersion"
        ]
        return [{"id": "bindings", "rows": rows}] if rows else []

    def channel(self, one: Channel) -> Item:
        parameters = as_dict(one.source.get("parameters"))
        sections: list[dict[str, Any]] = []
        if parameters:
            tree = self.trees.fields(parameters, self._parameter)
            sections.append({"id": "parameters", "tree": tree})
        listed = [message for message in self.api.messages() if self._carries(one, message)]
        if listed:
            links = [[m.name, self.message_keys.get(m.name, "")] for m in listed]
            sections.append({"id": "messages_of", "links": links})
        sections += self._bindings(one.source)
        summary = first_line(one.source.get("summary") or one.source.get("description"))
        return Item(
            kind="schema",
            key=self.channel_keys[one.name],
            title=name_of(one.address),
            group=":channels",
            summary=summary,
            line=self.lines.after(one.name),
            words=words_of(one.name, one.address, summary, _names(sections)),
            body={
                "description": html_of(one.source.get("description")),
                "sections": sections,
                "examples": [],
            },
        )

    def _parameter(self, given: Any) -> dict[str, Any]:
        parameter = self.api.references.follow(given)
        schema = as_dict(parameter.get("schema")) or {
            key: parameter[key] for key in ("enum", "default") if key in parameter
        }
        return {"type": "string", **schema, "description": parameter.get("description")}

    def _carries(self, channel: Channel, message: Message) -> bool:
        return any(
            message.name == one.name
            for operation in self._operations_of(channel)
            for one in operation.messages
        )

    def _operations_of(self, channel: Channel) -> Sequence[Operation]:
        return [one for one in self.api.operations() if one.channel.name == channel.name]

    def message(self, one: Message) -> Item:
        drawn = self._message(one)
        return Item(
            kind="schema",
            key=self.message_keys[one.name],
            title=name_of(one.name),
            group=":messages",
            summary=first_line(one.source.get("title") or one.source.get("summary")),
            deprecated=one.source.get("deprecated") is True,
            line=self.lines.after(one.name),
            words=words_of(one.name, names_in(drawn["tree"]), names_in(drawn["headers"])),
            body={
                "description": "",
                "sections": [
                    {"id": "payload", "messages": [{**drawn, "name": "", "key": ""}]},
                    *self._bindings(one.source),
                ],
                "examples": [],
            },
        )

    def schema(self, name: str, reference: str, schema: Any) -> Item:
        tree = self.trees.tree(schema, reference)
        known = as_dict(schema)
        made = Examples(self.api.references, writing=False).of(schema)
        return Item(
            kind="schema",
            key=self.schema_keys[reference],
            title=name_of(name),
            verb=as_text(known.get("type")) if isinstance(known.get("type"), str) else "",
            group=":schemas",
            summary=first_line(known.get("title") or known.get("description")),
            deprecated=known.get("deprecated") is True,
            line=self.lines.after(name, self.lines.after("schemas")),
            words=words_of(name, names_in(tree)),
            body={
                "description": html_of(known.get("description")),
                "sections": [{"id": "fields", "tree": tree}],
                "examples": [] if made is None else [[":made", as_json(made)]],
            },
        )

    def faults(self) -> list[Fault]:
        found = []
        if not self.api.info:
            found.append(Fault(_("There is no info with title and version.")))
        if not isinstance(self.api.document.get("channels"), dict):
            found.append(Fault(_("There are no channels.")))
        for reference in self.api.references.missing:
            message = _("%(reference)s names nothing in this text.", reference=name_of(reference))
            found.append(Fault(message, self.lines.anywhere(reference)))
        return found[:MOST_FAULTS]


def _names(sections: Sequence[dict[str, Any]]) -> list[str]:
    found: list[str] = []
    for section in sections:
        found += names_in(section.get("tree", ()))
        for message in section.get("messages", ()):
            found += [message["name"], *names_in(message["tree"])]
    return found
