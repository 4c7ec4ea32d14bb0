"""The settings of roles and bindings, and of where further ones come from."""

import re
from datetime import timedelta
from typing import Annotated, Final, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from callboard.entities import EntityRef
from callboard.errors import InputError
from callboard.settings.models import PositiveDuration
from callboard.settings.types import Duration, SettingsModel, matching

LONGEST_NAME: Final = 300
MOST_VALUES: Final = 1000
PATTERN: Final = r"[A-Za-z0-9_.*?\[\]!/:{}+-]{1,120}"

_NAMED: Final = re.compile(r"[^\s\0](?:[^\r\n\0]{0,298}[^\s\0])?")


def subject_name(text: str) -> str:
    """Give the name of a subject as bindings use it; raises `ValueError` for what is none."""
    kind, colon, _ = text.partition(":")
    if colon and kind.lower() in ("user", "group"):
        return _reference(text, "a reference such as group:default/payments", None)
    if not _NAMED.fullmatch(text):
        raise ValueError(f"expected a name of at most {LONGEST_NAME} characters, on one line")
    if not colon and text not in ("everyone", "signed-in", "anonymous"):
        raise ValueError(
            "expected everyone, signed-in, anonymous, a reference such as group:default/payments, "
            "or a name with its sort, such as provider-group:payments or service:deployer"
        )
    return text


def _reference(text: str, expected: str, kind: str | None) -> str:
    try:
        return str(EntityRef.parse(text, default_kind=kind))
    except InputError:
        raise ValueError(f"expected {expected}") from None


def _references(kind: str) -> AfterValidator:
    expected = f"a reference such as {kind}:default/payments"
    return AfterValidator(lambda text: _reference(text, expected, kind))


_Lower = Annotated[str, Field(min_length=1, max_length=120), AfterValidator(str.lower)]
Pattern = Annotated[
    str, matching(PATTERN, "the name of a permission or a pattern such as catalog.*")
]
RoleName = Annotated[
    str, matching(r"[^\s,\0](?:[^\r\n\t,\0]{0,78}[^\s,\0])?",
                  "a name of at most 80 characters, without commas"),
]  # fmt: skip


class SelectorSettings(SettingsModel):
    """The entities a binding is about; every field that is given must fit."""

    kind: list[_Lower] = Field(
        default=[], max_length=MOST_VALUES, description="Kinds, such as `component`."
    )
    type: list[_Lower] = Field(
        default=[], max_length=MOST_VALUES, description="Types, such as `service`."
    )
    owner: list[Annotated[str, _references("group")]] = Field(
        default=[], max_length=MOST_VALUES, description="References of owners."
    )
    system: list[Annotated[str, _references("system")]] = Field(
        default=[], max_length=MOST_VALUES, description="References of systems."
    )
    domain: list[Annotated[str, _references("domain")]] = Field(
        default=[],
        max_length=MOST_VALUES,
        description="References of domains: an entity's own, or that of its system.",
    )
    namespace: list[_Lower] = Field(
        default=[], max_length=MOST_VALUES, description="Namespaces of the catalog."
    )
    tag: list[_Lower] = Field(default=[], max_length=MOST_VALUES, description="Tags, any of them.")
    environment: list[_Lower] = Field(
        default=[],
        max_length=MOST_VALUES,
        description="Environments that are acted on, or the entity's label `environment`.",
    )
    entity: list[Annotated[str, _references("component")]] = Field(
        default=[], max_length=MOST_VALUES, description="References of single entities."
    )
    owned: bool = Field(default=False, description="Only what the person or their groups own.")


class RoleSettings(SettingsModel):
    """A role of one's own."""

    name: RoleName = Field(description="Name, as bindings use it.")
    title: str = Field(default="", max_length=200, description="What people call it.")
    description: str = Field(default="", max_length=2000, description="What it is for.")
    permissions: list[Pattern] = Field(
        default=[],
        max_length=MOST_VALUES,
        description="Permissions by name or pattern (`catalog.*`).",
    )
    includes: list[RoleName] = Field(
        default=[], max_length=100, description="Roles of which this one has all permissions too."
    )

    @model_validator(mode="after")
    def _gives_something(self) -> Self:
        if not self.permissions and not self.includes:
            raise ValueError("expected permissions or includes")
        return self


class BindingSettings(SettingsModel):
    """Who has which role, and where."""

    role: RoleName = Field(description="A default role or one of `access.roles`.")
    to: list[Annotated[str, AfterValidator(subject_name)]] = Field(
        min_length=1,
        max_length=MOST_VALUES,
        description="`everyone`, `signed-in`, `anonymous`, references of users and groups, "
        "`provider-group:NAME`, `service:NAME`.",
    )
    on: SelectorSettings = Field(
        default_factory=SelectorSettings, description="On which entities; without it on all."
    )
    effect: Literal["allow", "deny"] = Field(
        default="allow", description="`deny` takes away, whatever else gives."
    )
    note: str = Field(default="", max_length=2000, description="Why it is so, for those who ask.")


class PolicySettings(SettingsModel):
    """A folder or Git repository with files of roles and bindings."""

    git: str = Field(
        default="", max_length=2000, description="URL of the repository; without it a folder here."
    )
    branch: str = Field(default="", max_length=250, description="Branch; the default one without.")
    path: str = Field(
        min_length=1,
        max_length=500,
        description="Which files: a path or pattern such as `policies/**`, in the repository or "
        "beside the settings file. Read are `.yaml`, `.yml` and Argo CD's `.csv`.",
    )
    default_role: str = Field(
        default="",
        max_length=120,
        description="Role of Argo CD files that everyone signed in has (its `policy.default`).",
    )
    project: Literal["system", "domain", "namespace", "environment"] = Field(
        default="system", description="What a project of Argo CD files is in the catalog."
    )

    @property
    def title(self) -> str:
        """The place, as people read it."""
        return f"{self.git}, {self.path}" if self.git else self.path


class DecidersSettings(SettingsModel):
    """How plugins and outside systems that decide are asked."""

    time_limit: PositiveDuration = Field(
        default=timedelta(milliseconds=500),
        description="How long an answer may take; a later one counts as refused.",
    )
    keep: Duration = Field(
        default=timedelta(seconds=10),
        description="How long an answer holds for the same subject, permission and entity.",
    )
    required: list[str] = Field(
        default=[],
        description="Plugins that must decide: while one is not loaded, everything is refused.",
    )


class RecordingSettings(SettingsModel):
    """Which requests are recorded, to try policies against before they are in force."""

    share: float = Field(
        default=0.02, ge=0, le=1, description="Share of the decisions; 0 records none."
    )
    keep: PositiveDuration = Field(
        default=timedelta(days=14), description="How long a request is kept."
    )
    most: int = Field(default=20_000, ge=1, le=1_000_000, description="Requests kept at most.")


class AccessSettings(SettingsModel):
    """What may who do. Deny wins; what nothing allows is refused."""

    anonymous: str = Field(
        default="",
        description="The role of those who have not signed in, such as `viewer`; none by default.",
    )
    administrators: list[Annotated[str, AfterValidator(subject_name)]] = Field(
        default=[],
        description="References of users and groups who may do everything; nothing made in pages "
        "takes it from them.",
    )
    defaults: bool = Field(
        default=True,
        description="Whether everyone signed in sees everything and acts on what they own.",
    )
    roles: list[RoleSettings] = Field(default=[], description="Roles beside the default ones.")
    bindings: list[BindingSettings] = Field(default=[], description="Who has which role.")
    pages: bool = Field(
        default=True, description="Whether roles and bindings may also be made in pages."
    )
    policies: list[PolicySettings] = Field(
        default=[], description="Folders and Git repositories with further roles and bindings."
    )
    refresh: PositiveDuration = Field(
        default=timedelta(minutes=1), description="How often those are looked at."
    )
    deciders: DecidersSettings = Field(
        default_factory=DecidersSettings, description="How plugins that decide are asked."
    )
    recording: RecordingSettings = Field(
        default_factory=RecordingSettings, description="Which requests are recorded."
    )
