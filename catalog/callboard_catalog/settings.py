"""The settings of the catalog: its sources, limits and the kinds of this site."""

from datetime import timedelta
from pathlib import Path
from typing import Annotated, Final, Literal

from pydantic import Field, field_validator

from callboard.kinds import EntityField, Kind
from callboard.settings.types import Duration, SettingsModel, Size, matching

REGISTERED: Final = "registered"
"""The name of the source of all registered locations."""

DEFAULT_PATHS: Final = ("catalog-info.yaml", "catalog-info.yml")

Schedule = Annotated[Duration, Field(ge=timedelta(seconds=5))]
SourceName = Annotated[
    str,
    matching(
        r"[a-z0-9][a-z0-9-]{0,62}",
        "1 to 63 lower-case letters, digits and hyphens, a letter or digit first",
    ),
]
WebUrl = Annotated[str, matching(r"https?://\S+", "a URL that begins with https:// or http://")]


class _Source(SettingsModel):
    name: SourceName = Field(
        description="Name of the source: lower-case letters, digits and hyphens; shown on pages.",
    )
    schedule: Schedule = Field(
        default=timedelta(minutes=5), description="How often to look for changes, beside webhooks."
    )


class FolderSource(_Source):
    """A folder of this machine."""

    type: Literal["folder"] = Field(description="`folder`")
    path: Path = Field(description="The folder; a relative one is taken from `callboard.yaml`.")
    paths: tuple[str, ...] = Field(
        default=DEFAULT_PATHS,
        min_length=1,
        description="Descriptor files within the source; `*`, `**` and `?` are understood.",
    )


class GitSource(_Source):
    """A Git repository, read at the newest commit of a branch."""

    type: Literal["git"] = Field(description="`git`")
    url: str = Field(min_length=1, description="Any URL that git reads.")
    branch: str = Field(default="", description="The branch; without it the default branch.")
    paths: tuple[str, ...] = Field(
        default=DEFAULT_PATHS,
        min_length=1,
        description="Descriptor files within the source; `*`, `**` and `?` are understood.",
    )
    depth: int | None = Field(
        default=None,
        ge=1,
        description="Commits to fetch; without it the whole history, which plugins may show.",
    )


class UrlSource(_Source):
    """One descriptor file behind a URL."""

    type: Literal["url"] = Field(description="`url`")
    url: WebUrl = Field(description="Address of the file, http or https.")


Source = Annotated[FolderSource | GitSource | UrlSource, Field(discriminator="type")]


class LimitsSettings(SettingsModel):
    """How much one descriptor file may cost before it is refused."""

    file_size: Size = Field(default=5 * 1024**2, gt=0, description="Size of one file.")
    documents: int = Field(default=1_000, ge=1, description="Documents in one file.")
    depth: int = Field(default=64, ge=8, le=200, description="Levels of lists and objects.")


class HistorySettings(SettingsModel):
    """How much is kept of what entities were before."""

    keep: Annotated[Duration, Field(ge=timedelta(days=1))] = Field(
        default=timedelta(days=400), description="How long changes of entities are kept."
    )
    versions: int = Field(
        default=200, ge=1, le=10_000, description="Changes kept of one entity, the newest."
    )


class LocationsSettings(SettingsModel):
    """Addresses that people and clients register."""

    schedule: Schedule = Field(
        default=timedelta(minutes=5),
        description="How often registered addresses are asked for changes, beside webhooks.",
    )


class DeletedSettings(SettingsModel):
    """What is kept of entities that people delete."""

    keep: Annotated[Duration, Field(ge=timedelta(days=1))] = Field(
        default=timedelta(days=30),
        description=(
            "How long a deletion can be undone once no source gives the entity any more. While one "
            "does, the deletion holds."
        ),
    )


class PushSettings(SettingsModel):
    """Bounds on what is pushed to the catalog in one request of at most 5 MiB."""

    entities: int = Field(
        default=2_000, ge=1, le=20_000, description="Entities in one request, removed ones too."
    )


class CatalogSettings(SettingsModel):
    """The service catalog: where descriptors come from."""

    sources: list[Source] = Field(
        default=[], description="Places with descriptor files. Each has a name of its own."
    )
    locations: LocationsSettings = Field(
        default=LocationsSettings(), description="Addresses that people and clients register."
    )
    limits: LimitsSettings = Field(
        default=LimitsSettings(), description="Bounds on one descriptor file."
    )
    history: HistorySettings = Field(
        default=HistorySettings(), description="What is kept of the past of entities."
    )
    deleted: DeletedSettings = Field(
        default=DeletedSettings(), description="What is kept of entities that were deleted."
    )
    push: PushSettings = Field(default=PushSettings(), description="Bounds on pushed entities.")
    kinds: list[Kind] = Field(
        default=[], description="Kinds of entities of this site, beside those the portal knows."
    )
    fields: list[EntityField] = Field(
        default=[],
        description="Fields that entities have at this site, beside those of their kind.",
    )

    @field_validator("sources")
    @classmethod
    def _names_are_unique(cls, sources: list[Source]) -> list[Source]:
        names = [source.name for source in sources]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(
                f"expected every source to have a name of its own; used twice: {', '.join(twice)}"
            )
        if REGISTERED in names:
            raise ValueError(f"expected no source named {REGISTERED}: those registered have it")
        return sources
