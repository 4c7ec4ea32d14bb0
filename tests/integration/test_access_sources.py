"""Policies of folders and Git repositories: read in a job, the last good version in force."""

import subprocess
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from callboard import audit, events
from callboard.access import Access, AccessSettings, PolicySource
from callboard.access.parts import CHANGE_POLICY, PERMISSIONS
from callboard.access.sources import MOST_FILES, SourceReader, read_folder
from callboard.database import Database
from callboard.entities import EntityRef
from callboard.errors import InputError, NotFoundError
from callboard.git import GitRepository
from callboard.identity import Permission, Principal, Subject
from callboard.testing import Clock

START = "ci.run.start"
DECLARED = [*PERMISSIONS, Permission(name=START, title="", role="maintainer", about="entity")]
GIVES = """\
roles:
  - name: starter
    permissions: [ci.*]
bindings:
  - role: starter
    to: [group:blue]
"""


def person(name: str, *groups: str) -> Subject:
    refs = [EntityRef.of("user", "default", name)]
    refs += [EntityRef.of("group", "default", group) for group in groups]
    principal = Principal(kind="person", name=str(refs[0]), entity=refs[0])
    return Subject(principal=principal, mine=tuple(refs))


ADA, EVE = person("ada"), person("eve", "blue")


class Site:
    """A folder with settings and policies, a database, and what reads them."""

    def __init__(self, folder: Path, database: Database, clock: Clock) -> None:
        self.folder, self.database, self.clock = folder, database, clock
        self.settings = AccessSettings()
        self.use()

    def use(self, *policies: dict[str, Any]) -> None:
        """Name the sources; what decides and what reads begin anew with them."""
        given = {"policies": list(policies), "administrators": ["user:ada"], "defaults": False}
        self.settings = AccessSettings.model_validate(given)
        self.access = Access(
            self.settings, DECLARED, database=self.database, now=self.clock, strict=True
        )

    def write(self, path: str, text: str) -> None:
        file = self.folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")

    def read(self) -> None:
        SourceReader(
            self.database,
            self.settings,
            base=self.folder,
            repository=self.repository,
            now=self.clock,
        ).read_all()

    def repository(self, url: str) -> GitRepository:
        return GitRepository(url, self.folder / "mirror", allow_local=[self.folder])

    def git(self, *arguments: str) -> None:
        subprocess.run(
            ["git", "-c", "user.name=Ada", "-c", "user.email=ada@example.org", *arguments],
            cwd=self.folder / "origin", check=True, capture_output=True,
        )  # fmt: skip

    def commit(self, text: str, path: str = "policies/a.yaml") -> None:
        if not (self.folder / "origin").exists():
            (self.folder / "origin").mkdir()
            self.git("init", "-q", "-b", "main")
        self.write(f"origin/{path}", text)
        self.git("add", "-A")
        self.git("commit", "-qm", "Change policies")

    def source(self) -> PolicySource:
        """Give the first folder or repository."""
        return next(item for item in self.access.sources if item.kind in ("git", "folder"))

    def starts(self) -> bool:
        return self.access.decide(EVE, START).allowed


@pytest.fixture
def site(database: Database, clock: Clock, tmp_path: Path) -> Site:
    folder = tmp_path / "site"
    folder.mkdir()
    return Site(folder, database, clock)


def test_a_folder_is_in_force_once_it_was_read(site: Site) -> None:
    site.write("policies/a.yaml", GIVES)
    site.use({"path": "policies/**"})
    assert site.source().state == "waiting"
    site.read()
    assert site.starts()
    assert site.source().state == "ok"
    assert (site.source().roles, site.source().bindings, site.source().faults) == (1, 1, ())
    assert site.source().read_at == site.clock()
    reason = site.access.decide(EVE, START).reasons[0]
    assert "policies/a.yaml:5" in str(reason.text)
    assert site.access.decide(EVE, CHANGE_POLICY).allowed is False


def test_a_repository_is_read_at_a_revision(site: Site) -> None:
    site.commit(GIVES)
    site.use({"git": str(site.folder / "origin"), "path": "policies/*.yaml", "branch": "main"})
    site.read()
    first = site.source().revision
    assert site.starts()
    assert len(first) == 40
    assert site.access.policy.roles["starter"].source == "origin/policies/a.yaml:2"
    site.commit(GIVES.replace("group:blue", "group:red"))
    assert site.starts()
    site.read()
    assert not site.starts()
    assert site.source().revision != first
    site.git("rm", "-q", "policies/a.yaml")
    site.git("commit", "-qm", "Remove")
    site.read()
    assert site.source().roles == 0


def test_until_it_was_read_only_administrators_of_the_settings_may_do_anything(
    site: Site,
) -> None:
    site.use({"path": "policies/**"}, {"path": "nowhere/*.yaml"})
    site.write("policies/a.yaml", GIVES)
    site.read()
    decision = site.access.decide(EVE, START)
    assert not decision.allowed
    assert "nowhere/*.yaml" in str(decision.reasons[0].text)
    assert site.access.decide(ADA, CHANGE_POLICY).allowed
    assert site.access.filter(EVE, START).nothing
    gone = site.access.sources[3]
    assert (gone.state, bool(gone.error), gone.failing_since) == ("waiting", True, site.clock())
    site.write("nowhere/b.yaml", "")
    site.read()
    assert site.starts()


def test_a_bad_file_keeps_its_last_good_version_and_hinders_no_other(site: Site) -> None:
    site.write("policies/a.yaml", GIVES)
    site.write("policies/b.csv", "p, team, applications, get, *, allow\n")
    site.use({"path": "policies/*"})
    site.read()
    site.write("policies/a.yaml", GIVES.replace("bindings:", "bindngs:"))
    site.write("policies/c.yaml", "roles:\n  - {name: other, permissions: [ci.*]}\n")
    site.read()
    assert site.starts()
    assert "other" in site.access.policy.roles
    (fault,) = [item for item in site.access.faults if item.severity == "error"]
    assert fault.place == "policies/a.yaml:4"
    assert "bindings" in str(fault.message)
    site.write("policies/a.yaml", GIVES.replace("group:blue", "group:red"))
    site.read()
    assert not site.starts()
    assert not [item for item in site.access.faults if item.severity == "error"]


def test_a_source_that_cannot_be_read_keeps_its_last_good_state(site: Site) -> None:
    site.commit(GIVES)
    site.use({"git": str(site.folder / "origin"), "path": "policies/*.yaml"})
    site.read()
    read = site.clock()
    (site.folder / "origin").rename(site.folder / "away")
    site.clock.advance(timedelta(minutes=5))
    site.read()
    site.clock.advance(timedelta(minutes=5))
    site.read()
    assert site.starts()
    source = site.source()
    assert (source.state, source.succeeded_at) == ("failing", read)
    assert source.failing_since == read + timedelta(minutes=5)
    assert str(site.folder / "origin") in str(source.error)
    (site.folder / "away").rename(site.folder / "origin")
    site.read()
    assert site.source().state == "ok"


def test_a_change_is_audited_once(site: Site) -> None:
    site.write("policies/a.yaml", GIVES)
    site.use({"path": "policies/*.yaml"})
    site.read()
    generation = site.access.generation
    site.clock.advance(timedelta(minutes=1))
    site.read()
    assert site.access.generation == generation
    assert site.source().read_at == site.clock()
    with site.database.read() as connection:
        (entry,) = audit.entries(connection)
        (told,) = events.read(connection, 0, ("access.",))
    assert (entry.action, entry.actor) == ("access.source.read", "system:callboard")
    assert entry.after["changed"] == ["policies/a.yaml"]
    assert (told.kind, told.data["faults"]) == ("access.source.changed", 0)


def test_a_source_no_longer_named_is_forgotten(site: Site) -> None:
    site.write("policies/a.yaml", GIVES)
    site.use({"path": "policies/*.yaml"})
    site.read()
    site.use()
    assert not site.starts()
    site.read()
    site.use({"path": "policies/*.yaml"})
    assert site.source().state == "waiting"


def test_a_role_of_pages_gives_way_to_one_of_a_file(site: Site) -> None:
    site.use({"path": "policies/*.yaml"})
    site.write("policies/z.yaml", "")
    site.read()
    store = site.access.store
    store.add_role(store.role_settings({"name": "starter", "permissions": ["access.*"]}))
    site.write("policies/a.yaml", GIVES)
    site.read()
    assert site.starts()
    assert site.access.policy.roles["starter"].origin == "repository"
    assert not site.access.decide(EVE, "access.policy.read").allowed
    (fault,) = site.access.faults
    assert (fault.file, fault.severity) == ("pages", "error")


def test_a_file_may_write_a_default_role_anew_but_not_the_administrators(site: Site) -> None:
    site.write(
        "policies/a.yaml",
        "roles:\n  - {name: maintainer, permissions: [nothing.at.all]}\n"
        "  - {name: administrator, permissions: [nothing.at.all]}\n"
        "bindings:\n  - {role: maintainer, to: [group:blue]}\n",
    )
    site.use({"path": "policies/*.yaml"})
    site.read()
    assert not site.starts()
    assert site.access.decide(ADA, START).allowed
    errors = [item.place for item in site.access.faults if item.severity == "error"]
    notes = [item.place for item in site.access.faults if item.severity == "note"]
    assert errors == ["policies/a.yaml:3"]
    assert notes == ["policies/a.yaml:2"]


def test_roles_that_include_each_other_are_told_and_harmless(site: Site) -> None:
    site.write(
        "policies/a.yaml",
        "roles:\n  - {name: a, includes: [b], permissions: [ci.run.start]}\n"
        "  - {name: b, includes: [a, gone]}\n"
        "bindings:\n  - {role: b, to: [group:blue]}\n  - {role: none, to: [everyone]}\n",
    )
    site.use({"path": "policies/*.yaml"})
    site.read()
    assert site.starts()
    assert [item.line for item in site.access.faults] == [2, 3, 3, 6]


def test_links_of_a_mounted_folder_are_followed(tmp_path: Path) -> None:
    data = tmp_path / "policies/..2026_01_01"
    data.mkdir(parents=True)
    (data / "a.csv").write_text("g, a, b")
    (tmp_path / "policies/..data").symlink_to(data)
    (tmp_path / "policies/a.csv").symlink_to("..data/a.csv")
    (tmp_path / "policies/note.txt").write_text("no policy")
    assert dict(read_folder(tmp_path, "policies/**").files) == {"policies/a.csv": b"g, a, b"}
    assert list(read_folder(tmp_path, "policies/a.csv").files) == ["policies/a.csv"]
    assert list(read_folder(tmp_path, "policies").files) == ["policies/a.csv"]
    with pytest.raises(NotFoundError):
        read_folder(tmp_path, "elsewhere/*.csv")


def test_a_folder_is_bounded(tmp_path: Path) -> None:
    for number in range(MOST_FILES + 1):
        (tmp_path / f"{number}.csv").touch()
    with pytest.raises(InputError, match=str(MOST_FILES)):
        read_folder(tmp_path, "*.csv")


def test_a_large_file_is_refused(site: Site) -> None:
    site.write("policies/a.csv", "# x\n" * 300_000)
    site.use({"path": "policies/*"})
    site.read()
    assert [item.file for item in site.access.faults] == ["policies/a.csv"]
