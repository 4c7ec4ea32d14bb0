import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from callboard.errors import ConflictError, InputError, NotFoundError, NotReadyError
from callboard.git import Author, GitRepository

AUTHOR = Author("梅", "mei@example.com")


class Origin:
    """A real repository with a work tree."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.mkdir(parents=True)
        self.git("init", "-q", "-b", "main")
        self.git("config", "gc.auto", "0")

    def git(self, *arguments: str, date: str = "2026-01-01T10:00:00Z") -> str:
        identity = ("-c", "user.name=Ann", "-c", "user.email=ann@example.com")
        return subprocess.run(
            ["git", *identity, *arguments],
            cwd=self.path,
            check=True,
            capture_output=True,
            text=True,
            env={"PATH": "/usr/local/bin:/usr/bin:/bin:/opt/homebrew/bin", "HOME": "/nonexistent"}
            | {"GIT_AUTHOR_DATE": date, "GIT_COMMITTER_DATE": date},
        ).stdout.strip()

    def save(self, files: dict[str, str], message: str = "Change", date: str = "") -> str:
        for name, text in files.items():
            path = self.path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        self.git("add", "-A")
        self.git("commit", "-q", "-m", message, date=date or "2026-01-01T10:00:00Z")
        return self.git("rev-parse", "HEAD")

    def push_elsewhere(self, files: dict[str, str]) -> None:
        """Move the branch as another person does, and leave it free to be pushed to."""
        self.git("checkout", "-q", "--detach", self.save(files))


@pytest.fixture
def origin(tmp_path: Path) -> Origin:
    return Origin(tmp_path / "origin")


@pytest.fixture
def repository(origin: Origin, tmp_path: Path) -> GitRepository:
    return GitRepository(str(origin.path), tmp_path / "mirrors" / "a", allow_local=[tmp_path])


def test_importing_callboard_imports_no_git_and_no_http() -> None:
    code = (
        "import sys, callboard, callboard.errors, callboard.entities, callboard.redaction;"
        "print([m for m in ('git', 'httpx', 'httpcore', 'callboard.git', 'callboard.http')"
        " if m in sys.modules])"
    )
    output = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True
    )
    assert output.stdout.strip() == "[]"


def test_head_of_branches_tags_and_hashes(
    origin: Origin, repository: GitRepository, tmp_path: Path
) -> None:
    first = origin.save({"a": "1"})
    origin.git("tag", "-a", "v1", "-m", "Version 1")
    origin.git("branch", "支付/网关")
    second = origin.save({"a": "2"})
    assert repository.head() == repository.head("HEAD") == repository.head("main") == second
    assert repository.head("refs/heads/main") == second
    assert repository.head("v1") == repository.head("支付/网关") == first
    assert repository.head(first) == first
    with pytest.raises(NotFoundError, match="'other'"):
        repository.head("other")
    assert not (tmp_path / "mirrors").exists()


def test_a_branch_is_not_found_by_the_end_of_its_name(
    origin: Origin, repository: GitRepository
) -> None:
    origin.save({"a": "1"})
    origin.git("branch", "team/release")
    with pytest.raises(NotFoundError):
        repository.head("release")


def test_empty_and_missing_repositories(
    repository: GitRepository, origin: Origin, tmp_path: Path
) -> None:
    with pytest.raises(NotFoundError, match="no commit"):
        repository.head()
    (tmp_path / "plain").mkdir()
    with pytest.raises(NotFoundError):
        GitRepository(str(tmp_path / "plain"), tmp_path / "m", allow_local=[tmp_path]).head()


def test_fetch_follows_the_branch(origin: Origin, repository: GitRepository) -> None:
    first = origin.save({"a": "1"})
    assert repository.fetch() == repository.fetch() == first
    second = origin.save({"a": "2"})
    assert repository.fetch("main") == second
    origin.git("reset", "-q", "--hard", first)
    third = origin.save({"a": "3"})
    assert repository.fetch() == third
    assert repository.fetch(second) == second


def test_unmoved_head_writes_nothing(
    origin: Origin, repository: GitRepository, tmp_path: Path
) -> None:
    origin.save({"a": "1"})
    repository.fetch()
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "mirrors").rglob("*")}
    repository.fetch()
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "mirrors").rglob("*")} == before


def test_files_and_their_content(origin: Origin, repository: GitRepository) -> None:
    (origin.path / "link").symlink_to("/etc/passwd")
    origin.save({"catalog-info.yaml": "kind: A\n", "支付/网关.yaml": "kind: B\n", "a b/c\td": "x"})
    commit = repository.fetch()
    files = {file.path: file for file in repository.files(commit)}
    assert set(files) == {"catalog-info.yaml", "支付/网关.yaml", "link"}
    assert (files["link"].is_symlink, files["link"].is_readable) == (True, False)
    assert files["支付/网关.yaml"].is_readable
    assert files["支付/网关.yaml"].size == 8
    found = repository.files(commit, ["*.yaml", "**/网关.yaml"])
    assert [file.path for file in found] == ["catalog-info.yaml", "支付/网关.yaml"]
    blobs = [file.blob for file in found]
    assert list(repository.read(blobs)) == list(
        zip(blobs, [b"kind: A\n", b"kind: B\n"], strict=True)
    )
    assert list(repository.read([])) == []


def test_large_missing_and_foreign_objects_are_not_read(origin: Origin, tmp_path: Path) -> None:
    origin.save({"big": "x" * 2000, "small": "y"})
    repository = GitRepository(
        str(origin.path), tmp_path / "m", allow_local=[tmp_path], maximum_file_bytes=1000
    )
    commit = repository.fetch()
    files = {file.path: file for file in repository.files(commit)}
    assert (files["big"].too_large, files["big"].is_readable) == (True, False)
    wanted = [files["big"].blob, "0" * 40, commit, files["small"].blob]
    assert list(repository.read(wanted)) == [(files["small"].blob, b"y")]
    with pytest.raises(InputError):
        list(repository.read(["--help"]))


def test_reading_may_stop_early(origin: Origin, repository: GitRepository) -> None:
    origin.save({f"f{number}": str(number) * 5000 for number in range(300)})
    commit = repository.fetch()
    reader = repository.read(file.blob for file in repository.files(commit))
    assert len(next(reader)[1]) == 5000
    reader.close()  # type: ignore[attr-defined]


def test_submodules_are_reported_only(origin: Origin, repository: GitRepository) -> None:
    commit = origin.save({"a": "1"})
    origin.git("update-index", "--add", "--cacheinfo", f"160000,{commit},module")
    origin.git("commit", "-q", "-m", "Add a submodule")
    (file,) = repository.files(repository.fetch(), ["module"])
    assert (file.is_submodule, file.is_readable, file.size) == (True, False, 0)


def test_unknown_commit_is_named(origin: Origin, repository: GitRepository) -> None:
    origin.save({"a": "1"})
    repository.fetch()
    for read in (repository.files, repository.log):
        with pytest.raises(NotFoundError, match="not in its mirror"):
            read("1" * 40)
        with pytest.raises(InputError):
            read("--output=/tmp/x")


def test_history(origin: Origin, repository: GitRepository) -> None:
    origin.save({"a": "1"}, "第一次提交\n\nwith a body", date="2025-01-01T23:30:00-02:00")
    origin.save({"b": "2"}, "Second", date="2026-02-01T10:00:00Z")
    origin.save({".mailmap": "Annette <annette@example.com> <ann@example.com>"}, "Third")
    commit = repository.fetch()
    commits = repository.log(commit)
    assert [item.subject for item in commits] == ["Third", "Second", "第一次提交"]
    assert commits[0].parents == (commits[1].hash,)
    assert (commits[0].author_name, commits[0].author_email) == ("Annette", "annette@example.com")
    assert commits[2].time == datetime(2025, 1, 2, 1, 30, tzinfo=UTC)
    assert [item.subject for item in repository.log(commit, limit=1)] == ["Third"]
    assert [item.subject for item in repository.log(commit, paths=["b"])] == ["Second"]
    since = datetime(2025, 6, 1, tzinfo=UTC)
    assert len(repository.log(commit, since=since)) == 2
    (person,) = repository.contributors(commit)
    assert (person.name, person.commits) == ("Annette", 3)
    assert person.last == datetime(2026, 2, 1, 10, tzinfo=UTC)
    assert repository.activity(commit) == {
        date(2025, 1, 2): 1,
        date(2026, 1, 1): 1,
        date(2026, 2, 1): 1,
    }


def test_last_changes_of_files_by_one_walk(origin: Origin, repository: GitRepository) -> None:
    first = origin.save({"docs/a.md": "1", "docs/支付.md": "1", "[x]/b.md": "1"}, "First")
    origin.git("commit", "-q", "--allow-empty", "-m", "Nothing")
    second = origin.save(
        {"docs/a.md": "2", "docs/new line.md": "1"}, "Second", "2026-01-02T10:00:00Z"
    )
    head = repository.fetch()
    changes = repository.last_changes(head)
    assert {path: commit.hash for path, commit in changes.items()} == {
        "docs/a.md": second,
        "docs/new line.md": second,
        "docs/支付.md": first,
        "[x]/b.md": first,
    }
    assert changes["docs/a.md"].subject == "Second"
    assert changes["docs/a.md"].author_name == "Ann"
    assert set(repository.last_changes(head, folder="[x]")) == {"[x]/b.md"}
    assert set(repository.last_changes(head, after=first)) == {"docs/a.md", "docs/new line.md"}
    assert set(repository.last_changes(head, after="0" * 40)) == set(changes)
    assert set(repository.last_changes(head, limit=1)) == {"docs/a.md", "docs/new line.md"}


def test_depth_cuts_history_off_and_can_be_lifted(origin: Origin, tmp_path: Path) -> None:
    for number in range(5):
        origin.save({"a": str(number)})
    settings = {"allow_local": [tmp_path]}
    shallow = GitRepository(str(origin.path), tmp_path / "m", depth=2, **settings)  # type: ignore[arg-type]
    commit = shallow.fetch()
    assert len(shallow.log(commit)) == 2
    origin.save({"a": "new"})
    assert len(shallow.log(shallow.fetch())) == 2
    full = GitRepository(str(origin.path), tmp_path / "m", **settings)  # type: ignore[arg-type]
    assert len(full.log(full.fetch())) == 6
    origin.save({"a": "newer"})
    assert len(shallow.log(shallow.fetch())) == 7


def test_branches_and_tags(origin: Origin, repository: GitRepository) -> None:
    first = origin.save({"a": "1"}, date="2025-01-01T10:00:00Z")
    origin.git("branch", "old")
    origin.git("tag", "light")
    origin.git("tag", "-a", "v1", "-m", "Version 1", date="2026-03-01T10:00:00Z")
    second = origin.save({"a": "2"}, date="2026-02-01T10:00:00Z")
    repository.fetch(all_references=True)
    assert [(item.name, item.commit) for item in repository.branches()] == [
        ("main", second),
        ("old", first),
    ]
    assert [(item.name, item.commit) for item in repository.tags()] == [
        ("v1", first),
        ("light", first),
    ]
    assert repository.tags()[0].time == datetime(2026, 3, 1, 10, tzinfo=UTC)
    origin.git("branch", "-D", "old")
    origin.git("branch", "old/nested")
    repository.fetch(all_references=True)
    assert {item.name for item in repository.branches()} == {"main", "old/nested"}


def test_a_damaged_mirror_is_made_anew(
    origin: Origin, repository: GitRepository, tmp_path: Path
) -> None:
    origin.save({"a": "1" * 1000})
    commit = repository.fetch()
    mirror = tmp_path / "mirrors" / "a"
    for pack in (mirror / "objects" / "pack").iterdir():
        pack.unlink()
    assert repository.fetch() == commit
    assert len(repository.files(commit)) == 1
    (mirror / "HEAD").write_bytes(b"\0\0\0")
    assert repository.fetch() == commit
    for pack in (mirror / "objects" / "pack").glob("*.pack"):
        pack.chmod(0o600)
        data = bytearray(pack.read_bytes())
        data[12:-20] = b"\xff" * len(data[12:-20])
        pack.write_bytes(data)
    with pytest.raises((NotReadyError, NotFoundError)):
        repository.files(commit)
    assert repository.fetch() == commit
    assert len(repository.files(commit)) == 1


def test_leftovers_of_a_killed_process_are_cleaned(
    origin: Origin, repository: GitRepository, tmp_path: Path
) -> None:
    origin.save({"a": "1"})
    repository.fetch()
    mirror = tmp_path / "mirrors" / "a"
    leftovers = ["shallow.lock", "packed-refs.lock", "refs/heads/main.lock", "HEAD.lock"]
    leftovers += ["objects/pack/tmp_pack_abc", "gc.pid"]
    for name in leftovers:
        (mirror / name).write_text("")
    (mirror.parent / "a.new").mkdir()
    second = origin.save({"a": "2"})
    assert repository.fetch() == second
    assert not [name for name in leftovers if (mirror / name).exists()]


def test_commit_is_made_and_pushed(origin: Origin, repository: GitRepository) -> None:
    origin.save({"a": "1", "gone": "x", "run.sh": "old"})
    origin.git("update-index", "--chmod=+x", "run.sh")
    origin.git("commit", "-q", "-m", "Make it executable")
    origin.git("checkout", "-q", "--detach")
    changes: dict[str, bytes | None] = {
        "a": b"2",
        "gone": None,
        "环境/生产.yaml": "值\n".encode(),
        "run.sh": b"new",
    }
    commit = repository.commit(
        "main", changes, "Promote\n\nTo production", author=AUTHOR, trailers={"Promoted-by": "Mei"}
    )
    assert origin.git("rev-parse", "main") == commit
    assert origin.git("show", "main:a") == "2"
    assert origin.git("show", "main:环境/生产.yaml") == "值"
    assert "100755" in origin.git("ls-tree", "main", "run.sh")
    assert origin.git("ls-tree", "main", "gone") == ""
    assert origin.git("log", "-1", "--format=%an <%ae>|%s|%(trailers)", "main") == (
        "梅 <mei@example.com>|Promote|Promoted-by: Mei"
    )
    again = repository.commit("main", changes, "Promote", author=AUTHOR)
    assert again == commit == origin.git("rev-parse", "main")


def test_commit_starts_branches_and_repositories(origin: Origin, repository: GitRepository) -> None:
    origin.git("config", "core.bare", "true")
    first = repository.commit("main", {"a": b"1"}, "First", author=AUTHOR)
    assert origin.git("rev-parse", "main") == first
    second = repository.commit("topic", {"b": b"2"}, "Second", author=AUTHOR)
    assert origin.git("log", "--format=%H", "topic").split() == [second, first]


@pytest.fixture
def race(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[], None]], None]:
    """Have something happen right before the first push."""

    def arrange(action: Callable[[], None]) -> None:
        push = GitRepository._push
        actions = [action]

        def overtaken(self: GitRepository, *arguments: object) -> bool:
            if actions:
                actions.pop()()
            return push(self, *arguments)  # type: ignore[arg-type]

        monkeypatch.setattr(GitRepository, "_push", overtaken)

    return arrange


def test_commit_is_applied_again_when_overtaken(
    origin: Origin, repository: GitRepository, race: Callable[[Callable[[], None]], None]
) -> None:
    origin.save({"a": "1", "b": "1"})
    race(lambda: origin.push_elsewhere({"b": "2"}))
    commit = repository.commit("main", {"a": b"2"}, "Mine", author=AUTHOR)
    assert origin.git("rev-parse", "main") == commit
    assert (origin.git("show", "main:a"), origin.git("show", "main:b")) == ("2", "2")


def test_commit_never_overwrites_what_overtook_it(
    origin: Origin, repository: GitRepository, race: Callable[[Callable[[], None]], None]
) -> None:
    origin.save({"a": "1"})
    race(lambda: origin.push_elsewhere({"a": "theirs"}))
    with pytest.raises(ConflictError, match="same files meanwhile: a"):
        repository.commit("main", {"a": b"mine"}, "Mine", author=AUTHOR)
    assert origin.git("show", "main:a") == "theirs"


def test_declined_push_is_a_conflict(origin: Origin, repository: GitRepository) -> None:
    origin.save({"a": "1"})
    with pytest.raises(ConflictError, match="declined"):
        repository.commit("main", {"a": b"2"}, "Into a checked out branch", author=AUTHOR)


@pytest.mark.parametrize(
    "path",
    ["", "/a", "../a", "a/../b", ".git/config", "a/.GIT/x", "a//b", "a\nb", "a/", "x" * 1001],
)
def test_bad_paths_are_not_committed(repository: GitRepository, path: str) -> None:
    with pytest.raises(InputError):
        repository.commit("main", {path: b"x"}, "Message", author=AUTHOR)


def test_bad_texts_are_not_committed(origin: Origin, repository: GitRepository) -> None:
    origin.save({"a": "1"})
    bad = Author("A\nB", "a@example.com")
    for message, author, trailers in (
        (" ", AUTHOR, {}),
        ("Message", bad, {}),
        ("Message", AUTHOR, {"Bad key": "x"}),
        ("Message", AUTHOR, {"Key": "a\nSigned-off-by: someone"}),
    ):
        with pytest.raises(InputError):
            repository.commit("new", {"a": b"2"}, message, author=author, trailers=trailers)


def test_links_are_not_written_through(origin: Origin, repository: GitRepository) -> None:
    (origin.path / "link").symlink_to("/etc")
    origin.save({"a": "1", "folder/b": "1"})
    origin.git("checkout", "-q", "--detach")
    for path in ("link", "link/passwd", "a/b", "folder"):
        with pytest.raises(InputError):
            repository.commit("main", {path: b"x"}, "Message", author=AUTHOR)
