"""JSON Schema, in the dialects of OpenAPI and AsyncAPI, as trees that people can read."""

import json
from collections.abc import Callable, Mapping
from typing import Any, Final

from callboard_apis.references import References, put_together
from callboard_apis.shapes import Node, as_dict, as_list, as_text
from callboard_apis.texts import LONGEST_NOTE, html_of, name_of

MOST_NODES: Final = 160
"""Lines of one tree; what is beyond is found on the pages of its schemas."""

MOST_IN_ALL: Final = 1_000_000
"""Lines of all trees of a definition; from there on each has but one."""

MOST_CHOICES: Final = 60
"""Allowed values that are listed."""

CONSTRAINTS: Final = (
    "multipleOf", "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "minLength",
    "maxLength", "pattern", "minItems", "maxItems", "uniqueItems", "minProperties",
    "maxProperties", "const", "contentEncoding", "contentMediaType",
)  # fmt: skip
_VARIANTS: Final = ("oneOf", "anyOf")


class SchemaTrees:
    """Draws the schemas of one document. `depth` is how many references deep a tree goes."""

    def __init__(self, references: References, keys: Mapping[str, str], depth: int = 3) -> None:
        self.references = references
        self.keys = keys
        self.depth = depth
        self.left = MOST_IN_ALL

    def tree(self, schema: Any, own: str = "") -> list[Node]:
        """Give the lines of a schema: its fields, or one line for what has none.

        `own` is the name of the schema itself, so that it is not drawn within itself.
        """
        drawing = _Drawing(self, (own,) if own else ())
        node = drawing.node("", schema, 0)
        plain = set(node) <= {"t", "n", "kids"} and node.get("t") == "object"
        return node.get("kids", []) if plain and node.get("kids") else [node]

    def fields(self, named: Mapping[str, Any], describe: Callable[[Any], Any]) -> list[Node]:
        """Give a line for each of some named things; `describe` gives the schema of each."""
        drawing = _Drawing(self, ())
        return [drawing.node(name_of(name), describe(value), 0) for name, value in named.items()]

    def node(self, name: str, schema: Any) -> Node:
        """Give the line of one thing with a schema."""
        return _Drawing(self, ()).node(name, schema, 0)


class _Drawing:
    def __init__(self, trees: SchemaTrees, own: tuple[str, ...]) -> None:
        self.trees = trees
        self.within = list(own)
        self.left = min(MOST_NODES, trees.left)

    def node(self, name: str, schema: Any, depth: int) -> Node:
        self.left -= 1
        self.trees.left -= 1
        node = Node(n=name) if name else Node()
        reference = self._reference(schema)
        if reference:
            return self._referred(node, schema, reference, depth)
        if not isinstance(schema, dict):
            node["t"] = "never" if schema is False else "any"
            return node
        self._describe(node, schema)
        self._shape(node, self._merged(schema), depth)
        return node

    def _reference(self, schema: Any) -> str:
        reference = schema.get("$ref") if isinstance(schema, dict) else None
        return reference if isinstance(reference, str) else ""

    def _referred(self, node: Node, schema: dict[str, Any], reference: str, depth: int) -> Node:
        references = self.trees.references
        name = name_of(references.name(schema), 120)
        node["t"] = name or "#"
        if reference in self.trees.keys:
            node["k"] = self.trees.keys[reference]
        beside = {key: value for key, value in schema.items() if key != "$ref"}
        target = references.target(reference)
        if target is None:
            local = reference.startswith("#")
            node["t"] = name_of(reference)
            node["r"] = "missing" if local else "remote"
            return node
        if reference in self.within:
            node["r"] = "recursive"
            self._describe(node, beside)
            return node
        self.within.append(reference)
        inner = self._describe_target(node, target, beside)
        if len(self.within) > self.trees.depth or self.left <= 0:
            if isinstance(inner, dict) and any(
                key in inner for key in ("properties", "allOf", "oneOf", "anyOf", "items")
            ):
                node["r"] = "more"
        elif isinstance(inner, dict):
            kept = node["t"]
            merged = self._merged({**inner, **beside})
            self._shape(node, merged, depth)
            node["t"] = kept if node["t"] in ("object", "", "any") else f"{kept} ({node['t']})"
        self.within.pop()
        return node

    def _describe_target(self, node: Node, target: Any, beside: dict[str, Any]) -> Any:
        if self._reference(target):
            target = self.trees.references.follow(target)
        if isinstance(target, dict):
            self._describe(node, {**target, **beside})
        return target

    def _describe(self, node: Node, schema: Mapping[str, Any]) -> None:
        description = html_of(schema.get("description"), LONGEST_NOTE)
        if description:
            node["h"] = description
        if schema.get("deprecated") is True:
            node["d"] = True
        if schema.get("readOnly") is True:
            node["w"] = "read"
        elif schema.get("writeOnly") is True:
            node["w"] = "write"
        if "default" in schema:
            node["v"] = written(schema["default"])
        if schema.get("nullable") is True or schema.get("x-nullable") is True:
            node["z"] = True

    def _merged(self, schema: dict[str, Any]) -> dict[str, Any]:
        return put_together(self.trees.references, schema, self.within)

    def _shape(self, node: Node, schema: dict[str, Any], depth: int) -> None:
        types = self._types(node, schema)
        node["t"] = " | ".join(types) or self._implied(schema)
        if schema.get("format"):
            node["f"] = as_text(schema["format"])
        self._limits(node, schema)
        kids: list[Node] = []
        if "array" in types or "items" in schema:
            kids += self._items(node, schema, depth)
        if "object" in types or "properties" in schema or "additionalProperties" in schema:
            kids += self._properties(node, schema, depth)
        for mark in _VARIANTS:
            kids += self._variants(node, mark, schema, depth)
        if as_dict(schema.get("not")):
            kids.append({**self.node("", schema["not"], depth + 1), "m": "not"})
        if kids:
            node["kids"] = kids

    def _types(self, node: Node, schema: dict[str, Any]) -> list[str]:
        given = schema.get("type")
        listed = [as_text(item) for item in (given if isinstance(given, list) else [given]) if item]
        if "null" in listed and len(listed) > 1:
            node["z"] = True
            listed.remove("null")
        return listed

    def _implied(self, schema: dict[str, Any]) -> str:
        if "properties" in schema or "additionalProperties" in schema:
            return "object"
        if "items" in schema:
            return "array"
        return next((mark for mark in _VARIANTS if as_list(schema.get(mark))), "any")

    def _limits(self, node: Node, schema: dict[str, Any]) -> None:
        found: list[tuple[str, str]] = [
            (name, as_text(schema[name]) if name != "const" else written(schema[name]))
            for name in CONSTRAINTS
            if name in schema and schema[name] is not False
        ]
        if schema.get("additionalProperties") is False:
            found.append(("closed", ""))
        discriminator = as_dict(schema.get("discriminator"))
        if discriminator or isinstance(schema.get("discriminator"), str):
            name = discriminator.get("propertyName") or schema["discriminator"]
            found.append(("discriminator", as_text(name)))
        if found:
            node["c"] = found
        choices = as_list(schema.get("enum"))
        if choices:
            node["e"] = [written(item) for item in choices[:MOST_CHOICES]]
            if len(choices) > MOST_CHOICES:
                node["e"].append(f"… +{len(choices) - MOST_CHOICES}")

    def _items(self, node: Node, schema: dict[str, Any], depth: int) -> list[Node]:
        listed = as_list(schema.get("prefixItems")) or as_list(schema.get("items"))
        if listed:
            return self._several(f"[{number}]" for number in range(len(listed)))(listed, depth)
        if "items" not in schema or self.left <= 0:
            return []
        inner = self.node("", schema["items"], depth + 1)
        node["t"] = node["t"].replace("array", f"{inner.get('t', 'any')}[]", 1)
        for name in ("k", "r", "f", "e"):
            if name in inner:
                node[name] = inner[name]
        if "c" in inner:
            node["c"] = [*node.get("c", []), *((f"items.{code}", v) for code, v in inner["c"])]
        if "h" in inner and "h" not in node:
            node["h"] = inner["h"]
        return inner.get("kids", [])

    def _several(self, names: Any) -> Callable[[list[Any], int], list[Node]]:
        def draw(schemas: list[Any], depth: int) -> list[Node]:
            found = []
            for name, schema in zip(names, schemas, strict=False):
                if self.left <= 0:
                    break
                found.append(self.node(name, schema, depth + 1))
            return found

        return draw

    def _properties(self, node: Node, schema: dict[str, Any], depth: int) -> list[Node]:
        required = {item for item in as_list(schema.get("required")) if isinstance(item, str)}
        kids: list[Node] = []
        for name, inner in as_dict(schema.get("properties")).items():
            if self.left <= 0:
                node["r"] = "more"
                break
            kid = self.node(name_of(name), inner, depth + 1)
            if name in required:
                kid["q"] = True
            kids.append(kid)
        for pattern, inner in as_dict(schema.get("patternProperties")).items():
            if self.left > 0:
                kids.append(self.node(f"/{name_of(pattern)}/", inner, depth + 1))
        extra = schema.get("additionalProperties")
        if isinstance(extra, dict) and extra and self.left > 0:
            kids.append(self.node("*", extra, depth + 1))
        return kids

    def _variants(self, node: Node, mark: str, schema: dict[str, Any], depth: int) -> list[Node]:
        found: list[Node] = []
        for inner in as_list(schema.get(mark)):
            if isinstance(inner, dict) and inner.get("type") == "null":
                node["z"] = True
                continue
            if self.left <= 0:
                node["r"] = "more"
                break
            found.append({**self.node("", inner, depth + 1), "m": mark})
        if len(found) == 1 and node.get("z"):
            # `oneOf: [X, null]` is how OpenAPI 3.1 writes an X that may be null.
            only = found[0]
            node["t"] = only.get("t", "any")
            for name in ("k", "r", "f", "e", "c"):
                if name in only and name not in node:
                    node[name] = only[name]
            return only.get("kids", [])
        return found


def written(value: Any) -> str:
    """Give a text as it is and another value as JSON, on one line, bounded."""
    if isinstance(value, str):
        return name_of(value, 200) or '""'
    try:
        return name_of(json.dumps(value, ensure_ascii=False), 200)
    except (ValueError, RecursionError):
        return "…"
