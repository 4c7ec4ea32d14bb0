"""The plugin's settings."""

from datetime import timedelta

from pydantic import Field

from callboard.settings.types import Duration, SettingsModel
from callboard_ci_tekton.acts.settings import ActSettings
from callboard_ci_tekton.gitlab.settings import GitlabSettings
from callboard_ci_tekton.library.settings import LibrarySettings
from callboard_ci_tekton.logs.settings import LogSettings
from callboard_ci_tekton.matching.settings import MatchingSettings
from callboard_ci_tekton.push.settings import PushSettings


class CiTektonSettings(SettingsModel):
    """How long runs are kept that the cluster has pruned, or that lie long back."""

    keep_for: Duration = Field(
        default=timedelta(days=400),
        description="Runs that ended longer ago are deleted, those of the last 31 days never.",
    )
    keep_runs: int = Field(
        default=2000,
        ge=1,
        description="Runs of each pipeline that are kept at most, "
        "beside those of the last 31 days.",
    )
    matching: MatchingSettings = Field(default_factory=MatchingSettings)
    logs: LogSettings = Field(default_factory=LogSettings)
    gitlab: GitlabSettings = Field(default_factory=GitlabSettings)
    acts: ActSettings = Field(default_factory=ActSettings)
    library: LibrarySettings = Field(default_factory=LibrarySettings)
    push: PushSettings = Field(default_factory=PushSettings)
