"""Draws Protocol Buffers: services with their calls, messages, enumerations."""

from collections.abc import Iterator
from typing import Any

from callboard_apis.protobuf_syntax import (
    Enum,
    Field,
    Message,
    ProtoFile,
    Rpc,
    Service,
    parse_protobuf,
)
from callboard_apis.shapes import Definition, Item, Keys, Node, names_in, words_of
from callboard_apis.texts import LONGEST_NOTE, first_line, html_of, name_of, plain

DEPTH = 3


def draw_protobuf(text: str) -> Definition:
    """Give a proto file as it is shown; raises `DocumentFaultError`."""
    file = parse_protobuf(text)
    drawing = _Drawing(file)
    return Definition(
        "protobuf",
        dialect=file.syntax,
        title=file.package,
        version="",
        head={
            "description": html_of(file.comment),
            "servers": [], "security": [],
            "groups": [
                {"name": name_of(service.name), "h": html_of(service.comment)}
                for service in file.services
            ],
            "imports": [name_of(name) for name in file.imports[:50]],
        },
        items=[*drawing.operations(), *drawing.messages(), *drawing.enums()],
    )  # fmt: skip


class _Drawing:
    def __init__(self, file: ProtoFile) -> None:
        self.file = file
        keys = Keys()
        self.by_name: dict[str, Message | Enum] = {}
        for message in file.messages:
            if not message.extends:
                self.by_name.setdefault(message.name, message)
        for enum in file.enums:
            self.by_name.setdefault(enum.name, enum)
        self.keys = {name: keys.key(name) for name in self.by_name}

    def find(self, name: str, within: str) -> str:
        """Give the name a type is declared by: looked for from the inside out."""
        if self.file.package and name.startswith(f"{self.file.package}."):
            name = name.removeprefix(f"{self.file.package}.")
        scope = within
        while True:
            whole = f"{scope}.{name}" if scope else name
            if whole in self.by_name:
                return whole
            if not scope:
                return ""
            scope = scope.rpartition(".")[0]

    def operations(self) -> Iterator[Item]:
        keys = Keys()
        for service in self.file.services:
            for rpc in service.rpcs:
                yield self._rpc(service, rpc, keys)

    def _rpc(self, service: Service, rpc: Rpc, keys: Keys) -> Item:
        sides = [
            ("request", rpc.request, rpc.request_streams),
            ("response", rpc.response, rpc.response_streams),
        ]
        sections = [
            {"id": f"rpc_{name}", "streams": streams, "tree": [self._typed(Node(), kind, "", [])]}
            for name, kind, streams in sides
        ]
        words = [f"{'stream ' if streams else ''}{kind}" for _, kind, streams in sides]
        return Item(
            kind="operation",
            key=keys.key(f"{service.name}.{rpc.name}"),
            title=name_of(f"{service.name}/{rpc.name}"),
            verb="RPC",
            group=name_of(service.name),
            summary=first_line(rpc.comment),
            deprecated=rpc.options.get("deprecated") == "true"
            or service.options.get("deprecated") == "true",
            line=rpc.line,
            words=words_of(
                service.name, rpc.name, rpc.comment[:500],
                *(names_in(section["tree"]) for section in sections),  # type: ignore[arg-type]
            ),
            body={
                "description": html_of(rpc.comment),
                "id": "",
                "signature": plain(f"rpc {rpc.name}({words[0]}) returns ({words[1]})"),
                "sections": sections,
            },
        )  # fmt: skip

    def messages(self) -> Iterator[Item]:
        for one in self.file.messages:
            if self.by_name.get(one.name) is one:
                tree = [self._field(field, one.name, [one.name]) for field in one.fields]
                sections: list[dict[str, Any]] = [{"id": "fields", "tree": tree}]
                yield self._item(one, "message", ":messages", self._reserved(one, sections))

    def enums(self) -> Iterator[Item]:
        for one in self.file.enums:
            if self.by_name.get(one.name) is one:
                tree = [self._described(Node(n=name_of(v.name), t=v.number), v) for v in one.values]
                sections: list[dict[str, Any]] = [{"id": "values", "tree": tree}]
                yield self._item(one, "enum", ":enums", self._reserved(one, sections))

    def _reserved(
        self, one: Message | Enum, sections: list[dict[str, Any]]
    ) -> list[dict[str, Any]]:
        if one.reserved:
            sections.append({"id": "reserved", "text": name_of(", ".join(one.reserved))})
        return sections

    def _item(
        self, one: Message | Enum, word: str, group: str, sections: list[dict[str, Any]]
    ) -> Item:
        return Item(
            kind="schema",
            key=self.keys[one.name],
            title=name_of(one.name),
            verb=word,
            group=group,
            summary=first_line(one.comment),
            deprecated=one.options.get("deprecated") == "true",
            line=one.line,
            words=words_of(one.name, *(names_in(s.get("tree", ())) for s in sections)),
            body={"description": html_of(one.comment), "sections": sections, "examples": []},
        )

    def _field(self, field: Field, within: str, path: list[str]) -> Node:
        node = self._typed(Node(n=name_of(field.name)), field.type, within, path)
        node["i"] = f"= {field.number}"
        if field.label == "repeated":
            node["t"] += "[]"
        elif field.label == "required":
            node["q"] = True
        elif field.label == "optional":
            node["z"] = True
        if field.oneof:
            node["m"] = f"oneof {name_of(field.oneof)}"
        if "default" in field.options:
            node["v"] = name_of(field.options["default"], 200)
        return self._described(node, field)

    def _described(self, node: Node, field: Field) -> Node:
        if field.comment:
            node["h"] = html_of(field.comment, LONGEST_NOTE)
        if field.deprecated:
            node["d"] = True
        return node

    def _typed(self, node: Node, kind: str, within: str, path: list[str]) -> Node:
        node["t"] = name_of(kind, 120)
        inner = kind.removeprefix("map<").removesuffix(">").rpartition(", ")[2]
        name = self.find(inner, within)
        if not name:
            return node
        node["k"] = self.keys[name]
        found = self.by_name[name]
        if isinstance(found, Enum):
            node["e"] = [name_of(value.name) for value in found.values[:60]]
        elif name in path:
            node["r"] = "recursive"
        elif len(path) >= DEPTH:
            node["r"] = "more"
        else:
            node["kids"] = [self._field(f, name, [*path, name]) for f in found.fields[:100]]
        return node
