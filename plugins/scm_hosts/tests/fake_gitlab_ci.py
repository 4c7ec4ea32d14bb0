"""A small GitLab with CI: projects, pipelines, jobs, bridges, logs and the lint of a commit.

Shapes are those of the pipelines, jobs and CI lint API (version 4); what is not asked is left out.
"""

import re
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import unquote

from fake_hosts import Answer, FakeHost

START = datetime(2026, 3, 2, 7, tzinfo=UTC)


def written(at: datetime | None) -> str | None:
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z") if at else None


@dataclass
class Project:
    """A project; `pipelines` are as the API gives a single one, by their numbers."""

    path: str
    branch: str = "main"
    access: str = "enabled"
    pipelines: dict[int, dict[str, Any]] = field(default_factory=dict)
    jobs: dict[int, list[dict[str, Any]]] = field(default_factory=dict)
    bridges: dict[int, list[dict[str, Any]]] = field(default_factory=dict)
    changes: dict[int, str] = field(default_factory=dict)
    lint: list[dict[str, Any]] = field(default_factory=list)
    traces: dict[int, bytes] = field(default_factory=dict)

    def add(
        self, number: int, status: str = "success", *jobs: dict[str, Any],
        at: datetime | None = None, **more: Any,
    ) -> dict[str, Any]:  # fmt: skip
        """Add a pipeline that was made `number` minutes after START and took 90 seconds."""
        created = at or START + timedelta(minutes=number)
        ended = status in ("success", "failed", "canceled")
        self.pipelines[number] = {
            "id": number, "iid": number - 100, "project_id": 15, "name": None, "status": status,
            "source": "push", "ref": self.branch, "sha": f"{number:040x}", "tag": False,
            "web_url": f"https://git.example.org/{self.path}/-/pipelines/{number}",
            "created_at": written(created), "updated_at": written(created + timedelta(seconds=100)),
            "started_at": written(created + timedelta(seconds=10)),
            "finished_at": written(created + timedelta(seconds=100)) if ended else None,
            "duration": 90 if ended else None, "queued_duration": 10, "coverage": None,
            "yaml_errors": None, "user": {"id": 4, "username": "li", "name": "Li Wei"}, **more,
        }  # fmt: skip
        self.jobs[number] = list(jobs)
        return self.pipelines[number]

    def turn(self, number: int, status: str, at: datetime, **more: Any) -> None:
        """Change a pipeline."""
        ended = status in ("success", "failed", "canceled")
        self.pipelines[number] |= {
            "status": status, "updated_at": written(at),
            "finished_at": written(at) if ended else None, **more,
        }  # fmt: skip


def job(
    number: int, name: str, status: str = "success", *, stage: str = "test", minute: float = 0,
    **more: Any,
) -> dict[str, Any]:  # fmt: skip
    """Give a job that began some minutes after START, waited 5 seconds and took 30."""
    began = status not in ("created", "pending", "manual", "skipped", "scheduled")
    ended = status in ("success", "failed", "canceled")
    started = START + timedelta(minutes=minute)
    return {
        "id": number, "name": name, "stage": stage, "status": status, "allow_failure": False,
        "created_at": written(START), "started_at": written(started) if began else None,
        "finished_at": written(started + timedelta(seconds=30)) if ended else None,
        "duration": 30.2 if ended else None, "queued_duration": 5.1, "coverage": None,
        "commit": {"title": "Change 价格", "author_name": "Li Wei"}, "tag_list": ["docker"],
        "runner": {"id": 1, "description": "runner-7"} if began else None, "artifacts": [],
        "web_url": f"https://git.example.org/-/jobs/{number}", **more,
    }  # fmt: skip


class FakeGitLabCi(FakeHost):
    """A GitLab whose projects have CI."""

    prefix = "/api/v4"

    def __init__(self) -> None:
        super().__init__()
        self.projects: dict[str, Project] = {}

    def project(self, path: str, **more: Any) -> Project:
        made = self.projects[path] = Project(path, **more)
        return made

    def answer(self, path: str, query: dict[str, str]) -> Answer:
        match = re.fullmatch(r"/projects/([^/]+)(/.*)?", path)
        found = self.projects.get(unquote(match[1])) if match else None
        if match is None or found is None:
            return Answer({"message": "404 Project Not Found"}, 404)
        rest = match[2] or ""
        if not rest:
            return Answer({"path_with_namespace": found.path, "default_branch": found.branch,
                           "builds_access_level": found.access})  # fmt: skip
        if found.access == "disabled":
            return Answer({"message": "403 Forbidden"}, 403)
        if rest == "/pipelines":
            return self.listed(found, path, query)
        if rest == "/ci/lint":
            return Answer({"valid": True, "jobs": found.lint})
        if match := re.fullmatch(r"/merge_requests/(\d+)", rest):
            return Answer({"source_branch": found.changes[int(match[1])]})
        if match := re.fullmatch(r"/jobs/(\d+)/trace", rest):
            trace = found.traces.get(int(match[1]))
            return Answer(trace) if trace is not None else Answer({"message": "404"}, 404)
        match = re.fullmatch(r"/pipelines/(\d+)(/jobs|/bridges)?", rest)
        if match is None or int(match[1]) not in found.pipelines:
            return Answer({"message": "404 Not found"}, 404)
        number = int(match[1])
        if match[2] is None:
            return Answer(found.pipelines[number])
        if match[2] == "/bridges":
            return self.page(found.bridges.get(number, []), path, query, "per_page")
        jobs = sorted(found.jobs[number], key=lambda item: -item["id"])
        if query.get("include_retried") != "true":
            newest = {item["name"]: item for item in reversed(jobs)}
            jobs = [item for item in jobs if newest[item["name"]] is item]
        return self.page(jobs, path, query, "per_page")

    def listed(self, found: Project, path: str, query: dict[str, str]) -> Answer:
        items = [item for item in found.pipelines.values() if item["source"] != "parent_pipeline"]
        after = query.get("updated_after", "")
        items = [item for item in items if item["updated_at"] > after]
        items.sort(key=lambda item: item[query.get("order_by", "id")],
                   reverse=query.get("sort", "desc") == "desc")  # fmt: skip
        names = ("id", "iid", "status", "source", "ref", "sha", "web_url", "created_at",
                 "updated_at")  # fmt: skip
        return self.page([{name: item[name] for name in names} for item in items], path, query,
                         "per_page")  # fmt: skip
