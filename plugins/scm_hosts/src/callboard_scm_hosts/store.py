"""Writes what was found into the plugin's tables."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, Row, delete, insert, select, update
from sqlalchemy.dialects import postgresql, sqlite

from callboard.i18n import Text
from callboard_scm_hosts.models import content, discovery, page, repository
from callboard_scm_hosts.values import Found, Reading, TreeEntry

AT_ONCE: Final = 500
EMPTY: Final[Mapping[str, Any]] = {
    "read_moved": "", "read_by": "", "head": "", "etag": "", "state": "new", "reason": "",
    "files": [], "descriptors": 0, "touched": 0, "attempts": 0, "read_at": None,
}  # fmt: skip
"""The columns of a repository that was not read."""

_LIGHT: Final = tuple(
    column for column in repository.c if column.name not in ("files", "etag", "reason")
)


def load_discovery(connection: Connection, name: str) -> Row[Any] | None:
    """Give the row of a discovery."""
    return connection.execute(select(discovery).where(discovery.c.name == name)).one_or_none()


def add_discovery(connection: Connection, name: str, host: str) -> None:
    """Add the row of a discovery that was never scanned; one that is there stays."""
    values = {"name": name, "host": host, "revision": 0, "complete": False, "error": "",
              "hint": "", "note": ""}  # fmt: skip
    _insert_new(connection, discovery, [values])


def grow(connection: Connection, name: str) -> None:
    """Say that the source of a discovery would give something else now."""
    connection.execute(
        update(discovery).where(discovery.c.name == name).values(revision=discovery.c.revision + 1)
    )


def discovery_names(connection: Connection) -> set[str]:
    """Give the names of all discoveries that have a row."""
    return set(connection.scalars(select(discovery.c.name)))


def forget_discoveries(connection: Connection, kept: Collection[str]) -> list[str]:
    """Delete everything of discoveries that are no longer configured; give their names."""
    gone = sorted(discovery_names(connection) - set(kept))
    for name in gone:
        for table in (page, repository):
            connection.execute(delete(table).where(table.c.discovery == name))
        connection.execute(delete(discovery).where(discovery.c.name == name))
    return gone


# Pages of listings


def load_pages(connection: Connection, name: str) -> dict[int, Row[Any]]:
    """Give the pages of a discovery's listing, by their numbers."""
    rows = connection.execute(select(page).where(page.c.discovery == name))
    return {row.number: row for row in rows}


def write_page(connection: Connection, name: str, number: int, values: Mapping[str, Any]) -> None:
    """Put a page in the place of what was there."""
    key = (page.c.discovery == name) & (page.c.number == number)
    connection.execute(delete(page).where(key))
    connection.execute(insert(page), {"discovery": name, "number": number, **values})


def drop_pages(connection: Connection, name: str, after: int) -> None:
    """Delete the pages after the last one."""
    connection.execute(delete(page).where(page.c.discovery == name, page.c.number > after))


# Repositories


def load_repositories(connection: Connection, name: str) -> dict[str, Row[Any]]:
    """Give the repositories of a discovery by the host's id, without their files."""
    rows = connection.execute(select(*_LIGHT).where(repository.c.discovery == name))
    return {row.remote_id: row for row in rows}


def listed_values(found: Found) -> dict[str, Any]:
    """Give the columns that a listing fills."""
    return {
        "path": found.path,
        "branch": found.branch,
        "topics": list(found.topics),
        "archived": found.archived,
        "fork": found.fork,
    }


def add_repositories(
    connection: Connection, name: str, rows: Iterable[tuple[Found, Mapping[str, Any]]]
) -> None:
    """Add repositories, each with what differs from one that was not read."""
    values = [
        {**EMPTY, "discovery": name, "remote_id": found.id, **listed_values(found), **more}
        for found, more in rows
    ]
    _insert_new(connection, repository, values)


def change_repository(connection: Connection, number: int, values: Mapping[str, Any]) -> None:
    """Set columns of one repository."""
    connection.execute(update(repository).where(repository.c.id == number).values(**values))


def drop_repositories(connection: Connection, numbers: Sequence[int]) -> None:
    """Delete repositories with their files."""
    for some in _chunks(numbers):
        connection.execute(delete(repository).where(repository.c.id.in_(some)))


def drop_contents(connection: Connection, numbers: Sequence[int]) -> None:
    """Delete the files of repositories that are skipped from now on."""
    for some in _chunks(numbers):
        connection.execute(delete(content).where(content.c.repository_id.in_(some)))


def load_files(connection: Connection, number: int) -> tuple[list[Any], str, frozenset[str]]:
    """Give a repository's files, its ETag and the blobs that are stored."""
    row = connection.execute(
        select(repository.c.files, repository.c.etag).where(repository.c.id == number)
    ).one_or_none()
    blobs = connection.scalars(select(content.c.blob).where(content.c.repository_id == number))
    return (row.files, row.etag, frozenset(blobs)) if row else ([], "", frozenset())


def write_reading(
    connection: Connection, number: int, reading: Reading, more: Mapping[str, Any]
) -> bool:
    """Write what reading a repository gave; says whether its files are others than before."""
    before, _etag, stored = load_files(connection, number)
    files = [file_data(entry, descriptor) for entry, descriptor in reading.files]
    change_repository(
        connection,
        number,
        {
            "state": reading.state,
            "reason": reading.reason,
            "head": reading.head,
            "etag": reading.etag,
            "files": files,
            "descriptors": sum(1 for _entry, descriptor in reading.files if descriptor),
            "attempts": 0,
            **more,
        },
    )
    wanted = {entry.blob for entry, _descriptor in reading.files}
    for some in _chunks(sorted(stored - wanted)):
        connection.execute(
            delete(content).where(content.c.repository_id == number, content.c.blob.in_(some))
        )
    add_contents(connection, number, reading.contents)
    return before != files


def file_data(entry: TreeEntry, descriptor: bool) -> list[Any]:
    """Give a file as it is kept in `files`."""
    return [entry.path, entry.blob, entry.size, descriptor]


def add_contents(connection: Connection, number: int, contents: Mapping[str, bytes]) -> None:
    """Store files by their blobs."""
    rows = [
        {"repository_id": number, "blob": blob, "content": data}
        for blob, data in sorted(contents.items())
    ]
    _insert_new(connection, content, rows)


def load_contents(connection: Connection, number: int, blobs: Collection[str]) -> dict[str, bytes]:
    """Give what is stored of these blobs of one repository."""
    found: dict[str, bytes] = {}
    for some in _chunks(sorted(blobs)):
        query = select(content.c.blob, content.c.content).where(
            content.c.repository_id == number, content.c.blob.in_(some)
        )
        found.update((row.blob, row.content) for row in connection.execute(query))
    return found


def fail_discovery(
    connection: Connection, name: str, message: Text, hint: Text, at: datetime
) -> None:
    """Note why a discovery cannot be scanned."""
    row = load_discovery(connection, name)
    since = row.failing_since if row is not None and row.failing_since else at
    connection.execute(
        update(discovery)
        .where(discovery.c.name == name)
        .values(error=message, hint=hint, failing_since=since, complete=False)
    )


def _insert_new(connection: Connection, table: Any, rows: Sequence[Mapping[str, Any]]) -> None:
    dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
    for some in _chunks(rows):
        connection.execute(dialect.insert(table).on_conflict_do_nothing(), list(some))


def _chunks(items: Sequence[Any]) -> Iterable[Sequence[Any]]:
    return (items[at : at + AT_ONCE] for at in range(0, len(items), AT_ONCE))
