"""The settings of people and groups: `plugins.settings.scm_hosts.people`."""

import re
from datetime import timedelta
from typing import Annotated, Final, Self

from pydantic import Field, field_validator, model_validator

from callboard.settings.types import Duration, SettingsModel, matching

Name = Annotated[
    str, matching(r"[a-z0-9][a-z0-9-]{0,59}", "at most 60 lower-case letters, digits and -")
]
Namespace = Annotated[
    str, matching(r"[a-z0-9]+(-+[a-z0-9]+)*", "a namespace of lower-case letters, digits and -")
]

USER_PARTS: Final = frozenset({"login", "id", "mail"})
GROUP_PARTS: Final = frozenset({"path", "below", "slug", "id", "organisation"})
PEOPLE_HOSTS: Final = frozenset({"gitlab", "github", "gitea"})
_PART: Final = re.compile(r"\{(\w*)\}")


def filled(template: str, parts: dict[str, str]) -> str:
    """Fill a template such as `{login}`; nothing else in it means anything."""
    return _PART.sub(lambda match: parts.get(match[1], ""), template)


class PeopleSettings(SettingsModel):
    """People and groups of a host. Each is one source of entities."""

    name: Name = Field(description="Its name; the source of entities is scm_hosts.<name>.")
    host: str = Field(description="The name of one of the hosts: GitLab, GitHub or Gitea.")
    group: str = Field(
        default="",
        description="Only this group of GitLab and those below it; empty is all the token can see.",
    )
    organisation: str = Field(default="", description="The organisation of GitHub or Gitea.")
    users: bool = Field(
        default=True,
        description="Whether people become Users. Else they are only members of Groups, under the "
        "names that another source gives them.",
    )
    user_name: str = Field(
        default="{login}",
        max_length=200,
        description="What Users are named by: {login}, {id}, {mail} (the part before the @).",
    )
    group_name: str = Field(
        default="{path}",
        max_length=200,
        description="What Groups are named by: {path} (of GitLab the whole one, such as "
        "shop/services), {below} (what of it is below `group`), {slug} (its last part), {id}, "
        "{organisation}.",
    )
    email: str = Field(
        default="",
        max_length=200,
        description="The address of those whose own the host does not tell, such as "
        "{login}@example.com.",
    )
    profiles: bool = Field(
        default=True,
        description="Asks for each person's profile once a day: their name and e-mail address.",
    )
    inherited: bool = Field(
        default=False,
        description="Whether members of a group are members of those it passes them on to as well: "
        "of groups below it on GitLab, of the teams above on GitHub.",
    )
    bots: bool = Field(default=False, description="Whether accounts of bots are people, too.")
    namespace: Namespace = Field(default="default", description="The namespace of its entities.")
    keep_names: bool = Field(
        default=False,
        description="Whether someone who is renamed on the host keeps the name of their entity, "
        "and with it all that refers to it. Else the entity has the new name.",
    )
    maximum_loss: float = Field(
        default=0.2,
        ge=0,
        le=1,
        description="Which share of all people, or groups, may be missing at once. If it is more, "
        "nothing is changed. At 1 anything is taken for true.",
    )
    every: Annotated[Duration, Field(ge=timedelta(minutes=1))] = Field(
        default=timedelta(hours=1), description="How often it is read."
    )

    @field_validator("user_name", "email")
    @classmethod
    def _has_parts_of_users(cls, text: str) -> str:
        return _checked(text, USER_PARTS)

    @field_validator("group_name")
    @classmethod
    def _has_parts_of_groups(cls, text: str) -> str:
        return _checked(text, GROUP_PARTS)

    @model_validator(mode="after")
    def _is_one_place(self) -> Self:
        if self.group and self.organisation:
            raise ValueError("expected either group or organisation")
        if set(self.scope.split("/")) & {"..", "."} or not self.scope.isprintable():
            raise ValueError("expected the path of a group, such as shop/services")
        if not (_PART.search(self.user_name) and _PART.search(self.group_name)):
            raise ValueError("expected user_name and group_name with a part such as {login}")
        return self

    def check_host(self, kind: str) -> None:
        """Raise `ValueError` where this cannot be read from that type of host."""
        if kind not in PEOPLE_HOSTS:
            raise ValueError(f"expected a host of type gitlab, github or gitea for {self.name}")
        if kind != "gitlab" and (not self.organisation or "/" in self.scope):
            raise ValueError(f"expected an organisation for {self.name}")

    @property
    def scope(self) -> str:
        """The group or organisation, or empty for everything."""
        return (self.group or self.organisation).strip("/")


def _checked(text: str, parts: frozenset[str]) -> str:
    unknown = sorted(set(_PART.findall(text)) - parts)
    if unknown:
        raise ValueError(f"expected only {{{'}, {'.join(sorted(parts))}}}, not {{{unknown[0]}}}")
    return text
