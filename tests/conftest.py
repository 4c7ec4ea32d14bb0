"""What all tests of the host share."""

import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from callboard.database import Branch
from callboard.database.upgrade import MIGRATIONS
from callboard_catalog.builtin import CatalogPlugin


@pytest.fixture(scope="session")
def schema_branches() -> Sequence[Branch]:
    """Give the lines of migrations of the whole host."""
    return [
        Branch("core", MIGRATIONS / "versions"),
        Branch("catalog", CatalogPlugin().callboard_migrations()),
    ]


@dataclass(frozen=True)
class Site:
    """A folder with installed distributions, as pip leaves them, that is on the import path."""

    path: Path

    def install(
        self,
        name: str,
        source: str,
        *,
        distribution: str = "",
        version: str = "1.2",
        module: str = "",
        entry: str = "",
    ) -> None:
        """Install a distribution with one module that is the plugin `name`."""
        distribution = distribution or f"callboard-{name}"
        module = module or f"installed_{distribution.replace('-', '_')}"
        (self.path / f"{module}.py").write_text(source, encoding="utf-8")
        information = self.path / f"{distribution.replace('-', '_')}-{version}.dist-info"
        information.mkdir()
        (information / "METADATA").write_text(
            f"Metadata-Version: 2.1\nName: {distribution}\nVersion: {version}\n"
            f"Summary: The plugin {name}\n"
        )
        (information / "RECORD").write_text("")
        (information / "entry_points.txt").write_text(
            f"[callboard.plugins]\n{name} = {entry or module}\n"
        )


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    """Give a folder to install plugins into."""
    path = tmp_path / "site"
    path.mkdir()
    monkeypatch.syspath_prepend(str(path))
    before = set(sys.modules)
    yield Site(path)
    for name in set(sys.modules) - before:
        if str(getattr(sys.modules[name], "__file__", "")).startswith(str(path)):
            del sys.modules[name]
