"""The bill of materials names what others wrote and this repository holds."""

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

from callboard_web.administration.software import packages

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def tool() -> ModuleType:
    path = ROOT / "tools" / "supply_chain.py"
    if not path.exists():
        pytest.skip("Only a checkout of the repository has the tool.")
    specification = importlib.util.spec_from_file_location("supply_chain", path)
    assert specification is not None
    assert specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


def test_every_vendored_file_is_on_the_bill(tool: ModuleType) -> None:
    files = {path.name for part in tool.PARTS for path in (ROOT / part).glob("**/vendor/*.js")}
    listed = {item["name"].removesuffix(".org") for item in tool.vendored()}
    assert {name.removesuffix(".min.js") for name in files} == listed
    assert all(item["hashes"][0]["content"] for item in tool.vendored())


def test_what_is_needed_with_an_extra_is_listed() -> None:
    assert "psycopg-binary" in {item.name for item in packages(("callboard",))}
