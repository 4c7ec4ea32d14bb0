"""The reference page of the settings."""

import runpy
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from callboard.settings.schema import fields_of, members
from callboard_web.loading import SECTIONS

ROOT = Path(__file__).parents[2]


def models(annotation: Any) -> Iterator[type[BaseModel]]:
    for kind in members(annotation):
        for inner in (kind, *getattr(kind, "__args__", ())):
            if isinstance(inner, type) and issubclass(inner, BaseModel):
                yield inner
                for below in (fields_of(inner) or {}).values():
                    yield from models(below)
            elif inner is not kind:
                yield from models(inner)


def test_the_page_is_what_the_models_say() -> None:
    tool = runpy.run_path(str(ROOT / "tools" / "settings_reference.py"))
    page = (ROOT / "docs" / "settings.md").read_text(encoding="utf-8")
    assert page == tool["page"](), "Run: python tools/settings_reference.py"


@pytest.mark.parametrize("section", SECTIONS.values())
def test_every_setting_is_described(section: type[BaseModel]) -> None:
    for model in models(section):
        assert model.__doc__, model
        for name, field in model.model_fields.items():
            assert field.description, f"{model.__name__}.{name}"
            assert field.description.endswith((".", "`")), f"{model.__name__}.{name}"
