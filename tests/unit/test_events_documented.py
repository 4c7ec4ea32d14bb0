"""Every event that is published anywhere is in docs/reference/events.md, and nothing else is."""

import ast
import re
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs/reference/events.md"
CODE = [
    path
    for folder in ("core", "catalog", "web", "plugins")
    for path in sorted((ROOT / folder).rglob("*.py"))
    if not {"tests", "migrations", "testing.py"} & set(path.parts)
]
PUBLISHING = frozenset({"publish", "publish_many", "Fact"})
KIND = re.compile(r"[a-z_]+(\.[a-z_-]+){1,2}")
# `host.publish` is handed the plugin's name by the code that plugins share.
SHARED = {"host.plugin": ("people_ldap", "scm_hosts"), "kind": ("user", "group")}


class Module:
    """A module, and what the strings in its calls that publish can be."""

    def __init__(self, text: str, constants: Mapping[str, Sequence[str]]) -> None:
        self.constants = constants
        self.tree = ast.parse(text)
        self.nodes = list(ast.walk(self.tree))
        self.parents = {child: node for node in self.nodes for child in ast.iter_child_nodes(node)}

    def kinds(self) -> Iterator[str]:
        """Give the kinds of events it publishes, or a `?` in them for what cannot be known."""
        for node in self.nodes:
            if isinstance(node, ast.Call) and _name(node.func) in PUBLISHING:
                for argument in (*node.args, *(item.value for item in node.keywords)):
                    for found in ast.walk(argument):
                        for text in self.texts(found):
                            if KIND.fullmatch(text.replace("?", "x")):
                                yield text

    def texts(self, node: ast.AST, depth: int = 0) -> list[str]:
        """Give the texts that an expression may be."""
        if depth > 6:
            return []
        if isinstance(node, ast.Constant):
            return [node.value] if isinstance(node.value, str) else []
        if isinstance(node, ast.IfExp):
            return [*self.texts(node.body, depth + 1), *self.texts(node.orelse, depth + 1)]
        if isinstance(node, ast.JoinedStr):
            made = [""]
            for part in node.values:
                inner = part.value if isinstance(part, ast.FormattedValue) else part
                said = SHARED.get(ast.unparse(inner)) or self.texts(inner, depth + 1) or ["?"]
                made = [text + more for text in made for more in said]
            return made
        if isinstance(node, ast.Subscript):
            return self.texts(node.value, depth + 1)
        if isinstance(node, ast.Dict):
            return [text for value in node.values for text in self.texts(value, depth + 1)]
        if isinstance(node, ast.Name):
            mine = [*self._assigned(node.id, depth), *self._handed(node, depth)]
            return mine or list(self.constants.get(node.id, ()))
        if isinstance(node, ast.Attribute):
            return list(self.constants.get(node.attr, ()))
        return []

    def _assigned(self, name: str, depth: int) -> Iterator[str]:
        for node in self.nodes:
            if isinstance(node, ast.Assign) and name in map(ast.unparse, node.targets):
                yield from self.texts(node.value, depth + 1)
            elif isinstance(node, ast.AnnAssign) and ast.unparse(node.target) == name:
                yield from self.texts(node.value, depth + 1) if node.value else ()
            elif isinstance(node, ast.For | ast.comprehension):
                yield from self._of_loop(node, name, depth)

    def _of_loop(self, node: "ast.For | ast.comprehension", name: str, depth: int) -> Iterator[str]:
        names = [item.id for item in ast.walk(node.target) if isinstance(item, ast.Name)]
        if name not in names:
            return
        looked = node.iter
        if isinstance(looked, ast.Call) and isinstance(looked.func, ast.Attribute):
            looked = looked.func.value
        given = looked
        if isinstance(looked, ast.Name):
            for other in self.nodes:
                if isinstance(other, ast.Assign) and looked.id in map(ast.unparse, other.targets):
                    given = other.value
        if isinstance(given, ast.Dict):
            for key in given.keys:
                yield from self.texts(key, depth + 1) if key else ()
        elif isinstance(given, ast.Tuple | ast.List):
            for item in given.elts:
                first = item.elts[names.index(name)] if isinstance(item, ast.Tuple) else item
                yield from self.texts(first, depth + 1)

    def _handed(self, node: ast.Name, depth: int) -> Iterator[str]:
        """Give what callers in this module hand over as a parameter."""
        around: ast.AST | None = node
        while around is not None and not isinstance(around, ast.FunctionDef):
            around = self.parents.get(around)
        if around is None:
            return
        names = [item.arg for item in (*around.args.args, *around.args.kwonlyargs)]
        if node.id not in names:
            return
        place = names.index(node.id) - (names[0] in ("self", "cls"))
        for call in self.nodes:
            if isinstance(call, ast.Call) and _name(call.func) == around.name:
                given = [item.value for item in call.keywords if item.arg == node.id]
                for value in given or call.args[place : place + 1]:
                    yield from self.texts(value, depth + 1)


def _name(function: ast.expr) -> str:
    if isinstance(function, ast.Attribute):
        return function.attr
    return function.id if isinstance(function, ast.Name) else ""


@cache
def published() -> frozenset[str]:
    texts = {path: path.read_text("utf-8") for path in CODE}
    constants: dict[str, list[str]] = {}
    for text in texts.values():
        for name, kind in re.findall(r'^([A-Z_]+)\b.* = "([a-z_.]+)"$', text, re.MULTILINE):
            constants.setdefault(name, []).append(kind)
    calls = [text for text in texts.values() if re.search(r"publish|\bFact\(", text)]
    return frozenset(kind for text in calls for kind in Module(text, constants).kinds())


def documented() -> set[str]:
    rows = re.findall(r"^\| (`[^|]+`) \|", PAGE.read_text("utf-8"), re.MULTILINE)
    return {kind for row in rows for kind in re.findall(r"`([^`]+)`", row)}


def test_every_event_is_documented() -> None:
    assert sorted(published() - documented()) == []


def test_every_documented_event_is_published() -> None:
    assert sorted(documented() - published()) == []
