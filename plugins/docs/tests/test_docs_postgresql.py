"""The plugin's statements on PostgreSQL: reading, changing, searching, forgetting."""

import subprocess
from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select

from callboard.testing import Clock, new_database
from callboard_docs import models, store
from callboard_docs.search import read_sections
from callboard_web.testing import PortalUnderTest

TAB = "/catalog/default/component/order/docs"
ENTITY = """\
apiVersion: backstage.io/v1alpha1
kind: Component
metadata:
  name: order
  annotations:
    backstage.io/source-location: url:{url}
    backstage.io/techdocs-ref: dir:.
spec: {{type: service, lifecycle: production, owner: trade}}
"""

pytestmark = pytest.mark.postgres


@pytest.fixture
def portal_plugins() -> Sequence[str]:
    return ["docs"]


@pytest.fixture
def portal_settings(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Mapping[str, Any]]:
    with new_database(request, "postgresql") as url:
        yield {
            "database": {"url": url},
            "git": {"allow_local": [str(tmp_path / "repositories")]},
        }


def commit(path: Path, files: Mapping[str, str | None]) -> None:
    for name, text in files.items():
        file = path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        if text is None:
            file.unlink()
        else:
            file.write_text(text, encoding="utf-8")
    identity = ("-c", "user.name=Ann", "-c", "user.email=ann@example.com")
    for arguments in (("add", "-A"), (*identity, "commit", "-q", "-m", "Write")):
        subprocess.run(["git", "-C", str(path), *arguments], check=True)


def count(portal: PortalUnderTest, table: Any) -> int:
    with portal.host("docs").read() as connection:
        return int(connection.execute(select(func.count()).select_from(table)).scalar_one())


def test_a_site_from_its_first_reading_to_its_end(
    portal: PortalUnderTest, tmp_path: Path, clock: Clock
) -> None:
    origin = tmp_path / "repositories" / "shop"
    origin.mkdir(parents=True)
    subprocess.run(["git", "init", "-q", "-b", "main", str(origin)], check=True)
    commit(origin, {
        "docs/index.md": "# Home\n\n![p](p.png) [x](guide.md) 安装\0 100% _\n",
        "docs/guide.md": "# One\n",
        "docs/guide/index.md": "# Two\n",
        "docs/p.png": "png",
    })  # fmt: skip
    subprocess.run(["git", "-C", str(origin), "tag", "v1"], check=True)
    portal.catalog_add(ENTITY.format(url=origin.as_uri()))
    portal.run_jobs()
    host = portal.host("docs")
    host.submit("refresh")
    portal.run_jobs()
    page = portal.client.get(TAB).text
    assert '<h2 id="doc-home">' in page
    assert "/api/plugins/docs/files/" in page
    commit(origin, {"docs/guide/index.md": None, "docs/more.md": '# More\n\n--8<-- "no"\n'})
    host.submit("refresh")
    portal.run_jobs()
    assert "One" in portal.client.get(f"{TAB}/guide").text
    assert portal.client.get(f"{TAB}?q=安装 100% _").text.count('class="passage"') == 1
    assert portal.client.get(f"{TAB}?show=problems").text.count('<span class="mono">no<') == 1
    assert "v1" in portal.client.get(f"{TAB}?show=pages").text
    portal.client.get(f"{TAB}?version=v1")
    portal.run_jobs()
    assert "Two" in portal.client.get(f"{TAB}/guide?version=v1").text
    assert len(list(read_sections(host))) == 3
    assert "order" in portal.client.get("/docs/?q=order").text
    assert "order" not in portal.client.get("/docs/?title=zzz&after=z").text.split("docs-list")[1]
    clock.advance(timedelta(days=2))
    with host.write() as connection:
        store.forget_entities(connection, ["component:default/order"])
        store.forget_unused(connection, host.now(), 0)
    for table in (models.site, models.page, models.rendition, models.section, models.blob):
        assert count(portal, table) == 0, table.name
