"""The tables of the sandbox's store."""

import sqlite3
from pathlib import Path
from typing import Final

_SCHEMA: Final = """
create table if not exists meta (key text primary key, value integer not null) without rowid;
create table if not exists object (
    resource text not null, namespace text not null, name text not null,
    uid text not null unique, version integer not null, deleting integer not null,
    body blob not null,
    primary key (resource, namespace, name)
);
create index if not exists object_version on object (resource, version);
create index if not exists object_deleting on object (deleting) where deleting;
create table if not exists change (
    version integer primary key, type text not null,
    resource text not null, namespace text not null, name text not null,
    body blob not null, previous blob
);
create index if not exists change_resource on change (resource, version);
create table if not exists owner (
    owner text not null, resource text not null, namespace text not null, name text not null,
    primary key (owner, resource, namespace, name)
) without rowid;
create index if not exists owner_child on owner (resource, namespace, name);
create table if not exists log (
    id integer primary key, pod text not null, container text not null, restart integer not null,
    unique (pod, container, restart)
);
create table if not exists line (
    id integer primary key autoincrement, log integer not null, at integer not null,
    text blob not null
);
create index if not exists line_log on line (log, id);
"""


def open_database(folder: Path) -> sqlite3.Connection:
    """Open the store's file, with its tables. The caller sees to it that one thread writes."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    # Transactions are begun by hand: the module would begin them before writes only.
    connection = sqlite3.connect(
        folder / "cluster.sqlite3", check_same_thread=False, isolation_level=None
    )
    connection.execute("pragma journal_mode = wal")
    # A crash of the machine may lose the last writes of a sandbox; a crash of the process not.
    connection.execute("pragma synchronous = normal")
    connection.executescript(_SCHEMA)
    return connection
