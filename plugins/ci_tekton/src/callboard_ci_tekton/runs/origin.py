"""What set a run off: trigger, person, repository, branch and commit.

Read from this portal's own annotations first, then those of Pipelines-as-Code
(`pipelinesascode.tekton.dev/…`), the labels of Triggers (`triggers.tekton.dev/…`), and at last
parameters and results by their usual names.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from callboard.redaction import redact
from callboard.repositories.pushed import comparable
from callboard_ci_tekton.runs.values import cut, items, mapping, text

OWN: Final = "callboard.io/tekton-"
_AS_CODE: Final = "pipelinesascode.tekton.dev/"
_TRIGGERS: Final = "triggers.tekton.dev/"
_TRIGGER_KINDS: Final = frozenset({"push", "tag", "merge_request", "person", "schedule", "other"})
_COMMIT: Final = re.compile(r"[0-9a-f]{40}([0-9a-f]{24})?")
_REPOSITORIES: Final = ("repo-url", "repo_url", "repository", "git-url", "git-repository", "url")
_COMMITS: Final = ("commit", "commit-sha", "git-commit", "sha", "git-revision", "revision")
_BRANCHES: Final = ("branch", "git-branch", "ref", "git-ref", "git-revision", "revision")


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """What set a run off. Texts are empty where nothing tells."""

    trigger: str
    actor: str
    event: str
    repository: str
    branch: str
    change: str
    commit: str
    commit_title: str
    author: str
    rerun_of: str
    link: str


def origin_of(body: Mapping[str, Any]) -> Origin:
    """Give what set a PipelineRun off."""
    metadata = mapping(body, "metadata")
    labels, notes = mapping(metadata, "labels"), mapping(metadata, "annotations")
    told = _Told(labels, notes, _values(body))
    commit = told.of("commit", "sha", _COMMITS)
    branch = told.of("branch", "source-branch", _BRANCHES)
    return Origin(
        trigger=_trigger(told, metadata),
        actor=told.first(f"{OWN}actor", f"{_AS_CODE}sender", length=250),
        event=told.first(f"{OWN}event", f"{_TRIGGERS}triggers-eventid", length=100),
        repository=_address(told.of("repository", "repo-url", _REPOSITORIES)),
        branch="" if _COMMIT.fullmatch(branch) else plain_branch(branch),
        change=told.first(f"{OWN}change", f"{_AS_CODE}pull-request", length=50),
        commit=commit if _COMMIT.fullmatch(commit) else told.commit(),
        commit_title=told.first(f"{OWN}commit-title", f"{_AS_CODE}sha-title", length=300),
        author=told.first(f"{OWN}author", f"{_AS_CODE}sender", length=200),
        rerun_of=told.first(f"{OWN}rerun-of", length=120),
        link=told.first(f"{_AS_CODE}log-url", length=1000),
    )


def plain_branch(reference: str) -> str:
    """Give a branch or tag without `refs/heads/`; slashes of its own stay."""
    for prefix in ("refs/heads/", "refs/tags/"):
        reference = reference.removeprefix(prefix)
    return cut(reference, 250)


def _address(url: str) -> str:
    return cut(redact(url), 500) if comparable(url) else ""


class _Told:
    def __init__(
        self, labels: Mapping[str, Any], notes: Mapping[str, Any], values: Mapping[str, str]
    ) -> None:
        self.labels, self.notes, self.values = labels, notes, values

    def first(self, *names: str, length: int = 500) -> str:
        for name in names:
            found = text(self.notes, name, length) or text(self.labels, name, length)
            if found:
                return found
        return ""

    def of(self, own: str, as_code: str, usual: Iterable[str]) -> str:
        found = self.first(f"{OWN}{own}", f"{_AS_CODE}{as_code}")
        if not found and as_code == "source-branch":
            found = self.first(f"{_AS_CODE}branch")
        return found or next((self.values[name] for name in usual if self.values.get(name)), "")

    def commit(self) -> str:
        found = (self.values.get(name, "") for name in _COMMITS)
        return next((value for value in found if _COMMIT.fullmatch(value)), "")


def _values(body: Mapping[str, Any]) -> dict[str, str]:
    """Give results, parameters and defaults by their names in lower case; the first wins."""
    status = mapping(body, "status")
    pairs = [
        *((item.get("name"), item.get("value")) for item in items(mapping(body, "spec"), "params")),
        *((item.get("name"), item.get("value")) for item in items(status, "results")),
        *(
            (item.get("name"), item.get("default"))
            for item in items(mapping(status, "pipelineSpec"), "params")
        ),
    ]
    found: dict[str, str] = {}
    for name, value in pairs:
        if isinstance(name, str) and isinstance(value, str) and value:
            found.setdefault(name.lower(), cut(value, 500))
    return found


def _trigger(told: _Told, metadata: Mapping[str, Any]) -> str:
    own = told.first(f"{OWN}trigger")
    if own in _TRIGGER_KINDS:
        return own
    named = (told.first(f"{_AS_CODE}event-type") or told.first(f"{_TRIGGERS}trigger")).lower()
    if re.search(r"merge|pull|(^|[-_])(mr|pr)([-_]|$)", named):
        return "merge_request"
    if re.search(r"cron|schedul|nightly", named):
        return "schedule"
    if re.search(r"(^|[-_])tag", named):
        return "tag"
    if any(item.get("kind") == "CronJob" for item in items(metadata, "ownerReferences")):
        return "schedule"
    if named or told.first(f"{_TRIGGERS}eventlistener"):
        return "push"
    by_hand = told.first(f"{OWN}actor", f"{OWN}rerun-of", "dashboard.tekton.dev/rerunOf")
    return "person" if by_hand else "other"
