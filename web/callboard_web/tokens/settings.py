"""The settings of tokens, and of jobs that bring one of their own."""

import re
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, Final, Self

from pydantic import AfterValidator, Field, model_validator

from callboard.access.settings import SelectorSettings
from callboard.settings.types import Duration, SettingsModel, matching

Address = Annotated[
    str,
    matching(
        r"(https://[^\s?#@]+|http://(localhost|127\.0\.0\.1|\[::1\])(:\d+)?[^\s?#@]*)",
        "an address that begins with https:// (http:// on loopback only)",
    ),
]
_NOTHING_BUT_WILDCARDS: Final = re.compile(r"[*?]*")


def _says_something(claims: dict[str, Any]) -> dict[str, Any]:
    """Refuse rules that let in every job of an issuer, which may serve the whole world."""
    if not any(_narrows(value) for value in claims.values()):
        raise ValueError("expected at least one claim with a value that is not just wildcards")
    return claims


def _narrows(value: Any) -> bool:
    if isinstance(value, dict):
        return any(_narrows(item) for item in value.values())
    if isinstance(value, list):
        return bool(value) and all(_narrows(item) for item in value)
    return not isinstance(value, str) or not _NOTHING_BUT_WILDCARDS.fullmatch(value)


class WorkloadSettings(SettingsModel):
    """Jobs that are let in by the token their own system signs for them."""

    name: Annotated[
        str, matching(r"[a-z0-9][a-z0-9-]{0,62}", "lower-case letters, digits and hyphens")
    ] = Field(description="Name of the rule; the audit log names the job `workload:NAME`.")
    issuer: Address = Field(description="What the token's `iss` is, to the letter.")
    audience: str = Field(
        min_length=1,
        description="What the token's `aud` must hold: the address of this portal is a good one.",
    )
    jwks_url: Address | None = Field(
        default=None,
        description="Where the issuer's keys are; without it they are discovered at "
        "`ISSUER/.well-known/openid-configuration`.",
    )
    ca_bundle: Path | None = Field(
        default=None,
        description="PEM file of the authorities to trust for the issuer, such as "
        "`/var/run/secrets/kubernetes.io/serviceaccount/ca.crt`.",
    )
    bearer_file: Path | None = Field(
        default=None,
        description="File with the token to send when keys are read, where the issuer wants one: "
        "`/var/run/secrets/kubernetes.io/serviceaccount/token`.",
    )
    claims: Annotated[dict[str, Any], AfterValidator(_says_something)] = Field(
        description="What the token must say. Texts may hold `*` and `?`; a list gives "
        "alternatives; a mapping looks into a claim that is one."
    )
    permissions: list[str] = Field(
        min_length=1,
        description="What the job may do at most, by name or pattern (`catalog.*`).",
    )
    on: SelectorSettings = Field(
        default_factory=SelectorSettings, description="With which entities; without it with all."
    )
    roles: list[str] = Field(
        default=[], description="Roles the job has without a binding, within `permissions`."
    )
    service: str = Field(
        default="",
        description="The service account whose bindings the job has, as `service:NAME`.",
    )
    rate: int | None = Field(
        default=None, ge=1, description="Requests a minute; without it `tokens.rate`."
    )


class TokensSettings(SettingsModel):
    """Tokens of people and of service accounts, and jobs that bring a token of their own."""

    people: bool = Field(default=True, description="Whether people may make tokens for themselves.")
    default_age: Duration = Field(
        default=timedelta(days=90), description="How long a token lives unless its maker chooses."
    )
    maximum_age: Duration = Field(
        default=timedelta(days=365), description="How long a token may live at most."
    )
    maximum_overlap: Duration = Field(
        default=timedelta(days=7),
        description="How long the old secret may go on at most after a rotation.",
    )
    unseen: Duration = Field(
        default=timedelta(days=45),
        description="A token of a person rests once they have not signed in, nor been confirmed by "
        "their provider, for as long. It goes on when they sign in.",
    )
    warn: Duration = Field(
        default=timedelta(days=14),
        description="How long before its end its owner is told, in its last quarter at most.",
    )
    most: int = Field(
        default=50, ge=1, le=1000, description="Tokens that one person or account may have."
    )
    rate: int = Field(
        default=600, ge=1, description="Requests a minute that each token may make, per process."
    )
    burst: int = Field(
        default=100, ge=1, description="Requests that a token may make at once after a rest."
    )
    failures: int = Field(
        default=30,
        ge=1,
        description="Refused tokens a minute from one address, after which it is told to wait.",
    )
    workloads: list[WorkloadSettings] = Field(
        default=[],
        description="Jobs that bring a token of their own. The first rule that fits wins.",
    )

    @model_validator(mode="after")
    def _ages_fit(self) -> Self:
        if self.default_age > self.maximum_age:
            raise ValueError("expected default_age not longer than maximum_age")
        names = [rule.name for rule in self.workloads]
        if len(set(names)) < len(names):
            raise ValueError("expected workloads with names of their own")
        return self
