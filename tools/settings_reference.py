"""Writes docs/settings.md from the models of the settings."""

from pathlib import Path

from callboard.settings.reference import reference_page
from callboard_web.loading import SECTIONS

PAGE = Path(__file__).parent.parent / "docs" / "settings.md"
FIRST = ("portal", "sign_in", "sessions", "access", "tokens", "audit", "catalog")
"""What most people set; the other sections follow."""


def page() -> str:
    first = {name: SECTIONS[name] for name in FIRST}
    return reference_page({**first, **SECTIONS})


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
