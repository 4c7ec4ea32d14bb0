"""Reads for the pages: a fixed number of queries, however many entities are shown."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import ColumnElement, Connection, Row, exists, select

from callboard.repositories import Place
from callboard_scm_git.models import (
    activity,
    commit,
    contributor,
    entity,
    folder,
    reference,
    repository,
)
from callboard_scm_git.reading import YEAR, first_day


@dataclass(frozen=True, slots=True)
class Last:
    """The last commit at a place, None for a folder without any."""

    committed_at: datetime | None
    failing_since: datetime | None


@dataclass(frozen=True, slots=True)
class Source:
    """What is known of one place: its repository's row and the last commits, newest first.

    `folder` is empty where the commits are those of the whole repository.
    """

    repository: Row[tuple[object, ...]]
    folder: str
    commits: Sequence[Row[tuple[object, ...]]]


@dataclass(frozen=True, slots=True)
class Figures:
    """A repository's people, references and activity in the year before the time asked for."""

    contributors: Sequence[Row[tuple[object, ...]]]
    branches: Sequence[Row[tuple[object, ...]]]
    tags: Sequence[Row[tuple[object, ...]]]
    activity: Mapping[date, int]


def load_last(connection: Connection, places: Collection[Place]) -> dict[Place, Last]:
    """Give the last commit at each place that was read, all by one query.

    A folder that was not read yet has that of its repository.
    """
    query = (
        select(
            repository.c.url,
            repository.c.failing_since,
            folder.c.path,
            folder.c.committed_at,
        )
        .join(folder)
        .where(
            repository.c.url.in_({place.url for place in places}),
            folder.c.path.in_({"", *(place.folder for place in places)}),
            folder.c.state != "",
        )
    )
    found = {
        Place(row.url, row.path): Last(row.committed_at, row.failing_since)
        for row in connection.execute(query)
    }
    answers = ((place, found.get(place) or found.get(Place(place.url))) for place in places)
    return {place: last for place, last in answers if last is not None}


def load_source(connection: Connection, place: Place, *, commits: int) -> Source | None:
    """Give what is known of a place, or None where its repository is not registered."""
    row = connection.execute(select(repository).where(repository.c.url == place.url)).one_or_none()
    if row is None:
        return None
    folders = connection.execute(
        select(folder.c.path, folder.c.id).where(
            folder.c.repository_id == row.id,
            folder.c.path.in_({"", place.folder}),
            folder.c.state != "",
        )
    )
    numbers: dict[str, int] = {row.path: row.id for row in folders}
    path = place.folder if place.folder in numbers else ""
    query = select(commit).where(commit.c.folder_id == numbers.get(path, 0))
    found = connection.execute(query.order_by(commit.c.position).limit(commits)).all()
    return Source(row, path, found)


def load_figures(connection: Connection, number: int, now: datetime) -> Figures:
    """Give the figures of a repository by its number."""
    references = connection.execute(
        select(reference).where(reference.c.repository_id == number).order_by(reference.c.position)
    ).all()
    people = connection.execute(
        select(contributor)
        .where(contributor.c.repository_id == number, contributor.c.last_at >= now - YEAR)
        .order_by(contributor.c.position)
    ).all()
    days = connection.execute(
        select(activity.c.day, activity.c.commits)
        .where(activity.c.repository_id == number, activity.c.day >= first_day(now))
        .order_by(activity.c.day)
    )
    return Figures(
        people,
        [item for item in references if item.kind == "branch"],
        [item for item in references if item.kind == "tag"],
        {row.day: row.commits for row in days},
    )


def load_recent(
    connection: Connection, seen: ColumnElement[bool], *, limit: int
) -> Sequence[Row[tuple[object, ...]]]:
    """Give the newest commits of all repositories of entities that are `seen`."""
    of_seen = exists().where(entity.c.repository_id == repository.c.id, seen)
    query = (
        select(commit, repository.c.url)
        .join(folder, folder.c.id == commit.c.folder_id)
        .join(repository, repository.c.id == folder.c.repository_id)
        .where(folder.c.path == "", of_seen)
        .order_by(commit.c.committed_at.desc(), repository.c.url, commit.c.position)
    )
    return connection.execute(query.limit(limit)).all()


def load_repositories(connection: Connection) -> Sequence[Row[tuple[object, ...]]]:
    """Give the row of every repository with the time of its last commit, by address."""
    query = (
        select(repository, folder.c.committed_at)
        .join(folder)
        .where(folder.c.path == "")
        .order_by(repository.c.url)
    )
    return connection.execute(query).all()
