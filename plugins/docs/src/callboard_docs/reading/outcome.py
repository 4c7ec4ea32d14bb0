"""Puts a reading together: pages with where their links lead, files, and what is wrong."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from callboard_docs.reading.links import Files, Target, folders_of
from callboard_docs.reading.site import Layout, Limits, Order, Source

if TYPE_CHECKING:
    from callboard.git import Commit

MOST_PROBLEMS: Final = 500


@dataclass(slots=True)
class Outcome:
    """What is written of a site: rows of pages by path, files by name, problems."""

    pages: dict[str, dict[str, Any]]
    files: dict[str, str]
    problems: list[tuple[str, str, str]]
    changed_at: datetime | None


def put_together(
    layout: Layout,
    order: Order,
    sources: Mapping[str, Source],
    links: Mapping[str, list[str]],
    changes: "Mapping[str, tuple[str, str, datetime | None]]",
    limits: Limits,
) -> Outcome:
    """Give the rows of a site. `links` are by digest, `changes` (author, commit, time) by path."""
    files = Files(
        docs=layout.docs,
        pages=order.addresses,
        blobs={path: (item.blob, item.size) for path, item in layout.files.items()},
        folders=folders_of(layout.files),
        largest=limits.file,
    )
    positions = {path: position for position, path in enumerate(order.listed)}
    rest = (path for path in layout.pages if path not in positions)
    positions |= {path: len(order.listed) + number for number, path in enumerate(rest)}
    sizes = {item.blob: item.size for item in layout.files.values()}
    problems = [(kind, "mkdocs.yml", name) for kind, name in order.problems]
    used: dict[str, tuple[str, int]] = {}
    pages = {}
    for path in layout.pages:
        source = sources[path]
        named = links.get(source.digest, [])
        targets: list[Target] = [files.resolve(path, link) for link in named]
        problems += _problems(source, named, targets)
        used.update((name, (blob, sizes[blob])) for kind, blob, name in targets if kind == "file")
        author, commit, at = changes.get(path, ("", "", None))
        pages[path] = {
            "path": path,
            "address": order.addresses[path],
            "title": order.titles[path],
            "position": positions[path],
            "listed": positions[path] < len(order.listed),
            "blob": source.blob,
            "includes": source.includes,
            "digest": source.digest,
            "fault": source.fault,
            "targets": [list(target) for target in targets],
            "author": author,
            "commit": commit,
            "changed_at": at,
        }
    times = [changes[path][2] for path in pages if path in changes]
    return Outcome(
        pages=pages,
        files=_within(used, limits.site, problems),
        problems=problems[:MOST_PROBLEMS],
        changed_at=max((at for at in times if at is not None), default=None),
    )


def _problems(
    source: Source, links: list[str], targets: list[Target]
) -> Iterator[tuple[str, str, str]]:
    if source.fault:
        yield ("page" if source.fault == "large" else "slow", source.path, "")
    for name in source.includes.get("missing", ()):
        yield ("include", source.path, name)
    for link, target in zip(links, targets, strict=True):
        if target[0] == "broken":
            yield ("link", source.path, link)
        elif target[0] == "large":
            yield ("file", source.path, target[1])


def _within(
    used: Mapping[str, tuple[str, int]], limit: int, problems: list[tuple[str, str, str]]
) -> dict[str, str]:
    """Give the files that are served, as far as all of them together may go."""
    kept: dict[str, str] = {}
    total = 0
    for name, (blob, size) in sorted(used.items(), key=lambda item: item[1][1]):
        total += size
        if total > limit:
            problems.insert(0, ("files", "", str(len(used) - len(kept))))
            break
        kept[name] = blob
    return kept


def commits_as_changes(
    commits: "Mapping[str, Commit]", known: "Mapping[str, tuple[str, str, datetime | None]]"
) -> "dict[str, tuple[str, str, datetime | None]]":
    """Give who changed each page last: by these commits, or else as it was known."""
    changes = dict(known)
    for path, commit in commits.items():
        changes[path] = (commit.author_name[:200], commit.hash, commit.committed)
    return changes
