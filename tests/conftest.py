"""What all tests of the host share."""

from collections.abc import Sequence

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
