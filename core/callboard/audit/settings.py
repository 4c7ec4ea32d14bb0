"""The settings of the audit log: how long it is kept, who signs it, where it is sent."""

from datetime import timedelta
from pathlib import Path
from typing import Annotated, Final, Literal, Self

from pydantic import Field, SecretStr, model_validator

from callboard.settings.types import Duration, SettingsModel, Size, matching

FACILITIES: Final = ("auth", "authpriv", "audit", *(f"local{number}" for number in range(8)))

DestinationName = Annotated[
    str,
    matching(
        r"[a-z0-9][a-z0-9-]{0,62}",
        "1 to 63 lower-case letters, digits and hyphens, a letter or digit first",
    ),
]
HttpUrl = Annotated[str, matching(r"https?://\S+", "a URL that begins with https:// or http://")]
Wait = Annotated[Duration, Field(ge=timedelta(seconds=1), le=timedelta(minutes=2))]


class _Destination(SettingsModel):
    name: DestinationName = Field(
        description="Name of the destination: lower-case letters, digits and hyphens. How far it "
        "has been told is kept under it.",
    )
    from_start: bool = Field(
        default=False,
        description="Whether a new destination is told of what was there before it as well.",
    )


class SyslogDestination(_Destination):
    """A collector that speaks syslog (RFC 5424)."""

    type: Literal["syslog"] = Field(description="`syslog`")
    host: str = Field(min_length=1, description="Name or address of the collector.")
    port: int = Field(
        default=0, ge=0, le=65535, description="Its port; 0 is 514, and 6514 with TLS."
    )
    transport: Literal["tls", "tcp", "udp"] = Field(
        default="tls",
        description="`tls` (RFC 5425), `tcp` (RFC 6587, octet counting) or `udp` (RFC 5426), which "
        "cannot tell what was lost.",
    )
    ca_bundle: Path | None = Field(
        default=None, description="PEM file of authorities to trust for `tls` beside the usual."
    )
    certificate: Path | None = Field(
        default=None, description="PEM file with certificate and key this portal shows for `tls`."
    )
    facility: Literal[*FACILITIES] = Field(  # type: ignore[valid-type]
        default="audit", description="Facility of the messages."
    )
    timeout: Wait = Field(
        default=timedelta(seconds=10), description="How long the collector may be silent."
    )
    structured_data: Annotated[
        str, matching(r"[!#-<>-\\^-~]{1,25}@[0-9]{1,10}", "a name such as callboard@32473")
    ] = Field(
        default="callboard@32473",
        description="Name of the structured data. The number is an enterprise's own (IANA); 32473 "
        "is the one for examples.",
    )
    maximum_size: Size = Field(
        default=8192, ge=1024, le=65000,
        description="Size of a message, in bytes; longer ones leave out what was changed.",
    )  # fmt: skip


class WebhookDestination(_Destination):
    """A server that takes batches of entries as JSON, over HTTP."""

    type: Literal["webhook"] = Field(description="`webhook`")
    url: HttpUrl = Field(
        description="Address; a private one must be among `http.allow_hosts` as well."
    )
    secret: SecretStr = Field(
        min_length=16, description="Signs each batch (HMAC-SHA256), as a reference."
    )
    batch: int = Field(default=200, ge=1, le=1000, description="Entries in one request.")


Destination = Annotated[SyslogDestination | WebhookDestination, Field(discriminator="type")]


class AuditSettings(SettingsModel):
    """Who did what: how long it is kept, how it is proven, where it is sent."""

    keep: Annotated[Duration, Field(ge=timedelta(days=7))] | None = Field(
        default=None,
        description="How long entries are kept, `7d` at least; without it for ever. What has not "
        "been sent to every destination stays.",
    )
    verify_every: Annotated[Duration, Field(ge=timedelta(minutes=5))] = Field(
        default=timedelta(days=1), description="How often the whole log is verified."
    )
    signing_key: Path | None = Field(
        default=None,
        description="PEM file of the Ed25519 key that signs checkpoints; callboard audit key "
        "makes one.",
    )
    forward: tuple[Destination, ...] = Field(
        default=(), max_length=16, description="Where every entry is sent."
    )

    @model_validator(mode="after")
    def _names_differ(self) -> Self:
        names = [item.name for item in self.forward]
        if len(set(names)) < len(names):
            raise ValueError("expected destinations with different names")
        return self
