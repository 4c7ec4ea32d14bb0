"""What descriptors point to: files by Locations, texts by placeholders, URLs of a real server."""

import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from callboard.database import Database
from callboard.testing import Clock
from callboard_catalog.testing import CatalogSite, descriptor

API = {"type": "openapi", "lifecycle": "production", "owner": "team"}


@dataclass
class Server:
    """A web server on this machine: `pages` by path; what is not there is a 404."""

    url: str
    pages: dict[str, tuple[int, str]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)


@pytest.fixture
def server() -> Iterator[Server]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            found.asked.append(self.path)
            status, text = found.pages.get(self.path, (404, ""))
            self.send_response(status)
            self.send_header("Content-Length", str(len(text.encode())))
            self.end_headers()
            self.wfile.write(text.encode())

        def log_message(self, *_: Any) -> None:
            pass

    listener = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    found = Server(f"http://127.0.0.1:{listener.server_address[1]}")
    thread = threading.Thread(target=listener.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield found
    listener.shutdown()
    thread.join()
    listener.server_close()


@pytest.fixture
def site(database: Database, tmp_path: Path, clock: Clock) -> CatalogSite:
    (tmp_path / "main").mkdir()
    source = {"name": "main", "type": "folder", "path": "main", "paths": ["all.yaml"]}
    return CatalogSite(database, tmp_path, sources=[source], now=clock)


def put(site: CatalogSite, path: str, text: str | None) -> None:
    file = site.base / "main" / path
    file.parent.mkdir(parents=True, exist_ok=True)
    if text is None:
        file.unlink()
    else:
        file.write_text(text)


def location(*targets: str, name: str = "all", **spec: Any) -> str:
    return descriptor(name, "Location", spec={"targets": list(targets), **spec})


def names(site: CatalogSite) -> set[str]:
    return {item.ref.name for item in site.service.find(kind="component")}


def faults(site: CatalogSite, kind: Any = "warning") -> list[tuple[str, str]]:
    return sorted((item.path, item.code) for item in site.service.problems(kind=kind))


def test_relative_targets_globs_chains_and_loops(site: CatalogSite) -> None:
    put(site, "all.yaml", location("./teams/all.yaml", "services/*/catalog-info.yaml"))
    put(site, "teams/all.yaml", location("../all.yaml", "./deep.yaml", "all.yaml", name="teams"))
    put(site, "teams/deep.yaml", location("../a.yaml", name="deep") + "---\n" + descriptor("deep"))
    put(site, "a.yaml", descriptor("a"))
    put(site, "services/x/catalog-info.yaml", descriptor("x"))
    put(site, "services/x/other.yaml", descriptor("unseen"))
    site.read()
    assert names(site) == {"deep", "a", "x"}
    assert faults(site) == []
    put(site, "services/y/catalog-info.yaml", descriptor("y"))
    site.read()
    assert names(site) == {"deep", "a", "x", "y"}
    put(site, "services/x/catalog-info.yaml", None)
    put(site, "teams/deep.yaml", descriptor("deep"))
    site.read()
    assert names(site) == {"deep", "y"}


def test_missing_targets(site: CatalogSite) -> None:
    put(site, "all.yaml", location("./gone.yaml", "./none/*.yaml", "./a.yaml"))
    put(site, "a.yaml", descriptor("a"))
    site.read()
    assert names(site) == {"a"}
    assert faults(site) == [("all.yaml", "target-matches-nothing"), ("all.yaml", "target-missing")]
    [problem, _] = site.service.problems(kind="warning")
    assert str(problem.ref) == "location:default/all"
    assert problem.served
    put(site, "gone.yaml", descriptor("found"))
    put(site, "none/n.yaml", descriptor("n"))
    site.read()
    assert names(site) == {"a", "found", "n"}
    assert faults(site) == []
    put(site, "gone.yaml", None)
    site.read()
    assert names(site) == {"a", "n"}
    assert faults(site) == [("all.yaml", "target-missing")]


def test_optional_targets_may_be_missing(site: CatalogSite) -> None:
    put(site, "all.yaml", location("./gone.yaml", presence="optional"))
    site.read()
    assert faults(site) == []
    put(site, "gone.yaml", descriptor("found"))
    site.read()
    assert names(site) == {"found"}


@pytest.mark.parametrize(
    "target", ["../secret.yaml", "/etc/passwd", "a/../../secret.yaml", "x\\..\\y.yaml", "../*.yaml"]
)
def test_targets_do_not_leave_their_source(site: CatalogSite, target: str) -> None:
    (site.base / "secret.yaml").write_text(descriptor("secret"))
    put(site, "all.yaml", location(target, "./a.yaml"))
    put(site, "a.yaml", descriptor("a", "API", spec={**API, "definition": {"$text": target}}))
    site.read()
    assert site.service.counts() == {"location": 1}
    assert faults(site) == [("all.yaml", "bad-target")]
    assert faults(site, "rejected") == [("a.yaml", "placeholder-bad-target")]


def test_a_placeholder_whose_target_changes(site: CatalogSite) -> None:
    put(site, "all.yaml", descriptor("a", "API", spec={**API, "definition": {"$text": "./a.txt"}}))
    put(site, "a.txt", "first")
    site.read()
    assert definition(site) == "first"
    assert site.read().unchanged
    put(site, "a.txt", "second")
    site.read()
    assert definition(site) == "second"
    put(site, "a.txt", None)
    site.read()
    assert definition(site) == "second"
    assert faults(site, "rejected") == [("all.yaml", "placeholder-target-missing")]
    put(site, "a.txt", "third")
    site.read()
    assert definition(site) == "third"
    assert faults(site, "rejected") == []


def definition(site: CatalogSite) -> Any:
    found = site.get("api:a")
    assert found is not None
    return found.spec["definition"]


def test_a_placeholder_with_a_zero_byte(site: CatalogSite) -> None:
    put(site, "all.yaml", descriptor("a", "API", spec={**API, "definition": {"$text": "./a.txt"}}))
    put(site, "a.txt", "a\0b")
    site.read()
    assert faults(site, "rejected") == [("all.yaml", "bad-character")]


def test_url_targets(site: CatalogSite, server: Server, clock: Clock) -> None:
    put(site, "all.yaml", location(f"{server.url}/a/all.yaml"))
    server.pages["/a/all.yaml"] = (200, location("./b.yaml", "../c.yaml", name="remote"))
    server.pages["/a/b.yaml"] = (200, descriptor("b", title="B"))
    site.read()
    assert names(site) == {"b"}
    assert faults(site, "rejected") == [(f"{server.url}/c.yaml", "location-target-unreadable")]
    before = site.service.generation()
    assert site.read().unchanged
    assert site.service.generation() == before

    # The source itself has not moved: URLs are asked all the same.
    server.pages["/a/b.yaml"] = (200, descriptor("b", title="B2"))
    server.pages["/c.yaml"] = (200, descriptor("c"))
    clock.advance(300)
    assert site.engine.moved() == ["main"]
    assert site.engine.moved() == []
    site.read()
    found = site.get("component:b")
    assert found is not None
    assert found.title == "B2"
    assert names(site) == {"b", "c"}
    assert faults(site, "rejected") == []


@pytest.mark.parametrize("page", [(404, ""), (500, "no"), (200, "a: ["), (401, ""), None])
def test_a_url_target_that_turns_bad(
    site: CatalogSite, server: Server, page: tuple[int, str] | None
) -> None:
    good = location("./b.yaml", name="remote") + "---\n" + descriptor("a")
    put(site, "all.yaml", location(f"{server.url}/all.yaml"))
    server.pages.update({"/all.yaml": (200, good), "/b.yaml": (200, descriptor("b"))})
    site.read()
    assert names(site) == {"a", "b"}
    if page is None:
        put(site, "all.yaml", location(f"{server.url}/all.yaml", f"{server.url}/moved.yaml"))
        page = (302, "")
    server.pages["/all.yaml"] = page
    site.read()
    assert names(site) == {"a", "b"}
    assert len(site.service.problems(kind="rejected", source="main")) >= 1
    generation = site.service.generation()
    site.read()
    assert site.service.generation() == generation
    server.pages["/all.yaml"] = (200, descriptor("a"))
    server.pages["/moved.yaml"] = (200, "")
    site.read()
    assert names(site) == {"a"}
    assert site.service.problems(kind="rejected") == []


def test_an_unreachable_url_target(site: CatalogSite) -> None:
    put(site, "all.yaml", location("http://127.0.0.1:9/x.yaml", "./a.yaml"))
    put(site, "a.yaml", descriptor("a"))
    site.read()
    assert names(site) == {"a"}
    assert faults(site, "rejected") == [("http://127.0.0.1:9/x.yaml", "location-target-unreadable")]
    state = site.service.source("main")
    assert state is not None
    assert state.state == "ok"


def test_hostile_urls(site: CatalogSite) -> None:
    put(
        site,
        "all.yaml",
        location(
            "file:///etc/passwd",
            "http://169.254.169.254/latest/meta-data",
            "http://127.0.0.1:9/" + "".join(chr(0x4E00 + at * 7919 % 20000) for at in range(3000)),
            "http://[::1",
            "gopher://127.0.0.1:9/x",
        ),
    )
    result = site.read()
    assert result.error == ""
    assert site.service.counts() == {"location": 1}
    assert ("all.yaml", "bad-target") in faults(site)
    assert len(faults(site, "rejected")) == 4


def test_a_placeholder_behind_a_url(site: CatalogSite, server: Server) -> None:
    spec = {**API, "definition": {"$text": f"{server.url}/a.txt"}}
    put(site, "all.yaml", descriptor("a", "API", spec=spec))
    server.pages["/a.txt"] = (200, "first")
    site.read()
    assert definition(site) == "first"
    server.pages["/a.txt"] = (200, "second")
    site.read()
    assert definition(site) == "second"
    server.pages["/a.txt"] = (503, "")
    site.read()
    assert definition(site) == "second"
    assert faults(site, "rejected") == [("all.yaml", "placeholder-unreadable")]


def test_a_url_as_a_source(database: Database, tmp_path: Path, server: Server) -> None:
    source = {"name": "web", "type": "url", "url": f"{server.url}/a/all.yaml"}
    site = CatalogSite(database, tmp_path, sources=[source])
    site.read()
    state = site.service.source("web")
    assert state is not None
    assert (state.state, "404" in str(state.error)) == ("failing", True)
    first = descriptor("a") + "---\n" + location("b.yaml")
    server.pages["/a/all.yaml"] = (200, first)
    server.pages["/a/b.yaml"] = (200, descriptor("b"))
    site.read()
    assert names(site) == {"a", "b"}
    state = site.service.source("web")
    assert state is not None
    assert (state.state, state.error, state.failing_since) == ("ok", "", None)
    generation = site.service.generation()
    assert site.read().unchanged
    assert site.service.generation() == generation
    server.pages["/a/all.yaml"] = (500, "")
    site.read()
    assert names(site) == {"a", "b"}

    # Two runs that cross each other never take an empty answer for the file.
    server.pages["/a/all.yaml"] = (200, first.replace('"a"', '"c"'))
    reader = site.engine.sources["web"].reader
    version = reader.version("")
    assert list(reader.snapshot(version).files) == [f"{server.url}/a/all.yaml"]
    second = reader.snapshot(version)
    assert dict(second.read(second.files))[f"{server.url}/a/all.yaml"] != b""
