from pathlib import Path

import pytest

from callboard.errors import InputError, NotFoundError
from callboard.git.address import check_hash, check_reference, parse_address


@pytest.mark.parametrize(
    ("url", "scheme", "given"),
    [
        ("https://example.com/team/a.git", "https", "https://example.com/team/a.git"),
        ("https://example.com:8443/a", "https", "https://example.com:8443/a"),
        ("https://[2001:db8::1]:8443/a", "https", "https://[2001:db8::1]:8443/a"),
        ("https://例子.中国/支付.git", "https", "https://例子.中国/支付.git"),
        ("ssh://git@example.com:22/a.git", "ssh", "ssh://git@example.com:22/a.git"),
        ("git@example.com:team/a.git", "ssh", "git@example.com:team/a.git"),
        ("example.com:a.git", "ssh", "example.com:a.git"),
        ("git://example.com/a.git", "git", "git://example.com/a.git"),
        ("http://example.com/a.git", "http", "http://example.com/a.git"),
    ],
)
def test_usual_addresses_are_taken(url: str, scheme: str, given: str) -> None:
    address = parse_address(url, allow_local=(), allow_http=True)
    assert (address.scheme, address.url) == (scheme, given)


def test_credentials_leave_the_url() -> None:
    address = parse_address("https://me:p%40ss@example.com/a", allow_local=(), allow_http=False)
    assert (address.url, address.username, address.password) == (
        "https://example.com/a",
        "me",
        "p@ss",
    )
    assert "p@ss" not in repr(address)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "-",
        "--upload-pack=touch /tmp/x",
        "-oProxyCommand=touch /tmp/x",
        "ext::sh -c 'touch /tmp/x'",
        "ext::sh",
        "EXT::sh%20-c",
        "fd::17",
        "::x",
        "transport::address",
        "ftp://example.com/a",
        "rsync://example.com/a",
        "http://example.com/a",
        "ssh://-oProxyCommand=x/a",
        "ssh://-x@example.com/a",
        "ssh://user:secret@example.com/a",
        "ssh://example.com/-a",
        "-x@example.com:a",
        "user@-oProxyCommand=x:a",
        "example.com:-a",
        "https://-example.com/a",
        "https:///a",
        "https://example.com/a\n--upload-pack=x",
        "https://example.com/a b",
        "https://example.com/a?x=1",
        "https://example.com/a#x",
        "https://example.com:port/a",
        "https://[::1/a",
        "relative/path",
        "../up",
        "~/home",
        "file://other.host/srv/a",
        "/srv/a\nb",
        "https://example.com/" + "a" * 3000,
    ],
)
def test_other_addresses_are_refused(url: str) -> None:
    with pytest.raises(InputError) as caught:
        parse_address(url, allow_local=(), allow_http=False)
    assert "secret" not in str(caught.value)


def test_local_paths_only_below_allowed_folders(tmp_path: Path) -> None:
    allowed, outside = tmp_path / "allowed", tmp_path / "outside"
    for folder in (allowed / "a", outside):
        folder.mkdir(parents=True)
    (allowed / "link").symlink_to(outside)
    for url in (f"{allowed}/a", f"file://{allowed}/a", f"file://localhost{allowed}/a"):
        address = parse_address(url, allow_local=[allowed], allow_http=False)
        assert (address.scheme, address.url) == ("file", str((allowed / "a").resolve()))
    for url in (str(outside), f"{allowed}/../outside", f"{allowed}/link", f"file://{outside}", "/"):
        with pytest.raises(InputError, match=r"allow_local|leads out"):
            parse_address(url, allow_local=[allowed], allow_http=False)
    with pytest.raises(NotFoundError):
        parse_address(f"{allowed}/missing", allow_local=[allowed], allow_http=False)
    with pytest.raises(InputError):
        parse_address(f"{allowed}/a", allow_local=[], allow_http=False)


@pytest.mark.parametrize(
    "name", ["main", "release/1.2", "v1.0.0", "特性/支付", "refs/heads/main", "a@b"]
)
def test_usual_references_are_taken(name: str) -> None:
    assert check_reference(name) == name


@pytest.mark.parametrize(
    "name",
    [
        *("", "-", "--all", "-q", "a b", "a..b", "a~1", "a^", "a:b", "a?", "a*", "a[", "a\\b"),
        *("@{u}", "@", "/a", "a/", "a//b", ".a", "a/.b", "a.", "a.lock", "a.lock/b", "a\nb"),
        *("a\0b", "x" * 300),
    ],
)
def test_other_references_are_refused(name: str) -> None:
    with pytest.raises(InputError):
        check_reference(name)


@pytest.mark.parametrize("text", ["", "HEAD", "--all", "a" * 39, "A" * 40, "a" * 40 + "\n"])
def test_only_full_hashes_are_hashes(text: str) -> None:
    with pytest.raises(InputError):
        check_hash(text)
