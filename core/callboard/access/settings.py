"""The settings of roles and bindings."""

from typing import Literal

from pydantic import Field

from callboard.settings.types import SettingsModel


class SelectorSettings(SettingsModel):
    """The entities a binding is about; every field that is given must fit."""

    kind: list[str] = Field(default=[], description="Kinds, such as `component`.")
    type: list[str] = Field(default=[], description="Types, such as `service`.")
    owner: list[str] = Field(default=[], description="References of owners.")
    system: list[str] = Field(default=[], description="References of systems.")
    domain: list[str] = Field(default=[], description="References of domains.")
    namespace: list[str] = Field(default=[], description="Namespaces.")
    tag: list[str] = Field(default=[], description="Tags, any of them.")
    environment: list[str] = Field(default=[], description="Environments, such as `production`.")
    entity: list[str] = Field(default=[], description="References of single entities.")
    owned: bool = Field(default=False, description="Only what the person or their groups own.")


class RoleSettings(SettingsModel):
    """A role of one's own."""

    name: str = Field(min_length=1, max_length=80, description="Name, as bindings use it.")
    title: str = Field(default="", description="What people call it.")
    permissions: list[str] = Field(description="Permissions by name or pattern (`catalog.*`).")


class BindingSettings(SettingsModel):
    """Who has which role, and where."""

    role: str = Field(min_length=1, description="A default role or one of `access.roles`.")
    to: list[str] = Field(
        min_length=1,
        description="`everyone`, `signed-in`, `anonymous`, references of users and groups, "
        "`provider-group:NAME`, `service:NAME`.",
    )
    on: SelectorSettings = Field(
        default_factory=SelectorSettings, description="On which entities; without it on all."
    )
    effect: Literal["allow", "deny"] = Field(
        default="allow", description="`deny` takes away, whatever else gives."
    )
    note: str = Field(default="", description="Why it is so, for those who ask.")


class AccessSettings(SettingsModel):
    """What may who do. Deny wins; what nothing allows is refused."""

    anonymous: str = Field(
        default="",
        description="The role of those who have not signed in, such as `viewer`; none by default.",
    )
    administrators: list[str] = Field(
        default=[], description="References of users and groups who may do everything."
    )
    defaults: bool = Field(
        default=True,
        description="Whether everyone signed in sees everything and acts on what they own.",
    )
    roles: list[RoleSettings] = Field(default=[], description="Roles beside the default ones.")
    bindings: list[BindingSettings] = Field(default=[], description="Who has which role.")
