"""The contrast of every pair of colours, recomputed from the stylesheet (WCAG 2, 1.4.3, 1.4.11)."""

import re
from collections.abc import Mapping
from pathlib import Path

import pytest

from callboard_web.assets import DIRECTORY

CSS = (DIRECTORY / "callboard.css").read_text(encoding="utf-8")
STATUSES = ("ok", "warn", "bad", "run", "wait", "idle")
SURFACES = ("bg", "bg-sub", "bg-inset", "bg-hover", "bg-sel")
TEXT, MARK = 4.5, 3.0

PAIRS = [
    *((text, surface, TEXT) for text in ("fg", "fg-2", "fg-3", "acc") for surface in SURFACES),
    ("on-ink", "ink", TEXT),
    *((f"{name}-fg", f"{name}-bg", TEXT) for name in STATUSES),
    *((f"{name}-fg", "bg", TEXT) for name in STATUSES),
    *((name, surface, MARK) for name in STATUSES for surface in ("bg", "bg-hover", f"{name}-bg")),
    *(("fg", f"{name}-bg", TEXT) for name in STATUSES),
    *(("fg-3", f"{name}-bg", TEXT) for name in ("bad", "warn", "wait", "run")),
    *(("fg-3", surface, TEXT) for surface in ("code", "add", "del")),
    # The colours of words in code, also on a line that is marked.
    *(
        (text, surface, TEXT)
        for text in ("acc", "ok-fg", "warn-fg", "bad-fg", "wait-fg", "fg-3")
        for surface in ("code", "bg-sel")
    ),
    ("fg-2", "idle-bg", TEXT),
    ("line-ctl", "bg", MARK),
    ("acc-line", "bg", MARK),
    *((name, "bg", MARK) for name in ("c1", "c2", "c3", "c4", "c5", "v4", "v3")),
]


def _tokens(selector: str) -> dict[str, str]:
    block = re.search(re.escape(selector) + r" \{(.*?)\n *\}", CSS, re.DOTALL)
    assert block, selector
    return dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6});", block[1]))


LIGHT = _tokens("  :root")
DARK = {**LIGHT, **_tokens(':root[data-theme="dark"]')}


def _luminance(colour: str) -> float:
    parts = [int(colour[index : index + 2], 16) / 255 for index in (1, 3, 5)]
    red, green, blue = (
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _contrast(one: str, other: str) -> float:
    darker, lighter = sorted((_luminance(one), _luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


def test_the_formula() -> None:
    assert _contrast("#ffffff", "#000000") == pytest.approx(21)
    assert round(_contrast("#5f6974", "#ffffff"), 2) == 5.59


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize(("front", "back", "floor"), PAIRS)
def test_contrast(front: str, back: str, floor: float, theme: str) -> None:
    tokens: Mapping[str, str] = LIGHT if theme == "light" else DARK
    assert _contrast(tokens[front], tokens[back]) >= floor


def test_dark_and_auto_are_the_same() -> None:
    assert _tokens(':root[data-theme="auto"]') == _tokens(':root[data-theme="dark"]')


ROOT = Path(__file__).parents[2]
STYLES = [
    *sorted(DIRECTORY.rglob("*.css")),
    *sorted(ROOT.glob("plugins/*/src/*/static/**/*.css")),
]
COLOUR = re.compile(
    r"#[0-9a-fA-F]{3,8}\b(?=[;, )}!])|\b(?:rgba?|hsla?|hwb|lab|lch|oklch|oklab|color)\("
    r"|(?<=[\s:,(])(?:white|black|red|green|blue|gr[ae]y|orange|yellow|purple|silver)(?=[\s;,)}!])"
)


@pytest.mark.parametrize("path", STYLES, ids=lambda path: path.name)
def test_components_use_tokens_only(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    text = re.sub(r"@layer tokens \{.*?\n\}", "", text, flags=re.DOTALL)
    text = re.sub(r"/\*.*?\*/|url\(\"data:[^)]*\)", "", text, flags=re.DOTALL)
    # What lies behind a dialog is darkened in both themes alike.
    text = text.replace("dialog::backdrop { background: rgba(0, 0, 0, .32) }", "")
    assert COLOUR.findall(text) == []


TEMPLATES = [
    *sorted(ROOT.glob("web/callboard_web/**/templates/**/*.html")),
    *sorted(ROOT.glob("plugins/*/src/*/templates/**/*.html")),
]


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_templates_have_no_colours_and_no_styles(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert not re.search(r"\sstyle=|<style|\sbgcolor=", text)
    assert not re.search(r"\s(?:fill|stroke|stop-color)=\"(?!none|currentColor)[^\"{]", text)


def test_the_dark_colours_are_for_screens_only() -> None:
    for selector in (':root[data-theme="dark"]', ':root[data-theme="auto"]'):
        before = CSS[: CSS.index(f"{selector} {{")].rstrip()
        assert re.search(r"@media screen[^{}]*\{$", before), selector
