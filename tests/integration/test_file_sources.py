"""Sources of plugins that list files: only what is new is read, and nothing leads to another root.

The plugin of these tests is what a stranger would write for a host of their own: it uses the
contract alone.
"""

import hashlib
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import pytest

from callboard.contributions import FileSource, SourceContext, SourceFile, Sources
from callboard.database import Database
from callboard.errors import NotReadyError
from callboard.host import Host
from callboard.plugins import Contributed, Contributions
from callboard_catalog.testing import CatalogSite, descriptor

API = descriptor("api", "API", spec={"type": "openapi", "lifecycle": "x", "owner": "team"})


class Shelf:
    """Two repositories, `shop/orders` and `shop/stock`, as a file source lists them."""

    def __init__(self) -> None:
        self.contents: dict[str, bytes] = {}
        self.more: dict[str, dict[str, Any]] = {}
        self.reads: list[list[str]] = []
        self.versions: list[str] = []
        self.extra: list[tuple[str, bytes]] = []
        self.failure: Exception | None = None

    def put(self, path: str, text: str, **more: Any) -> None:
        self.contents[path] = text.encode()
        self.more[path] = more

    def list(self, context: SourceContext) -> Iterable[SourceFile]:
        for path, content in self.contents.items():
            given = {
                "version": hashlib.sha256(content).hexdigest(),
                "size": len(content),
                "descriptor": path.endswith("catalog-info.yaml"),
                "root": "/".join(path.split("/")[:2]),
                "location": f"url:https://git.example.com/{path}",
                "view_url": f"https://git.example.com/view/{path}",
                **self.more[path],
            }
            yield SourceFile(path=path, **given)

    def read(
        self, context: SourceContext, files: Sequence[SourceFile]
    ) -> Iterable[tuple[str, bytes]]:
        self.reads.append(sorted(file.path for file in files))
        if self.failure:
            raise self.failure
        yield from self.extra
        for file in files:
            if file.path in self.contents:
                yield file.path, self.contents[file.path]

    def version(self, context: SourceContext) -> str:
        self.versions.append(context.version)
        listed = [(file.path, file.version, file.annotations) for file in self.list(context)]
        return hashlib.sha256(repr(listed).encode()).hexdigest()


@pytest.fixture
def shelf() -> Shelf:
    return Shelf()


@pytest.fixture
def site(database: Database, tmp_path: Path, shelf: Shelf) -> CatalogSite:
    source = FileSource(
        name="shelf", title="Shelf", list=shelf.list, read=shelf.read, version=shelf.version
    )
    contributed = Contributions(entity_sources=(Contributed("hello", source),))
    return CatalogSite(database, tmp_path, contributions=contributed)


def names(site: CatalogSite) -> list[str]:
    return sorted(item.ref.name for item in site.service.find())


def codes(site: CatalogSite) -> list[str]:
    listed = (site.service.problems(kind=kind) for kind in ("rejected", "warning"))
    return sorted(item.code for items in listed for item in items)


def test_only_what_is_new_is_read(site: CatalogSite, shelf: Shelf) -> None:
    shelf.put("shop/orders/catalog-info.yaml", descriptor("orders"))
    shelf.put("shop/stock/catalog-info.yaml", descriptor("stock"))
    shelf.put("shop/stock/README.md", "no descriptor")
    site.read()
    assert names(site) == ["orders", "stock"]
    assert shelf.reads == [["shop/orders/catalog-info.yaml", "shop/stock/catalog-info.yaml"]]
    assert site.read().unchanged
    assert len(shelf.reads) == 1
    assert shelf.versions[0] == "" != shelf.versions[1]
    shelf.put("shop/stock/catalog-info.yaml", descriptor("stock", title="Stock"))
    site.read()
    assert shelf.reads[1:] == [["shop/stock/catalog-info.yaml"]]
    del shelf.contents["shop/orders/catalog-info.yaml"]
    site.read()
    assert names(site) == ["stock"]
    assert len(shelf.reads) == 2


def test_annotations_of_a_file_are_those_of_its_entities(site: CatalogSite, shelf: Shelf) -> None:
    slug = "git.example.com/project-slug"
    own = {slug: "own/one", "backstage.io/managed-by-location": "url:https://elsewhere.example"}
    shelf.put(
        "shop/orders/catalog-info.yaml",
        f"{descriptor('orders')}---\n{descriptor('mine', annotations={slug: 'written/here'})}",
        annotations={"git.example.com/project-slug": "shop/orders"},
    )
    shelf.put("shop/stock/catalog-info.yaml", descriptor("stock"))
    site.read()

    def slugs() -> dict[str, str]:
        return {item.ref.name: item.annotations.get(slug, "") for item in site.service.find()}

    assert slugs() == {"mine": "written/here", "orders": "shop/orders", "stock": ""}
    before = len(shelf.reads)
    # Other annotations are news, although the file is the same; those of the catalog stay its own.
    shelf.more["shop/orders/catalog-info.yaml"] = {"annotations": own}
    site.read()
    assert len(shelf.reads) == before + 1
    assert slugs() == {"mine": "written/here", "orders": "own/one", "stock": ""}
    orders = site.get("component:default/orders")
    assert orders
    assert "elsewhere" not in orders.annotations["backstage.io/managed-by-location"]


@pytest.mark.parametrize(
    "annotations", [{"not a key": "x"}, {"a.example/b": "two\nlines"}, {"a.example/b": 3}]
)
def test_annotations_no_entity_may_have_are_told(
    site: CatalogSite, shelf: Shelf, annotations: Any
) -> None:
    shelf.put("shop/orders/catalog-info.yaml", descriptor("orders"), annotations=annotations)
    assert "which no entity may have" in str(site.read().error)


def test_links_are_those_of_the_source(site: CatalogSite, shelf: Shelf) -> None:
    shelf.put(
        "shop/orders/catalog-info.yaml",
        descriptor("orders"),
        edit_url="https://git.example.com/edit",
        source_url="https://git.example.com/shop/orders/",
    )
    shelf.put("shop/stock/catalog-info.yaml", descriptor("stock"), location="", view_url="")
    site.read()
    orders, stock = (site.get(f"component:default/{name}") for name in ("orders", "stock"))
    assert orders
    assert stock
    found = {key.partition("/")[2]: value for key, value in orders.annotations.items()}
    assert found == {
        "managed-by-location": "url:https://git.example.com/shop/orders/catalog-info.yaml",
        "managed-by-origin-location": "url:https://git.example.com/shop/orders/catalog-info.yaml",
        "view-url": "https://git.example.com/view/shop/orders/catalog-info.yaml",
        "edit-url": "https://git.example.com/edit",
        "source-location": "url:https://git.example.com/shop/orders/",
    }
    location = stock.annotations["backstage.io/managed-by-location"]
    assert location == "hello:shelf/shop/stock/catalog-info.yaml"


def test_locations_and_placeholders_stay_in_their_repository(
    site: CatalogSite, shelf: Shelf
) -> None:
    shelf.put("shop/stock/secret.yaml", descriptor("secret"))
    shelf.put("shop/stock/secret.txt", "secret")
    shelf.put("shop/orders/more/a.yaml", descriptor("a"))
    shelf.put("shop/orders/openapi.yaml", "openapi: 3.0.0\n")
    spec = {"targets": ["./more/*.yaml", "../stock/secret.yaml", "../*/secret.yaml"]}
    shelf.put("shop/orders/catalog-info.yaml", descriptor("all", "Location", spec=spec))
    good = API.replace('"owner"', '"definition": {"$text": "./openapi.yaml"}, "owner"')
    bad = good.replace('"api"', '"bad"').replace("./openapi.yaml", "../stock/secret.txt")
    shelf.put("shop/orders/a/catalog-info.yaml", good.replace("./openapi", "../openapi"))
    shelf.put("shop/orders/b/catalog-info.yaml", bad.replace("../stock", "../../stock"))
    site.read()
    assert names(site) == ["a", "all", "api"]
    assert codes(site) == [
        "placeholder-target-missing", "target-matches-nothing", "target-missing",
    ]  # fmt: skip
    assert all("shop/stock/secret.txt" not in read for read in shelf.reads)
    api = site.get("api:default/api")
    assert api
    assert api.spec["definition"] == "openapi: 3.0.0\n"
    shelf.put("shop/orders/openapi.yaml", "openapi: 3.1.0\n")
    shelf.reads.clear()
    site.read()
    api = site.get("api:default/api")
    assert api
    assert api.spec["definition"] == "openapi: 3.1.0\n"
    assert shelf.reads == [["shop/orders/a/catalog-info.yaml"], ["shop/orders/openapi.yaml"]]


def test_what_cannot_be_read(site: CatalogSite, shelf: Shelf) -> None:
    shelf.put("shop/orders/catalog-info.yaml", descriptor("orders"))
    shelf.put("shop/stock/catalog-info.yaml", descriptor("stock"), fault="It is a link.")
    shelf.put("shop/huge/catalog-info.yaml", descriptor("huge"), size=10**9)
    shelf.extra = [("shop/other/catalog-info.yaml", b"kind: x"),
                   ("shop/stock/catalog-info.yaml", b"kind: y")]  # fmt: skip
    site.read()
    assert names(site) == ["orders"]
    assert codes(site) == ["file-unreadable", "too-large"]
    shelf.failure = NotReadyError("The budget is used up until noon.")
    shelf.put("shop/orders/catalog-info.yaml", descriptor("orders", title="Orders"))
    assert site.read().error == "The budget is used up until noon."
    assert names(site) == ["orders"]
    shelf.failure = None
    assert not site.read().error


@pytest.mark.parametrize(
    ("path", "root"),
    [("../x.yaml", ""), ("/x.yaml", ""), ("a//x.yaml", ""), ("a\\x", ""), ("a\0", ""), ("", ""),
     ("a/x.yaml", "b"), ("ab/x.yaml", "a")],
)  # fmt: skip
def test_paths_that_are_none(site: CatalogSite, shelf: Shelf, path: str, root: str) -> None:
    shelf.put("shop/orders/catalog-info.yaml", descriptor("orders"))
    site.read()
    shelf.put(path, "", root=root)
    assert "The source lists" in site.read().error
    assert names(site) == ["orders"]


def test_a_file_that_moves_keeps_its_entity(site: CatalogSite, shelf: Shelf) -> None:
    shelf.put("shop/orders/catalog-info.yaml", descriptor("orders"))
    site.read()
    before = site.get("component:default/orders")
    shelf.put("sales/orders/catalog-info.yaml", descriptor("orders"))
    del shelf.contents["shop/orders/catalog-info.yaml"]
    site.read()
    after = site.get("component:default/orders")
    assert before
    assert after
    assert before.uid == after.uid
    assert "sales" in after.annotations["backstage.io/managed-by-location"]
    assert not site.service.problems(kind="rejected")


def test_sources_by_settings(database: Database, tmp_path: Path, shelf: Shelf) -> None:
    def made(host: Host) -> list[FileSource]:
        names = [f"{host.plugin}-{number}" for number in range(2)]
        return [
            FileSource(name=name, title=name, list=shelf.list, read=shelf.read) for name in names
        ]

    contributed = Contributions(entity_sources=(Contributed("hello", Sources(sources=made)),))
    site = CatalogSite(database, tmp_path, contributions=contributed)
    assert list(site.engine.sources) == ["hello.hello-0", "hello.hello-1"]
    shelf.put("shop/orders/catalog-info.yaml", descriptor("orders"))
    site.read("hello.hello-1")
    assert names(site) == ["orders"]
    assert site.read("hello.hello-1").unchanged
