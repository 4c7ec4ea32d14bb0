"""How the jobs of a pipeline follow each other.

The API of pipelines tells of stages; what needs what stands in the configuration alone, as the
API's lint of a commit gives it (GitLab: "CI Lint API", `include_jobs`). A job without `needs`
waits for the whole stage before its own (GitLab: "CI/CD YAML syntax", `needs`).
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from itertools import islice
from typing import Any, Final

from callboard_ci_tekton.runs.values import items, text

MOST_JOBS: Final = 1000
_PARALLEL: Final = re.compile(r"(?:\s+\d+/\d+|:\s*\[[^\]]*\])+\s*$")

Needs = Mapping[str, Mapping[str, Any]]
"""By the name of a job: `needs`, a list of names or None, and `environment`."""


def group_of(name: str) -> str:
    """Give what the jobs of `parallel` share: `test 1/3` and `test: [linux]` are `test`."""
    return _PARALLEL.sub("", name) or name


def needs_of(answer: Any) -> dict[str, Any]:
    """Read the answer of a lint; empty where it says nothing of jobs."""
    found = {}
    for job in islice(items(answer, "jobs"), MOST_JOBS):
        given = job.get("needs")
        needs = [text(item, "name", 253) for item in items(job, "needs")]
        environment = job.get("environment")
        found[text(job, "name", 253)] = {
            "needs": needs if isinstance(given, list) else None,
            "environment": environment[:253] if isinstance(environment, str) else "",
        }
    return found


def graph_of(jobs: Sequence[Mapping[str, Any]], stages: Sequence[str], needs: Needs) -> Any:
    """Give {nodes, by, stages} in the shape of `runs.graph`, a node for each group of jobs.

    `jobs` are the tasks' rows that are current, in order; `by` says where the edges come from:
    `needs` or `stages`.
    """
    known = bool(needs) and all(job["name"] in needs for job in jobs)
    groups: dict[str, list[Mapping[str, Any]]] = {}
    for job in jobs:
        groups.setdefault(job["task"], []).append(job)
    members: dict[str, list[str]] = {stage: [] for stage in stages}
    for name, several in groups.items():
        members[several[0]["member"]].append(name)
    before = _before(members)
    nodes = []
    for name, several in groups.items():
        after = before[several[0]["member"]]
        if known:
            after = _needed(several, needs, after)
        nodes.append(
            {
                "name": name,
                "title": "",
                "member": "tasks",
                "stage": several[0]["member"],
                "reference": "",
                "kind": "pipeline" if several[0]["kind"] == "bridge" else "task",
                "after": [one for one in after if one in groups and one != name],
                "matrix": [],
                "when": [],
                "retries": 0,
            }
        )
    return {"nodes": nodes, "by": "needs" if known else "stages", "stages": list(members)}


def _before(members: Mapping[str, list[str]]) -> dict[str, list[str]]:
    """Give of each stage what stands in the one before it."""
    found: dict[str, list[str]] = {}
    last: list[str] = []
    for stage, names in members.items():
        found[stage] = last
        last = names or last
    return found


def _needed(several: Iterable[Mapping[str, Any]], needs: Needs, before: Sequence[str]) -> list[str]:
    after: list[str] = []
    for job in several:
        named = needs[job["name"]]["needs"]
        after += before if named is None else [group_of(one) for one in named]
    return list(dict.fromkeys(after))
