"""The settings of the portal's pages."""

import re
from ipaddress import ip_network
from pathlib import Path
from typing import Annotated, Final, Self
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, Field, SecretStr, model_validator

from callboard.settings.types import SettingsModel, Size, matching

LOCALES: Final = Path(__file__).parent / "locales"
SOURCE: Final = "en"


def _listen_address(text: str) -> str:
    match = re.fullmatch(r"(\[[0-9a-fA-F:.]+\]|[^:\s/]+):([0-9]{1,5})", text)
    if match is None or int(match[2]) > 65535:
        raise ValueError("expected an address and a port such as 127.0.0.1:8000 or [::1]:8000")
    return text


def _network(text: str) -> str:
    try:
        ip_network(text, strict=False)
    except ValueError:
        raise ValueError("expected an address or a network such as 10.0.0.0/8") from None
    return text


def _time_zone(text: str) -> str:
    try:
        ZoneInfo(text)
    except (OSError, ValueError, LookupError):
        raise ValueError("expected a time zone such as UTC or Asia/Shanghai") from None
    return text


def installed_languages() -> tuple[str, ...]:
    """Give the language of the source and those that the portal has a catalog for, as tags."""
    catalogs = sorted(path.stem for path in LOCALES.glob("*.po"))
    return (SOURCE, *(name.replace("_", "-") for name in catalogs if name != SOURCE))


class PortalSettings(SettingsModel):
    """The portal as people see it: its name, its address, its languages."""

    title: str = Field(
        default="Callboard", min_length=1, max_length=80, description="Name of the portal."
    )
    organisation: str = Field(default="", max_length=120, description="Whose portal it is.")
    listen: Annotated[str, AfterValidator(_listen_address)] = Field(
        default="127.0.0.1:8000",
        description="Address and port to listen on. Other machines reach it at `0.0.0.0:8000`.",
    )
    base_url: Annotated[
        str,
        matching(
            r"(https?://[^\s?#]*[^\s?#/])?",
            "a URL such as https://portal.example without a slash at the end",
        ),
    ] = Field(
        default="",
        description="Address people use, without a slash at the end; for links in messages and "
        "behind a proxy.",
    )
    languages: tuple[str, ...] = Field(
        default_factory=installed_languages,
        min_length=1,
        description="Languages that people may choose. Without it, all that the portal's texts are "
        "translated into.",
    )
    default_language: str = Field(
        default="auto", description="The language at the first visit; `auto` takes the browser's."
    )
    time_zone: Annotated[str, AfterValidator(_time_zone)] = Field(
        default="UTC", description="Time zone of the times on pages, such as `Asia/Shanghai`."
    )
    cookie_secret: SecretStr | None = Field(
        default=None,
        min_length=32,
        description="Signs cookies: 32 random characters or more, the same in every process. "
        "Without it one is made at the first start and kept in the database.",
    )

    public_metrics: bool = Field(
        default=False,
        description="Answers `/metrics` to everybody who reaches the portal, for a Prometheus that "
        "cannot bring a token. Without it `portal.metrics.read` is asked for.",
    )

    public_badges: bool = Field(
        default=False,
        description="Shows badges (`/badges/…svg`) to everybody who reaches the portal, signed in "
        "or not, so that READMEs can. They tell names, owners and lifecycles of all entities, "
        "whoever may see these. Without it badges are for those who may see the entity.",
    )

    trusted_proxies: tuple[Annotated[str, AfterValidator(_network)], ...] = Field(
        default=(),
        max_length=100,
        description="Addresses or networks of the proxies in front of the portal, such as "
        "`10.0.0.0/8`: the client's address is taken from the `X-Forwarded-For` they send. Without "
        "it the header is passed over.",
    )

    kept_answers: Size = Field(
        default=64 * 1024 * 1024,
        ge=0,
        description="Memory for answers of the catalog's API that are kept until the catalog "
        "changes, in each process. An answer larger than half of it is made anew each time. 0 "
        "keeps none.",
    )

    processes: int = Field(
        default=1,
        ge=1,
        le=64,
        description="Processes that answer requests, on one address. `callboard serve "
        "--processes` overrules it. More than one is for machines with cores to spare.",
    )

    @model_validator(mode="after")
    def _default_is_offered(self) -> Self:
        if self.default_language not in ("auto", *self.languages):
            raise ValueError("expected default_language to be auto or one of languages")
        return self

    @property
    def host(self) -> str:
        """The address to listen on."""
        return self.listen.rpartition(":")[0].strip("[]")

    @property
    def port(self) -> int:
        """The port to listen on."""
        return int(self.listen.rpartition(":")[2])
