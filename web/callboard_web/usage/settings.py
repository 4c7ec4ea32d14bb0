"""The settings of the index of usage."""

from datetime import timedelta
from typing import Annotated

from pydantic import Field

from callboard.settings.types import Duration, SettingsModel


class UsageSettings(SettingsModel):
    """Whether looks at entities are counted, and for how long the counts are kept."""

    enabled: bool = Field(
        default=False,
        description="Counts looks at entities, for those who own them. Counts tell of nobody; the "
        "name of a person is kept only where that person chose it on their page.",
    )
    keep: Annotated[Duration, Field(ge=timedelta(days=1), le=timedelta(days=400))] = Field(
        default=timedelta(days=90), description="How long counts, and names, are kept."
    )
