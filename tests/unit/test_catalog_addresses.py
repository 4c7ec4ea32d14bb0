"""Where a person sees a file of a repository."""

import pytest

from callboard_catalog.sources.base import WebAddress
from callboard_catalog.sources.hosts import web_address


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        (
            "https://github.com/o/r.git",
            ("https://github.com/o/r/blob/main/a%20b/c.yaml",
             "https://github.com/o/r/edit/main/a%20b/c.yaml",
             "https://github.com/o/r/tree/main/a%20b"),
        ),
        (
            "https://gitlab.example.com/g/s/r/",
            ("https://gitlab.example.com/g/s/r/-/blob/main/a%20b/c.yaml",
             "https://gitlab.example.com/g/s/r/-/edit/main/a%20b/c.yaml",
             "https://gitlab.example.com/g/s/r/-/tree/main/a%20b"),
        ),
        (
            "https://gitea.example.com/o/r",
            ("https://gitea.example.com/o/r/src/branch/main/a%20b/c.yaml",
             "https://gitea.example.com/o/r/_edit/main/a%20b/c.yaml",
             "https://gitea.example.com/o/r/src/branch/main/a%20b"),
        ),
        ("https://git.example.com/r.git", ("", "", "https://git.example.com/r")),
        ("ssh://git@example.com/r", ("", "", "ssh://git@example.com/r")),
        ("git@github.com:o/r.git", ("", "", "")),
    ],
)  # fmt: skip
def test_addresses_by_host(url: str, expected: tuple[str, str, str]) -> None:
    assert web_address(url, "main", "a b/c.yaml") == WebAddress(*expected)
