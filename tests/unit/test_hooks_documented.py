"""Every hook is documented with an example, has a test of its name, and is on the page."""

import ast
import importlib.util
import subprocess
import sys
from pathlib import Path
from types import FunctionType, ModuleType

import pytest

ROOT = Path(__file__).parents[2]
TOOL = ROOT / "tools/write_hook_reference.py"


def load_tool() -> ModuleType:
    found = importlib.util.spec_from_file_location("write_hook_reference", TOOL)
    assert found is not None
    assert found.loader is not None
    module = importlib.util.module_from_spec(found)
    found.loader.exec_module(module)
    return module


tool = load_tool()
HOOKS: dict[str, FunctionType] = tool.hooks()


@pytest.mark.parametrize("name", HOOKS)
def test_a_hook_says_when_it_is_called_and_shows_how(name: str) -> None:
    assert len(tool.description_of(HOOKS[name])) > 20
    example = tool.example_of(HOOKS[name])
    assert "@hookimpl" in example
    assert f"def {name}(" in example
    ast.parse(example)


def test_every_hook_has_a_test_of_its_name() -> None:
    tests = {
        node.name
        for path in Path(__file__).parent.glob("test_hooks_*.py")
        for node in ast.walk(ast.parse(path.read_bytes()))
        if isinstance(node, ast.FunctionDef)
    }
    assert {name for name in HOOKS if f"test_{name}" not in tests} == set()


def test_the_page_is_fresh() -> None:
    checked = subprocess.run(
        [sys.executable, TOOL, "--check"], capture_output=True, text=True, check=False
    )
    assert checked.returncode == 0, checked.stderr
