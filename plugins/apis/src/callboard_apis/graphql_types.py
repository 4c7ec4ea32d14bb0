"""Draws GraphQL schemas (spec.graphql.org, October 2021): root operations and types."""

from collections.abc import Iterator
from typing import Any, Final

from graphql import (
    DirectiveNode,
    GraphQLSyntaxError,
    TypeNode,
    ValueNode,
    parse,
    print_ast,
)
from graphql.language import ast

from callboard.i18n import Translator
from callboard_apis.documents import DocumentFaultError
from callboard_apis.shapes import Definition, Fault, Item, Keys, Node, names_in, words_of
from callboard_apis.texts import LONGEST_NOTE, first_line, html_of, name_of, plain

_ = Translator("apis")

MOST_TOKENS: Final = 400_000
_ROOTS: Final = {"query": "Query", "mutation": "Mutation", "subscription": "Subscription"}
_GROUPS: Final = {
    "object_type": ("type", ":types"),
    "interface_type": ("interface", ":interfaces"),
    "union_type": ("union", ":unions"),
    "enum_type": ("enum", ":enums"),
    "input_object_type": ("input", ":inputs"),
    "scalar_type": ("scalar", ":scalars"),
}


def parse_graphql(text: str) -> ast.DocumentNode:
    """Give the syntax tree of a schema; raises `DocumentFaultError` with the line."""
    try:
        return parse(text, max_tokens=MOST_TOKENS)
    except GraphQLSyntaxError as error:
        line = error.locations[0].line if error.locations else 0
        reason = plain(error.message.removeprefix("Syntax Error: ").rstrip("."), 200)
        message = _("The GraphQL schema cannot be read: %(reason)s.", reason=reason)
        raise DocumentFaultError(message, line) from error
    except RecursionError as error:
        raise DocumentFaultError(_("It is nested too deeply.")) from error


def draw_graphql(text: str) -> Definition:
    """Give a schema in the schema definition language as it is shown."""
    drawing = _Drawing(parse_graphql(text))
    return Definition(
        "graphql",
        head={"description": drawing.description(), "servers": [], "security": [], "groups": []},
        items=[*drawing.operations(), *drawing.types(), *drawing.directives()],
        faults=drawing.faults(),
    )


class _Drawing:
    def __init__(self, document: ast.DocumentNode) -> None:
        self.schema: Any = None
        self.named: dict[str, list[Any]] = {}
        self.directive_nodes: list[ast.DirectiveDefinitionNode] = []
        self.roots = dict(_ROOTS)
        for node in document.definitions:
            if isinstance(node, ast.SchemaDefinitionNode | ast.SchemaExtensionNode):
                self.schema = node
                for one in node.operation_types or ():
                    self.roots[one.operation.value] = one.type.name.value
            elif isinstance(node, ast.DirectiveDefinitionNode):
                self.directive_nodes.append(node)
            elif isinstance(node, ast.TypeDefinitionNode | ast.TypeExtensionNode):
                self.named.setdefault(node.name.value, []).append(node)
        keys = Keys()
        self.keys = {name: keys.key(name) for name in self.named}
        self.directive_keys = [keys.key(f"directive-{n.name.value}") for n in self.directive_nodes]

    def description(self) -> str:
        return html_of(_text(self.schema)) if self.schema is not None else ""

    def operations(self) -> Iterator[Item]:
        keys = Keys()
        for kind, root in self.roots.items():
            for node in self.named.get(root, ()):
                for one in getattr(node, "fields", None) or ():
                    yield self._operation(kind, one, keys)

    def _operation(self, kind: str, one: ast.FieldDefinitionNode, keys: Keys) -> Item:
        name = one.name.value
        arguments = [self._argument(argument) for argument in one.arguments or ()]
        result = self._typed(Node(), one.type)
        sections: list[dict[str, Any]] = []
        if arguments:
            sections.append({"id": "arguments", "tree": arguments})
        sections.append({"id": "result", "tree": [{**result, "kids": self._fields_of(one.type)}]})
        reason = _deprecation(one.directives)
        summary = first_line(_text(one))
        return Item(
            kind="operation",
            key=keys.key(name, kind),
            title=name,
            verb=kind.upper(),
            group=f":{kind}",
            summary=summary,
            deprecated=reason is not None,
            line=_line(one),
            words=words_of(kind, name, summary, names_in(arguments), result["t"]),
            body={
                "description": html_of(_text(one)),
                "id": "",
                "reason": plain(reason) if reason else "",
                "signature": _signature(one),
                "sections": sections,
            },
        )

    def _fields_of(self, node: TypeNode) -> list[Node]:
        """Give the fields of what an operation gives, one level deep."""
        found: list[Node] = []
        for part in self.named.get(_inner(node), ()):
            found += [self._field(one) for one in (getattr(part, "fields", None) or ())[:100]]
        return found

    def types(self) -> Iterator[Item]:
        for name, parts in self.named.items():
            if name in self.roots.values():
                continue
            first = parts[0]
            kind = first.kind.removesuffix("_definition").removesuffix("_extension")
            word, group = _GROUPS.get(kind, ("type", ":types"))
            sections = list(self._sections(parts))
            summary = first_line(_text(first))
            yield Item(
                kind="schema",
                key=self.keys[name],
                title=name,
                verb=word,
                group=group,
                summary=summary,
                line=_line(first),
                words=words_of(name, summary, *(names_in(s.get("tree", ())) for s in sections)),
                body={
                    "description": html_of(_text(first)),
                    "sections": sections,
                    "examples": [],
                },
            )

    def _sections(self, parts: list[Any]) -> Iterator[dict[str, Any]]:
        fields: list[Node] = []
        values: list[Node] = []
        above: dict[str, str] = {}
        members: dict[str, str] = {}
        for part in parts:
            for one in getattr(part, "fields", None) or ():
                argument = isinstance(one, ast.InputValueDefinitionNode)
                fields.append(self._argument(one) if argument else self._field(one))
            values += [self._value(one) for one in getattr(part, "values", None) or ()]
            above |= {n.name.value: self._key(n) for n in getattr(part, "interfaces", None) or ()}
            members |= {n.name.value: self._key(n) for n in getattr(part, "types", None) or ()}
        for name, links in (("implements", above), ("members", members)):
            if links:
                yield {"id": name, "links": [list(pair) for pair in links.items()]}
        if fields:
            yield {"id": "fields", "tree": fields}
        if values:
            yield {"id": "values", "tree": values}

    def _key(self, node: ast.NamedTypeNode) -> str:
        return self.keys.get(node.name.value, "")

    def _field(self, one: ast.FieldDefinitionNode) -> Node:
        node = self._noted(Node(n=one.name.value), one)
        node = self._typed(node, one.type)
        if one.arguments:
            node["kids"] = [{**self._argument(item), "m": "argument"} for item in one.arguments]
        return node

    def _argument(self, one: ast.InputValueDefinitionNode) -> Node:
        node = self._typed(self._noted(Node(n=one.name.value), one), one.type)
        if isinstance(one.type, ast.NonNullTypeNode) and one.default_value is None:
            node["q"] = True
        if one.default_value is not None:
            node["v"] = _value(one.default_value)
        return node

    def _value(self, one: ast.EnumValueDefinitionNode) -> Node:
        return self._noted(Node(n=one.name.value), one)

    def _noted(self, node: Node, one: Any) -> Node:
        description = html_of(_text(one), LONGEST_NOTE)
        if description:
            node["h"] = description
        reason = _deprecation(one.directives)
        if reason is not None:
            node["d"] = plain(reason) or True
        return node

    def _typed(self, node: Node, given: TypeNode) -> Node:
        node["t"] = print_ast(given)[:200]
        key = self.keys.get(_inner(given))
        if key and _inner(given) not in self.roots.values():
            node["k"] = key
        return node

    def directives(self) -> Iterator[Item]:
        for node, key in zip(self.directive_nodes, self.directive_keys, strict=True):
            arguments = [self._argument(one) for one in node.arguments or ()]
            places = ", ".join(place.value for place in node.locations)
            sections: list[dict[str, Any]] = [{"id": "places", "text": places}]
            if arguments:
                sections.insert(0, {"id": "arguments", "tree": arguments})
            yield Item(
                kind="schema",
                key=key,
                title=f"@{node.name.value}",
                verb="directive",
                group=":directives",
                summary=first_line(_text(node)),
                line=_line(node),
                words=words_of(node.name.value, names_in(arguments)),
                body={
                    "description": html_of(_text(node)),
                    "sections": sections,
                    "examples": [],
                },
            )

    def faults(self) -> list[Fault]:
        found = []
        builtin = {"Int", "Float", "String", "Boolean", "ID"}
        used: dict[str, int] = {}
        for parts in self.named.values():
            for part in parts:
                for one in getattr(part, "fields", None) or ():
                    used.setdefault(_inner(one.type), _line(one))
        for name, line in used.items():
            if name not in self.named and name not in builtin:
                found.append(
                    Fault(_("The type %(name)s is not defined.", name=name_of(name)), line)
                )
        if not any(self.named.get(root) for root in self.roots.values()):
            found.append(Fault(_("There is no root type: Query, Mutation or Subscription.")))
        return found[:50]


def _text(node: Any) -> str:
    description = getattr(node, "description", None)
    return description.value if description is not None else ""


def _line(node: Any) -> int:
    return node.loc.start_token.line if node.loc else 0


def _inner(node: TypeNode) -> str:
    while not isinstance(node, ast.NamedTypeNode):
        node = node.type  # type: ignore[attr-defined]
    return node.name.value


def _value(node: ValueNode) -> str:
    return name_of(print_ast(node), 200)


def _signature(one: ast.FieldDefinitionNode) -> str:
    arguments = [f"{a.name.value}: {print_ast(a.type)}" for a in one.arguments or ()]
    if sum(map(len, arguments)) > 70:
        inside = "(\n" + "".join(f"  {argument}\n" for argument in arguments) + ")"
    else:
        inside = f"({', '.join(arguments)})" if arguments else ""
    return plain(f"{one.name.value}{inside}: {print_ast(one.type)}", 4_000)


def _deprecation(directives: tuple[DirectiveNode, ...] | None) -> str | None:
    """Give the reason of `@deprecated`; the specification's default where none is written."""
    for directive in directives or ():
        if directive.name.value == "deprecated":
            for argument in directive.arguments or ():
                if argument.name.value == "reason" and isinstance(
                    argument.value, ast.StringValueNode
                ):
                    return argument.value.value
            return "No longer supported"
    return None
