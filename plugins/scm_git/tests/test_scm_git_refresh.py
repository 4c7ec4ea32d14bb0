"""The plugin in a running portal, over real repositories."""

import os
import re
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import event
from starlette.testclient import TestClient
from typer.testing import CliRunner

from callboard.contributions import Badge, ColumnContext, EntityContext
from callboard.entities import Entity, EntityRef
from callboard.host import Host
from callboard.identity import ANONYMOUS
from callboard.jobs.runs import runs
from callboard.testing import Clock, new_database
from callboard_scm_git import models, views
from callboard_scm_git.commands import app
from callboard_scm_git.metrics import count_repositories, longest_failure
from callboard_scm_git.queries import load_repositories
from callboard_scm_git.refresh import TOGETHER, refresh_all
from callboard_web.app import create_app
from callboard_web.runtime import Runtime

ORDER = "/catalog/default/component/order"
CART = "/catalog/default/component/cart"
NOW = datetime(2026, 3, 2, 8, tzinfo=UTC)
COMPONENT = """\
apiVersion: backstage.io/v1alpha1
kind: Component
metadata:
  name: {name}
spec: {{type: service, lifecycle: production, owner: team}}
"""


@dataclass
class Origin:
    """A repository on this machine that commits are made in."""

    path: Path
    at: datetime = field(default=NOW - timedelta(days=100))

    def git(self, *arguments: str) -> str:
        when = self.at.isoformat()
        environment = {
            "PATH": os.environ["PATH"],
            "GIT_CONFIG_GLOBAL": os.devnull,
            "GIT_CONFIG_SYSTEM": os.devnull,
            "GIT_AUTHOR_DATE": when,
            "GIT_COMMITTER_DATE": when,
        }
        for role in ("AUTHOR", "COMMITTER"):
            environment |= {f"GIT_{role}_NAME": "李雷", f"GIT_{role}_EMAIL": "li@example.com"}
        done = subprocess.run(
            ["git", "-C", str(self.path), *arguments],
            check=True, capture_output=True, text=True, env=environment,
        )  # fmt: skip
        return done.stdout

    def commit(self, subject: str, days_ago: float, **files: str) -> None:
        self.at = NOW - timedelta(days=days_ago)
        for name, text in files.items():
            path = self.path / name.replace("__", "/").replace("_yaml", ".yaml")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        self.git("add", "-A")
        self.git("commit", "-q", "--allow-empty", "-m", subject)


@pytest.fixture
def origin(tmp_path: Path) -> Origin:
    """Give a repository of two services."""
    made = Origin(tmp_path / "repositories" / "shop")
    made.path.mkdir(parents=True)
    made.git("init", "-q", "-b", "main")
    order, cart = (COMPONENT.format(name=name) for name in ("order", "cart"))
    made.commit("Add the order service", 90, order__catalog_info_yaml=order)
    made.commit("Add the cart <script>alert(1)</script>", 60, cart__catalog_info_yaml=cart)
    made.git("tag", "v1")
    made.git("branch", "release/1")
    return made


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def runtime(
    request: pytest.FixtureRequest, tmp_path: Path, origin: Origin, clock: Clock
) -> Iterator[Runtime]:
    """Give a portal that has read the repository into its catalog, and nothing else."""
    clock.set(NOW)
    ended = ExitStack()
    url = ended.enter_context(new_database(request, request.param))
    source = {"name": "shop", "type": "git", "url": origin.path.as_uri(), "branch": "main",
              "paths": ["*/catalog_info.yaml"]}  # fmt: skip
    config = tmp_path / "callboard.yaml"
    settings = {
        "access": {"anonymous": "administrator"},
        "database": {"url": url},
        "git": {"allow_local": [str(tmp_path / "repositories")]},
        "catalog": {"sources": [source]},
    }
    config.write_text(yaml.safe_dump(settings))
    made = Runtime.open(config, {"CALLBOARD_PLUGINS": "scm_git"}, clock=clock, strict=True)
    made.upgrade()
    made.start(worker=False, serve=False)
    made.jobs.run_once()
    yield made
    made.stop()
    ended.close()


@pytest.fixture
def host(runtime: Runtime) -> Host:
    return runtime.host("scm_git")


@pytest.fixture
def client(runtime: Runtime) -> TestClient:
    return TestClient(create_app(runtime))


def entity(runtime: Runtime, name: str) -> Entity:
    found = runtime.catalog.get(EntityRef("component", "default", name))
    assert found is not None
    return found


def context(kind: type[Any], host: Host, **more: Any) -> Any:
    common = {"principal": ANONYMOUS, "locale": "en", "time_zone": "UTC"}
    return kind(host=host, **common, **more)


def rows(host: Host) -> Any:
    with host.read() as connection:
        return load_repositories(connection)


def test_events_have_a_repository_read_once_for_all_its_entities(host: Host) -> None:
    (row,) = rows(host)
    assert (row.branch, row.branches, row.tags, row.contributors) == ("main", 2, 1, 1)
    assert row.committed_at == NOW - timedelta(days=60)
    assert row.read_at == NOW
    with host.read() as connection:
        folders = connection.execute(models.folder.select()).all()
    assert {folder.path: folder.committed_at for folder in folders} == {
        "": NOW - timedelta(days=60),
        "order": NOW - timedelta(days=90),
        "cart": NOW - timedelta(days=60),
    }


def test_many_new_repositories_are_read_by_one_job(
    runtime: Runtime, host: Host, origin: Origin
) -> None:
    folder = origin.path.parent
    entities = []
    for number in range(TOGETHER + 5):
        if number >= 5:  # the first five are not there
            subprocess.run(["git", "clone", "-q", "--bare", origin.path, folder / f"many-{number}"],
                           check=True)  # fmt: skip
        document = yaml.safe_load(COMPONENT.format(name=f"many-{number}"))
        url = (folder / f"many-{number}").as_uri()
        document["metadata"]["annotations"] = {"backstage.io/source-location": f"url:{url}"}
        entities.append(document)
    (origin.path / "order" / "catalog_info.yaml").write_text(yaml.safe_dump_all(entities))
    origin.commit("Add many services", 0)
    runtime.jobs.submit(None, "catalog", "refresh", {"source": "shop"}, key="shop")
    runtime.jobs.run_once()
    many = [row for row in rows(host) if "many-" in row.url]
    assert len(many) == TOGETHER + 5
    assert sum(row.failing_since is not None for row in many) == 5
    assert sum(row.read_at == NOW for row in many) == TOGETHER
    with runtime.database.read() as connection:
        assert len(runs(connection, plugin="scm_git", name="read_many")) == 1


def test_nothing_moved_means_no_writes(runtime: Runtime, host: Host) -> None:
    statements: list[str] = []
    event.listen(
        runtime.database.engine,
        "before_cursor_execute",
        lambda _connection, _cursor, statement, *_: statements.append(statement),
    )
    assert [outcome.result for outcome in refresh_all(host)] == ["unchanged"]
    statements = [statement for statement in statements if statement != "BEGIN"]
    assert statements
    assert all(statement.lstrip().startswith("SELECT") for statement in statements)


def test_a_new_commit_tag_or_branch_is_seen(host: Host, origin: Origin) -> None:
    origin.commit("Change the order", 1, order__main_py="x = 1")
    assert [outcome.result for outcome in refresh_all(host)] == ["read"]
    assert rows(host)[0].committed_at == NOW - timedelta(days=1)
    origin.git("tag", "v2")
    origin.git("branch", "-D", "release/1")
    assert [outcome.result for outcome in refresh_all(host)] == ["read"]
    (row,) = rows(host)
    assert (row.branches, row.tags) == (1, 2)


def test_a_repository_that_fails_keeps_its_data_and_says_since_when(
    host: Host, client: TestClient, origin: Origin, clock: Clock
) -> None:
    away = origin.path.rename(origin.path.with_name("away"))
    clock.advance(timedelta(hours=1))
    assert [outcome.result for outcome in refresh_all(host)] == ["failed"]
    clock.advance(timedelta(hours=1))
    refresh_all(host)
    (row,) = rows(host)
    assert row.failing_since == NOW + timedelta(hours=1)
    assert row.read_at == NOW
    assert "no folder" in row.error
    assert [sample.value for sample in longest_failure(host)] == [3600.0]
    html = client.get(CART).text
    assert "The repository cannot be read." in html
    assert "no folder" in html
    assert "Add the cart" in html
    away.rename(origin.path)
    assert [outcome.result for outcome in refresh_all(host)] == ["unchanged"]
    assert rows(host)[0].failing_since is None


def test_a_repository_that_no_entity_names_is_forgotten(
    runtime: Runtime, host: Host, origin: Origin
) -> None:
    (origin.path / "order" / "catalog_info.yaml").unlink()
    origin.commit("Remove the order service", 0)
    runtime.jobs.submit(None, "catalog", "refresh", {"source": "shop"}, key="shop")
    runtime.jobs.run_once()
    refresh_all(host)
    with host.read() as connection:
        paths = connection.execute(models.folder.select()).all()
    assert sorted(folder.path for folder in paths) == ["", "cart"]
    with runtime.database.write() as connection:
        connection.execute(models.repository.insert().values(
            url="file:///gone", state="", head="", branch="",
            branches=0, tags=0, contributors=0, error="",
        ))  # fmt: skip
        connection.execute(models.folder.insert().values(
            repository_id=models.repository.select().with_only_columns(models.repository.c.id)
            .where(models.repository.c.url == "file:///gone").scalar_subquery(),
            path="", state="",
        ))  # fmt: skip
    refresh_all(host)
    assert [row.url for row in rows(host)] == [origin.path.as_uri()]


def test_card_and_tab_show_the_folder_of_the_entity(client: TestClient) -> None:
    card = client.get(ORDER).text
    assert "Add the order service" in card
    assert "Add the cart" not in card
    assert "shop, folder order" in card
    assert "2 branches" in card
    assert re.search(r"\b1 tag\b", card)
    tab = client.get(f"{ORDER}/scm_git.source").text
    assert 'role="img" aria-label="2 commits in 53 weeks, most in the week of' in tab
    assert tab.count('class="bx k1"') == 2
    for shown in ("李雷", "release/1", "v1", "Show as table"):
        assert shown in tab
    assert "style=" not in tab


@pytest.mark.parametrize("path", [CART, f"{CART}/scm_git.source", "/"])
def test_what_people_wrote_is_escaped(client: TestClient, path: str) -> None:
    page = client.get(path).text
    assert "&lt;script&gt;alert(1)" in page
    assert "<script>" not in page


def test_pages_speak_chinese(client: TestClient) -> None:
    client.headers["accept-language"] = "zh-CN"
    assert "2 个分支" in client.get(ORDER).text
    tab = client.get(f"{ORDER}/scm_git.source").text
    assert "53 周内共 2 次提交" in tab
    assert "贡献者" in tab
    assert "最近提交" in client.get("/catalog").text


def test_before_the_first_reading_the_card_says_so(runtime: Runtime, client: TestClient) -> None:
    with runtime.database.write() as connection:
        connection.execute(models.repository.delete())
    assert "shop is about to be read" in client.get(ORDER).text
    assert "Not read yet" in client.get(f"{ORDER}/scm_git.source").text
    assert "Recent commits" not in client.get("/").text


def test_the_column_asks_once_for_all_rows(runtime: Runtime, host: Host) -> None:
    entities = [entity(runtime, name) for name in ("order", "cart")] * 20
    statements: list[str] = []
    event.listen(
        runtime.database.engine,
        "before_cursor_execute",
        lambda _connection, _cursor, statement, *_: statements.append(statement),
    )
    cells = views.last_commits(context(ColumnContext, host, entities=entities))
    assert len([statement for statement in statements if statement != "BEGIN"]) == 1
    assert {ref.name: cell.at for ref, cell in cells.items()} == {
        "order": NOW - timedelta(days=90),
        "cart": NOW - timedelta(days=60),
    }


def test_a_quiet_repository_is_marked(
    runtime: Runtime, host: Host, client: TestClient, clock: Clock
) -> None:
    order = context(EntityContext, host, entity=entity(runtime, "order"))
    assert views.stale_badge(order) is None
    clock.advance(timedelta(days=120))
    assert "Stale repository" in client.get(ORDER).text
    badge = views.stale_badge(order)
    assert isinstance(badge, Badge)
    assert badge.status == "warn"
    assert str(badge.detail) == "No commit for 180 days."


def test_metrics_and_commands(runtime: Runtime, host: Host, origin: Origin) -> None:
    samples = {sample.labels["state"]: sample.value for sample in count_repositories(host)}
    assert samples == {"read": 1, "failing": 0, "refused": 0, "waiting": 0}
    status = CliRunner().invoke(app, ["status"], obj=host)
    assert status.exit_code == 0
    assert "2026-01-01 08:00  main" in status.output
    assert CliRunner().invoke(app, ["refresh"], obj=host).exit_code == 0
    origin.path.rename(origin.path.with_name("away"))
    failed = CliRunner().invoke(app, ["refresh"], obj=host)
    assert failed.exit_code == 1
    assert "no folder" in failed.output
    assert "failing since" in CliRunner().invoke(app, ["status"], obj=host).output


@pytest.mark.filterwarnings("ignore:Skipped unsupported reflection")
def test_the_migrations_make_the_tables_of_the_models(runtime: Runtime) -> None:
    def own(thing: Any, name: str | None, kind: str, _reflected: bool, _other: Any) -> bool:
        return kind != "table" or str(name).startswith("scm_git_")

    with runtime.database.read() as connection:
        migration = MigrationContext.configure(
            connection, opts={"include_object": own, "compare_type": False}
        )
        assert compare_metadata(migration, models.metadata) == []
