"""The plugin in a running portal, over real repositories."""

import os
import re
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import event, select

from callboard.contributions import ActivityContext, Event
from callboard.identity import ANONYMOUS
from callboard.testing import Clock
from callboard_docs import models, store
from callboard_docs.metrics import count_sites
from callboard_docs.refresh import read_site
from callboard_docs.search import read_sections
from callboard_docs.views import describe_events
from callboard_web.app import create_app
from callboard_web.testing import PortalUnderTest

TAB = "/catalog/default/component/order/docs"
ENTITY = """\
apiVersion: backstage.io/v1alpha1
kind: Component
metadata:
  name: order
  title: 订单服务
  annotations:
    backstage.io/source-location: url:{url}
    backstage.io/techdocs-ref: dir:.
spec: {{type: service, lifecycle: production, owner: trade}}
"""
SITE = {
    "mkdocs.yml": """\
site_name: Order service
nav:
  - Start: index.md
  - Guides:
      - guide/install.md
      - Away: https://example.com/x
  - Lost: lost.md
""",
    "docs/index.md": "# Welcome\n\n[Install](guide/install.md#steps) [bad](nowhere.md)\n\n"
    "![Plan](img/plan.svg)\n\n[code](../src/main.py)\n",
    "docs/guide/install.md": "# Install it\n\n## Steps\n\nRun 安装命令 now. <script>x()</script>\n",
    "docs/hidden.md": "# Hidden page\n\n!!! note\n    Mind this.\n",
    "docs/img/plan.svg": '<svg xmlns="http://www.w3.org/2000/svg"><script>x()</script></svg>',
    "src/main.py": "x = 1\n",
}


@dataclass
class Origin:
    """A repository on this machine that commits are made in."""

    path: Path

    def git(self, *arguments: str) -> str:
        environment = {"PATH": os.environ["PATH"], "GIT_CONFIG_GLOBAL": os.devnull,
                       "GIT_CONFIG_SYSTEM": os.devnull}  # fmt: skip
        for role in ("AUTHOR", "COMMITTER"):
            environment |= {f"GIT_{role}_NAME": "李雷", f"GIT_{role}_EMAIL": "li@example.com"}
            environment[f"GIT_{role}_DATE"] = "2026-03-01T08:00:00Z"
        return subprocess.run(
            ["git", "-C", str(self.path), *arguments],
            check=True, capture_output=True, text=True, env=environment,
        ).stdout  # fmt: skip

    def commit(self, files: Mapping[str, str | None]) -> None:
        for name, text in files.items():
            path = self.path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            if text is None:
                path.unlink()
            else:
                path.write_text(text, encoding="utf-8")
        self.git("add", "-A")
        self.git("commit", "-q", "-m", "Write")


@pytest.fixture
def origin(tmp_path: Path) -> Origin:
    made = Origin(tmp_path / "repositories" / "shop")
    made.path.mkdir(parents=True)
    made.git("init", "-q", "-b", "main")
    made.commit(SITE)
    return made


@pytest.fixture
def portal_plugins() -> Sequence[str]:
    return ["docs"]


@pytest.fixture
def portal_settings(tmp_path: Path) -> Mapping[str, Any]:
    return {"git": {"allow_local": [str(tmp_path / "repositories")]}}


@pytest.fixture
def shop(portal: PortalUnderTest, origin: Origin) -> PortalUnderTest:
    """Give a portal that has read the documentation."""
    portal.catalog_add(ENTITY.format(url=origin.path.as_uri()))
    portal.run_jobs()
    portal.run_jobs()
    return portal


def test_a_page_with_its_tree_and_links(shop: PortalUnderTest) -> None:
    page = shop.client.get(TAB).text
    assert '<h2 id="doc-welcome">Welcome</h2>' in page
    assert f'<a href="{TAB}/guide/install#doc-steps">Install</a>' in page
    assert '<a class="broken" title="This link leads nowhere.">bad</a>' in page
    assert "Changed by 李雷" in page
    tree = page[page.index('id="doc-tree"') : page.index('class="doc-main"')]
    assert tree.index("Start") < tree.index("Guides") < tree.index("Away")
    assert "Hidden" not in tree


def read(portal: PortalUnderTest) -> None:
    """Read all documentation again, as the schedule does."""
    portal.host("docs").submit("refresh")
    portal.run_jobs()


def digests(portal: PortalUnderTest) -> dict[str, str]:
    with portal.host("docs").read() as connection:
        rows = connection.execute(select(models.page.c.path, models.page.c.digest)).all()
    return {row.path: row.digest for row in rows}


def renditions(portal: PortalUnderTest) -> int:
    with portal.host("docs").read() as connection:
        return len(connection.execute(select(models.rendition.c.digest)).all())


def test_a_page_that_no_navigation_names_is_reached_and_listed(shop: PortalUnderTest) -> None:
    page = shop.client.get(f"{TAB}/hidden").text
    assert "Mind this." in page
    assert '<p class="adm-t">Note</p>' in page
    pages = shop.client.get(f"{TAB}?show=pages").text
    assert pages.index("Start") < pages.index("Install it") < pages.index("Hidden page")
    assert pages.count("not in the navigation") == 1


@pytest.mark.parametrize(
    "address", ["guide/install", "guide/install/", "guide/install.md", "guide/install.html"]
)
def test_a_page_has_the_addresses_other_tools_give_it(shop: PortalUnderTest, address: str) -> None:
    page = shop.client.get(f"{TAB}/{address}")
    assert page.status_code == 200
    assert '<h2 id="doc-install-it">' in page.text
    assert 'rel="prev"' in page.text
    assert "<script>x" not in page.text


@pytest.mark.parametrize(
    "address", ["nothing", "../../../etc/passwd", "%00", "guide", "img/plan.svg"]
)
def test_what_is_no_page_is_not_found(shop: PortalUnderTest, address: str) -> None:
    assert shop.client.get(f"{TAB}/{address}").status_code == 404


def test_pictures_are_served_from_the_commit_and_can_do_nothing(shop: PortalUnderTest) -> None:
    page = shop.client.get(TAB).text
    found = re.search(r'<img src="(/api/plugins/docs/files/\d+/[0-9a-f]+\.svg)" alt="Plan"', page)
    assert found is not None
    answer = shop.client.get(found[1])
    assert answer.headers["content-type"] == "image/svg+xml"
    assert "sandbox" in answer.headers["content-security-policy"]
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "immutable" in answer.headers["cache-control"]
    again = shop.client.get(found[1], headers={"if-none-match": answer.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    base, name = found[1].rsplit("/", 1)
    for wrong in (f"{base}9/{name}", f"{base}/{name}x", f"{base}/{name.replace('.svg', '.png')}",
                  f"{base}/..%2f..%2fetc%2fpasswd", f"{base}/{'0' * 40}.png"):  # fmt: skip
        assert shop.client.get(wrong).status_code == 404


def test_what_is_wrong_is_listed_with_its_page(shop: PortalUnderTest) -> None:
    page = shop.client.get(f"{TAB}?show=problems").text
    assert "nowhere.md" in page
    assert "lost.md" in page
    assert "docs/index.md" in page
    assert "2" in re.findall(r'class="cnt">(\d+)<', page)


def test_search_within_finds_passages(shop: PortalUnderTest) -> None:
    page = shop.client.get(f"{TAB}?q=安装命令").text
    assert f"{TAB}/guide/install#doc-steps" in page
    assert "<mark>安装命令</mark>" in page
    assert "Nothing found" in shop.client.get(f"{TAB}?q=absent%25_").text
    assert "&lt;b&gt;" in shop.client.get(f"{TAB}?q=<b>").text


def test_search_across_finds_passages(shop: PortalUnderTest, clock: Clock) -> None:
    clock.advance(timedelta(minutes=20))
    shop.run_jobs()
    found = list(read_sections(shop.host("docs")))
    assert {document.path for document in found} >= {
        f"{TAB}#doc-welcome", f"{TAB}/guide/install#doc-steps", f"{TAB}/hidden#doc-hidden-page",
    }  # fmt: skip
    assert len({document.key for document in found}) == len(found)
    assert f"{TAB}/guide/install#doc-steps" in shop.client.get("/search?q=安装命令").text


def test_only_what_changed_is_rendered_again(shop: PortalUnderTest, origin: Origin) -> None:
    before, count = digests(shop), renditions(shop)
    origin.commit(
        {"docs/guide/install.md": "# Install it anew\n", "docs/moved.md": SITE["docs/hidden.md"]}
    )
    read(shop)
    after = digests(shop)
    assert {path for path in after if after[path] != before.get(path)} == {
        "docs/guide/install.md", "docs/moved.md",
    }  # fmt: skip
    # What was moved or copied says the same, and is not rendered a second time.
    assert renditions(shop) == count + 1
    assert "Install it anew" in shop.client.get(f"{TAB}/guide/install").text


def test_links_follow_pages_that_come_and_go(shop: PortalUnderTest, origin: Origin) -> None:
    origin.commit({"docs/nowhere.md": "# Here now\n", "docs/guide/install.md": None})
    read(shop)
    page = shop.client.get(TAB).text
    assert f'<a href="{TAB}/nowhere">bad</a>' in page
    assert '<a class="broken" title="This link leads nowhere.">Install</a>' in page
    assert shop.client.get(f"{TAB}/guide/install").status_code == 404


def test_pages_may_exchange_their_addresses(shop: PortalUnderTest, origin: Origin) -> None:
    origin.commit({"docs/guide.md": "# One\n", "docs/guide/index.md": "# Two\n"})
    read(shop)
    assert "Two" in shop.client.get(f"{TAB}/guide").text
    origin.commit({"docs/guide/index.md": None})
    read(shop)
    assert "One" in shop.client.get(f"{TAB}/guide").text


def test_an_included_file_that_changes_changes_its_page(
    shop: PortalUnderTest, origin: Origin
) -> None:
    origin.commit(
        {"docs/code.md": '# Code\n\n```python\n--8<-- "src/main.py"\n```\n\n{!gone.md!}\n'}
    )
    read(shop)
    assert 'class="hn">1<' in shop.client.get(f"{TAB}/code").text
    assert "gone.md" in shop.client.get(f"{TAB}?show=problems").text
    origin.commit({"src/main.py": "x = 22\n", "docs/gone.md": "found again\n"})
    read(shop)
    page = shop.client.get(f"{TAB}/code").text
    assert 'class="hn">22<' in page
    assert "found again" in page


def test_nothing_moved_means_nothing_is_written(shop: PortalUnderTest) -> None:
    read(shop)
    statements: list[str] = []
    event.listen(
        shop.runtime.database.engine,
        "before_cursor_execute",
        lambda _connection, _cursor, statement, *_: statements.append(statement),
    )
    with shop.host("docs").read() as connection:
        number = connection.scalars(select(models.site.c.id)).one()
    assert read_site(shop.host("docs"), number) is None
    wrote = [text for text in statements if not text.lstrip().startswith(("SELECT", "BEGIN"))]
    assert [text for text in wrote if not text.startswith("UPDATE docs_site")] == []


def test_an_unreachable_repository_keeps_its_pages(
    shop: PortalUnderTest, origin: Origin, clock: Clock
) -> None:
    away = origin.path.rename(origin.path.with_name("away"))
    clock.advance(timedelta(hours=1))
    read(shop)
    page = shop.client.get(TAB).text
    assert "The repository cannot be read." in page
    assert "Welcome" in page
    assert "Not reachable" in shop.client.get("/docs/").text
    away.rename(origin.path)
    read(shop)
    assert "cannot be read" not in shop.client.get(TAB).text


def test_a_version_is_read_when_somebody_asks(shop: PortalUnderTest, origin: Origin) -> None:
    origin.git("tag", "v1.0")
    origin.git("tag", "other")
    origin.commit({"docs/index.md": "# Second edition\n\n[Install](guide/install.md)\n"})
    read(shop)
    page = shop.client.get(TAB).text
    assert f'href="{TAB}?version=v1.0"' in page
    assert "version=other" not in page
    assert "is being read" in shop.client.get(f"{TAB}?version=v1.0").text
    shop.run_jobs()
    old = shop.client.get(f"{TAB}?version=v1.0").text
    assert "Welcome" in old
    assert "You read version v1.0." in old
    assert f'href="{TAB}/guide/install?version=v1.0#doc-steps"' in old
    assert "Second edition" in shop.client.get(TAB).text
    assert "There is no version other" in shop.client.get(f"{TAB}?version=other").text


def test_versions_nobody_looks_at_are_given_up(
    shop: PortalUnderTest, origin: Origin, clock: Clock
) -> None:
    for name in ("v1", "v2", "v3"):
        origin.git("tag", name)
    read(shop)
    for name in ("v1", "v2", "v3"):
        shop.client.get(f"{TAB}?version={name}")
        shop.run_jobs()
        clock.advance(timedelta(hours=2))
    shop.client.get(f"{TAB}?version=v1")
    host = shop.host("docs")
    with host.write() as connection:
        store.forget_unused(connection, host.now(), 2)
        left = connection.scalars(select(models.site.c.version)).all()
    assert sorted(left) == ["", "v1", "v3"]


def test_an_entity_may_show_the_documentation_of_another(shop: PortalUnderTest) -> None:
    shop.catalog_add(
        "apiVersion: backstage.io/v1alpha1\nkind: System\nmetadata:\n  name: trade\n"
        "  annotations:\n    backstage.io/techdocs-entity: component:order\n"
        "    backstage.io/techdocs-entity-path: guide/install\nspec: {owner: x}\n"
    )
    shop.run_jobs()
    page = shop.client.get("/catalog/default/system/trade/docs").text
    assert '<h2 id="doc-install-it">' in page
    assert 'href="/catalog/default/system/trade/docs/hidden"' not in page
    assert 'rel="prev" href="/catalog/default/system/trade/docs"' in page


def test_a_folder_without_git_says_so(portal: PortalUnderTest) -> None:
    portal.catalog_add(
        "apiVersion: backstage.io/v1alpha1\nkind: Component\nmetadata:\n  name: order\n"
        "  annotations: {backstage.io/techdocs-ref: 'dir:.'}\n"
        "spec: {type: a, lifecycle: b, owner: c}\n"
    )
    assert "Not read yet" in portal.client.get(TAB).text
    portal.run_jobs()
    assert "no Git repository" in portal.client.get(TAB).text
    assert "Cannot be read" in portal.client.get("/docs/").text


def test_without_settings_the_folders_give_the_order(shop: PortalUnderTest, origin: Origin) -> None:
    origin.commit({"mkdocs.yml": None})
    read(shop)
    page = shop.client.get(TAB).text
    assert page.index("Hidden page") < page.index("Install it")
    assert "There is no mkdocs.yml" in shop.client.get(f"{TAB}?show=problems").text
    origin.commit({"mkdocs.yml": "docs_dir: manual\n"})
    read(shop)
    assert "the pages are in manual; there are none" in shop.client.get(TAB).text


def test_a_page_may_be_too_large(shop: PortalUnderTest, origin: Origin) -> None:
    origin.commit({"docs/hidden.md": "# Hidden\n" + "x" * (1024 * 1024 + 1)})
    read(shop)
    assert "too large to be shown" in shop.client.get(f"{TAB}/hidden").text
    assert "too large" in shop.client.get(f"{TAB}?show=problems").text


def test_the_index_lists_every_documentation(shop: PortalUnderTest) -> None:
    page = shop.client.get("/docs/").text
    assert "订单服务" in page
    assert "Order service" in page
    assert ">3<" in page
    assert "订单服务" in shop.client.get("/docs/?q=订单").text
    assert "No title holds these words" in shop.client.get("/docs/?q=absent").text


def test_the_index_is_paged(shop: PortalUnderTest, origin: Origin) -> None:
    text = ENTITY.format(url=origin.path.as_uri())
    many = (
        text.replace("name: order", f"name: o{n}").replace("订单服务", f"T{n % 7}")
        for n in range(60)
    )
    shop.catalog_add("---\n".join(many))
    shop.run_jobs()
    seen: list[str] = []
    address = "/docs/"
    while address:
        page = shop.client.get(address).text
        seen += re.findall(r'component/(\w+)/docs"', page)
        found = re.search(r'rel="next" href="([^"]+)"', page)
        address = found[1].replace("&amp;", "&") if found else ""
    assert sorted(seen) == sorted(["order", *(f"o{n}" for n in range(60))])


def test_an_entity_that_goes_takes_its_documentation_along(
    shop: PortalUnderTest, clock: Clock
) -> None:
    path = shop._catalog / "0001.yaml"
    path.write_text(
        path.read_text().replace("name: order", "name: bare").replace("techdocs-ref", "x")
    )
    shop.runtime.engine.read("test")
    shop.run_jobs()
    read(shop)
    with shop.host("docs").read() as connection:
        for table in (models.entity, models.site, models.page, models.file):
            assert connection.execute(select(table)).all() == []


def test_pages_speak_chinese(shop: PortalUnderTest) -> None:
    shop.client.headers["accept-language"] = "zh-CN"
    page = shop.client.get(f"{TAB}/hidden").text
    assert '<p class="adm-t">注意</p>' in page
    assert "本页内容" in page or "上一页" in page
    assert "文档" in shop.client.get("/docs/").text


def test_a_diagram_is_text_until_a_frame_draws_it(shop: PortalUnderTest, origin: Origin) -> None:
    origin.commit({"docs/hidden.md": "# D\n\n```mermaid\ngraph LR\n A-->B\n```\n"})
    read(shop)
    assert "data-diagrams" not in shop.client.get(TAB).text
    page = shop.client.get(f"{TAB}/hidden").text
    assert '<pre class="diagram" tabindex="0">graph LR' in page
    found = re.search(r'data-diagrams="([^"]+)"', page)
    assert found is not None
    frame = shop.client.get(found[1])
    policy = frame.headers["content-security-policy"]
    assert "sandbox allow-scripts" in policy
    assert "default-src 'none'" in policy
    assert "unsafe-eval" not in policy
    script = shop.client.get(found[1].replace("/frame", "/mermaid.js"))
    assert script.headers["content-type"].startswith("text/javascript")
    assert script.headers["cross-origin-resource-policy"] == "cross-origin"
    assert shop.client.get(found[1].replace("/frame", "/settings.js")).status_code == 404


def test_pages_ask_a_constant_number_of_queries(shop: PortalUnderTest, origin: Origin) -> None:
    def asked() -> int:
        statements: list[str] = []

        def note(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
            statements.append(statement)

        event.listen(shop.runtime.database.engine, "before_cursor_execute", note)
        shop.client.get(TAB)
        event.remove(shop.runtime.database.engine, "before_cursor_execute", note)
        return len([text for text in statements if "docs_" in text])

    before = asked()
    origin.commit({f"docs/many/p{n}.md": f"# Page {n}\n\n[x](p{n - 1}.md)\n" for n in range(100)})
    read(shop)
    assert asked() == before <= 8


def test_metrics_and_activity(shop: PortalUnderTest, origin: Origin) -> None:
    samples = {sample.labels["state"]: sample.value for sample in count_sites(shop.host("docs"))}
    assert samples == {"read": 1, "failing": 0, "waiting": 0}
    happened = Event(
        id=7, kind="docs.site.read", subject="component:default/order",
        data={"pages": 3, "changed": 2, "version": ""}, at=shop.host("docs").now(), actor="",
    )  # fmt: skip
    context = ActivityContext(
        host=shop.host("docs"), principal=ANONYMOUS, locale="en", time_zone="UTC", events=[happened]
    )
    told = describe_events(context)[7]
    assert (str(told.text), told.path) == ("Documentation of order changed", TAB)


@pytest.mark.filterwarnings("ignore:Skipped unsupported reflection")
def test_the_migrations_make_the_tables_of_the_models(shop: PortalUnderTest) -> None:
    def own(thing: Any, name: str | None, kind: str, _reflected: bool, _other: Any) -> bool:
        table = name if kind == "table" else getattr(getattr(thing, "table", None), "name", "")
        return str(table).startswith("docs_")

    with shop.runtime.database.read() as connection:
        migration = MigrationContext.configure(
            connection, opts={"include_object": own, "compare_type": False}
        )
        assert compare_metadata(migration, models.metadata) == []


DIAGRAMS = """\
# Look

=== "One"

    first

=== "Two"

    second

```mermaid
graph LR
  A["<img src=x onerror='parent.pwned=1'>"] --> B
  click A "javascript:parent.pwned=1"
```

```mermaid
this is no diagram
```
"""


@pytest.mark.browser
def test_tabs_and_diagrams_in_chromium(shop: PortalUnderTest, origin: Origin) -> None:
    from playwright.sync_api import expect, sync_playwright

    browsing = import_module("browsing")  # what the tests in Chromium share
    origin.commit({"docs/hidden.md": DIAGRAMS})
    shop.host("docs").submit("refresh")
    shop.run_jobs()
    requests: list[str] = []
    with browsing.served_app(create_app(shop.runtime)) as address, sync_playwright() as playwright:
        browser = browsing.start_browser(playwright)
        page = browser.new_page()
        page.on("request", lambda request: requests.append(request.url))
        # In the frame something hostile is refused, as it must be; on the page nothing is tried.
        page.add_init_script(
            "window.refused = [];"
            "addEventListener('securitypolicyviolation',"
            " event => refused.push(event.violatedDirective))"
        )
        page.goto(f"{address}{TAB}/hidden")
        page.get_by_role("tab", name="Two").click()
        expect(page.get_by_text("second")).to_be_visible()
        expect(page.get_by_text("first")).to_be_hidden()
        page.keyboard.press("ArrowLeft")
        expect(page.get_by_text("first")).to_be_visible()
        picture = page.locator(".doc-diagram img")
        picture.wait_for()
        assert (picture.get_attribute("src") or "").startswith("data:image/svg+xml")
        assert picture.evaluate("image => image.complete && image.naturalWidth > 0")
        expect(page.locator("pre.diagram", has_text="this is no diagram")).to_be_visible()
        assert page.locator(".doc-body svg").count() == 0
        assert page.evaluate("window.pwned") is None
        assert page.evaluate("window.refused") == []
        browser.close()
    own = [url for url in requests if not url.startswith((address, "data:"))]
    assert own == []
