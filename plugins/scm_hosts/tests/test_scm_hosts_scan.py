"""Scans of each type of host: what is found, what is read again, and what is left alone."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from fake_hosts import TOKEN, FakeHost
from scm_site import Site, component, database_of, opened, settings_for, site_of
from sqlalchemy import select

from callboard import events
from callboard.contributions import JobContext
from callboard.testing import Clock
from callboard_scm_hosts.jobs import run_look
from callboard_scm_hosts.models import content
from callboard_scm_hosts.service import touched

NOW = datetime(2026, 3, 2, 8, tzinfo=UTC)
KINDS = ("gitlab", "github", "gitea", "gitee")
LATER = "2026-03-02T09:00:00Z"


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def database_url(request: pytest.FixtureRequest) -> Iterator[str]:
    with database_of(request, request.param) as url:
        yield url


@pytest.fixture(params=KINDS)
def site(
    request: pytest.FixtureRequest, tmp_path: Path, clock: Clock, database_url: str
) -> Iterator[Site]:
    clock.set(NOW)
    with site_of(tmp_path, request.param, database_url, clock) as made:
        yield made


def push(server: FakeHost, path: str, at: str = LATER, **files: bytes | None) -> None:
    repository = server.get(path)
    assert repository is not None
    for key, data in files.items():
        name = key.replace("__", "/").replace("_yaml", ".yaml").replace("catalog_", "catalog-")
        if data is None:
            del repository.files[name]
        else:
            repository.files[name] = data
    repository.pushed = at


def test_repositories_with_a_descriptor_are_in_the_catalog(site: Site) -> None:
    outcome = site.scan()
    assert (outcome.listed, outcome.added, outcome.read, outcome.error) == (3, 3, 3, "")
    assert site.names() == ["orders", "stock"]
    assert site.states() == {"shop/orders": "read", "shop/stock": "read", "shop/tools": "none"}
    assert len(site.server.tokens) == 1
    assert TOKEN not in repr(site.server.requests)


def test_nothing_changed_costs_the_listing_and_no_write(site: Site) -> None:
    site.scan()
    site.clock.advance(timedelta(hours=2))
    site.scan()
    for _time in range(3):
        site.clock.advance(timedelta(minutes=1))
        site.server.clear()
        site.writes.clear()
        outcome = site.scan()
        assert (outcome.read, outcome.moved) == (0, False)
        assert site.writes == []
        assert len(site.server.requests) == 1
        assert site.server.statuses == ([304] if site.server.etags else [200])


def test_only_what_was_pushed_is_read_again(site: Site) -> None:
    site.scan()
    before = site.entity("orders").uid
    site.clock.advance(timedelta(hours=2))
    site.scan()
    site.server.clear()
    push(site.server, "shop/stock", catalog_info_yaml=component("warehouse"))
    site.clock.advance(timedelta(minutes=30))
    outcome = site.scan()
    assert outcome.read == 1
    assert site.names() == ["orders", "warehouse"]
    assert site.entity("orders").uid == before
    assert not any("orders" in path or "/11/" in path for path in site.server.requests)
    push(site.server, "shop/tools", "2026-03-02T09:30:00Z", catalog_info_yaml=component("tools"))
    push(site.server, "shop/stock", "2026-03-02T09:31:00Z", catalog_info_yaml=None)
    site.clock.advance(timedelta(minutes=30))
    site.scan()
    assert site.names() == ["orders", "tools"]
    assert site.states()["shop/stock"] == "none"
    with site.host.read() as connection:
        assert len(connection.execute(select(content)).all()) == 2


def test_renamed_repositories_keep_their_entities(site: Site) -> None:
    site.scan()
    before = site.entity("orders")
    repository = site.server.get("shop/orders")
    assert repository is not None
    repository.path = "shop/order-service"
    site.clock.advance(timedelta(hours=2))
    site.scan()
    after = site.entity("orders")
    assert after.uid == before.uid
    assert "shop/order-service" in after.annotations["backstage.io/view-url"]
    assert site.names() == ["orders", "stock"]
    with site.host.read() as connection:
        assert len(connection.execute(select(content)).all()) == 2
        assert not events.read(connection, 0, ("catalog.entity.deleted",), limit=5)


def test_what_leaves_the_host_leaves_the_catalog(site: Site) -> None:
    site.scan()
    site.server.repositories[0].archived = True
    del site.server.repositories[1]
    site.clock.advance(timedelta(hours=2))
    site.scan()
    assert site.names() == []
    assert site.states() == {"shop/orders": "skipped", "shop/tools": "none"}
    assert str(site.rows()["shop/orders"].reason) == "It is archived."
    site.server.repositories[0].archived = False
    site.scan()
    assert site.names() == ["orders"]


def test_links_are_those_of_the_host(site: Site) -> None:
    site.scan()
    base = f"{site.server.base}/shop/orders"
    file, edit, folder = {
        "gitlab": ("/-/blob/main/", "/-/edit/main/", "/-/tree/main/"),
        "gitea": ("/src/branch/main/", "/_edit/main/", "/src/branch/main/"),
    }.get(site.host.settings.hosts[0].type, ("/blob/main/", "/edit/main/", "/tree/main/"))
    found = site.entity("orders").annotations
    assert found["backstage.io/managed-by-location"] == f"url:{base}{file}catalog-info.yaml"
    assert found["backstage.io/view-url"] == f"{base}{file}catalog-info.yaml"
    assert found["backstage.io/edit-url"] == f"{base}{edit}catalog-info.yaml"
    assert found["backstage.io/source-location"] == f"url:{base}{folder}"


def test_files_that_descriptors_lead_to(site: Site) -> None:
    api = component("api").replace(b"Component", b"API").replace(b"service", b"openapi")
    push(
        site.server,
        "shop/tools",
        catalog_info_yaml=b"apiVersion: backstage.io/v1alpha1\nkind: Location\n"
        b"metadata: {name: all}\nspec: {targets: [./apis/*.yaml, ../stock/README.md]}\n",
        apis__tools_yaml=api.replace(b"owner: team", b"owner: team, definition: {$text: ./a.json}"),
        apis__steals_yaml=api.replace(b"name: api", b"name: steals").replace(
            b"owner: team", b"owner: team, definition: {$text: ../../stock/README.md}"
        ),
    )
    repository = site.server.get("shop/tools")
    assert repository is not None
    repository.files |= {"apis/a.json": b"{}", "apis/link.yaml": b"../x", "image.png": b"\0"}
    repository.links = ["apis/link.yaml"]
    site.scan()
    assert site.entity("api", "api").spec["definition"] == "{}"
    listed = [path for path, *_ in site.rows()["shop/tools"].files]
    assert listed == ["catalog-info.yaml", "README.md", "apis/a.json", "apis/steals.yaml",
                      "apis/tools.yaml"]  # fmt: skip
    codes = {item.code for item in site.runtime.catalog.problems()}
    assert {"placeholder-target-missing", "target-missing"} <= codes
    assert site.runtime.catalog.find(kind="api", limit=9)[0].ref.name == "api"
    assert len(site.runtime.catalog.find(kind="api", limit=9)) == 1


@pytest.mark.slow
def test_many_pages(site: Site) -> None:
    for number in range(120, 340):
        site.server.add(f"shop/r{number}", number, files={"README.md": b"x"})
    site.server.per_page = 50
    outcome = site.scan()
    assert outcome.listed == 223
    listings = [path for path in site.server.requests if "/repos?" in path or "/projects?" in path]
    assert len(listings) in (3, 5)
    site.clock.advance(timedelta(hours=2))
    site.scan()
    site.server.clear()
    site.writes.clear()
    site.clock.advance(timedelta(minutes=1))
    assert site.scan().read == 0
    assert site.writes == []
    assert len(site.server.requests) == len(listings)
    del site.server.repositories[100:]
    assert site.scan().left == 123
    assert len(site.rows()) == 100


def test_one_repository_is_read_at_once_when_it_is_touched(site: Site) -> None:
    site.scan()
    push(site.server, "shop/stock", "2026-03-01T08:00:00Z", catalog_info_yaml=component("store"))
    site.server.clear()
    with site.host.write() as connection:
        assert touched(site.host, connection, "code", "shop/STOCK") == ("shop",)
        assert touched(site.host, connection, "other", "shop/stock") == ()
        assert touched(site.host, connection, "code", "food/stock") == ()
    site.scan(touched_only=True)
    assert site.names() == ["orders", "store"]
    assert not any("orgs" in path or "groups" in path for path in site.server.requests)
    assert site.rows()["shop/stock"].touched == 0
    push(site.server, "shop/orders", "2026-03-01T08:00:00Z", catalog_info_yaml=component("order"))
    with site.host.write() as connection:
        assert touched(site.host, connection, "code", "11") == ("shop",)
    site.runtime.jobs.run_once()
    assert site.names() == ["order", "store"]
    site.server.add("shop/new", 99, files={"catalog-info.yaml": component("new")})
    with site.host.write() as connection:
        assert touched(site.host, connection, "code", "shop/new") == ("shop",)
    site.runtime.jobs.run_once()
    assert site.names() == ["new", "order", "store"]


def test_empty_repositories_and_other_branches(site: Site) -> None:
    site.server.add("shop/empty", 14)
    repository = site.server.get("shop/orders")
    assert repository is not None
    repository.branch = "feature/a"
    site.scan()
    assert site.states()["shop/empty"] == "empty"
    assert site.names() == ["orders", "stock"]
    location = site.entity("orders").annotations["backstage.io/managed-by-location"]
    assert "/feature/a/catalog-info.yaml" in location


def test_jobs_scan_what_is_due(site: Site) -> None:
    site.runtime.jobs.run_once()
    assert site.names() == ["orders", "stock"]
    site.clock.advance(timedelta(minutes=5))
    site.server.clear()
    site.runtime.jobs.run_once()
    assert site.server.requests == []
    push(site.server, "shop/stock", catalog_info_yaml=component("store"))
    site.clock.advance(timedelta(minutes=6))
    site.runtime.jobs.run_once()
    assert site.names() == ["orders", "store"]


# Once, for what does not differ by type


@pytest.mark.parametrize(
    ("discover", "names"),
    [
        ({"include": ["shop/o*"]}, ["orders"]),
        ({"include": ["**/STOCK"]}, ["stock"]),
        ({"exclude": ["*/orders"]}, ["fork", "stock"]),
        ({"topics": ["Catalog"]}, ["stock"]),
        ({"forks": False}, ["orders", "stock"]),
        ({"archived": True, "forks": True}, ["archived", "fork", "orders", "stock"]),
        ({"paths": ["deep/**/*.yaml"]}, ["deep"]),
        ({"branch": "other"}, []),
    ],
)
@pytest.mark.parametrize("kind", ["gitlab", "github"])
def test_filters(
    tmp_path: Path, clock: Clock, kind: str, discover: dict[str, Any], names: list[str]
) -> None:
    clock.set(NOW)
    given = {"forks": True, **discover}
    with site_of(tmp_path, kind, "sqlite:///callboard.sqlite3", clock, **given) as site:
        for name in ("archived", "fork"):
            files = {"catalog-info.yaml": component(name)}
            site.server.add(f"shop/{name}", files=files, **{name: True})
        stock = site.server.get("shop/stock")
        assert stock is not None
        stock.topics = ["catalog"]
        stock.files["deep/a/b/x.yaml"] = component("deep")
        site.scan()
        expected = names if discover != {"include": ["shop/o*"]} else ["orders"]
        if "forks" not in discover and not {
            "include",
            "exclude",
            "topics",
            "paths",
            "branch",
        } & set(discover):
            expected = names
        assert site.names() == expected
        reasons = {path: str(row.reason) for path, row in site.rows().items()}
        if not given.get("archived"):
            assert reasons["shop/archived"] == "It is archived."


def test_other_settings_read_everything_again(tmp_path: Path, clock: Clock) -> None:
    clock.set(NOW)
    with site_of(tmp_path, "github", "sqlite:///callboard.sqlite3", clock) as site:
        stock = site.server.get("shop/stock")
        assert stock is not None
        stock.files["services/a.yaml"] = component("a")
        site.scan()
        assert site.names() == ["orders", "stock"]
        base = site.server.base
        site.runtime.stop()
        settings = settings_for("github", base, paths=["services/*.yaml"])
        with opened(tmp_path, settings, "sqlite:///callboard.sqlite3", clock) as runtime:
            again = Site(runtime, site.server, clock)
            again.scan()
            assert again.names() == ["a"]


def test_a_discovery_that_goes_takes_its_entities_along(tmp_path: Path, clock: Clock) -> None:
    clock.set(NOW)
    database = "sqlite:///callboard.sqlite3"
    with site_of(tmp_path, "github", database, clock) as site:
        site.scan()
        with opened(tmp_path, {"hosts": [], "discover": []}, database, clock) as runtime:
            empty = Site(runtime, None, clock)
            run_look(JobContext(host=empty.host, run=1, payload={}, attempt=1, progress=print))
            runtime.engine.forget()
            assert empty.rows() == {}
            assert empty.names() == []


def test_pushes_that_gitlab_does_not_tell_of_within_the_hour(tmp_path: Path, clock: Clock) -> None:
    clock.set(NOW)
    with site_of(tmp_path, "gitlab", "sqlite:///callboard.sqlite3", clock) as site:
        push(site.server, "shop/stock", "2026-03-02T07:50:00Z")
        site.scan()
        push(site.server, "shop/stock", "2026-03-02T07:50:00Z",
             catalog_info_yaml=component("store"))  # fmt: skip
        clock.advance(timedelta(minutes=2))
        site.scan()
        assert site.names() == ["orders", "store"]
        clock.advance(timedelta(hours=2))
        site.scan()
        clock.advance(timedelta(minutes=2))
        site.server.clear()
        site.scan()
        assert len(site.server.requests) == 1


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["gitlab", "gitea"])
def test_many_repositories_with_nothing_new(tmp_path: Path, clock: Clock, kind: str) -> None:
    clock.set(NOW)
    with site_of(tmp_path, kind, "sqlite:///callboard.sqlite3", clock) as site:
        site.server.per_page = 28
        for number in range(1000, 1277):
            site.server.add(f"shop/r{number}", number, files={"a": b"x"})
        site.scan()
        clock.advance(timedelta(hours=2))
        site.scan()
        clock.advance(timedelta(minutes=1))
        site.server.clear()
        site.writes.clear()
        outcome = site.scan()
        assert (outcome.listed, outcome.read) == (280, 0)
        assert site.writes == []
        assert len(site.server.requests) == 10


@pytest.mark.parametrize("kind", ["gitlab", "github", "gitea", "gitee"])
def test_entities_are_given_the_name_of_their_repository_where_that_is_wanted(
    tmp_path: Path, clock: Clock, kind: str
) -> None:
    slug = f"{kind}.com/project-slug"
    own = component("own").replace(
        b"name: own", f"name: own\n  annotations: {{{slug}: x/y}}".encode()
    )
    url = "sqlite:///callboard.sqlite3"
    with site_of(tmp_path, kind, url, clock) as site:
        site.scan()
        assert slug not in site.entity("orders").annotations
    with site_of(tmp_path, kind, url, clock, slugs=True) as site:
        site.server.add("shop/own", 14, files={"catalog-info.yaml": own})
        site.scan()
        found = {name: site.entity(name).annotations[slug] for name in site.names()}
    assert found == {"orders": "shop/orders", "stock": "shop/stock", "own": "x/y"}
