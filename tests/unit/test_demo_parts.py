"""What plugins add to the demo."""

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml

from callboard.contributions import DemoContext, DemoPart
from callboard.plugins import Contributed
from callboard_web.demo.parts import fill_parts, merged, with_parts

NOW = datetime(2026, 3, 2, 8, tzinfo=UTC)
TEXT = "portal: {title: Callboard, listen: '127.0.0.1:8000'}\ngit: {allow_local: [/a]}\n"


def laid_over(folder: Path, *prepares: Any) -> Any:
    parts = [
        Contributed(plugin=f"plugin{number}", value=DemoPart(name="part", prepare=prepare))
        for number, prepare in enumerate(prepares)
    ]
    context = DemoContext(folder=folder, repositories={}, made_at=NOW, now=NOW)
    return yaml.safe_load(with_parts(TEXT, parts, folder, context))


def test_settings_of_parts_are_laid_over_those_of_the_demo(tmp_path: Path) -> None:
    def first(context: DemoContext) -> Mapping[str, Any]:
        (context.folder / "state").write_text("kept", encoding="utf-8")
        return {"git": {"allow_local": ["/b"]}, "kubernetes": {"clusters": [{"name": "one"}]}}

    def second(context: DemoContext) -> Mapping[str, Any]:
        return {"portal": {"title": "Other"}, "kubernetes": {"clusters": [{"name": "two"}]}}

    settings = laid_over(tmp_path, first, second)
    assert settings["portal"] == {"title": "Other", "listen": "127.0.0.1:8000"}
    assert settings["git"]["allow_local"] == ["/a", "/b"]
    assert [cluster["name"] for cluster in settings["kubernetes"]["clusters"]] == ["one", "two"]
    assert (tmp_path / "plugin0" / "state").read_text(encoding="utf-8") == "kept"


def test_a_part_that_fails_is_left_out_and_logged(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(context: DemoContext) -> Mapping[str, Any]:
        raise OSError("no space left")

    settings = laid_over(tmp_path, broken, lambda _: {"portal": {"title": "Still"}})
    assert settings["portal"]["title"] == "Still"
    assert "plugin0.part is left out of the demo" in caplog.text


def test_what_is_no_section_is_replaced() -> None:
    assert merged({"a": 1, "b": {"c": 2}}, {"a": [1], "b": 3}) == {"a": [1], "b": 3}


def test_parts_fill_the_tables_and_one_that_fails_is_logged(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    filled: list[tuple[Path, str]] = []

    def broken(context: DemoContext, host: Any) -> None:
        raise OSError("no such table")

    fills = (None, broken, lambda context, host: filled.append((context.folder, host)))
    parts = [
        Contributed(
            plugin=f"plugin{number}", value=DemoPart(name="part", prepare=lambda _: {}, fill=fill)
        )
        for number, fill in enumerate(fills)
    ]
    context = DemoContext(folder=tmp_path, repositories={}, made_at=NOW, now=NOW)
    hosts: Any = "the host of {}".format
    fill_parts(parts, tmp_path / "parts", context, hosts)
    assert filled == [(tmp_path / "parts" / "plugin2", "the host of plugin2")]
    assert "plugin1.part of the demo could not be filled" in caplog.text
