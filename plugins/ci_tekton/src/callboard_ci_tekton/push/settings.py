"""The settings of push to run: `plugins.settings.ci_tekton.push`, and a repository's own file."""

from datetime import timedelta
from typing import Annotated, Any, Final, Literal, Self, TypeVar

from pydantic import Field, SecretStr, field_validator, model_validator

from callboard.settings.types import Duration, SettingsModel, matching
from callboard_ci_tekton.push.words import names_in

Event = Literal["push", "tag", "merge_request"]

NAME: Final = r"[a-z0-9]([a-z0-9.-]{0,250}[a-z0-9])?"
RuleName = Annotated[
    str, matching(r"[a-z0-9][a-z0-9._-]{0,79}", "at most 80 lower-case letters, digits, . _ and -")
]
ObjectName = Annotated[str, matching(NAME, "a name of Kubernetes, such as build-image")]
Value = str | list[str]


def _check_patterns(patterns: tuple[str, ...]) -> tuple[str, ...]:
    from callboard.errors import CallboardError
    from callboard.git.patterns import compile_pattern

    for pattern in patterns:
        try:
            compile_pattern(pattern)
        except CallboardError as error:
            raise ValueError(str(error.message)) from error
    return patterns


def _whole_folders(patterns: tuple[str, ...]) -> tuple[str, ...]:
    """Let a pattern that ends with a slash stand for all files below the folder."""
    return tuple(f"{pattern}**" if pattern.endswith("/") else pattern for pattern in patterns)


class Conditions(SettingsModel):
    """What a rule is for. Patterns: `*` within a part, `**` across parts."""

    name: RuleName = Field(description="The rule's name; it is shown with what it started.")
    events: tuple[Event, ...] = Field(
        default=("push",),
        min_length=1,
        description="What it answers: `push`, `tag`, `merge_request` (opened, or new commits).",
    )
    branches: tuple[str, ...] = Field(
        default=(),
        description="Patterns of branches, such as `main` or `release/*`; of a merge request the "
        "one it is to be merged into. Without it, all.",
    )
    tags: tuple[str, ...] = Field(default=(), description="Patterns of tags; without it, all.")
    paths: tuple[str, ...] = Field(
        default=(),
        description="Patterns of files of which one must have changed. They begin at the root of "
        "the repository, with a slash before them or without; one with a slash at its end stands "
        "for all below the folder. Where the host does not tell all changed files, the rule fits.",
    )
    ignore: tuple[str, ...] = Field(
        default=(), description="Patterns of files that do not count as changes, such as `docs/**`."
    )
    forks: bool = Field(
        default=False, description="Whether merge requests from other repositories may start runs."
    )

    _folders = field_validator("paths", "ignore")(_whole_folders)
    _patterns = field_validator("branches", "tags", "paths", "ignore")(_check_patterns)


Named = TypeVar("Named", bound=Conditions)


class Start(Conditions):
    """What a rule starts: a run of a Pipeline in a cluster."""

    cluster: str = Field(default="", description="The name of a cluster of the settings.")
    namespace: ObjectName | Literal[""] = Field(default="", description="Where the run is made.")
    pipeline: ObjectName | Literal[""] = Field(default="", description="The Pipeline to run.")
    service_account: ObjectName | Literal[""] = Field(
        default="", description="As whom it runs; without it, as the Pipeline says."
    )
    parameters: dict[str, Value] = Field(
        default={},
        description="Values of its parameters, texts or lists of texts. `{{ revision }}`, "
        "`{{ branch }}`, `{{ tag }}`, `{{ source }}`, `{{ before }}`, `{{ repository }}`, "
        "`{{ number }}`, `{{ actor }}` and `{{ changed }}` stand for what was pushed.",
    )
    workspaces: tuple[dict[str, Any], ...] = Field(
        default=(), description="Bindings of its workspaces, as in `spec.workspaces` of a run."
    )
    status: bool = Field(
        default=True, description="Whether the commit is given a status at its host."
    )
    context: str = Field(
        default="",
        max_length=200,
        description="The status's name; without it `callboard/` and the Pipeline's name.",
    )

    @field_validator("parameters")
    @classmethod
    def _know_their_names(cls, values: dict[str, Value]) -> dict[str, Value]:
        for name, value in values.items():
            for text in value if isinstance(value, list) else [value]:
                try:
                    names_in(text)
                except ValueError as error:
                    raise ValueError(f"parameter {name}: {error}") from error
        return values


class FileRule(Start):
    """A rule in a repository's own file."""

    @model_validator(mode="after")
    def _is_whole(self) -> Self:
        if not self.pipeline:
            raise ValueError("expected pipeline")
        return self


class Rule(Start):
    """A rule of `callboard.yaml`."""

    repositories: tuple[str, ...] = Field(
        min_length=1,
        description="Patterns of `host/path`, such as `git.example.com/shop/*` or `**`.",
    )
    listener: str = Field(
        default="",
        description="In place of a Pipeline: the address of a Tekton EventListener that the "
        "delivery is forwarded to, as the host sent it.",
    )
    listener_secret: SecretStr | None = Field(
        default=None, description="What forwarded deliveries are signed with, as a reference."
    )

    _patterns_of_repositories = field_validator("repositories")(_check_patterns)

    @model_validator(mode="after")
    def _is_whole(self) -> Self:
        if self.listener:
            if self.pipeline or self.listener_secret is None:
                raise ValueError("expected listener_secret, and no pipeline, with listener")
            if not self.listener.startswith(("http://", "https://")):
                raise ValueError("expected listener to be an address such as https://el.example")
        elif not (self.cluster and self.namespace and self.pipeline):
            raise ValueError("expected cluster, namespace and pipeline, or a listener")
        return self


def check_names(rules: tuple[Named, ...]) -> tuple[Named, ...]:
    """Raise `ValueError` where two rules have one name."""
    if len({rule.name for rule in rules}) < len(rules):
        raise ValueError("expected each name once")
    return rules


class Allowance(SettingsModel):
    """Repositories that may bring rules of their own, and what those may start."""

    repositories: tuple[str, ...] = Field(
        min_length=1, description="Patterns of `host/path` of repositories that may."
    )
    path: str = Field(
        default=".callboard/ci.yaml", max_length=100, description="The file, read at that commit."
    )
    cluster: str = Field(description="The cluster their runs are made in.")
    namespaces: tuple[ObjectName, ...] = Field(
        min_length=1, description="Namespaces they may use; the first one where they name none."
    )
    pipelines: tuple[str, ...] = Field(
        min_length=1, description="Patterns of the Pipelines they may start, such as `build-*`."
    )
    service_accounts: tuple[str, ...] = Field(
        default=(),
        description="Service accounts they may name; without it, runs have that of the Pipeline.",
    )
    workspaces: tuple[dict[str, Any], ...] = Field(
        default=(), description="Bindings of workspaces; a repository cannot choose others."
    )
    forks: bool = Field(
        default=False,
        description="Whether their files may let merge requests from other repositories in. The "
        "file is that of the branch to be merged into.",
    )

    _patterns = field_validator("repositories", "pipelines")(_check_patterns)


class PushSettings(SettingsModel):
    """What runs when somebody pushes."""

    rules: tuple[Rule, ...] = Field(default=(), description="Rules, each looked at on its own.")
    files: tuple[Allowance, ...] = Field(
        default=(), description="Which repositories may bring rules of their own; the first fits."
    )
    ignore_actors: tuple[str, ...] = Field(
        default=("*[[]bot]",),
        description="Patterns of names on the host whose pushes start nothing, such as those of "
        "robots that write back what a run has made.",
    )
    keep: Duration = Field(
        default=timedelta(days=90), description="How long it is shown what was pushed."
    )

    _patterns = field_validator("ignore_actors")(_check_patterns)
    _names = field_validator("rules")(check_names)
