"""The plugin's section of `callboard.yaml`: `plugins.settings.people_ldap`."""

import ipaddress
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Final, Literal, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, SecretStr, field_validator, model_validator

from callboard.settings.types import Duration, SettingsModel, matching

Name = Annotated[
    str, matching(r"[a-z0-9][a-z0-9-]{0,59}", "at most 60 lower-case letters, digits and -")
]
Namespace = Annotated[
    str, matching(r"[a-z0-9]+(-+[a-z0-9]+)*", "a namespace of lower-case letters, digits and -")
]
Scope = Literal["subtree", "one", "base"]
_PORTS: Final = {"ldap": 389, "ldaps": 636}


def _filter(text: str) -> str:
    """Demand the outer form of a filter (RFC 4515); the rest is said by whoever uses it."""
    depth = 0
    for place, letter in enumerate(text):
        depth += {"(": 1, ")": -1}.get(letter, 0)
        if depth == 0 and place < len(text) - 1:
            break
    else:
        if text.startswith("(") and depth == 0 and len(text) <= 4000:
            return text
    raise ValueError("expected a filter in parentheses, such as (objectClass=inetOrgPerson)")


Filter = Annotated[str, AfterValidator(_filter)]
Attribute = Annotated[
    str, matching(r"([A-Za-z][A-Za-z0-9-]{0,99}|[0-9.]{1,100})?", "the name of an attribute")
]


class UserMap(SettingsModel):
    """Which attribute of a person's entry says what. An empty one is not asked for."""

    name: Attribute = Field(
        default="uid", min_length=1,
        description="What the User is named by; `sAMAccountName` in Active Directory.",
    )  # fmt: skip
    title: Attribute = Field(default="displayName", description="The name people read; else `cn`.")
    email: Attribute = Field(default="mail", description="The e-mail address.")
    picture: Attribute = Field(
        default="", description="The address of a picture; photos within the directory are not."
    )


class GroupMap(SettingsModel):
    """Which attribute of a group's entry says what. An empty one is not asked for."""

    name: Attribute = Field(default="cn", min_length=1, description="What the Group is named by.")
    title: Attribute = Field(default="", description="The name people read; else that of `name`.")
    description: Attribute = Field(default="description", description="What the group is for.")
    email: Attribute = Field(default="mail", description="The e-mail address.")
    type: Attribute = Field(default="", description="The type of the Group; else `team`.")


class UserSearch(SettingsModel):
    """Where people are looked for."""

    base: str = Field(min_length=1, max_length=1000, description="The entry they are below.")
    filter: Filter = Field(
        default="(objectClass=inetOrgPerson)",
        description="Which entries are people (RFC 4515). Leave out there who is disabled.",
    )
    scope: Scope = Field(
        default="subtree", description="Everything below `base`, one level, or that entry alone."
    )
    of_groups: tuple[str, ...] = Field(
        default=(),
        max_length=50,
        description="Only people of one of these groups: their DNs, compared with `member_of`.",
    )
    member_of: Attribute = Field(
        default="",
        description="The attribute with the DNs of someone's groups, such as `memberOf`, where the "
        "groups themselves do not list them all.",
    )
    map: UserMap = Field(default=UserMap(), description="What the attributes mean.")

    @property
    def written(self) -> str:
        """The filter with `of_groups`, whose values are escaped (RFC 4515, 3)."""
        from callboard_people_ldap.distinguished import escaped

        if not self.of_groups:
            return self.filter
        attribute = self.member_of or "memberOf"
        groups = "".join(f"({attribute}={escaped(group)})" for group in self.of_groups)
        return f"(&{self.filter}(|{groups}))"


class GroupSearch(SettingsModel):
    """Where groups are looked for."""

    base: str = Field(min_length=1, max_length=1000, description="The entry they are below.")
    filter: Filter = Field(
        default="(|(objectClass=groupOfNames)(objectClass=groupOfUniqueNames)(objectClass=group)"
        "(objectClass=posixGroup))",
        description="Which entries are groups (RFC 4515).",
    )
    scope: Scope = Field(
        default="subtree", description="Everything below `base`, one level, or that entry alone."
    )
    members: Attribute = Field(
        default="member",
        description="The attribute with its members; groups among them are groups below it. "
        "`uniqueMember` and `memberUid` are others.",
    )
    members_are: Literal["dn", "name"] = Field(
        default="dn",
        description="Whether that attribute has DNs, or what people are named by (`memberUid`).",
    )
    map: GroupMap = Field(default=GroupMap(), description="What the attributes mean.")


class ServerSettings(SettingsModel):
    """One directory. It is a source of entities of its own."""

    name: Name = Field(description="Its name; the source of entities is people_ldap.<name>.")
    url: str = Field(description="Its address: ldaps://ldap.example.com, or ldap:// with StartTLS.")
    start_tls: bool = Field(default=False, description="Encrypts an ldap:// connection at once.")
    ca: Path | None = Field(
        default=None,
        description="A file with the certificates of the CAs that are trusted, instead of those of "
        "the machine.",
    )
    plain: bool = Field(
        default=False,
        description="Lets everything, the password included, travel unencrypted to another "
        "machine. To this one it may.",
    )
    bind_dn: str = Field(default="", description="Who the portal is there; empty is nobody.")
    password: SecretStr | None = Field(
        default=None, description="The password of bind_dn, as a reference."
    )
    users: UserSearch = Field(description="Where people are.")
    groups: GroupSearch | None = Field(
        default=None, description="Where groups are; without it there are none."
    )
    id: Attribute = Field(
        default="entryUUID",
        min_length=1,
        description="The attribute that never changes: `objectGUID` in Active Directory, "
        "`ipaUniqueID` in FreeIPA, `nsUniqueId` in 389 Directory Server.",
    )
    namespace: Namespace = Field(default="default", description="The namespace of its entities.")
    keep_names: bool = Field(
        default=False,
        description="Whether someone who is renamed in the directory keeps the name of their "
        "entity, and with it all that refers to it. Else the entity has the new name.",
    )
    maximum_loss: float = Field(
        default=0.2,
        ge=0,
        le=1,
        description="Which share of all people, or groups, may be missing at once. If it is more, "
        "nothing is changed. At 1 anything is taken for true.",
    )
    page_size: int = Field(default=500, ge=1, le=5000, description="Entries asked for at once.")
    maximum_entries: int = Field(
        default=200_000, ge=1, description="More people, or groups, are an error."
    )
    timeout: Annotated[Duration, Field(ge=timedelta(seconds=1), le=timedelta(minutes=30))] = Field(
        default=timedelta(minutes=5), description="How long a whole reading may take."
    )
    every: Annotated[Duration, Field(ge=timedelta(seconds=30))] = Field(
        default=timedelta(minutes=15), description="How often it is read."
    )

    @field_validator("url")
    @classmethod
    def _is_address(cls, text: str) -> str:
        parts = urlsplit(text)
        rest = parts.path.strip("/") or parts.query or parts.fragment or parts.username
        if parts.scheme not in _PORTS or not parts.hostname or rest:
            raise ValueError("expected an address such as ldaps://ldap.example.com")
        if parts.port == 0:
            raise ValueError("expected a port from 1 to 65535")
        return text

    @model_validator(mode="after")
    def _is_whole(self) -> Self:
        if self.tls and self.start_tls:
            raise ValueError("expected start_tls with ldap:// only; ldaps:// is encrypted already")
        if not (self.tls or self.start_tls or self.plain or _is_here(self.hostname)):
            raise ValueError(
                "expected ldaps:// or start_tls: true; plain: true sends the password unencrypted"
            )
        if bool(self.bind_dn) != (self.password is not None):
            raise ValueError("expected both bind_dn and password, or neither")
        return self

    @property
    def tls(self) -> bool:
        """Whether the connection is encrypted from the start."""
        return urlsplit(self.url).scheme == "ldaps"

    @property
    def hostname(self) -> str:
        return urlsplit(self.url).hostname or ""

    @property
    def port(self) -> int:
        parts = urlsplit(self.url)
        return parts.port or _PORTS[parts.scheme]


class PeopleLdapSettings(SettingsModel):
    """Directories of people and groups."""

    servers: list[ServerSettings] = Field(default=[], description="The directories.")

    @model_validator(mode="after")
    def _names_differ(self) -> Self:
        names = [server.name for server in self.servers]
        if len(set(names)) < len(names):
            raise ValueError("expected a different name for each server")
        return self


def _is_here(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
