"""The settings of sessions."""

from datetime import timedelta
from typing import Self

from pydantic import Field, SecretStr, field_validator, model_validator

from callboard.settings.types import Duration, SettingsModel


class BreakGlassSettings(SettingsModel):
    """The one local administrator, for when no provider answers."""

    user: str = Field(
        min_length=1, max_length=80, description="The name to sign in with, such as `emergency`."
    )
    password_hash: SecretStr = Field(
        description="The argon2id hash of the password, as `callboard password` makes it."
    )
    absolute: Duration = Field(
        default=timedelta(hours=1), description="How long such a session lasts at most."
    )

    @field_validator("password_hash")
    @classmethod
    def _is_argon2id(cls, value: SecretStr) -> SecretStr:
        if not value.get_secret_value().startswith("$argon2id$"):
            raise ValueError("expected an argon2id hash, as `callboard password` makes it")
        return value


class SessionsSettings(SettingsModel):
    """How long people stay signed in, and signing in without a provider."""

    idle: Duration = Field(
        default=timedelta(hours=8),
        description="A session that is not used for as long ends.",
    )
    absolute: Duration = Field(
        default=timedelta(days=7), description="A session ends after this in any case."
    )
    demo: bool = Field(
        default=False,
        description="Lets everyone on this machine sign in as any person of the catalog, without a "
        "password. Works on loopback addresses only; `callboard demo` switches it on.",
    )
    break_glass: BreakGlassSettings | None = Field(
        default=None,
        description="A local administrator for emergencies. Off where it is not given.",
    )

    @model_validator(mode="after")
    def _limits_fit(self) -> Self:
        shortest = timedelta(minutes=5)
        if self.idle < shortest or self.absolute < self.idle:
            raise ValueError("expected idle of 5m or more and absolute not shorter than idle")
        return self
