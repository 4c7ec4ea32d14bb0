"""Where a person sees a file of a repository."""

import pytest

from callboard.repositories import commit_page, edit_page_of, line_page
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
        (
            "https://bitbucket.org/w/r.git",
            ("https://bitbucket.org/w/r/src/main/a%20b/c.yaml",
             "https://bitbucket.org/w/r/src/main/a%20b/c.yaml?mode=edit",
             "https://bitbucket.org/w/r/src/main/a%20b"),
        ),
        ("https://git.example.com/r.git", ("", "", "https://git.example.com/r")),
        ("ssh://git@example.com/r", ("", "", "ssh://git@example.com/r")),
        ("git@github.com:o/r.git", ("", "", "")),
    ],
)  # fmt: skip
def test_addresses_by_host(url: str, expected: tuple[str, str, str]) -> None:
    assert web_address(url, "main", "a b/c.yaml") == WebAddress(*expected)


@pytest.mark.parametrize(
    ("url", "commit", "line"),
    [
        ("https://github.com/o/r.git", "commit/c0ffee", "blob/c0ffee/a%20b.yaml#L7"),
        ("https://gitee.com/o/r", "commit/c0ffee", "blob/c0ffee/a%20b.yaml#L7"),
        ("https://gitlab.com/g/r/", "-/commit/c0ffee", "-/blob/c0ffee/a%20b.yaml#L7"),
        ("https://codeberg.org/o/r", "commit/c0ffee", "src/commit/c0ffee/a%20b.yaml#L7"),
        ("https://bitbucket.org/w/r", "commits/c0ffee", "src/c0ffee/a%20b.yaml#lines-7"),
    ],
)
def test_commits_and_lines_by_host(url: str, commit: str, line: str) -> None:
    base = url.removesuffix("/").removesuffix(".git")
    assert commit_page(url, "c0ffee") == f"{base}/{commit}"
    assert line_page(url, "c0ffee", "a b.yaml", 7) == f"{base}/{line}"
    assert commit_page(url, "") == line_page(url, "", "a", 1) == ""


@pytest.mark.parametrize(
    "url",
    ["", "file:///r", "ssh://git@github.com/o/r", "https://git.example.com/r", "https://[", "/r"],
)
def test_no_address_is_made_up(url: str) -> None:
    assert commit_page(url, "c0ffee") == line_page(url, "c0ffee", "a", 1) == ""


@pytest.mark.parametrize(
    ("view", "edit"),
    [
        ("https://github.com/o/r/blob/main/a.yaml", "https://github.com/o/r/edit/main/a.yaml"),
        ("https://git.example.com/g/s/r/-/blob/main/a.yaml#L3",
         "https://git.example.com/g/s/r/-/edit/main/a.yaml"),
        ("https://gitea.example.com/o/r/src/branch/main/a.yaml",
         "https://gitea.example.com/o/r/_edit/main/a.yaml"),
        ("https://bitbucket.org/w/r/src/main/a.yaml",
         "https://bitbucket.org/w/r/src/main/a.yaml?mode=edit"),
        ("https://git.example.com/r/src/main/a.yaml", ""),
        ("https://example.com/a.yaml", ""),
        ("file:///r/a.yaml", ""),
        ("javascript:alert(1)//o/r/blob/main/a", ""),
        ("https://[", ""),
    ],
)  # fmt: skip
def test_edit_pages_from_view_pages(view: str, edit: str) -> None:
    assert edit_page_of(view) == edit
