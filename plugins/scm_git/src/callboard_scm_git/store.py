"""Writes readings into the plugin's tables."""

from collections.abc import Iterable, Mapping, Set
from datetime import datetime
from typing import Final

from sqlalchemy import Connection, Table, delete, insert, select, update
from sqlalchemy.dialects import postgresql, sqlite

from callboard_scm_git.models import activity, commit, contributor, folder, reference, repository
from callboard_scm_git.reading import Known, Reading

MAXIMUM_FOLDERS: Final = 200
MAXIMUM_ROWS: Final = 100
"""How many contributors, branches and tags are kept; their numbers are kept beside."""

Wanted = Mapping[str, Set[str]]
"""The folders of interest by repository; the whole repository goes without saying."""


def registered(connection: Connection) -> dict[str, set[str]]:
    """Give the folders that are read, by repository."""
    query = select(repository.c.url, folder.c.path).join(folder)
    found: dict[str, set[str]] = {}
    for url, path in connection.execute(query):
        found.setdefault(url, set()).add(path)
    return found


def register(connection: Connection, wanted: Wanted) -> None:
    """Add the repositories and folders that are not there yet; they are read by a job."""
    known = registered(connection)
    for url, paths in wanted.items():
        if url not in known:
            _insert_new(
                connection,
                repository,
                {"url": url, "state": "", "head": "", "branch": "", "error": "",
                 "branches": 0, "tags": 0, "contributors": 0},
            )  # fmt: skip
        number = connection.execute(
            select(repository.c.id).where(repository.c.url == url)
        ).scalar_one()
        missing = sorted({"", *paths} - known.get(url, set()))
        room = MAXIMUM_FOLDERS - len(known.get(url, set()))
        for path in missing[:room]:
            _insert_new(connection, folder, {"repository_id": number, "path": path, "state": ""})


def _insert_new(connection: Connection, table: Table, row: dict[str, object]) -> None:
    """Insert a row that another process may just have inserted as well."""
    dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
    connection.execute(dialect.insert(table).values(row).on_conflict_do_nothing())


def forget(connection: Connection, wanted: Wanted) -> None:
    """Remove the repositories and folders that no entity names any more."""
    for url, paths in registered(connection).items():
        if url not in wanted:
            connection.execute(delete(repository).where(repository.c.url == url))
            continue
        gone = paths - wanted[url] - {""}
        if gone:
            number = select(repository.c.id).where(repository.c.url == url).scalar_subquery()
            connection.execute(
                delete(folder).where(folder.c.repository_id == number, folder.c.path.in_(gone))
            )


def known(connection: Connection, url: str) -> Known | None:
    """Give what the tables hold of a repository, or None where no entity names it."""
    row = connection.execute(select(repository).where(repository.c.url == url)).one_or_none()
    if row is None:
        return None
    folders = connection.execute(
        select(folder.c.path, folder.c.state).where(folder.c.repository_id == row.id)
    )
    return Known(row.state, row.read_at, {row.path: row.state for row in folders})


def is_failing(connection: Connection, url: str) -> bool:
    query = select(repository.c.failing_since).where(repository.c.url == url)
    return connection.execute(query).scalar() is not None


def mark_failing(connection: Connection, url: str, error: str, now: datetime) -> None:
    """Note that a repository cannot be read and since when; what was read of it is kept."""
    own = repository.c.url == url
    connection.execute(
        update(repository).where(own, repository.c.failing_since.is_(None)).values(
            failing_since=now
        )
    )  # fmt: skip
    changed = repository.c.error != error
    connection.execute(update(repository).where(own, changed).values(error=error))


def mark_reachable(connection: Connection, url: str) -> None:
    """Note that a repository can be read again."""
    connection.execute(
        update(repository).where(repository.c.url == url).values(failing_since=None, error="")
    )


def write_reading(connection: Connection, url: str, reading: Reading, now: datetime) -> None:
    """Replace all that is kept of a repository; one that was forgotten meanwhile stays so."""
    changed = connection.execute(
        update(repository)
        .where(repository.c.url == url)
        .values(
            state=reading.state,
            head=reading.head,
            branch=reading.branch,
            branches=len(reading.branches),
            tags=len(reading.tags),
            contributors=len(reading.contributors),
            read_at=now,
            failing_since=None,
            error="",
        )
        .returning(repository.c.id)
    ).scalar()
    if changed is not None:
        _write_folders(connection, changed, reading)
        _write_figures(connection, changed, reading)


def _write_folders(connection: Connection, number: int, reading: Reading) -> None:
    folders = connection.execute(
        select(folder.c.id, folder.c.path).where(folder.c.repository_id == number)
    ).all()
    for identity, path in folders:
        if path not in reading.folders:
            continue
        commits = reading.folders[path]
        latest = commits[0].committed if commits else None
        connection.execute(
            update(folder)
            .where(folder.c.id == identity)
            .values(state=reading.state, committed_at=latest)
        )
        connection.execute(delete(commit).where(commit.c.folder_id == identity))
        _insert(
            connection,
            commit,
            (
                {
                    "folder_id": identity,
                    "position": position,
                    "hash": item.hash,
                    "author": item.author_name[:200],
                    "subject": item.subject[:300],
                    "committed_at": item.committed,
                }
                for position, item in enumerate(commits)
            ),
        )


def _write_figures(connection: Connection, number: int, reading: Reading) -> None:
    for table in (contributor, reference, activity):
        connection.execute(delete(table).where(table.c.repository_id == number))
    _insert(
        connection,
        contributor,
        (
            {
                "repository_id": number,
                "position": position,
                "name": item.name[:200],
                "commits": item.commits,
                "last_at": item.last,
            }
            for position, item in enumerate(reading.contributors[:MAXIMUM_ROWS])
        ),
    )
    _insert(
        connection,
        reference,
        (
            {
                "repository_id": number,
                "kind": kind,
                "position": position,
                "name": item.name[:250],
                "hash": item.commit,
                "changed_at": item.time,
            }
            for kind, items in (("branch", reading.branches), ("tag", reading.tags))
            for position, item in enumerate(items[:MAXIMUM_ROWS])
        ),
    )
    _insert(
        connection,
        activity,
        (
            {"repository_id": number, "day": day, "commits": count}
            for day, count in reading.activity.items()
        ),
    )


def _insert(connection: Connection, table: Table, rows: Iterable[dict[str, object]]) -> None:
    listed = list(rows)
    if listed:
        connection.execute(insert(table), listed)
