"""The library in Chinese: what its files say in English, sentence by sentence."""

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Final

import yaml
from markupsafe import Markup, escape

_FOLDER: Final = Path(__file__).parent / "texts"


def shown(text: str, locale: str) -> Markup:
    """Give the same as markup: what stands between backticks is code."""
    parts = said(text, locale).split("`")
    code = Markup("<code>{}</code>")
    return Markup().join(
        code.format(part) if number % 2 else escape(part) for number, part in enumerate(parts)
    )


def said(text: str, locale: str) -> str:
    """Give a title or description of the library in a language; what is not its own unchanged."""
    return _texts(locale).get(text, text)


@cache
def _texts(locale: str) -> Mapping[str, str]:
    known = {path.stem: path for path in _FOLDER.glob("*.yaml")}
    path = known.get(locale.replace("_", "-"))
    found: Mapping[str, str] = yaml.safe_load(path.read_text(encoding="utf-8")) if path else {}
    return found
