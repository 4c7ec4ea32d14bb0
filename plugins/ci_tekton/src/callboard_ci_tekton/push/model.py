"""What was pushed, and what a rule starts because of it, apart from tables and the wire."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal, Self

from callboard.i18n import Text

Kind = Literal["push", "tag", "merge_request"]


@dataclass(frozen=True, slots=True, kw_only=True)
class News:
    """A row of `ci_tekton_push` as rules see it. Branch and tag are plain names.

    `files` are None where not all that changed are known. `before` is empty where it is new.
    """

    kind: Kind
    repository: str
    address: str
    branch: str = ""
    source: str = ""
    tag: str = ""
    commit: str = ""
    before: str = ""
    action: str = ""
    number: int = 0
    fork: bool = False
    actor: str = ""
    title: str = ""
    files: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What a rule starts: a run, or what is forwarded to a listener. It is kept as JSON."""

    pipeline: str = ""
    cluster: str = ""
    namespace: str = ""
    service_account: str = ""
    parameters: Mapping[str, Any] = field(default_factory=dict)
    workspaces: tuple[Mapping[str, Any], ...] = ()
    listener: str = ""

    def to_data(self) -> dict[str, Any]:
        """Give it as plain JSON values."""
        return asdict(self)

    @classmethod
    def of_data(cls, data: Mapping[str, Any]) -> Self:
        """Give what `to_data` was given."""
        return cls(**{**data, "workspaces": tuple(data.get("workspaces", ()))})


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What a rule says to news: a plan where it fits, else the reason. `note` is for both.

    `failed` tells a refusal that somebody should mend from a rule that is for something else.
    """

    rule: str
    plan: Plan | None = None
    reason: Text = ""
    failed: bool = False
    context: str = ""
