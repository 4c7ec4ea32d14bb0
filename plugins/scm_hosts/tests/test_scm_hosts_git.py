"""Repositories read with Git itself: a folder tree of them, and a server over TLS."""

import os
import subprocess
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from fake_hosts import TOKEN, FakeGitLab, serving
from location_servers import GitHost, git_host
from scm_site import Site, component, database_of, opened

from callboard.errors import InputError, NotFoundError
from callboard.testing import Clock
from callboard_scm_hosts import folder as folders
from callboard_scm_hosts.folder import find_repositories

NOW = datetime(2026, 3, 2, 8, tzinfo=UTC)


def git(directory: Path, *arguments: str) -> str:
    command = ["git", "-c", "user.name=A", "-c", "user.email=a@example.com", *arguments]
    environment = {"PATH": os.environ["PATH"], "HOME": "/nonexistent"}
    done = subprocess.run(command, cwd=directory, check=True, capture_output=True, env=environment)
    return done.stdout.decode().strip()


def make_repository(path: Path, branch: str = "main", **files: bytes) -> Path:
    path.mkdir(parents=True)
    git(path, "init", "-q", "-b", branch)
    commit(path, **files)
    return path


def commit(path: Path, **files: bytes) -> None:
    for name, data in files.items():
        (path / name.replace("_yaml", ".yaml").replace("_info", "-info")).write_bytes(data)
    git(path, "add", "-A")
    git(path, "commit", "-q", "--allow-empty", "-m", "Change")


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    root = tmp_path / "git"
    make_repository(root / "shop/orders", catalog_info_yaml=component("orders"))
    make_repository(root / "shop/tools", README=b"x")
    stock = make_repository(tmp_path / "work", "trunk", catalog_info_yaml=component("stock"))
    git(tmp_path, "clone", "-q", "--bare", str(stock), str(root / "shop/deep/stock.git"))
    git(root / "shop/deep/stock.git", "pack-refs", "--all")
    (root / "shop/empty").mkdir()
    git(root / "shop/empty", "init", "-q", "-b", "main")
    (root / "shop/link").symlink_to(stock)
    (root / "other/none").mkdir(parents=True)
    return root


def test_a_tree_is_looked_at_without_a_process(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    heads = [git(tree / "shop/orders", "rev-parse", "HEAD"),
             git(tree / "shop/deep/stock.git", "rev-parse", "HEAD")]  # fmt: skip
    monkeypatch.setattr(subprocess, "Popen", None)
    found = {item.path: item for item in find_repositories(tree, "", "")}
    assert sorted(found) == ["shop/deep/stock", "shop/empty", "shop/orders", "shop/tools"]
    orders, stock = found["shop/orders"], found["shop/deep/stock"]
    assert [orders.moved, stock.moved] == heads
    assert (orders.branch, stock.branch, found["shop/empty"].branch) == ("main", "trunk", "")
    assert stock.id == "shop/deep/stock.git"
    assert [item.path for item in find_repositories(tree, "shop/deep", "")] == ["shop/deep/stock"]
    assert {item.moved for item in find_repositories(tree, "", "absent")} == {""}


def test_trees_that_cannot_be_looked_at(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(NotFoundError, match="does not exist"):
        find_repositories(tree, "absent", "")
    with pytest.raises(NotFoundError, match="does not exist"):
        find_repositories(tree, "shop/link", "")
    monkeypatch.setattr(folders, "MAXIMUM_FOLDERS", 3)
    with pytest.raises(InputError, match="more than 3 folders"):
        find_repositories(tree, "", "")


def test_two_names_that_differ_by_their_ending(tree: Path) -> None:
    git(tree, "clone", "-q", "--bare", str(tree / "shop/orders"), str(tree / "shop/orders.git"))
    found = {item.id: item.path for item in find_repositories(tree, "shop", "")}
    assert found["shop/orders"] == "shop/orders"
    assert found["shop/orders.git"] == "shop/orders.git"


def test_heads_of_many_kinds(tree: Path) -> None:
    orders = tree / "shop/orders"
    head = git(orders, "rev-parse", "HEAD")
    git(orders, "checkout", "-q", "--detach")
    found = {item.path: item for item in find_repositories(tree, "shop", "")}
    assert (found["shop/orders"].branch, found["shop/orders"].moved) == ("HEAD", head)
    (orders / ".git/HEAD").write_text("ref: ../../../etc/passwd\n")
    (tree / "shop/tools/.git/HEAD").write_bytes(b"\xff\0")
    found = {item.path: item for item in find_repositories(tree, "shop", "")}
    assert found["shop/orders"].moved == ""


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def site(
    request: pytest.FixtureRequest, tmp_path: Path, clock: Clock, tree: Path
) -> Iterator[Site]:
    clock.set(NOW)
    settings = {
        "hosts": [{"name": "disk", "type": "folder", "path": str(tree)}],
        "discover": [{"name": "shop", "host": "disk", "group": "shop"}],
    }
    more = {"git": {"allow_local": [str(tree)]}}
    with (
        database_of(request, request.param) as url,
        opened(tmp_path, settings, url, clock, **more) as runtime,
    ):
        yield Site(runtime, None, clock)


def test_a_folder_of_repositories_is_in_the_catalog(site: Site, tree: Path) -> None:
    site.scan()
    assert site.names() == ["orders", "stock"]
    assert site.states() == {"shop/deep/stock": "read", "shop/empty": "empty",
                             "shop/orders": "read", "shop/tools": "none"}  # fmt: skip
    location = site.entity("orders").annotations["backstage.io/managed-by-location"]
    assert location == f"url:{(tree / 'shop/orders').as_uri()}#catalog-info.yaml"
    site.writes.clear()
    site.clock.advance(timedelta(minutes=1))
    assert site.scan().read == 0
    assert site.writes == []
    commit(tree / "shop/tools", catalog_info_yaml=component("tools"))
    commit(tree / "shop/orders", other_yaml=b"x: 1\n")
    assert site.scan().read == 2
    assert site.names() == ["orders", "stock", "tools"]


def test_a_thousand_repositories_are_looked_at_in_little_time(tmp_path: Path) -> None:
    made = make_repository(tmp_path / "one", catalog_info_yaml=component("one"))
    head = git(made, "rev-parse", "HEAD")
    for number in range(1000):
        folder = tmp_path / f"tree/g{number % 10}/r{number}.git"
        (folder / "refs/heads").mkdir(parents=True)
        (folder / "objects").mkdir()
        (folder / "HEAD").write_text("ref: refs/heads/main\n")
        (folder / "refs/heads/main").write_text(f"{head}\n")
    began = time.process_time()
    found = find_repositories(tmp_path / "tree", "", "")
    assert len(found) == 1000
    assert {item.moved for item in found} == {head}
    # Of the processor, so that others on the machine do not count.
    assert time.process_time() - began < 1


@pytest.fixture
def server(tmp_path: Path) -> Iterator[GitHost]:
    with git_host(tmp_path / "host") as made:
        yield made


@pytest.mark.parametrize("kind", ["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def test_files_come_from_git_where_the_settings_say_so(
    request: pytest.FixtureRequest, tmp_path: Path, clock: Clock, server: GitHost, kind: str
) -> None:
    clock.set(NOW)
    location = "apiVersion: backstage.io/v1alpha1\nkind: Location\nmetadata: {name: all}\n"
    server.commit(
        {
            "catalog-info.yaml": f"{location}spec: {{target: ./more/*.yaml}}\n",
            "more/a.yaml": component("a").decode().replace("name: a", "name: a\n  title: {$text: "
                                                           "../title.txt}"),
            "title.txt": "Orders",
        }
    )  # fmt: skip
    with serving(FakeGitLab()) as api, database_of(request, kind) as url:
        listed = api.add("shop/orders", 11, files={"x": b"x"})
        settings = {
            "hosts": [{"name": "code", "type": "gitlab", "url": server.server.base,
                       "api_url": f"{api.base}/api/v4", "token": "${env:SCM_TOKEN}",
                       "through": "git"}],
            "discover": [{"name": "shop", "host": "code", "group": "shop"}],
        }  # fmt: skip
        ca_bundle = server.settings["http"]["ca_bundle"]
        http = {"allow_hosts": ["127.0.0.1"], "retries": 0, "ca_bundle": ca_bundle}
        more = {"git": {"allow_hosts": ["127.0.0.1"]}, "http": http}
        with opened(tmp_path, settings, url, clock, **more) as runtime:
            site = Site(runtime, api, clock)
            assert site.scan().failed == 0
            assert site.names() == ["a"]
            assert site.entity("a").title == "Orders"
            view = f"{server.server.base}/shop/orders/-/blob/main/more/a.yaml"
            assert site.entity("a").annotations["backstage.io/view-url"] == view
            assert TOKEN not in str(server.server.seen)
            packs = server.server.packs
            site.scan()
            assert server.server.packs == packs
            server.commit({"more/b.yaml": component("b").decode()})
            listed.pushed = "2026-03-02T09:00:00Z"
            site.scan()
            assert site.names() == ["a", "b"]
            assert server.server.packs == packs + 1
            assert not any("/repository/" in path for path in api.requests)
