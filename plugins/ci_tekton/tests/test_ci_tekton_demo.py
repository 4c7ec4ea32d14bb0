"""The pushes of the demo: what each rule says to them is on the page from the start."""

import os
import subprocess
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select

from callboard.contributions import DemoContext
from callboard_ci_tekton.models import push
from callboard_ci_tekton.push import demo
from callboard_web.testing import PortalUnderTest

NOW = datetime(2026, 3, 2, 8, tzinfo=UTC)
NAMES = (*demo.SERVICES, "shared-libraries")


def git(folder: Path, *arguments: str) -> None:
    who = {f"GIT_{role}_{what}": value for role in ("AUTHOR", "COMMITTER")
           for what, value in (("NAME", "Ada"), ("EMAIL", "ada@example.test"))}  # fmt: skip
    environment = {**os.environ, **who, "GIT_CONFIG_NOSYSTEM": "1", "GIT_CONFIG_GLOBAL": os.devnull}
    subprocess.run(["git", *arguments], cwd=folder, env=environment, check=True, timeout=60)


@pytest.fixture
def context(tmp_path: Path) -> DemoContext:
    for name in NAMES:
        folder = tmp_path / name
        folder.mkdir()
        git(folder, "init", "--quiet", "--initial-branch=main")
        git(folder, "commit", "--quiet", "--allow-empty", "--message", f"feat: begin {name}")
    repositories = {name: tmp_path / name for name in NAMES}
    return DemoContext(folder=tmp_path, repositories=repositories, made_at=NOW, now=NOW)


@pytest.fixture
def portal_plugins() -> Sequence[str]:
    return ["ci_tekton"]


@pytest.fixture
def portal_settings(context: DemoContext, tmp_path: Path) -> Mapping[str, Any]:
    access = {"access": {"anonymous": "administrator"}}
    return {**access, **demo.prepare(context), "git": {"allow_local": [str(tmp_path)]}}


def test_pushes_are_told_once_and_answered(portal: PortalUnderTest, context: DemoContext) -> None:
    host = portal.host("ci_tekton")
    demo.fill(context, host)
    portal.run_jobs()
    page = portal.client.get("/ci_tekton/pushes").text
    for said in (
        "It was deleted.",
        "No rule is for this repository.",
        "Pushes of release[bot] start nothing, by the settings.",
        "The branch feat/reserve-by-lot does not fit.",
        "None of the changed files fits.",
        "feat: begin order-service",
    ):
        assert said in page, said
    demo.fill(context, host)
    with host.read() as connection:
        assert connection.execute(select(func.count()).select_from(push)).scalar_one() == 6
        order = select(push.c.state).where(push.c.repository.endswith("/order-service"))
        assert connection.execute(order).scalar_one() == "decided"
