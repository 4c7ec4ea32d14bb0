"""The settings of the core. Descriptions here are the reference page's text."""

from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, Final, Literal, Self

from pydantic import BaseModel, Field, SecretStr, field_validator, model_validator

from callboard.settings.types import Duration, SettingsModel, Size, matching

PositiveDuration = Annotated[Duration, Field(gt=timedelta(0))]
ProxyUrl = Annotated[
    str,
    matching(r"(http|https|socks5h?)://\S+", "a proxy URL such as http://proxy.example:3128"),
]


class DatabaseSettings(SettingsModel):
    """Where everything is kept. SQLite needs nothing; PostgreSQL is for several processes."""

    url: str = Field(
        default="sqlite:///callboard.sqlite3",
        min_length=1,
        description="Database URL: `sqlite:///file.sqlite3` or `postgresql://user@host/name`.",
    )
    pool_size: int = Field(
        default=10, ge=1, le=200, description="Connections this process keeps open to the database."
    )


class PluginsSettings(SettingsModel):
    """Which plugins take part, and what each of them is told."""

    enable: list[str] | None = Field(
        default=None, description="Names of the plugins to load; without it every installed one."
    )
    disable: list[str] = Field(
        default=[], description="Names of plugins that are neither loaded nor imported."
    )
    strict: bool = Field(
        default=False,
        description="For plugin authors: a plugin that fails stops the portal with its traceback.",
    )
    time_limit: PositiveDuration = Field(
        default=timedelta(seconds=2),
        description="How long one plugin may take to draw its place on a page.",
    )
    settings: dict[str, dict[str, Any]] = Field(
        default={}, repr=False, description="The settings of each plugin, under its name."
    )

    @field_validator("settings", mode="before")
    @classmethod
    def _nothing_is_no_settings(cls, value: Any) -> Any:
        if not isinstance(value, dict):
            return value
        return {name: {} if given is None else given for name, given in value.items()}


class JobsSettings(SettingsModel):
    """Background work: schedules, source refreshes, what plugins do outside of requests."""

    queue: Literal["auto", "sqlite", "postgresql"] = Field(
        default="auto",
        description="Where waiting jobs are kept: `auto` is `postgresql` when the database is.",
    )
    queue_file: Path | None = Field(
        default=None,
        description="The file of the `sqlite` queue; without it `callboard-queue.sqlite3` beside "
        "the database. It may be deleted; no work is lost with it.",
    )
    workers: int = Field(
        default=4, ge=0, le=64, description="Jobs run at once by this process; 0 runs none here."
    )
    poll_interval: PositiveDuration = Field(
        default=timedelta(seconds=1), description="How often a worker looks for due work."
    )
    lease: PositiveDuration = Field(
        default=timedelta(seconds=30),
        description="How long a run belongs to a worker that gives no sign of life.",
    )
    keep: PositiveDuration = Field(
        default=timedelta(days=30), description="How long finished runs stay on the page of jobs."
    )


class HttpSettings(SettingsModel):
    """How this portal asks other servers over HTTP."""

    timeout: PositiveDuration = Field(
        default=timedelta(seconds=30),
        description="How long a request may take, with all its attempts.",
    )
    retries: int = Field(
        default=3, ge=0, le=10, description="Further attempts after a failure that may pass."
    )
    ca_bundle: Path | None = Field(
        default=None, description="PEM file of authorities to trust beside the usual ones."
    )
    proxy: ProxyUrl | None = Field(
        default=None,
        description="URL of the proxy for all requests; its password belongs in a reference.",
    )
    allow_hosts: list[str] = Field(
        default=[],
        description="Hosts that may be asked although their address is private: "
        "`git.corp.example`, or `*.corp.example` for all below it.",
    )
    allow_private: bool = Field(
        default=False, description="Whether any private address may be asked. Prefer `allow_hosts`."
    )
    maximum_bytes: Size = Field(
        default=10 * 1024**2, gt=0, description="The largest response body that is read."
    )


class GitCredential(SettingsModel):
    """How to sign in to one Git host: a token over HTTPS, or an SSH key."""

    host: str = Field(
        min_length=1, description="Host name, with the port where it is not the usual one."
    )
    username: str = Field(
        default="", description="User name beside the token, where one is wanted."
    )
    token: SecretStr | None = Field(default=None, description="Token or password, as a reference.")
    ssh_key: Path | None = Field(default=None, description="Private key file for SSH addresses.")
    known_hosts: Path | None = Field(
        default=None, description="Host keys of SSH servers; without it the user's own file."
    )

    @model_validator(mode="after")
    def _has_one_way_in(self) -> Self:
        if (self.token is None) == (self.ssh_key is None):
            raise ValueError("expected either token or ssh_key")
        return self


class GitSettings(SettingsModel):
    """How this portal reads Git repositories."""

    directory: Path = Field(
        default=Path("var/git"),
        description="Folder for copies of repositories. It may be deleted; they are fetched again.",
    )
    timeout: PositiveDuration = Field(
        default=timedelta(minutes=5), description="How long one git command may take."
    )
    maximum_bytes: Size = Field(
        default=1024**3, gt=0, description="The largest copy of one repository that is kept."
    )
    allow_local: list[Path] = Field(
        default=[],
        description="Folders of this machine whose repositories may be read; none by default.",
    )
    allow_hosts: list[str] = Field(
        default=[],
        description="Hosts whose repositories plugins may read because an entity names them: "
        "`git.example.com`, or `*.example.com` for all below it. Hosts of configured sources and "
        "of `credentials` are allowed already.",
    )
    credentials: list[GitCredential] = Field(
        default=[], description="How to sign in, host by host; the first entry for a host is used."
    )


class LogSettings(SettingsModel):
    """What is written to standard error."""

    level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", description="The least important messages that are written."
    )
    format: Literal["text", "json"] = Field(
        default="text", description="Lines for people, or one JSON object per line for collectors."
    )


CORE_SECTIONS: Final[Mapping[str, type[BaseModel]]] = {
    "database": DatabaseSettings,
    "plugins": PluginsSettings,
    "jobs": JobsSettings,
    "http": HttpSettings,
    "git": GitSettings,
    "log": LogSettings,
}
"""The sections of the core, by their key in `callboard.yaml`."""
