"""Where the source of an entity is, from its annotations."""

import pytest

from callboard.entities import Entity, EntityRef
from callboard.repositories import (
    Place,
    commit_page,
    described_place,
    edit_page,
    file_page,
    parse_location,
    place_of,
    short_name,
)


def entity(kind: str = "Component", **annotations: str) -> Entity:
    named = {
        {"source": "backstage.io/source-location", "managed": "backstage.io/managed-by-location",
         "github": "github.com/project-slug", "gitlab": "gitlab.com/project-slug"}[key]: value
        for key, value in annotations.items()
    }  # fmt: skip
    document = {"kind": kind, "metadata": {"name": "order", "annotations": named}}
    return Entity(EntityRef.of(kind, "default", "order"), document)


@pytest.mark.parametrize(
    ("location", "url", "folder"),
    [
        ("url:https://github.com/org/repo", "https://github.com/org/repo.git", ""),
        ("url:https://github.com/org/repo.git", "https://github.com/org/repo.git", ""),
        ("url:https://github.com/org/repo/", "https://github.com/org/repo.git", ""),
        ("url:https://GitHub.com/org/repo/tree/main", "https://github.com/org/repo.git", ""),
        (
            "url:https://github.com/org/repo/tree/main/a/b/",
            "https://github.com/org/repo.git",
            "a/b",
        ),
        ("url:https://github.com/o/tree/tree/main/x/", "https://github.com/o/tree.git", "x"),
        (
            "url:https://gitlab.corp/group/sub/repo/-/tree/main/%E6%94%AF%E4%BB%98/",
            "https://gitlab.corp/group/sub/repo.git",
            "支付",
        ),
        ("url:https://git.corp/o/r/src/branch/main/d/", "https://git.corp/o/r.git", "d"),
        ("url:https://git.corp:8443/o/r/src/tag/v1/", "https://git.corp:8443/o/r.git", ""),
        (
            "url:https://bitbucket.org/o/r/src/main/docs/",
            "https://bitbucket.org/o/r.git",
            "docs",
        ),
        ("url:https://user:word@git.corp/o/r", "https://git.corp/o/r", ""),
        ("url:file:///srv/git/pay.git", "file:///srv/git/pay.git", ""),
        ("url:file:///srv/git/pay.git#gateway/", "file:///srv/git/pay.git", "gateway"),
        ("url:ssh://git@git.corp:2222/o/r.git", "ssh://git@git.corp:2222/o/r.git", ""),
        ("url:git@git.corp:o/r.git", "git@git.corp:o/r.git", ""),
        ("url:https://github.com/org/repo/tree/main/../..", "https://github.com/org/repo.git", ""),
    ],
)
def test_a_location_is_read_as_clone_address_and_folder(
    location: str, url: str, folder: str
) -> None:
    assert parse_location(location) == Place(url, folder)


@pytest.mark.parametrize(
    "location",
    ["url:", "url:https://", "url:https://github.com", "url:https://[bad", "url:./here",
     "url:https://github.com/" + "x" * 600, "url:https://git.corp:port/o/r"],
)  # fmt: skip
def test_what_is_no_address_is_no_place(location: str) -> None:
    assert parse_location(location) is None


def test_slugs_are_used_where_there_is_no_source_location() -> None:
    assert place_of(entity(github="org/repo")) == Place("https://github.com/org/repo.git")
    assert place_of(entity(gitlab="a/b/c")) == Place("https://gitlab.com/a/b/c.git")
    both = entity(source="url:https://git.corp/o/r", github="org/repo")
    assert place_of(both) == Place("https://git.corp/o/r")
    assert place_of(entity(github="no-slash")) is None
    assert place_of(entity(source="dir:/etc")) is None


def test_one_repository_has_one_address_however_it_is_written() -> None:
    written = [
        entity(source="url:https://github.com/org/repo/tree/main/"),
        entity(source="url:https://github.com/org/repo"),
        entity(github="org/repo"),
    ]
    assert {place_of(item) for item in written} == {Place("https://github.com/org/repo.git")}


def test_the_folder_of_the_descriptor_stands_in_for_a_missing_folder() -> None:
    pay = "url:file:///srv/git/pay.git"
    inside = entity(source=pay, managed=f"{pay}#gateway/catalog-info.yaml")
    at_the_top = entity(source=pay, managed=f"{pay}#catalog-info.yaml")
    elsewhere = entity(source=pay, managed="url:file:///srv/git/other.git#x/catalog-info.yaml")
    assert place_of(inside) == Place("file:///srv/git/pay.git", "gateway")
    assert place_of(at_the_top) == place_of(elsewhere) == Place("file:///srv/git/pay.git")


@pytest.mark.parametrize("kind", ["Group", "User", "Domain", "Location"])
def test_kinds_without_a_source_of_their_own_have_no_place(kind: str) -> None:
    written = entity(kind, source="url:https://git.corp/o/r")
    assert place_of(written) is None
    assert described_place(written) == Place("https://git.corp/o/r")


def test_names_and_commit_pages() -> None:
    assert short_name("https://github.com/org/repo.git") == "org/repo"
    assert short_name("git@git.corp:team/repo.git") == "team/repo"
    assert short_name("file:///srv/git/pay.git") == "pay"
    assert commit_page("https://github.com/o/r.git", "abc") == "https://github.com/o/r/commit/abc"
    assert commit_page("https://gitlab.corp/o/r.git", "a") == "https://gitlab.corp/o/r/-/commit/a"
    assert commit_page("https://git.corp/o/r", "abc") == ""
    assert commit_page("file:///srv/git/pay.git", "abc") == ""


@pytest.mark.parametrize(
    ("location", "reference"),
    [
        ("url:https://github.com/o/r/tree/release%2F1/docs", "release/1"),
        ("url:https://gitlab.corp/g/r/-/blob/v1.2/docs/mkdocs.yml", "v1.2"),
        ("url:https://gitea.corp/o/r/src/tag/v1/", "v1"),
        ("url:https://bitbucket.org/o/r/src/main/", "main"),
        ("url:https://github.com/o/r", ""),
    ],
)
def test_a_location_keeps_the_branch_it_was_copied_from(location: str, reference: str) -> None:
    place = parse_location(location)
    assert place is not None
    assert place.reference == reference
    assert place == Place(place.url, place.folder)


@pytest.mark.parametrize(
    ("url", "shown", "edited"),
    [
        ("https://github.com/o/r.git", "/blob/main/docs/a%20b.md", "/edit/main/docs/a%20b.md"),
        ("https://gitee.com/o/r", "/blob/main/docs/a%20b.md", "/edit/main/docs/a%20b.md"),
        ("https://gitlab.corp/g/s/r", "/-/blob/main/docs/a%20b.md", "/-/edit/main/docs/a%20b.md"),
        ("https://gitea.corp/o/r", "/src/branch/main/docs/a%20b.md", "/_edit/main/docs/a%20b.md"),
        (
            "https://bitbucket.org/o/r",
            "/src/main/docs/a%20b.md",
            "/src/main/docs/a%20b.md?mode=edit",
        ),
    ],
)
def test_pages_of_files_on_known_hosts(url: str, shown: str, edited: str) -> None:
    base = url.removesuffix(".git")
    assert file_page(url, "main", "docs/a b.md") == base + shown
    assert edit_page(url, "main", "docs/a b.md") == base + edited


@pytest.mark.parametrize("url", ["https://git.corp/o/r", "file:///srv/r.git", "https://[bad", ""])
def test_nothing_is_said_of_hosts_that_are_not_known(url: str) -> None:
    assert file_page(url, "main", "a.md") == edit_page(url, "main", "a.md") == ""
    assert commit_page(url, "abc") == ""
