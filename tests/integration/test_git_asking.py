"""References asked for without a process: the same answers and faults as `git ls-remote` gives."""

import contextlib
import os
import ssl
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from git_servers import BASIC, SIGN_IN, GitServer, certificate, commit_of, git, make_root
from hypothesis import given
from hypothesis import strategies as st

from callboard.errors import CallboardError, InputError, NotFoundError, NotReadyError
from callboard.git import GitRepository
from callboard.git.packets import (
    UnusualError,
    capabilities_of,
    read_advertisement,
    read_references,
)
from callboard.http import HttpClient

COMMANDS: list[list[str]] = []
"""Every command that was started, in the order of their starts."""


def _hear(event: str, arguments: tuple[Any, ...]) -> None:
    if event == "subprocess.Popen":
        COMMANDS.append([str(word) for word in arguments[1]])


sys.addaudithook(_hear)


def listings() -> int:
    """Count the processes that asked a remote for its references."""
    return sum("ls-remote" in command for command in COMMANDS)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = make_root(tmp_path)
    origin = root / "origin.git"
    first = commit_of(root)
    for name in ("next", "支付/网关", "team/release"):
        git(origin, "branch", name)
    git(origin, "tag", "light")
    git(origin, "tag", "-a", "v1", "-m", "Version 1")
    git(origin, "tag", "-a", "again", "-m", "Of a tag", "v1")
    git(origin, "update-ref", "refs/pull/1/head", first)
    git(origin, "symbolic-ref", "refs/heads/alias", "refs/heads/next")
    return root


@pytest.fixture
def server(root: Path) -> Iterator[GitServer]:
    instance = GitServer(root)
    yield instance
    instance.close()


@pytest.fixture
def client() -> Iterator[HttpClient]:
    with HttpClient(allow_private=True, retries=0, maximum_bytes=100_000) as made:
        yield made


Opening = Callable[..., GitRepository]


@pytest.fixture
def opened(server: GitServer, client: HttpClient, tmp_path: Path) -> Opening:
    """Open a repository, asked by the client or, without it, by processes."""

    def open_it(*, by_client: bool = True, **options: Any) -> GitRepository:
        options = {"url": server.url, "allow_http": True, **options}
        http = (lambda: client) if by_client else None
        return GitRepository(directory=tmp_path / "mirror", http=http, **options)

    return open_it


def outcome(ask: Callable[[], str]) -> tuple[type[CallboardError], str, str] | str:
    try:
        return ask()
    except CallboardError as error:
        return type(error), str(error), str(error.hint)


NAMES = [
    *(None, "HEAD", "main", "next", "支付/网关", "alias", "light", "v1", "again", "release"),
    *("refs/heads/main", "refs/tags/v1", "refs/pull/1/head", "refs/pull/2/head", "team", "gone"),
]


@pytest.mark.parametrize("is_old", [False, True])
def test_a_server_is_asked_without_a_process(
    server: GitServer, opened: Opening, *, is_old: bool
) -> None:
    server.is_old, server.packed = is_old, True
    mine, theirs = opened(), opened(by_client=False)
    for name in NAMES:
        before = listings()
        found = outcome(partial(mine.head, name))
        assert listings() == before
        assert found == outcome(partial(theirs.head, name))
        assert listings() == before + 1


@pytest.mark.parametrize("is_old", [False, True])
def test_all_branches_and_tags(
    server: GitServer, root: Path, opened: Opening, *, is_old: bool
) -> None:
    server.is_old = is_old
    repository, before = opened(), listings()
    commit = repository.fetch(all_references=True)
    assert commit == commit_of(root)
    assert {item.name for item in repository.tags()} >= {"light", "v1"}
    git(root / "origin.git", "branch", "-D", "team/release")
    repository.fetch(all_references=True)
    names = {item.name for item in repository.branches()}
    assert names == {"main", "next", "支付/网关", "alias"}
    assert (listings(), server.packs) == (before, 1)


def test_one_request_is_enough_once_a_server_is_known(server: GitServer, opened: Opening) -> None:
    repository = opened()
    for _ in range(3):
        repository.head()
    assert [asked.partition(" ")[0] for asked in server.asked] == ["GET", "POST", "POST", "POST"]
    server.is_old = True  # what answered is another server now
    before = listings()
    assert repository.head() == repository.head()
    assert listings() == before + 1


def test_connections_are_kept(root: Path, client: HttpClient, tmp_path: Path) -> None:
    for number in range(10):
        git(root, "clone", "-q", "--bare", "origin.git", f"{number}.git")
    server = GitServer(root, alive=True)
    try:
        before = listings()
        for number in range(10):
            url = f"{server.base}/{number}.git"
            repository = GitRepository(url, tmp_path / "m", allow_http=True, http=lambda: client)
            assert repository.head() == commit_of(root)
    finally:
        server.close()
    assert (listings(), server.connections, len(server.seen)) == (before, 1, 20)


def test_hidden_references_stay_hidden(server: GitServer, root: Path, opened: Opening) -> None:
    git(root / "origin.git", "config", "transfer.hideRefs", "refs/heads/next")
    local = opened(url=str(root / "origin.git"), allow_local=[root])
    for repository in (opened(), local):
        with pytest.raises(NotFoundError, match="'next'"):
            repository.head("next")
        assert repository.head("main") == commit_of(root)


@pytest.mark.parametrize("status", [400, 401, 403, 404, 405, 410, 429, 500, 502, 503])
def test_a_refusal_reads_the_same_and_costs_one_request(
    server: GitServer, opened: Opening, status: int
) -> None:
    server.status = status
    before = listings()
    found = outcome(opened(credentials=SIGN_IN).head)
    assert (len(server.seen), listings()) == (1, before)
    assert found == outcome(opened(credentials=SIGN_IN, by_client=False).head)


def test_credentials_are_sent_and_refused(server: GitServer, root: Path, opened: Opening) -> None:
    server.secured = True
    before = listings()
    assert opened(credentials=SIGN_IN).head() == commit_of(root)
    assert all(headers["authorization"] == BASIC for headers in server.seen)
    found = outcome(opened().head)
    assert listings() == before
    assert found == outcome(opened(by_client=False).head)


def test_a_repository_that_is_not_there(server: GitServer, opened: Opening) -> None:
    url = f"{server.base}/nothing.git"
    found = outcome(opened(url=url).head)
    assert found == outcome(opened(url=url, by_client=False).head)
    assert found[0] is NotFoundError


def test_an_empty_repository(server: GitServer, root: Path, opened: Opening) -> None:
    git(root, "init", "-q", "--bare", "empty.git")
    for is_old in (False, True):
        server.is_old = is_old
        before = listings()
        with pytest.raises(NotFoundError, match="no commit"):
            opened(url=f"{server.base}/empty.git").head()
        assert listings() == before


def test_redirects_are_left_to_git(
    server: GitServer, root: Path, opened: Opening, tmp_path: Path
) -> None:
    other = GitServer(root)
    try:
        server.redirect = other.base
        assert opened().head() == commit_of(root)
        other.seen.clear()
        with pytest.raises(NotReadyError, match="new address"):
            opened(credentials=SIGN_IN).head()
        assert other.seen == []
    finally:
        other.close()


ADVERTISED = "application/x-git-upload-pack-advertisement"
HASH = b"1" * 40
LIES = {
    "a page": ("text/html", b"<title>Sign in</title>"),
    "a page that calls itself an answer": (ADVERTISED, b"<title>Sign in</title>"),
    "nothing": (ADVERTISED, b""),
    "a line that is longer than all": (ADVERTISED, b"ffff# service=git-upload-pack\n0000"),
    "a line that is too short": (ADVERTISED, b"0003"),
    "no number": (ADVERTISED, b"00+e# service=git-upload-pack\n0000"),
    "no end": (ADVERTISED, b"001e# service=git-upload-pack\n0000003f" + HASH + b" refs/heads/main"),
    "a fault": (ADVERTISED, b"001e# service=git-upload-pack\n00000010ERR no such"),
    "a protocol of tomorrow": (ADVERTISED, b"000eversion 3\n0000"),
    "a server that lists nothing": (ADVERTISED, b"000eversion 2\n000bfetch=a0000"),
    "the answer to another question": ("application/x-git-upload-pack-result", b"0000"),
}


@pytest.mark.parametrize("lie", LIES.values(), ids=LIES)
def test_what_is_no_answer_is_left_to_git(
    server: GitServer, opened: Opening, lie: tuple[str, bytes]
) -> None:
    server.said = lie
    before = listings()
    found = outcome(opened().head)
    assert listings() == before + 1
    assert found == outcome(opened(by_client=False).head)
    assert not isinstance(found, str)


def test_an_endless_answer_is_cut_off(server: GitServer, opened: Opening) -> None:
    server.said = ADVERTISED, b"003d" + HASH + b" refs/heads/abcdef\n" * 10_000
    before = listings()
    with pytest.raises(NotReadyError, match="more than"):
        opened().head()
    assert (listings(), len(server.seen)) == (before, 1)


def test_a_server_that_says_nothing_is_left_in_time(server: GitServer, tmp_path: Path) -> None:
    server.silent = True
    before, began = listings(), time.monotonic()
    with HttpClient(allow_private=True, retries=0, timeout=0.5) as client:
        repository = GitRepository(
            server.url, tmp_path / "m", allow_http=True, timeout=0.5, http=lambda: client
        )
        with pytest.raises(NotReadyError, match=r"longer than 0\.5 s"):
            repository.head()
    assert time.monotonic() - began < 20
    assert listings() == before


def test_the_target_a_server_names_is_no_option(
    server: GitServer, root: Path, opened: Opening
) -> None:
    """The target of HEAD becomes part of what is fetched."""
    head = root / "origin.git" / "HEAD"
    content, commit = head.read_text(), commit_of(root)
    line = f"{commit} HEAD\0symref=HEAD:refs/heads/x:refs/heads/evil\n"
    text = f"{len(line) + 4:04x}{line}0000"
    server.said = ADVERTISED, b"001e# service=git-upload-pack\n0000" + text.encode()
    repository = opened()
    assert repository.head() == commit
    server.said = None
    assert repository.fetch() == commit
    assert head.read_text() == content


@pytest.mark.parametrize("host", ["169.254.169.254", "100.100.100.200"])
def test_metadata_services_are_not_asked(opened: Opening, host: str) -> None:
    before = listings()
    with pytest.raises(InputError, match="metadata"):
        opened(url=f"http://{host}/a.git").head()
    assert listings() == before


def test_certificates_are_checked(root: Path, tmp_path: Path) -> None:
    authority = certificate(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(authority, tmp_path / "key.pem")
    server = GitServer(root, context)
    try:
        before = listings()
        with HttpClient(ca_bundle=authority, allow_private=True, retries=0) as client:
            trusting = GitRepository(
                server.url, tmp_path / "m", ca_bundle=authority, http=lambda: client
            )
            assert trusting.head() == commit_of(root)
        assert listings() == before
        with HttpClient(allow_private=True, retries=0) as client:
            mine = GitRepository(server.url, tmp_path / "m", http=lambda: client)
            with pytest.raises(NotReadyError, match="CA bundle"):
                mine.head()
        assert listings() == before + 1
    finally:
        server.close()


@given(st.binary() | st.builds(bytes.join, st.just(b"0004"), st.lists(st.binary())))
def test_whatever_a_server_says_is_read_or_unusual(body: bytes) -> None:
    for read in (read_references, read_advertisement, capabilities_of):
        with contextlib.suppress(UnusualError):
            read(body)


# Repositories on this machine


@pytest.fixture
def origin(root: Path) -> Path:
    return root / "origin.git"


def local(origin: Path, tmp_path: Path) -> GitRepository:
    return GitRepository(str(origin), tmp_path / "mirror", allow_local=[tmp_path])


PLAIN = [None, "HEAD", "main", "next", "支付/网关", "alias", "refs/heads/main"]


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("bare", [False, True])
def test_a_plain_repository_is_read_without_a_process(
    root: Path, origin: Path, tmp_path: Path, *, packed: bool, bare: bool
) -> None:
    if not bare:
        git(root, "clone", "-q", "origin.git", "tree")
        git(root / "tree", "fetch", "-q", "origin", "refs/heads/*:refs/heads/*", "--update-head-ok")
        git(root / "tree", "symbolic-ref", "refs/heads/alias", "refs/heads/next")
        origin = root / "tree"
    names = [*PLAIN]
    if packed:
        git(origin, "pack-refs", "--all")
        names += ["light", "v1", "again", "refs/tags/v1"]
    repository, before = local(origin, tmp_path), listings()
    for name in names:
        revision = f"{name or 'HEAD'}^{{commit}}"
        assert repository.head(name) == git(origin, "rev-parse", revision)
    assert listings() == before
    # The same once more after a commit that is not packed.
    tree = git(origin, "rev-parse", "main^{tree}")
    commit = git(origin, "commit-tree", tree, "-p", "main", "-m", "Second")
    git(origin, "update-ref", "refs/heads/main", commit)
    assert repository.head() == repository.head("main") == commit
    assert listings() == before


def hide(origin: Path) -> None:
    git(origin, "config", "uploadpack.hideRefs", "refs/heads/next")


def include(origin: Path) -> None:
    (origin / "more").write_text("[transfer]\n\thideRefs = refs/heads/next\n")
    git(origin, "config", "include.path", "more")


def continue_line(origin: Path) -> None:
    with (origin / "config").open("a") as file:
        file.write('[transfer]\n\thide\\\nRefs = "refs/heads/next"\n')


def link_head(origin: Path) -> None:
    (origin / "HEAD").unlink()
    (origin / "HEAD").symlink_to("refs/heads/main")


def link_branch(origin: Path) -> None:
    (origin / "refs/heads/next").unlink()
    (origin / "refs/heads/next").symlink_to("main")


def link_folder(origin: Path) -> None:
    (origin / "refs/heads").rename(origin / "heads")
    (origin / "refs/heads").symlink_to("../heads")


def loop(origin: Path) -> None:
    git(origin, "symbolic-ref", "refs/heads/next", "refs/heads/alias")


def lead_out(origin: Path) -> None:
    (origin / "refs/heads/next").write_text("ref: ../../outside\n")


def lead_to_nothing(origin: Path) -> None:
    (origin / "refs/heads/next").write_text("ref: refs/heads/nothing\n")


def break_branch(origin: Path) -> None:
    (origin / "refs/heads/next").write_text("no hash\n")


def extend(origin: Path) -> None:
    git(origin, "config", "core.repositoryFormatVersion", "1")
    git(origin, "config", "extensions.refStorage", "reftable")


def forget_objects(origin: Path) -> None:
    (origin / "objects").rename(origin / "nothing")


@pytest.mark.parametrize(
    "change",
    [hide, include, continue_line, link_head, link_branch, link_folder, loop, lead_out,
     lead_to_nothing, break_branch, extend, forget_objects],
)  # fmt: skip
def test_what_is_unusual_on_disk_is_left_to_git(
    origin: Path, tmp_path: Path, change: Callable[[Path], None]
) -> None:
    repository = local(origin, tmp_path)
    change(origin)
    before = listings()
    found = outcome(lambda: repository.head("next"))
    head = outcome(repository.head)
    assert listings() > before
    # What a process says for itself.
    asked = subprocess.run(
        ["git", "ls-remote", str(origin), "refs/heads/next", "HEAD"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    told = {name: commit for commit, name in map(str.split, asked.stdout.splitlines())}
    for answer, name in ((found, "refs/heads/next"), (head, "HEAD")):
        assert answer == told.get(name) or (name not in told and not isinstance(answer, str))


def test_a_link_out_of_the_allowed_folders_is_refused(origin: Path, tmp_path: Path) -> None:
    allowed = [tmp_path / "root"]
    repository = GitRepository(str(origin), tmp_path / "mirror", allow_local=allowed)
    (tmp_path / "secret").write_text("2" * 40 + "\n")
    (origin / "refs/heads/next").unlink()
    (origin / "refs/heads/next").symlink_to(tmp_path / "secret")
    with pytest.raises(InputError, match="leads out"):
        repository.head("next")
    origin.rename(tmp_path / "moved.git")
    origin.symlink_to(tmp_path / "moved.git")
    with pytest.raises(InputError, match=r"in no folder of git\.allow_local"):
        repository.head("main")


def test_a_link_out_is_found_before_anything_is_fetched(origin: Path, tmp_path: Path) -> None:
    repository = GitRepository(str(origin), tmp_path / "mirror", allow_local=[tmp_path / "root"])
    (origin / "objects/info/alternates").write_text(f"{tmp_path / 'work'}/.git/objects\n")
    assert repository.head() == commit_of(tmp_path / "root")
    with pytest.raises(InputError, match="leads out"):
        repository.fetch()


def test_a_work_tree_of_another_repository(root: Path, origin: Path, tmp_path: Path) -> None:
    git(origin, "worktree", "add", "-q", str(root / "tree"), "next")
    git(root / "tree", "commit", "-q", "--allow-empty", "-m", "Second")
    repository, before = local(root / "tree", tmp_path), listings()
    assert repository.head() == repository.head("next") == commit_of(root, "next")
    assert listings() == before + 2


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_the_repository_of_another_user(origin: Path, tmp_path: Path) -> None:
    repository = local(origin, tmp_path)
    os.chown(origin, 12345, -1)
    before = listings()
    with pytest.raises(InputError, match="dubious ownership"):
        repository.head()
    assert listings() == before + 1


def test_a_tag_that_is_a_file_of_its_own_is_left_to_git(origin: Path, tmp_path: Path) -> None:
    repository, before = local(origin, tmp_path), listings()
    assert repository.head("v1") == repository.head("light") == commit_of(origin.parent)
    assert listings() == before + 2
