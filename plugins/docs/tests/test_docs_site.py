"""The plugin in a running portal, over real repositories."""

import os
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

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
