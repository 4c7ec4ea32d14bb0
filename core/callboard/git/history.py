"""Commits, people, branches and tags of a mirror."""

from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime
from typing import Final

from callboard.git.address import check_hash
from callboard.git.runner import GitRunner
from callboard.git.values import Commit, Contributor, Reference

_FIELDS: Final = ("%H", "%P", "%aN", "%aE", "%at", "%ct", "%s")
_FORMAT: Final = "--format=tformat:" + "%x00".join(_FIELDS)
_MARK: Final = "\x01"
_LATEST: Final = 253402300799
"""The last second of the year 9999: commits can hold any number as their time."""


def read_log(
    runner: GitRunner,
    commit: str,
    *,
    limit: int,
    since: datetime | None = None,
    paths: Sequence[str] = (),
) -> list[Commit]:
    """Give the newest commits first, at most `limit`, with names after `.mailmap`."""
    arguments = ["log", "-z", "--use-mailmap", _FORMAT, f"--max-count={int(limit)}"]
    if since is not None:
        arguments.append(f"--since={since.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}")
    output = runner.run(
        *arguments,
        "--end-of-options",
        check_hash(commit),
        "--",
        *paths,
        config={"mailmap.blob": f"{commit}:.mailmap"},
    )
    fields = iter(output.decode("utf-8", "replace").split("\0"))
    return [_commit(record) for record in zip(*[fields] * len(_FIELDS), strict=False)]


def read_last_changes(
    runner: GitRunner,
    commit: str,
    *,
    limit: int,
    folder: str = "",
    after: str = "",
) -> dict[str, Commit]:
    """Give the newest commit that changed each file below a folder, by path, in one walk.

    The walk ends after `limit` commits, or at the commit `after`, whose files are not told again.
    Files that only a merge changed are left out, as in `git log`.
    """
    output = runner.run(
        *("log", "-z", "--use-mailmap", "--name-only", "--no-renames"),
        "--format=tformat:%x01%x00" + "%x00".join(_FIELDS) + "%x00",
        f"--max-count={int(limit)}",
        "--end-of-options",
        f"{check_hash(after)}..{check_hash(commit)}" if after else check_hash(commit),
        "--",
        *([folder] if folder else []),
        config={"mailmap.blob": f"{commit}:.mailmap"},
    )
    return _last_changes(output.decode("utf-8", "replace").split("\0"))


def _last_changes(fields: Sequence[str]) -> dict[str, Commit]:
    """Read records of a mark, the fields of a commit, and its paths."""
    found: dict[str, Commit] = {}
    at, size = 0, len(_FIELDS)
    while at < len(fields):
        if fields[at] != _MARK or at + size >= len(fields):
            at += 1
            continue
        commit = _commit(fields[at + 1 : at + 1 + size])
        at += size + 1
        while at < len(fields) and fields[at] != _MARK:
            path = fields[at].removeprefix("\n")
            if path:
                found.setdefault(path, commit)
            at += 1
    return found


def _commit(record: Sequence[str]) -> Commit:
    commit, parents, name, email, authored, committed, subject = record
    return Commit(
        commit, tuple(parents.split()), name, email, _time(authored), _time(committed), subject
    )


def _time(seconds: str) -> datetime:
    value = int(seconds) if seconds.isdigit() else 0
    return datetime.fromtimestamp(min(value, _LATEST), UTC)


def count_contributors(commits: Sequence[Commit]) -> list[Contributor]:
    """Give who authored the commits, those with most of them first."""
    counts = Counter(commit.author_email.lower() for commit in commits)
    latest: dict[str, Commit] = {}
    for commit in commits:
        known = latest.setdefault(commit.author_email.lower(), commit)
        if commit.time > known.time:
            latest[commit.author_email.lower()] = commit
    return [
        Contributor(latest[key].author_name, latest[key].author_email, count, latest[key].time)
        for key, count in counts.most_common()
    ]


def count_days(commits: Sequence[Commit]) -> dict[date, int]:
    """Give the number of commits for each day (UTC) that has any, in order."""
    return dict(sorted(Counter(commit.time.date() for commit in commits).items()))


def list_references(runner: GitRunner, prefix: str) -> list[Reference]:
    """Give branches or tags that lead to a commit, the newest first."""
    output = runner.run(
        "for-each-ref",
        "--sort=-creatordate",
        "--format=%(refname)%00%(objectname)%00%(objecttype)%00%(*objectname)%00%(*objecttype)"
        "%00%(creatordate:unix)",
        prefix,
    )
    return list(_references(output.decode("utf-8", "replace"), prefix))


def _references(text: str, prefix: str) -> Iterator[Reference]:
    for line in text.splitlines():
        name, target, kind, peeled, peeled_kind, time = line.split("\0")
        if "commit" in (kind, peeled_kind):
            commit = target if kind == "commit" else peeled
            yield Reference(name.removeprefix(prefix), commit, _time(time))
