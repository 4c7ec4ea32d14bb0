"""What people may do with runs, as far as the site decides it."""

from pydantic import Field

from callboard.settings.types import SettingsModel


class OfferSettings(SettingsModel):
    """Pipelines that entities may start though nothing else links them."""

    pipelines: tuple[str, ...] = Field(
        description="Patterns of <cluster>/<namespace>/<name>, such as build/shop-ci/check-*."
    )
    entities: tuple[str, ...] = Field(
        default=("component:*",),
        description="Patterns of references, such as component:default/*.",
    )


class ApprovalSettings(SettingsModel):
    """How people answer approval tasks."""

    four_eyes: bool = Field(
        default=True, description="Whoever started a run does not approve what waits in it."
    )
    impersonate: bool = Field(
        default=False,
        description="Answer in the name of the person, which the cluster must allow the portal's "
        "account (verb impersonate); the webhook of the approval gate asks for it.",
    )
    people: tuple[str, ...] = Field(
        default=(),
        description="Whom the portal may act as, as the cluster calls them: with `impersonate`, "
        "`callboard kubernetes rbac` asks for the right to be these people and no others.",
    )
    teams: tuple[str, ...] = Field(
        default=(), description="The groups it may act as a member of, likewise."
    )
    user: str = Field(
        default="{name}", description="What the cluster calls a person; {name} is the User's name."
    )
    group: str = Field(
        default="{name}", description="What the cluster calls a team; {name} is the Group's name."
    )

    @property
    def acts_as_people(self) -> tuple[str, ...]:
        """The people whose name may be used; none where answers are the portal's own."""
        return self.people if self.impersonate else ()

    @property
    def acts_as_teams(self) -> tuple[str, ...]:
        """The groups as whose member it may answer, likewise."""
        return self.teams if self.impersonate else ()


class ActSettings(SettingsModel):
    """What runs may be started with, and who may approve."""

    offers: tuple[OfferSettings, ...] = Field(
        default=(), description="Further pipelines that can be started for entities."
    )
    service_accounts: tuple[str, ...] = Field(
        default=(),
        description="Service accounts that people may choose for a run, by name or pattern; "
        "without any it is that of the pipeline's annotation, or the cluster's default.",
    )
    workspaces: tuple[str, ...] = Field(
        default=("volumeClaimTemplate", "emptyDir", "persistentVolumeClaim", "configMap", "secret"),
        description="What people may give to the workspaces of a run.",
    )
    approvals: ApprovalSettings = Field(
        default_factory=ApprovalSettings, description="How approval tasks are answered."
    )
