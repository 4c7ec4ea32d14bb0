"""Where logs are kept, and for how long."""

import re
from datetime import timedelta
from pathlib import Path
from typing import Final, Self
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, field_validator, model_validator

from callboard.settings.types import Duration, SettingsModel, Size

MEBIBYTE: Final = 1024**2
_BUCKET: Final = re.compile(r"s3://([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])((?:/[\w.-]+)*)/?", re.ASCII)


class LogSettings(SettingsModel):
    """How logs of steps are kept once the steps have ended."""

    place: str = Field(
        default="",
        description="A folder, by its whole path, or `s3://bucket/prefix`, which nothing else "
        "uses; a folder among the plugin's own data without it.",
    )
    endpoint: str = Field(
        default="",
        description="Address of the object store, such as `https://minio.example.com`; that of "
        "Amazon in `region` without it.",
    )
    region: str = Field(
        default="us-east-1",
        pattern=r"^[a-z0-9-]{1,40}$",
        description="Region of the object store; most others than Amazon's take any.",
    )
    access_key: str = Field(default="", description="Key of the object store.")
    secret_key: SecretStr | None = Field(
        default=None, description="Its secret, as a reference such as `${file:/run/secrets/s3}`."
    )
    limit: Size = Field(
        default=20 * MEBIBYTE,
        ge=64 * 1024,
        le=1024 * MEBIBYTE,
        description="Bytes of text that are kept of a log; of a longer one, the middle goes.",
    )
    keep_for: Duration = Field(
        default=timedelta(days=400), description="Logs that were kept longer ago are deleted."
    )
    keep_bytes: Size = Field(
        default=20 * 1024 * MEBIBYTE,
        ge=MEBIBYTE,
        description="Bytes that all kept logs may take, compressed; the oldest go first.",
    )
    followed: int = Field(
        default=200, ge=1, le=2000, description="Logs that a process follows at once, at most."
    )

    @field_validator("place")
    @classmethod
    def _is_a_place(cls, place: str) -> str:
        if place and not _BUCKET.fullmatch(place) and not Path(place).is_absolute():
            raise ValueError("expected the whole path of a folder, or s3://bucket/prefix")
        return place

    @field_validator("endpoint")
    @classmethod
    def _is_an_address(cls, endpoint: str) -> str:
        parts = urlsplit(endpoint)
        if endpoint and (parts.scheme not in ("http", "https") or not parts.hostname):
            raise ValueError("expected an address such as https://minio.example.com")
        return endpoint.rstrip("/")

    @model_validator(mode="after")
    def _has_a_key(self) -> Self:
        if self.bucket and not (self.access_key and self.secret_key):
            raise ValueError("an object store needs access_key and secret_key")
        return self

    @property
    def bucket(self) -> str:
        """The name of the bucket; empty where logs are kept in a folder."""
        found = _BUCKET.fullmatch(self.place)
        return found[1] if found else ""

    @property
    def prefix(self) -> str:
        """What names in the bucket begin with; empty, or with a slash at its end."""
        found = _BUCKET.fullmatch(self.place)
        return f"{found[2].strip('/')}/" if found and found[2] else ""
