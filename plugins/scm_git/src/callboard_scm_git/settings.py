"""The plugin's section of `callboard.yaml`: `plugins.settings.scm_git`."""

from datetime import timedelta
from typing import Annotated

from pydantic import Field

from callboard.settings.types import Duration, SettingsModel


class ScmGitSettings(SettingsModel):
    """How repositories are read and when one counts as stale."""

    stale_after: Annotated[Duration, Field(ge=timedelta(days=1))] = Field(
        default=timedelta(days=180),
        description="A repository without a commit for so long is marked as stale.",
    )
    readers: int = Field(
        default=4, ge=1, le=32, description="Repositories read at once by a scheduled refresh."
    )
