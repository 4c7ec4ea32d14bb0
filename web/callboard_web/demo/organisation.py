"""The sample organisation of `callboard demo`: Yunhe Bank 云禾银行, as local Git repositories.

Three faults are in it on purpose, so that the problems page has something to show:

- `payments-monorepo`, `clearing-tools/catalog-info.yaml`: the component `fee-report` has the tag
  `Month End` (capital letters and a space) and no owner; its neighbours in the file are good.
- `payments-monorepo`, `risk-adapter/catalog-info.yaml`: consumes `risk-engine-api`, which no
  repository declares.
- `notification-legacy` still declares `component:default/notification-service`, which moved to
  `platform-services`. It has been quiet for nine months.

Two gaps of ownership are in the repository `organisation`, which are no faults: the team
`digital-lab` has no members and owns a server, and the template `go-service` has no owner.
"""

import fcntl
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import yaml

from callboard_web.demo.description import Description, Story, read_story
from callboard_web.demo.fast_import import write_repository
from callboard_web.demo.history import plan_commits


@dataclass(frozen=True, slots=True)
class DemoRepository:
    """One bare repository of the sample organisation."""

    name: str
    path: Path
    title: str


def build_organisation(directory: Path, *, now: datetime) -> list[DemoRepository]:
    """Write the repositories that `directory` does not hold yet, and give all of them.

    The histories end shortly before `now`, which must have a time zone; the same `now` gives the
    same commit hashes. A repository is built under another name and renamed when it is complete,
    so an interrupted call is carried on by the next one; complete repositories are kept as they
    are. Raises `CallboardError` where Git fails.
    """
    story = read_story()
    directory.mkdir(parents=True, exist_ok=True)
    with _alone_in(directory):
        for description in story.repositories:
            _build(directory, description, story, now)
    return [
        DemoRepository(description.name, _path(directory, description), description.title)
        for description in story.repositories
    ]


def demo_configuration(directory: Path, database_url: str, port: int) -> str:
    """Give the text of a `callboard.yaml` that reads the repositories in `directory`."""
    directory = directory.resolve()
    settings = {
        "portal": {
            "title": "Callboard",
            "organisation": "Yunhe Bank 云禾银行",
            "listen": f"127.0.0.1:{port}",
        },
        "sessions": {"demo": True},
        "access": {
            "administrators": ["user:default/li.wei"],
            "bindings": [
                {
                    "role": "maintainer",
                    "to": ["user:default/lin.wei", "user:default/gao.yuan"],
                    "note": "They lead a centre.",
                },
                {
                    "role": "security",
                    "to": ["group:default/information-security"],
                    "note": "It is their work.",
                },
                {
                    "role": "auditor",
                    "to": ["user:default/zhang.guoqiang"],
                    "note": "He answers for it.",
                },
            ],
        },
        "database": {"url": database_url},
        "catalog": {
            "sources": [
                _source(directory, description) for description in read_story().repositories
            ]
        },
        "git": {"allow_local": [str(directory)]},
    }
    return yaml.safe_dump(settings, allow_unicode=True, sort_keys=False)


def _source(directory: Path, description: Description) -> dict[str, object]:
    return {
        "name": description.name,
        "type": "git",
        "url": _path(directory, description).as_uri(),
        "branch": "main",
        "paths": description.descriptors,
        "schedule": "60s",
    }


def _path(directory: Path, description: Description) -> Path:
    return directory / f"{description.name}.git"


def _build(directory: Path, description: Description, story: Story, now: datetime) -> None:
    path = _path(directory, description)
    if path.exists():
        return
    unfinished = directory / f".{description.name}.unfinished"
    if unfinished.exists():
        shutil.rmtree(unfinished)
    write_repository(unfinished, plan_commits(description, story, now))
    unfinished.rename(path)


@contextmanager
def _alone_in(directory: Path) -> Iterator[None]:
    """Wait for another process that builds here; the lock ends with the process."""
    with (directory / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
