"""Writes docs/settings.md from the models of the settings."""

from pathlib import Path

from callboard.settings import CORE_SECTIONS
from callboard.settings.reference import reference_page
from callboard_catalog.settings import CatalogSettings
from callboard_web.settings import PortalSettings

PAGE = Path(__file__).parent.parent / "docs" / "settings.md"


def page() -> str:
    return reference_page({"portal": PortalSettings, "catalog": CatalogSettings, **CORE_SECTIONS})


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
