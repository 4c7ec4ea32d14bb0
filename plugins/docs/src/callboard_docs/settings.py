"""The plugin's section of `callboard.yaml`: `plugins.settings.docs`."""

from datetime import timedelta
from typing import Annotated

from pydantic import Field

from callboard.settings.types import Duration, SettingsModel


class VersionSettings(SettingsModel):
    """Which branches and tags readers may choose beside the one everybody sees."""

    tags: list[str] = Field(
        default=["v*"], description="Patterns of tags (`*` and `?`); the newest are offered."
    )
    branches: list[str] = Field(default=[], description="Patterns of branches that are offered.")
    newest: int = Field(
        default=5, ge=0, le=50, description="How many of the tags that match are offered."
    )
    kept: int = Field(
        default=30,
        ge=0,
        le=1000,
        description="Versions kept at once in the whole portal. Beyond that, the one that nobody "
        "looked at for longest goes; it is read again when somebody asks for it.",
    )


class DocsSettings(SettingsModel):
    """What is read of repositories, and how much."""

    versions: VersionSettings = Field(default_factory=VersionSettings)
    readers: int = Field(
        default=2, ge=1, le=16, description="Repositories read at once by a scheduled refresh."
    )
    renderers: int = Field(
        default=2, ge=1, le=16, description="Processes that render the pages of one repository."
    )
    page_timeout: Annotated[Duration, Field(ge=timedelta(seconds=1), le=timedelta(minutes=5))] = (
        Field(
            default=timedelta(seconds=10),
            description="A page that takes longer to render is left out and listed as a problem.",
        )
    )
    maximum_page_bytes: int = Field(
        default=1024 * 1024,
        ge=1024,
        le=4 * 1024 * 1024,
        description="A larger page is not rendered; readers are led to its source.",
    )
    maximum_file_bytes: int = Field(
        default=2 * 1024 * 1024,
        ge=1024,
        le=5 * 1024 * 1024,
        description="Pictures and documents that pages name are served up to this size.",
    )
    maximum_site_bytes: int = Field(
        default=100 * 1024 * 1024,
        ge=0,
        description="All pictures and documents of one repository together; the rest is left out.",
    )
    maximum_pages: int = Field(
        default=20_000, ge=1, le=100_000, description="Pages of one repository that are read."
    )
