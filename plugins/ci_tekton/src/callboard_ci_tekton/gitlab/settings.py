"""The part of the plugin's settings that is about GitLab CI."""

from datetime import timedelta
from typing import Annotated

from pydantic import Field

from callboard.settings.types import Duration, SettingsModel


class GitlabSettings(SettingsModel):
    """Whether pipelines of GitLab CI are read, and how often."""

    enabled: bool = Field(
        default=False,
        description="Whether pipelines of the repositories of entities are read where a host of "
        "type gitlab has them.",
    )
    every: Annotated[Duration, Field(ge=timedelta(seconds=30))] = Field(
        default=timedelta(minutes=5), description="How often each project is asked what changed."
    )
    while_running: Annotated[Duration, Field(ge=timedelta(seconds=30))] = Field(
        default=timedelta(seconds=30),
        description="How often one is asked that has an unfinished pipeline.",
    )
    since: Annotated[Duration, Field(ge=timedelta(hours=1), le=timedelta(days=3650))] = Field(
        default=timedelta(days=30), description="How far back pipelines are read at first."
    )
    needs: bool = Field(
        default=True,
        description="Whether it is asked which jobs need which: one request more for each new "
        "pipeline. Without it the graph shows stages.",
    )
