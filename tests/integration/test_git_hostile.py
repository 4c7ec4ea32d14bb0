"""A hostile repository, address or machine configuration runs nothing and reads nothing.

Each attack would create the canary file, or bring the secret text to light.
"""

import os
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from callboard.errors import CallboardError, InputError
from callboard.git import Author, Credentials, GitRepository

SECRET = b"the secret of another team"
AUTHOR = Author("Mei", "mei@example.com")
PATH = os.environ["PATH"]


def git(directory: Path, *arguments: str, data: bytes = b"") -> str:
    environment = {"PATH": PATH, "HOME": "/nonexistent", "GIT_CONFIG_NOSYSTEM": "1"}
    command = ["git", "-c", "user.name=A", "-c", "user.email=a@example.com", *arguments]
    result = subprocess.run(
        command, cwd=directory, check=True, capture_output=True, input=data, env=environment
    )
    return result.stdout.decode().strip()


@pytest.fixture
def canary(tmp_path: Path) -> Iterator[Path]:
    path = tmp_path / "canary"
    yield path
    assert not path.exists(), path.read_text()


@pytest.fixture
def allowed(tmp_path: Path) -> Path:
    path = tmp_path / "allowed"
    path.mkdir()
    return path


@pytest.fixture
def origin(allowed: Path) -> Path:
    path = allowed / "origin"
    path.mkdir()
    git(path, "init", "-q", "-b", "main")
    (path / "a").write_text("1")
    git(path, "add", "a")
    git(path, "commit", "-q", "-m", "First")
    git(path, "checkout", "-q", "--detach")
    return path


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    """A repository outside of the allowed folders."""
    path = tmp_path / "secret"
    path.mkdir()
    git(path, "init", "-q", "-b", "main")
    (path / "secret.txt").write_bytes(SECRET)
    git(path, "add", "secret.txt")
    git(path, "commit", "-q", "-m", "Secret")
    return path


def script(path: Path, canary: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\necho {path.name} >> {canary}\n")
    path.chmod(0o755)
    return path


def use_everything(origin: Path, allowed: Path, mirror: Path) -> None:
    repository = GitRepository(str(origin), mirror, allow_local=[allowed])
    commit = repository.fetch("main", all_references=True)
    files = repository.files(commit)
    assert dict(repository.read(file.blob for file in files))
    assert repository.log(commit)
    assert repository.branches()
    repository.commit("main", {"b": b"2"}, "Second", author=AUTHOR)
    git(origin, "-c", "core.hooksPath=/dev/null", "update-ref", "refs/heads/main", commit)
    repository.commit("other", {"b": b"3"}, "Third", author=AUTHOR)


HOOKS = [
    *("applypatch-msg", "pre-commit", "post-commit", "pre-receive", "update", "post-receive"),
    *("post-update", "proc-receive", "reference-transaction", "push-to-checkout", "pre-push"),
    *("post-checkout", "pre-auto-gc", "post-index-change", "fsmonitor-watchman"),
]


def test_hooks_of_the_repository_are_not_run(
    origin: Path, allowed: Path, tmp_path: Path, canary: Path
) -> None:
    for hook in HOOKS:
        script(origin / ".git" / "hooks" / hook, canary)
        script(tmp_path / "more" / hook, canary)
    use_everything(origin, allowed, tmp_path / "mirror")
    git(origin, "config", "core.hooksPath", str(tmp_path / "more"))
    use_everything(origin, allowed, tmp_path / "mirror")


def test_the_hooks_would_have_run(origin: Path, tmp_path: Path) -> None:
    """The other tests could not fail if plain git did not run hooks either."""
    script(origin / ".git" / "hooks" / "post-receive", tmp_path / "ran")
    git(tmp_path, "clone", "-q", "--bare", str(origin), "clone")
    git(tmp_path / "clone", "push", "-q", str(origin), "main:refs/heads/pushed")
    assert (tmp_path / "ran").exists()


def test_configuration_of_the_repository_runs_nothing(
    origin: Path, allowed: Path, tmp_path: Path, canary: Path
) -> None:
    command = str(script(tmp_path / "command", canary))
    for key in (
        *("core.fsmonitor", "core.sshCommand", "core.askPass", "core.pager", "core.editor"),
        *("core.gitProxy", "core.alternateRefsCommand", "uploadpack.packObjectsHook"),
        *("credential.helper", "gpg.program", "diff.external", "pager.log", "sequence.editor"),
        *("filter.evil.clean", "filter.evil.smudge", "filter.evil.process", "alias.upload-pack"),
    ):
        git(origin, "config", key, command)
    (origin / ".gitattributes").write_text("* filter=evil diff=evil\n")
    use_everything(origin, allowed, tmp_path / "mirror")


def test_configuration_and_environment_of_the_machine_run_nothing(
    origin: Path, allowed: Path, tmp_path: Path, canary: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    command = str(script(tmp_path / "command", canary))
    hooks = [script(tmp_path / "template" / "hooks" / hook, canary) for hook in HOOKS]
    home = tmp_path / "home"
    (home / ".config" / "git").mkdir(parents=True)
    lines = [
        *("[core]", f"sshCommand = {command}", f"fsmonitor = {command}", f"askPass = {command}"),
        *(f"hooksPath = {hooks[0].parent}", f"gitProxy = {command}"),
        *("[credential]", f"helper = !{command}", "[init]", f"templateDir = {tmp_path}/template"),
        *("[uploadpack]", f"packObjectsHook = {command}", "[log]", "showSignature = true"),
        *("[protocol]", "allow = always", f'[url "ext::{command} "]', f"insteadOf = {allowed}"),
        *("[commit]", "gpgSign = true", "[gpg]", f"program = {command}"),
    ]
    for name in (".gitconfig", ".config/git/config"):
        (home / name).write_text("\n".join(lines))
    for name, value in {
        "HOME": str(home),
        "XDG_CONFIG_HOME": str(home / ".config"),
        "GIT_CONFIG_GLOBAL": str(home / ".gitconfig"),
        "GIT_CONFIG_SYSTEM": str(home / ".gitconfig"),
        "GIT_CONFIG_PARAMETERS": f"'core.hooksPath={hooks[0].parent}'",
        "GIT_TEMPLATE_DIR": str(tmp_path / "template"),
        "GIT_ALLOW_PROTOCOL": "ext:file",
        "GIT_DIR": str(tmp_path / "elsewhere"),
        "GIT_WORK_TREE": str(tmp_path / "elsewhere"),
        "GIT_INDEX_FILE": str(canary),
        "GIT_OBJECT_DIRECTORY": str(tmp_path / "elsewhere"),
        "GIT_TRACE": str(canary),
        "GIT_TRACE2_EVENT": str(canary),
        "GIT_EXTERNAL_DIFF": command,
        "GIT_PAGER": command,
        "GIT_ASKPASS": command,
        "GIT_SSH": command,
        "GIT_SSH_COMMAND": command,
        "GIT_PROXY_COMMAND": command,
        "GIT_EXEC_PATH": str(tmp_path),
    }.items():
        monkeypatch.setenv(name, value)
    use_everything(origin, allowed, tmp_path / "mirror")


@pytest.mark.parametrize(
    "url",
    [
        "ext::{command}",
        "ext::sh -c {command}",
        "--upload-pack={command}",
        "-u{command}",
        "ssh://-oProxyCommand={command}/path",
        "-oProxyCommand={command}:path",
        "file://{command}",
        "fd::0",
        "https://example.com/`{command}`\n",
    ],
)
def test_addresses_run_nothing(
    url: str, tmp_path: Path, canary: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GIT_ALLOW_PROTOCOL", "ext:fd:file:ssh")
    command = script(tmp_path / "command", canary)
    with pytest.raises(InputError):
        GitRepository(url.format(command=command), tmp_path / "mirror").head()


def test_references_run_nothing(origin: Path, allowed: Path, tmp_path: Path, canary: Path) -> None:
    command = script(tmp_path / "command", canary)
    repository = GitRepository(str(origin), tmp_path / "mirror", allow_local=[allowed])
    for name in (f"--upload-pack={command}", f"-u{command}", f"main --exec={command}", "a:b"):
        for use in (repository.head, repository.fetch, repository.files, repository.log):
            with pytest.raises(InputError):
                use(name)
        with pytest.raises(InputError):
            repository.commit(name, {"a": b"1"}, "Message", author=AUTHOR)


def test_ssh_is_closed_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, canary: Path) -> None:
    """A stand-in for ssh writes down how it is called."""
    called = tmp_path / "called"
    fake = tmp_path / "bin" / "ssh"
    fake.parent.mkdir()
    fake.write_text(
        f'#!/bin/sh\nfor word in "$@"; do echo "$word"; done > {called}\nenv >> {called}\nexit 1\n'
    )
    fake.chmod(0o755)
    monkeypatch.setenv("PATH", f"{fake.parent}:{PATH}")
    monkeypatch.setenv("SSH_AUTH_SOCK", "/tmp/agent")
    monkeypatch.setenv("CALLBOARD_SECRET_KEY", "hidden")
    key = tmp_path / f"my key; touch {canary.name} 100%"
    credentials = Credentials(ssh_key=key, known_hosts=tmp_path / "known_hosts")
    for given in (None, credentials):
        repository = GitRepository("git@example.com:a.git", tmp_path / "m", credentials=given)
        with pytest.raises(CallboardError):
            repository.head()
        words = called.read_text()
        for word in ("-F\nnone\n", "BatchMode=yes", "StrictHostKeyChecking=yes", "ForwardAgent=no"):
            assert word in words
        assert "IdentityAgent=none" in words
        assert "hidden" not in words
        assert "SSH_AUTH_SOCK" not in words
    assert f'IdentityFile="{str(key).replace("%", "%%")}"' in words
    assert f'UserKnownHostsFile="{tmp_path}/known_hosts"' in words


def refused(path: Path, allowed: Path, mirror: Path) -> None:
    with pytest.raises(InputError, match="leads out"):
        GitRepository(str(path), mirror, allow_local=[allowed])


def borrow(origin: Path, secret: Path) -> None:
    """Point a branch at a commit that only the other repository has."""
    commit = git(secret, "rev-parse", "HEAD")
    (origin / ".git" / "refs" / "heads" / "stolen").write_text(f"{commit}\n")


def test_alternates_lead_nowhere(origin: Path, allowed: Path, secret: Path, tmp_path: Path) -> None:
    repository = GitRepository(str(origin), tmp_path / "mirror", allow_local=[allowed])
    alternates = origin / ".git" / "objects" / "info" / "alternates"
    alternates.write_text(f"{secret}/.git/objects\n")
    borrow(origin, secret)
    assert git(origin, "show", "stolen:secret.txt") == SECRET.decode()
    refused(origin, allowed, tmp_path / "mirror")
    with pytest.raises(InputError, match="leads out"):
        repository.fetch("stolen")
    inner = allowed / "inner" / "objects"
    (inner / "info").mkdir(parents=True)
    (inner / "info" / "alternates").write_text(f"{secret}/.git/objects\n")
    alternates.write_text(f"{inner}\n")
    refused(origin, allowed, tmp_path / "mirror")
    alternates.write_text(f'"{secret}/.git/objects"\n')
    with pytest.raises(InputError, match="quoted"):
        GitRepository(str(origin), tmp_path / "mirror", allow_local=[allowed])


def test_links_inside_a_repository_lead_nowhere(
    origin: Path, allowed: Path, secret: Path, tmp_path: Path
) -> None:
    borrow(origin, secret)
    for name in git(secret, "rev-list", "--objects", "HEAD").split():
        source = secret / ".git" / "objects" / name[:2] / name[2:]
        if source.exists():
            target = origin / ".git" / "objects" / name[:2]
            target.mkdir(exist_ok=True)
            (target / name[2:]).symlink_to(source)
    assert git(origin, "show", "stolen:secret.txt") == SECRET.decode()
    refused(origin, allowed, tmp_path / "mirror")


def test_git_files_and_work_trees_lead_nowhere(allowed: Path, secret: Path, tmp_path: Path) -> None:
    pointing = allowed / "pointing"
    pointing.mkdir()
    (pointing / ".git").write_text(f"gitdir: {secret}/.git\n")
    refused(pointing, allowed, tmp_path / "mirror")
    linked = allowed / "linked"
    linked.mkdir()
    (linked / ".git").symlink_to(secret / ".git")
    refused(linked, allowed, tmp_path / "mirror")
    common = allowed / "common"
    common.mkdir()
    (common / "HEAD").write_text("ref: refs/heads/main\n")
    (common / "commondir").write_text(f"{secret}/.git\n")
    refused(common, allowed, tmp_path / "mirror")


def test_links_in_the_tree_are_not_followed(origin: Path, allowed: Path, tmp_path: Path) -> None:
    (tmp_path / "secret.txt").write_bytes(SECRET)
    (origin / "link.yaml").symlink_to(tmp_path / "secret.txt")
    (origin / "folder").symlink_to(tmp_path)
    git(origin, "checkout", "-q", "main")
    git(origin, "add", "-A")
    git(origin, "commit", "-q", "-m", "Links")
    repository = GitRepository(str(origin), tmp_path / "mirror", allow_local=[allowed])
    files = repository.files(repository.fetch())
    assert {file.path for file in files if file.is_symlink} == {"link.yaml", "folder"}
    contents = dict(repository.read(file.blob for file in files))
    assert all(SECRET not in content for content in contents.values())


def tree(origin: Path, entries: list[tuple[str, str, str]]) -> str:
    """Write a tree object that git itself would refuse to make."""
    data = b"".join(
        f"{mode} {name}".encode() + b"\0" + bytes.fromhex(value) for mode, name, value in entries
    )
    return git(origin, "hash-object", "-w", "--literally", "-t", "tree", "--stdin", data=data)


def test_paths_out_of_the_tree_are_left_out(origin: Path, allowed: Path, tmp_path: Path) -> None:
    blob = git(origin, "hash-object", "-w", "--stdin", data=b"x")
    names = [".GIT", "..", "a\x1bb", "good", "x/../../y", "/etc/cron.d/x"]
    root = tree(origin, [("100644", name, blob) for name in names])
    commit = git(origin, "commit-tree", root, "-m", "Hostile")
    git(origin, "update-ref", "refs/heads/main", commit)
    repository = GitRepository(str(origin), tmp_path / "mirror", allow_local=[allowed])
    assert [file.path for file in repository.files(repository.fetch("main"))] == ["good"]


def test_submodules_are_not_fetched(
    origin: Path, allowed: Path, tmp_path: Path, canary: Path
) -> None:
    command = script(tmp_path / "command", canary)
    commit = git(origin, "rev-parse", "HEAD")
    git(origin, "checkout", "-q", "main")
    (origin / ".gitmodules").write_text(
        f'[submodule "m"]\n\tpath = m\n\turl = ext::{command}\n\tupdate = !{command}\n'
        f'[submodule "../../x"]\n\tpath = y\n\turl = -u{command}\n'
    )
    git(origin, "add", ".gitmodules")
    git(origin, "update-index", "--add", "--cacheinfo", f"160000,{commit},m")
    git(origin, "commit", "-q", "-m", "Submodules")
    git(origin, "checkout", "-q", "--detach")
    use_everything(origin, allowed, tmp_path / "mirror")


def test_filters_and_large_file_pointers_stay_as_they_are(
    origin: Path, allowed: Path, tmp_path: Path, canary: Path
) -> None:
    pointer = b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 12\n"
    git(origin, "checkout", "-q", "main")
    (origin / ".gitattributes").write_text("*.bin filter=lfs diff=lfs\n*.txt text eol=crlf\n")
    (origin / "a.bin").write_bytes(pointer)
    (origin / "a.txt").write_bytes(b"one\n")
    git(origin, "add", "-A")
    git(origin, "commit", "-q", "-m", "Pointers")
    repository = GitRepository(str(origin), tmp_path / "mirror", allow_local=[allowed])
    files = repository.files(repository.fetch(), ["a.*"])
    assert list(dict(repository.read(file.blob for file in files)).values()) == [pointer, b"one\n"]


def test_a_packed_bomb_is_not_unpacked(origin: Path, allowed: Path, tmp_path: Path) -> None:
    git(origin, "checkout", "-q", "main")
    (origin / "bomb.yaml").write_bytes(b"\0" * 100_000_000)
    git(origin, "add", "-A")
    git(origin, "commit", "-q", "-m", "Bomb")
    repository = GitRepository(str(origin), tmp_path / "mirror", allow_local=[allowed])
    files = repository.files(repository.fetch(), ["**/*.yaml"])
    assert [(file.path, file.too_large) for file in files] == [("bomb.yaml", True)]
    assert list(repository.read(file.blob for file in files)) == []


def test_a_repository_over_the_limit_is_refused(
    origin: Path, allowed: Path, tmp_path: Path
) -> None:
    git(origin, "checkout", "-q", "main")
    (origin / "large").write_bytes(os.urandom(8_000_000))
    git(origin, "add", "-A")
    git(origin, "commit", "-q", "-m", "Large")
    repository = GitRepository(
        str(origin), tmp_path / "mirror", allow_local=[allowed], maximum_bytes=5_000_000
    )
    for _ in range(2):
        with pytest.raises(InputError, match="too large"):
            repository.fetch()
        assert sum(path.stat().st_size for path in tmp_path.glob("mirror/**/*")) < 5_000_000


def test_odd_commits_are_read(origin: Path, allowed: Path, tmp_path: Path) -> None:
    root = git(origin, "rev-parse", "HEAD^{tree}")
    data = (
        f"tree {root}\n".encode()
        + b"author \xff\x1b[31mEve\x01 <e\xffve@example.com> 99999999999999999 +0000\n"
        + b"committer <> -5 +9999\nencoding no-such\n\nsubject \xff\x1b]0;x\x07\nmore\n"
    )
    commit = git(origin, "hash-object", "-w", "--literally", "-t", "commit", "--stdin", data=data)
    git(origin, "update-ref", "refs/heads/main", commit)
    repository = GitRepository(str(origin), tmp_path / "mirror", allow_local=[allowed])
    (found,) = repository.log(repository.fetch("main"))
    assert found.hash == commit
    assert found.time <= datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)
