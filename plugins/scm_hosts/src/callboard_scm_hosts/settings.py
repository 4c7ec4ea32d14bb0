"""The plugin's section of `callboard.yaml`: `plugins.settings.scm_hosts`."""

from datetime import timedelta
from pathlib import Path
from typing import Annotated, Final, Literal, Self
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, field_validator, model_validator

from callboard.settings.types import Duration, SettingsModel, matching
from callboard_scm_hosts.settings_people import PeopleSettings

Name = Annotated[
    str, matching(r"[a-z0-9][a-z0-9-]{0,59}", "at most 60 lower-case letters, digits and -")
]
HostType = Literal["gitlab", "github", "gitea", "gitee", "folder"]

DOCUMENTS: Final = tuple(
    f"**/*.{ending}"
    for ending in (
        "yaml", "yml", "json", "graphql", "graphqls", "gql", "proto", "avsc", "wsdl", "xsd", "xml",
        "thrift", "raml", "smithy", "md", "txt", "sql", "csv", "toml",
    )
)  # fmt: skip
_USUAL: Final = {
    "github": ("https://github.com", "https://api.github.com"),
    "gitlab": ("https://gitlab.com", ""),
    "gitee": ("https://gitee.com", ""),
}
_API: Final = {"gitlab": "/api/v4", "github": "/api/v3", "gitea": "/api/v1", "gitee": "/api/v5"}


class HostSettings(SettingsModel):
    """A place that keeps repositories: a server with an API, or a folder of this machine."""

    name: Name = Field(description="Its name in this portal.")
    type: HostType = Field(description="What it speaks: gitea is Forgejo, too.")
    url: str = Field(
        default="", description="Its address, such as https://git.example.com. Not for a folder."
    )
    api_url: str = Field(
        default="", description="The address of its API, where it is not the usual one of its type."
    )
    path: Path | None = Field(default=None, description="The folder, of a host of type folder.")
    token: SecretStr | None = Field(
        default=None, description="The access token, as a reference. It is sent to the API only."
    )
    webhook_secrets: list[SecretStr] = Field(
        default=[], description="Secrets of its webhooks; several while they are changed."
    )
    requests_per_hour: int = Field(
        default=4000, ge=10, description="How many requests it is sent in an hour at most."
    )
    readers: int = Field(default=4, ge=1, le=16, description="Repositories read at once.")
    through: Literal["api", "git"] = Field(
        default="api",
        description="How files are read: by the API, or from a copy that Git fetches.",
    )

    @field_validator("url", "api_url")
    @classmethod
    def _is_address(cls, text: str) -> str:
        parts = urlsplit(text)
        plain = not (parts.username or parts.password or parts.query or parts.fragment)
        if text and not (parts.scheme in ("http", "https") and parts.hostname and plain):
            raise ValueError("expected an address such as https://git.example.com")
        return text.rstrip("/")

    @model_validator(mode="after")
    def _is_whole(self) -> Self:
        if self.type == "folder":
            if self.path is None or not self.path.is_absolute() or self.url or self.token:
                raise ValueError("expected an absolute path, no url and no token for type folder")
        elif self.path is not None:
            raise ValueError("expected url, not path; only a host of type folder has one")
        elif not self.url and self.type not in _USUAL:
            raise ValueError("expected url")
        return self

    @property
    def address(self) -> str:
        """Where people see it: its URL, or the folder."""
        return str(self.path) if self.path else self.url or _USUAL[self.type][0]

    @property
    def api(self) -> str:
        """The address below which its API is."""
        if self.api_url or self.type == "folder":
            return self.api_url
        web, api = _USUAL.get(self.type, ("", ""))
        return api if api and self.address == web else f"{self.address}{_API[self.type]}"


class DiscoverSettings(SettingsModel):
    """Which repositories of a host are looked for descriptors. Each is one source of entities."""

    name: Name = Field(description="Its name; the source of entities is scm_hosts.<name>.")
    host: str = Field(description="The name of one of the hosts.")
    group: str = Field(
        default="", description="Only below this group (GitLab) or folder; empty is everything."
    )
    organisation: str = Field(
        default="", description="Only of this organisation; empty is all the token can see."
    )
    include: tuple[str, ...] = Field(
        default=(), description="Patterns of full names such as `shop/*` or `**/service-*`."
    )
    exclude: tuple[str, ...] = Field(
        default=(), description="Patterns of full names that are left out."
    )
    topics: tuple[str, ...] = Field(
        default=(), description="Only repositories with one of these topics."
    )
    archived: bool = Field(default=False, description="Whether archived ones are read, too.")
    forks: bool = Field(default=False, description="Whether forks are read, too.")
    branch: str = Field(default="", description="The branch; empty is each one's default branch.")
    paths: tuple[str, ...] = Field(
        default=("catalog-info.yaml",),
        min_length=1,
        description="Paths or patterns of descriptors. A pattern costs more requests on GitLab.",
    )
    files: tuple[str, ...] = Field(
        default=DOCUMENTS,
        description="Patterns of other files that descriptors may lead to by Locations and $text.",
    )
    slugs: bool = Field(
        default=False,
        description="Whether entities are given the annotation with the name of their repository, "
        "such as github.com/project-slug, where their file does not set it.",
    )
    every: Annotated[Duration, Field(ge=timedelta(seconds=10))] = Field(
        default=timedelta(minutes=10), description="How often it is looked for changes."
    )

    @field_validator("include", "exclude", "paths", "files")
    @classmethod
    def _are_patterns(cls, patterns: tuple[str, ...]) -> tuple[str, ...]:
        from callboard.errors import CallboardError
        from callboard.git.patterns import compile_pattern

        for pattern in patterns:
            try:
                compile_pattern(pattern)
            except CallboardError as error:
                raise ValueError(str(error.message)) from error
        return patterns

    @model_validator(mode="after")
    def _is_one_place(self) -> Self:
        if self.group and self.organisation:
            raise ValueError("expected either group or organisation")
        if set(self.scope.split("/")) & {"..", "."} or not self.scope.isprintable():
            raise ValueError("expected the path of a group, such as shop/services")
        return self

    @property
    def scope(self) -> str:
        """The group or organisation, or empty for everything."""
        return (self.group or self.organisation).strip("/")


class ScmHostsSettings(SettingsModel):
    """Hosts of repositories, and what is looked for on them."""

    hosts: list[HostSettings] = Field(default=[], description="Places that keep repositories.")
    discover: list[DiscoverSettings] = Field(
        default=[], description="Which repositories of these hosts are looked for descriptors."
    )
    people: list[PeopleSettings] = Field(
        default=[], description="Whose people and groups become Users and Groups."
    )

    @model_validator(mode="after")
    def _agrees(self) -> Self:
        sources = [item.name for item in self.discover] + [item.name for item in self.people]
        hosts = [item.name for item in self.hosts]
        for what, names in (("hosts", hosts), ("discover and people", sources)):
            if len(set(names)) < len(names):
                raise ValueError(f"expected each name in {what} once")
        for people in self.people:
            host = self.host(people.host)
            if host is None:
                raise ValueError(f"expected host of {people.name} to be one of hosts")
            people.check_host(host.type)
        for item in self.discover:
            host = self.host(item.host)
            if host is None:
                raise ValueError(f"expected host of {item.name} to be one of hosts")
            if host.type != "gitlab" and host.type != "folder" and "/" in item.scope:
                raise ValueError(f"expected one organisation for {item.name}, not a path")
        return self

    def host(self, name: str) -> HostSettings | None:
        """Give a host by its name."""
        return next((host for host in self.hosts if host.name == name), None)

    def discovery(self, name: str) -> DiscoverSettings | None:
        """Give an entry of `discover` by its name."""
        return next((item for item in self.discover if item.name == name), None)
