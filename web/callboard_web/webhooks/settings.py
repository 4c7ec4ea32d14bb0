"""The settings of webhooks."""

from datetime import timedelta
from typing import Annotated

from pydantic import Field

from callboard.settings.types import Duration, SettingsModel


class WebhooksSettings(SettingsModel):
    """What is kept of the deliveries that other systems send."""

    keep: Annotated[Duration, Field(ge=timedelta(hours=1))] = Field(
        default=timedelta(days=30), description="How long deliveries are kept."
    )
    most: int = Field(
        default=20_000,
        ge=100,
        le=1_000_000,
        description="Deliveries kept at most; the oldest go first, those that wait do not go.",
    )
    refused: int = Field(
        default=1_000,
        ge=10,
        le=100_000,
        description="Refused deliveries kept at most. They are kept without what was in them, and "
        "those from one address for one reason are kept as one for an hour.",
    )
