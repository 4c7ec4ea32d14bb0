"""Writes readings into the plugin's tables."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Set
from datetime import datetime
from typing import Final

from sqlalchemy import Connection, Table, delete, func, insert, select, update
from sqlalchemy.dialects import postgresql, sqlite

from callboard_scm_git.models import (
    activity,
    commit,
    contributor,
    entity,
    folder,
    reference,
    repository,
)
from callboard_scm_git.reading import Known, Reading

AT_ONCE: Final = 500
MAXIMUM_FOLDERS: Final = 200
MAXIMUM_ROWS: Final = 100
"""How many contributors, branches and tags are kept; their numbers are kept beside."""

Wanted = Mapping[str, Set[str]]
"""The folders of interest by repository; the whole repository goes without saying."""


def registered(connection: Connection, urls: Collection[str] | None = None) -> dict[str, set[str]]:
    """Give the folders that are read, by repository; of all repositories or of those named."""
    query = select(repository.c.url, folder.c.path).join(folder)
    found: dict[str, set[str]] = {}
    for some in (None,) if urls is None else _chunks(urls):
        chosen = query if some is None else query.where(repository.c.url.in_(some))
        for url, path in connection.execute(chosen):
            found.setdefault(url, set()).add(path)
    return found


def register(connection: Connection, wanted: Wanted) -> None:
    """Add the repositories and folders that are not there yet; they are read by a job."""
    known = registered(connection, wanted.keys())
    empty = {"state": "", "head": "", "branch": "", "error": "",
             "branches": 0, "tags": 0, "contributors": 0}  # fmt: skip
    # In one order: two processes that insert the same ones would wait for each other otherwise.
    new = sorted(wanted.keys() - known.keys())
    _insert_new(connection, repository, [{"url": url, **empty} for url in new])
    numbers: dict[str, int] = {}
    for some in _chunks(wanted):
        query = select(repository.c.url, repository.c.id).where(repository.c.url.in_(some))
        numbers.update((row.url, row.id) for row in connection.execute(query))
    rows = []
    for url, paths in sorted(wanted.items()):
        missing = sorted({"", *paths} - known.get(url, set()))
        room = MAXIMUM_FOLDERS - len(known.get(url, set()))
        rows += [
            {"repository_id": numbers[url], "path": path, "state": ""} for path in missing[:room]
        ]
    _insert_new(connection, folder, rows)


def _insert_new(connection: Connection, table: Table, rows: list[dict[str, object]]) -> None:
    """Insert rows that another process may just have inserted as well."""
    if rows:
        dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
        connection.execute(dialect.insert(table).on_conflict_do_nothing(), rows)


def _chunks(urls: Iterable[str]) -> Iterator[list[str]]:
    listed = sorted(urls)
    for start in range(0, len(listed), AT_ONCE):
        yield listed[start : start + AT_ONCE]


def named(connection: Connection, refs: Collection[str] | None = None) -> dict[str, str]:
    """Give the repositories of entities by reference; of all entities or of those named."""
    query = select(entity.c.ref, repository.c.url).join(repository)
    found: dict[str, str] = {}
    for some in (None,) if refs is None else _chunks(refs):
        chosen = query if some is None else query.where(entity.c.ref.in_(some))
        found.update((row.ref, row.url) for row in connection.execute(chosen))
    return found


def name(connection: Connection, before: Mapping[str, str], now: Mapping[str, str]) -> None:
    """Change which repositories entities name; those they name must be registered."""
    changed = {ref: url for ref, url in now.items() if before.get(ref) != url}
    for some in _chunks((before.keys() - now.keys()) | changed.keys()):
        connection.execute(delete(entity).where(entity.c.ref.in_(some)))
    numbers: dict[str, int] = {}
    for some in _chunks(set(changed.values())):
        query = select(repository.c.url, repository.c.id).where(repository.c.url.in_(some))
        numbers.update((row.url, row.id) for row in connection.execute(query))
    rows: list[dict[str, object]] = [
        {"ref": ref, "repository_id": numbers[url]} for ref, url in sorted(changed.items())
    ]
    _insert_new(connection, entity, rows)


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
    fault = None if row.failing_since is None else row.error
    read = {row.path: row.state for row in folders}
    return Known(row.state, row.read_at, read, fault, row.failing_since, row.next_try_at)


def mark_failing(
    connection: Connection,
    url: str,
    error: str,
    now: datetime,
    *,
    next_try_at: datetime | None = None,
) -> None:
    """Note that a repository cannot be read and since when; what was read of it is kept.

    `next_try_at` is given where its host refused.
    """
    since = func.coalesce(repository.c.failing_since, now)
    connection.execute(
        update(repository)
        .where(repository.c.url == url)
        .values(failing_since=since, error=error, next_try_at=next_try_at)
    )


def mark_reachable(connection: Connection, url: str) -> None:
    """Note that a repository can be read again."""
    connection.execute(
        update(repository)
        .where(repository.c.url == url)
        .values(failing_since=None, error="", next_try_at=None)
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
            next_try_at=None,
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
