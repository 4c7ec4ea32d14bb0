"""Writes docs/plugin-authors/hooks.md from the hooks and the contributions they return.

    python tools/write_hook_reference.py [--check]

Signatures and fields are taken from the source, so that every version of Python gives the same.
"""

import argparse
import ast
import inspect
import re
import sys
import textwrap
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from types import FunctionType, ModuleType
from typing import Final

from callboard import CONTRACT, contributions, hookspecs, identity, kinds
from callboard.contributions import (
    clusters,
    decisions,
    entities,
    events,
    hosts,
    jobs,
    operations,
    pages,
    routes,
    search,
    sources,
    webhooks,
)

TARGET: Final = Path(__file__).parents[1] / "docs/plugin-authors/hooks.md"
PARTS: Final = (
    pages,
    entities,
    routes,
    sources,
    search,
    jobs,
    events,
    webhooks,
    decisions,
    clusters,
    hosts,
    operations,
)
"""The modules of `callboard.contributions`, in the order in which they are best read."""


def hooks() -> dict[str, FunctionType]:
    """Give the hooks by name, in the order they are written."""
    return {name: value for name, value in vars(hookspecs).items() if name.startswith("callboard_")}


def description_of(hook: FunctionType) -> str:
    """Give what the docstring of a hook says before its example."""
    return inspect.cleandoc(hook.__doc__ or "").partition("Example::")[0].strip()


def example_of(hook: FunctionType) -> str:
    """Give the example of a hook's docstring as code, or nothing."""
    _, found, code = inspect.cleandoc(hook.__doc__ or "").partition("Example::")
    return textwrap.dedent(code.strip("\n")) if found else ""


def reference() -> str:
    """Give the text of the page."""
    classes = dict(_classes())
    lines = [
        "# Hooks",
        "",
        "<!-- Written by tools/write_hook_reference.py; change the docstrings instead. -->",
        "",
        f"Every hook of contract {CONTRACT}, and what it returns.",
        "[contract.md](contract.md) has the rules that hold for all of them.",
        "",
        _body(hookspecs.__doc__),
        "",
        *(f"- [{name}](#{name})" for name in hooks()),
    ]
    for name, hook in hooks().items():
        lines += ["", f"## {name}", *_hook(hook, set(classes))]
    lines += ["", "## What hooks return and code is given", "", _body(contributions.__doc__)]
    for name, text in _aliases():
        lines += ["", f"`{name}`: {text}"]
    for name, node in classes.items():
        lines += ["", f"### {name}", *_class(node)]
    return "\n".join(lines) + "\n"


def _hook(hook: FunctionType, known: set[str]) -> Iterator[str]:
    node = ast.parse(textwrap.dedent(inspect.getsource(hook))).body[0]
    assert isinstance(node, ast.FunctionDef)
    signature = f"def {node.name}({ast.unparse(node.args)}) -> {ast.unparse(node.returns or node)}"
    signature = re.sub(r"['\"]|\bc\.", "", signature)
    yield from ("", "```python", signature, "```", "", description_of(hook))
    names = [name for name in re.findall(r"\w+", signature) if name in known]
    if names:
        yield from ("", "Returns: " + ", ".join(f"[{name}](#{name.lower()})" for name in names))
    yield from ("", "```python", example_of(hook), "```")


def _classes() -> Iterator[tuple[str, ast.ClassDef]]:
    """Give every dataclass that a plugin makes or is given, in the order they are written."""
    parts: tuple[tuple[ModuleType, set[str]], ...] = (
        *((part, set(contributions.__all__)) for part in PARTS),
        (kinds, {"Kind", "KindField", "KindRelation"}),
        (identity, {"Permission", "Principal"}),
    )
    for module, names in parts:
        for node in ast.parse(inspect.getsource(module)).body:
            if isinstance(node, ast.ClassDef) and node.name in names:
                yield node.name, node


def _class(node: ast.ClassDef) -> Iterator[str]:
    yield from ("", inspect.cleandoc(ast.get_docstring(node) or ""))
    for base in node.bases:
        yield from ("", f"Has all fields of [{ast.unparse(base)}](#{ast.unparse(base).lower()}).")
    fields = [item for item in node.body if isinstance(item, ast.AnnAssign)]
    if fields:
        yield from ("", "| field | type | default |", "|---|---|---|")
    for field in fields:
        kind = ast.unparse(field.annotation)
        kind = kind if "Literal[" in kind else kind.replace("'", "")  # forward references
        yield f"| `{ast.unparse(field.target)}` | {_code(kind)} | {_default(field.value)} |"


def _default(value: ast.expr | None) -> str:
    if value is None:
        return "required"
    text = ast.unparse(value)
    factory = re.fullmatch(r"field\(default_factory=(\w+)\)", text)
    if factory:
        return _code(f"{factory[1]}()")
    default = re.fullmatch(r"field\(default=(.+)\)", text)
    if default:
        return _code(default[1])
    return "every entity" if text == "_always" else _code(text)


def _code(text: str) -> str:
    return "`" + text.replace("|", "\\|") + "`"


def _aliases() -> Iterator[tuple[str, str]]:
    """Give the named types of `callboard.contributions` with their values and meaning."""
    body = ast.parse(inspect.getsource(pages)).body
    for node, after in pairwise(body):
        is_alias = isinstance(node, ast.Assign) and isinstance(node.value, ast.Subscript)
        if is_alias and isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant):
            assert isinstance(node, ast.Assign)
            yield ast.unparse(node.targets[0]), f"{after.value.value!s} `{ast.unparse(node.value)}`"


def _body(docstring: str | None) -> str:
    return inspect.cleandoc(docstring or "").partition("\n\n")[2]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="only tell whether it is fresh")
    text = reference()
    if parser.parse_args().check:
        if TARGET.exists() and TARGET.read_text("utf-8") == text:
            return 0
        print(f"{TARGET} is stale; run: python tools/write_hook_reference.py", file=sys.stderr)
        return 1
    TARGET.write_text(text, "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
