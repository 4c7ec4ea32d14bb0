"""Registered locations: read with conditions, several at once, each at its own risk."""

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from location_servers import (
    GitHost,
    Page,
    WebServer,
    git_host,
    nobody_listening,
    web_server,
)

from callboard import events
from callboard.database import Database
from callboard.entities import EntityRef
from callboard.errors import ConflictError, InputError, NotFoundError
from callboard.repositories.pushed import Pushed
from callboard.testing import Clock
from callboard_catalog.locations.analysis import analyse
from callboard_catalog.locations.model import location_ref
from callboard_catalog.locations.preview import preview
from callboard_catalog.problems import Problem
from callboard_catalog.testing import CatalogSite, descriptor

REGISTERED = "registered"


@pytest.fixture
def web() -> Iterator[WebServer]:
    with web_server() as server:
        yield server


@pytest.fixture
def host(tmp_path: Path) -> Iterator[GitHost]:
    with git_host(tmp_path / "host") as made:
        yield made


@pytest.fixture
def site(database: Database, tmp_path: Path, clock: Clock) -> CatalogSite:
    return CatalogSite(database, tmp_path, now=clock)


def location(*targets: str, **spec: Any) -> str:
    spec = {"type": "url", "targets": list(targets), **spec}
    return descriptor("more", kind="Location", spec=spec)


def names(site: CatalogSite) -> set[str]:
    return {item.ref.name for item in site.service.find(kind="component")}


def rejected(site: CatalogSite) -> list[Problem]:
    return list(site.service.problems(source=REGISTERED, kind="rejected"))


def problems(site: CatalogSite) -> list[tuple[str, str]]:
    return [(item.path, item.code) for item in rejected(site)]


def told(site: CatalogSite, kind: str) -> list[str]:
    with site.database.read() as connection:
        return [item.subject for item in events.read(connection, 0, kinds=[kind])]


def test_a_location_and_what_it_leads_to(site: CatalogSite, web: WebServer) -> None:
    assert REGISTERED not in site.engine.sources
    assert site.service.source(REGISTERED) is None
    url = web.put("/a/all.yaml", descriptor("a") + "---\n" + location("./b.yaml", "/c.yaml"))
    web.put("/a/b.yaml", descriptor("b"))
    web.put("/c.yaml", descriptor("c"))
    made = site.locations.add("url", url)
    assert made.ref == location_ref(f"url:{url}")
    assert told(site, "catalog.location.created") == [made.ref]
    site.read()
    assert names(site) == {"a", "b", "c"}
    own = site.get(made.ref)
    assert own is not None
    assert own.spec == {"type": "url", "target": url}
    assert own.annotations["backstage.io/managed-by-location"] == f"url:{url}"
    last = site.get("component:c")
    assert last is not None
    assert last.annotations["backstage.io/managed-by-location"] == f"url:{web.url}/c.yaml"
    assert last.annotations["backstage.io/managed-by-origin-location"] == f"url:{url}"
    for ref in ("component:a", "component:c", made.ref):
        assert site.locations.of_entity(EntityRef.parse(ref)) == made
    assert site.locations.of_entity(EntityRef.parse("component:none")) is None
    state = site.service.source(REGISTERED)
    assert state is not None
    assert (state.type, state.state) == ("locations", "ok")


def test_what_has_not_changed_is_not_sent_and_nothing_is_written(
    site: CatalogSite, web: WebServer
) -> None:
    for number in range(3):
        site.locations.add("url", web.put(f"/{number}.yaml", descriptor(f"c{number}")))
    site.read()
    web.seen.clear()
    generation = site.service.generation()
    assert site.read().unchanged
    assert site.service.generation() == generation
    assert sorted(path for path, _ in web.seen) == ["/0.yaml", "/1.yaml", "/2.yaml"]
    assert all(condition for _, condition in web.seen)
    web.put("/1.yaml", descriptor("changed"))
    site.read()
    assert names(site) == {"c0", "changed", "c2"}
    # What is not sent any more is asked for again when it must be read anew.
    site.configure(limits={"depth": 65})
    site.read()
    assert names(site) == {"c0", "changed", "c2"}


def test_addresses_are_asked_several_at_once(site: CatalogSite, web: WebServer) -> None:
    for number in range(4):
        site.locations.add("url", web.put(f"/{number}.yaml", descriptor(f"c{number}")))
    web.together = threading.Barrier(4)
    site.read()
    assert names(site) == {"c0", "c1", "c2", "c3"}


@pytest.mark.parametrize(
    "fault",
    [
        Page(b"broken", 500),
        Page(b"gone", 404),
        Page(b"secret", 403),
        Page(b"", 302, {"Location": "/a.yaml"}),
        Page(b"# " + b"x" * 40_000),
        Page(b"kind: [", 200),
        Page(b"kind: Component\n", 200),
    ],
    ids=["500", "404", "403", "redirects", "too large", "no yaml", "no entity"],
)
def test_one_that_fails_costs_only_itself(
    site: CatalogSite, web: WebServer, clock: Clock, fault: Page
) -> None:
    site.configure(limits={"file_size": "32KiB"})
    for name in ("a", "b"):
        site.locations.add("url", web.put(f"/{name}.yaml", descriptor(name)))
    site.read()
    good = web.pages["/a.yaml"]
    web.pages["/a.yaml"] = fault
    web.put("/b.yaml", descriptor("b2"))
    clock.advance(60)
    began = clock()
    site.read()
    assert names(site) == {"a", "b2"}
    found = rejected(site)[0]
    assert found.path == f"{web.url}/a.yaml"
    assert found.since == began
    clock.advance(60)
    site.read()
    assert {item.since for item in rejected(site)} == {began}
    web.pages["/a.yaml"] = good
    site.read()
    assert problems(site) == []
    assert names(site) == {"a", "b2"}


def test_a_host_that_is_not_there_is_left_alone_after_some_attempts(
    site: CatalogSite, web: WebServer
) -> None:
    with nobody_listening() as address:
        # More than are asked at once and fail before it is noticed, however they overlap.
        targets = [f"{address}/{number}.yaml" for number in range(20)]
        everything = descriptor("a") + "---\n" + location(*targets)
        site.locations.add("url", web.put("/all.yaml", everything))
        site.read()
    assert names(site) == {"a"}
    assert len(problems(site)) == 20
    said = [str(item.message) for item in rejected(site)]
    assert any("left alone" in text for text in said)


def test_an_optional_target_may_be_missing(site: CatalogSite, web: WebServer) -> None:
    text = descriptor("a") + "---\n" + location("./none.yaml", presence="optional")
    site.locations.add("url", web.put("/all.yaml", text))
    site.read()
    assert names(site) == {"a"}
    assert problems(site) == []


def test_removing_takes_out_what_it_gave(site: CatalogSite, web: WebServer) -> None:
    first, second = (
        site.locations.add("url", web.put(f"/{name}.yaml", descriptor(name))) for name in "ab"
    )
    site.read()
    site.locations.remove(first.id)
    site.read()
    assert names(site) == {"b"}
    assert site.get(first.ref) is None
    with pytest.raises(NotFoundError):
        site.locations.remove(first.id)
    site.locations.remove(second.id)
    assert told(site, "catalog.location.deleted") == [first.ref, second.ref]
    # The read that was asked for finds nothing registered any more.
    site.read(REGISTERED)
    assert names(site) == set()
    assert site.service.source(REGISTERED) is None
    again = site.locations.add("url", f"{web.url}/a.yaml")
    assert again.ref == first.ref
    site.read()
    assert names(site) == {"a"}


def test_a_location_that_leads_elsewhere_keeps_its_name(site: CatalogSite, web: WebServer) -> None:
    made = site.locations.add("url", web.put("/a.yaml", descriptor("a")))
    other = site.locations.add("url", web.put("/b.yaml", descriptor("b")))
    site.read()
    with pytest.raises(ConflictError):
        site.locations.change(made.id, "url", other.target)
    changed = site.locations.change(made.id, "url", web.put("/c.yaml", descriptor("c")))
    assert (changed.ref, changed.id) == (made.ref, made.id)
    site.read()
    assert names(site) == {"b", "c"}
    assert site.locations.of_entity(EntityRef.parse("component:c")) == changed
    # Its first target may be registered again, under another name.
    again = site.locations.add("url", made.target)
    assert again.ref != made.ref
    site.read()
    assert names(site) == {"a", "b", "c"}
    assert site.get(again.ref) is not None


def test_two_ways_to_one_file(site: CatalogSite, web: WebServer) -> None:
    text = descriptor("a") + "---\n" + location("/b.yaml")
    first = site.locations.add("url", web.put("/all.yaml", text))
    second = site.locations.add("url", web.put("/b.yaml", descriptor("b")))
    site.read()
    assert names(site) == {"a", "b"}
    site.locations.remove(first.id)
    site.read()
    assert names(site) == {"b"}
    assert site.locations.of_entity(EntityRef.parse("component:b")) == second


@pytest.mark.parametrize(
    ("kind", "target", "said"),
    [
        ("file", "/etc/passwd", "type"),
        ("https", "//example.com/a.yaml", "url"),
        ("url", "javascript:alert(1)", "script"),
        ("url", " java\nscript:alert(1)", "script"),
        ("url", "ftp://example.com/a.yaml", "address"),
        ("url", "https://", "address"),
        ("url", "https://a:b@example.com/a.yaml", "git.credentials"),
        ("url", "https://example.com/" + "x" * 2_000, "longer"),
        ("url", "http://169.254.169.254/latest/meta-data", "http.allow_hosts"),
        ("url", "https://[::1]:99999/a.yaml", "address"),
        ("url", 7, "text"),
    ],
)
def test_what_may_not_be_registered(
    site: CatalogSite, kind: str, target: object, said: str
) -> None:
    with pytest.raises(InputError) as caught:
        site.locations.add(kind, target)
    assert said in str(caught.value)
    assert site.locations.all() == []


def test_private_hosts_are_for_the_settings_to_allow(
    database: Database, tmp_path: Path, web: WebServer
) -> None:
    closed = CatalogSite(database, tmp_path, http={"allow_private": False})
    with pytest.raises(InputError, match=r"git\.allow_hosts"):
        closed.locations.add("url", f"{web.url}/a.yaml")
    assert web.seen == []


# Through Git


@pytest.fixture
def hosted(database: Database, tmp_path: Path, clock: Clock, host: GitHost) -> CatalogSite:
    return CatalogSite(database, tmp_path, now=clock, **host.settings)


def test_a_file_of_a_git_host_is_read_through_git(hosted: CatalogSite, host: GitHost) -> None:
    text = descriptor("a") + "---\n" + location("./parts/b.yaml", "./services/**/info.yaml")
    host.commit(
        {
            "catalog-info.yaml": text,
            "parts/b.yaml": descriptor("b"),
            "services/x/info.yaml": descriptor("x"),
            "services/y/z/info.yaml": descriptor("y"),
        }
    )
    made = hosted.locations.add("url", host.page("catalog-info.yaml"))
    hosted.read()
    assert names(hosted) == {"a", "b", "x", "y"}
    found = hosted.get("component:y")
    assert found is not None
    page = host.page("services/y/z/info.yaml")
    assert found.annotations["backstage.io/managed-by-location"] == f"url:{page}"
    assert found.annotations["backstage.io/managed-by-origin-location"] == made.text
    assert found.annotations["backstage.io/view-url"] == page
    assert found.annotations["backstage.io/edit-url"] == page.replace("/blob/", "/edit/")
    # Nothing moved: no objects are fetched, nothing is written.
    packs, generation = host.server.packs, hosted.service.generation()
    assert hosted.read().unchanged
    assert (host.server.packs, hosted.service.generation()) == (packs, generation)
    host.commit({"services/x/info.yaml": None, "parts/b.yaml": descriptor("b2")})
    hosted.read()
    assert names(hosted) == {"a", "b2", "y"}
    # A host that does not answer takes nothing away, not even what a pattern meant.
    host.server.status = 503
    hosted.read()
    assert names(hosted) == {"a", "b2", "y"}
    host.server.status = 0
    hosted.read()
    assert problems(hosted) == []


def test_branches_with_slashes_and_files_that_are_not_there(
    hosted: CatalogSite, host: GitHost
) -> None:
    host.commit({"catalog-info.yaml": descriptor("a")})
    host.commit({"catalog-info.yaml": descriptor("other")}, "feature/one")
    hosted.locations.add("url", host.page("catalog-info.yaml", "feature/one"))
    hosted.locations.add("url", host.page("catalog-info.yaml", "HEAD"))
    hosted.locations.add("url", host.page("none.yaml"))
    hosted.locations.add("url", host.page("catalog-info.yaml", "none"))
    hosted.read()
    assert names(hosted) == {"a", "other"}
    assert {path for path, _ in problems(hosted)} == {
        host.page("none.yaml"),
        host.page("catalog-info.yaml", "none"),
    }


def test_a_push_concerns_what_is_registered_of_the_repository(
    hosted: CatalogSite, host: GitHost
) -> None:
    hosted.locations.add("url", host.page("catalog-info.yaml"))
    reader: Any = hosted.engine.registered.reader
    own = Pushed(addresses=(f"{host.repository}.git",), branch="main")
    assert reader.follows(own)
    assert not reader.follows(Pushed(addresses=own.addresses, branch="other"))
    assert not reader.follows(Pushed(addresses=("https://example.com/a/b",), branch="main"))


# Looking first


def test_a_preview_reads_and_writes_nothing(site: CatalogSite, web: WebServer) -> None:
    site.locations.add("url", web.put("/held.yaml", descriptor("held")))
    site.read()
    generation = site.service.generation()
    text = "\n---\n".join(
        [descriptor("new"), descriptor("held"), descriptor("Bad name"), location("./none.yaml")]
    )
    found = preview(site.engine, "url", web.put("/all.yaml", text))
    assert [(item.ref, item.held_by) for item in found.entities] == [
        ("component:default/new", ""),
        ("component:default/held", ""),
        ("location:default/more", ""),
    ]
    assert [(item.path.rpartition("/")[2], item.line > 1) for item in found.errors] == [
        ("all.yaml", True),
        ("none.yaml", False),
    ]
    assert site.service.generation() == generation


def test_a_preview_tells_who_holds_a_name(database: Database, tmp_path: Path) -> None:
    (tmp_path / "shop").mkdir()
    (tmp_path / "shop/catalog-info.yaml").write_text(descriptor("held"))
    shop = {"name": "shop", "type": "folder", "path": "shop"}
    site = CatalogSite(database, tmp_path, sources=[shop])
    site.read()
    with web_server() as web:
        found = preview(site.engine, "url", web.put("/a.yaml", descriptor("held")))
    assert [item.held_by for item in found.entities] == ["shop"]


def test_analysis(hosted: CatalogSite, host: GitHost) -> None:
    host.commit({"README.md": "Orders"})
    found = analyse(hosted.engine, hosted.service, host.repository)
    assert found.existing == ()
    assert found.suggested is not None
    assert found.suggested["metadata"]["name"] == "orders"
    assert found.suggested["spec"] == {"type": "other", "lifecycle": "unknown"}
    host.commit({"catalog-info.yaml": descriptor("a"), "x/catalog-info.yaml": descriptor("b")})
    page = host.page("catalog-info.yaml")
    hosted.locations.add("url", page)
    hosted.read()
    found = analyse(hosted.engine, hosted.service, page)
    assert [(item.target, item.registered) for item in found.existing] == [(page, True)]
    with pytest.raises(InputError, match=r"git\.allow_hosts"):
        analyse(hosted.engine, hosted.service, "https://github.com/none/such")
