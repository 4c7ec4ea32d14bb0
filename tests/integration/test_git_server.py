"""The Git helper against `git http-backend`, the server side of git over HTTP."""

import contextlib
import os
import signal
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from git_servers import BASIC, SIGN_IN, TOKEN, GitServer, certificate, commit_of, make_root

from callboard.errors import InputError, NotFoundError, NotReadyError, UnauthorisedError
from callboard.git import Author, Credentials, GitRepository
from callboard.http import HttpClient


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return make_root(tmp_path)


@pytest.fixture
def server(root: Path) -> Iterator[GitServer]:
    instance = GitServer(root)
    yield instance
    instance.close()


def test_reads_and_writes_over_http(server: GitServer, root: Path, tmp_path: Path) -> None:
    server.secured = True
    repository = GitRepository(
        server.url, tmp_path / "mirror", credentials=SIGN_IN, allow_http=True
    )
    assert repository.head() == repository.fetch() == commit_of(root)
    assert len(repository.files(repository.fetch())) == 50
    commit = repository.commit("main", {"new": b"1"}, "Second", author=Author("A", "a@b.c"))
    assert commit == commit_of(root) == repository.fetch()
    assert all(headers["authorization"] == BASIC for headers in server.seen)


def test_unmoved_head_costs_one_listing(server: GitServer, tmp_path: Path) -> None:
    repository = GitRepository(server.url, tmp_path / "mirror", allow_http=True)
    repository.fetch()
    before = len(server.seen)
    repository.fetch()
    # Protocol version 2 asks for the capabilities first.
    assert len(server.seen) - before == 2
    assert server.packs == 1


def test_credentials_in_the_url_are_used_and_not_kept(
    server: GitServer, root: Path, tmp_path: Path
) -> None:
    server.secured = True
    url = server.url.replace("//", f"//robot:{TOKEN}@")
    repository = GitRepository(url, tmp_path / "mirror", allow_http=True)
    assert repository.fetch() == commit_of(root)
    assert TOKEN not in repository.url
    for path in (tmp_path / "mirror").rglob("*"):
        assert path.is_dir() or TOKEN.encode() not in path.read_bytes()


@pytest.mark.parametrize("password", ["", "wrong-password-123"])
def test_refused_credentials(
    server: GitServer, tmp_path: Path, password: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.secured = True
    (tmp_path / ".netrc").write_text(f"machine 127.0.0.1 login robot password {TOKEN}\n")
    monkeypatch.setenv("HOME", str(tmp_path))
    repository = GitRepository(
        server.url,
        tmp_path / "mirror",
        credentials=Credentials("robot", password),
        allow_http=True,
    )
    for use in (repository.head, repository.fetch):
        with pytest.raises(UnauthorisedError) as caught:
            use()
        assert "wrong-password-123" not in str(caught.value)
    assert TOKEN not in str(server.seen)


@pytest.mark.parametrize(
    ("status", "error"),
    [(404, NotFoundError), (403, UnauthorisedError), (500, NotReadyError), (503, NotReadyError)],
)
def test_status_tells_the_error(
    server: GitServer, tmp_path: Path, status: int, error: type[Exception]
) -> None:
    server.status = status
    with pytest.raises(error):
        GitRepository(server.url, tmp_path / "mirror", allow_http=True).head()


def test_http_is_refused_unless_allowed(server: GitServer, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="not encrypted"):
        GitRepository(server.url, tmp_path / "mirror")


def test_unreachable_server(tmp_path: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}/a.git"
        with pytest.raises(NotReadyError, match="tried again later"):
            GitRepository(url, tmp_path / "mirror", allow_http=True).head()


def test_redirects_are_followed_without_credentials_only(
    server: GitServer, root: Path, tmp_path: Path
) -> None:
    other = GitServer(root)
    try:
        server.redirect = other.base
        plain = GitRepository(server.url, tmp_path / "a", allow_http=True)
        assert plain.fetch() == commit_of(root)
        other.seen.clear()
        signed = GitRepository(server.url, tmp_path / "b", credentials=SIGN_IN, allow_http=True)
        with pytest.raises(NotReadyError, match="new address"):
            signed.head()
        assert other.seen == []
        server.redirect = f"file://{root}"
        with pytest.raises((NotReadyError, InputError)):
            plain.head()
    finally:
        other.close()


def test_explicit_proxy_is_used(server: GitServer, tmp_path: Path) -> None:
    server.status = 404
    repository = GitRepository(
        "http://git.invalid/a.git", tmp_path / "m", allow_http=True, proxy=server.base
    )
    with pytest.raises(NotFoundError):
        repository.head()
    assert server.seen[0]["host"] == "git.invalid"


def processes_of(directory: Path) -> list[int]:
    found = []
    for path in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if str(directory).encode() in (path / "environ").read_bytes():
                found.append(int(path.name))
    return found


def wait_for(condition: Any, seconds: float = 10.0) -> None:
    ends = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < ends, "it did not happen in time"
        time.sleep(0.02)


def test_a_stalled_server_is_left_in_time(server: GitServer, root: Path, tmp_path: Path) -> None:
    server.stalled = True
    repository = GitRepository(server.url, tmp_path / "mirror", allow_http=True, timeout=0.7)
    started = time.monotonic()
    with pytest.raises(NotReadyError, match=r"longer than 0\.7 s"):
        repository.fetch()
    assert time.monotonic() - started < 3
    assert not processes_of(tmp_path / "mirror")
    assert not list((tmp_path / "mirror").rglob("tmp_*"))
    server.stalled = False
    again = GitRepository(server.url, tmp_path / "mirror", allow_http=True)
    assert again.fetch() == commit_of(root)


FETCH = """
import os, sys
from pathlib import Path
from callboard.git import Credentials, GitRepository
url, directory, token = sys.argv[1], sys.argv[2], os.environ['TEST_TOKEN']
credentials = Credentials("robot", token)
print(GitRepository(url, Path(directory), allow_http=True, credentials=credentials).fetch())
"""


def start_fetch(server: GitServer, directory: Path) -> "subprocess.Popen[bytes]":
    return subprocess.Popen(
        [sys.executable, "-c", FETCH, server.url, str(directory)],
        env={**os.environ, "TEST_TOKEN": TOKEN},
        stdout=subprocess.PIPE,
    )


@pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="looks into /proc")
def test_a_killed_fetch_is_taken_over(server: GitServer, root: Path, tmp_path: Path) -> None:
    server.stalled = True
    mirror = tmp_path / "mirror"
    process = start_fetch(server, mirror)
    wait_for(lambda: list(mirror.rglob("tmp_pack_*")))
    orphans = processes_of(mirror)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert process.stdout
    process.stdout.close()
    assert orphans
    assert processes_of(mirror) == orphans
    server.stalled = False
    repository = GitRepository(server.url, mirror, allow_http=True, timeout=20)
    assert repository.fetch() == commit_of(root)
    assert len(list(repository.read(f.blob for f in repository.files(commit_of(root))))) == 50
    wait_for(lambda: not processes_of(mirror))
    assert not list(mirror.rglob("tmp_*"))
    assert not list(mirror.rglob("*.lock"))


@pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="looks into /proc")
def test_the_token_is_on_no_command_line(server: GitServer, root: Path, tmp_path: Path) -> None:
    server.stalled = server.secured = True
    process = start_fetch(server, tmp_path / "mirror")
    wait_for(lambda: server.packs)
    lines = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            lines.append(path.read_bytes())
    server.released.set()
    output, _ = process.communicate()
    assert output.decode().strip() == commit_of(root)
    assert any(server.url.encode() in line for line in lines)
    assert not any(TOKEN.encode() in line or BASIC.encode() in line for line in lines)


def test_many_fetch_at_once_and_one_does_it(server: GitServer, root: Path, tmp_path: Path) -> None:
    processes = [start_fetch(server, tmp_path / "mirror") for _ in range(3)]
    commits = {process.communicate()[0].decode().strip() for process in processes}
    assert commits == {commit_of(root)}
    assert server.packs == 1


@pytest.fixture
def authority(tmp_path: Path) -> Path:
    return certificate(tmp_path)


def test_certificates_are_checked(root: Path, tmp_path: Path, authority: Path) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(authority, tmp_path / "key.pem")
    server = GitServer(root, context)
    try:
        trusting = GitRepository(server.url, tmp_path / "mirror", ca_bundle=authority)
        assert trusting.head() == commit_of(root)
        with pytest.raises(NotReadyError, match="CA bundle"):
            GitRepository(server.url, tmp_path / "mirror").head()
        address = f"{server.base}/origin.git/info/refs"
        with HttpClient(ca_bundle=authority, allow_hosts=["127.0.0.1"]) as client:
            assert client.get(address).status == 200
        with (
            HttpClient(allow_hosts=["127.0.0.1"], retries=0) as client,
            pytest.raises(NotReadyError, match="CERTIFICATE_VERIFY_FAILED"),
        ):
            client.get(address)
    finally:
        server.close()
