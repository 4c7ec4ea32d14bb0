"""A believable history for a repository of the sample organisation.

Everything is drawn from a generator seeded with the repository's name, and only by its
`random()`, whose sequence is the same in every Python version: the same `now` gives the same
commits.
"""

import random
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta, timezone
from pathlib import PurePosixPath
from typing import Final, TypeVar

from callboard_web.demo.description import Description, SideBranch, Story
from callboard_web.demo.fast_import import Commit, Person

_HISTORY: Final = timedelta(days=425)
_SIDE_BRANCH_SPAN: Final = timedelta(days=5)
_CHINA: Final = timezone(timedelta(hours=8))
_WEEKEND_SHARE: Final = 0.12
# The files are complete after this share of the commits; the rest is upkeep.
_GROWTH_SHARE: Final = 0.85
_CATEGORY_BY_SUFFIX: Final = {
    ".md": "documentation",
    ".proto": "interface",
    ".graphql": "interface",
    ".xml": "build",
    ".mod": "build",
    ".json": "build",
}
_CATEGORY_BY_NAME: Final = {
    "catalog-info.yaml": "descriptor",
    "openapi.yaml": "interface",
    "asyncapi.yaml": "interface",
    "mkdocs.yml": "documentation",
    "Dockerfile": "build",
    "Makefile": "build",
}
# When a file that does not grow appears: what a descriptor refers to stands before it.
_WHOLE_FILE_PROGRESS: Final = {"build": 0.0, "interface": 0.3, "descriptor": 0.4}
_GROWING_SUFFIXES: Final = (".java", ".go", ".ts", ".sql", ".md")

_T = TypeVar("_T")


def plan_commits(description: Description, story: Story, now: datetime) -> list[Commit]:
    """Give the commits of all branches, parents before children.

    The head of `main` holds exactly the files of the description and a `CHANGELOG.md`.
    """
    return _Planner(description, story, now.astimezone(_CHINA)).plan()


class _Planner:
    def __init__(self, description: Description, story: Story, now: datetime) -> None:
        self.description = description
        self.messages = story.messages
        self.authors = [story.people[name] for name in description.authors]
        self.now = now.replace(microsecond=0)
        # Not for secrets: a repeatable sequence is what is wanted.
        self.random = random.Random(description.name)  # noqa: S311
        self.changelog = Changelog()
        self.introduced: set[str] = set()

    def plan(self) -> list[Commit]:
        commits = list(self._main())
        for branch in self.description.branches:
            commits += list(self._side_branch(branch, commits))
        return commits

    def _main(self) -> Iterator[Commit]:
        count = self.description.commits
        end = self.now - timedelta(days=self.description.quiet_days)
        writes = spread(growth(self.description.tree()), count)
        releases = self._releases(count)
        release = self.description.release_branch
        for index, when in enumerate(self._moments(self.now - _HISTORY, end, count)):
            version = releases.get(index, "")
            files, path = writes[index]
            if index == 0:
                message = "chore: initial commit 初始化仓库"
            else:
                message = self._message(path, version)
            self.changelog.add(message, version, when)
            is_kept = bool(version) and version == release.get("version")
            yield Commit(
                branch="main",
                author=self._author(),
                when=when,
                message=message,
                files=files | {"CHANGELOG.md": self.changelog.text()},
                parent=index - 1 if index else None,
                tag=version,
                release_branch=release["name"] if is_kept else "",
            )

    def _side_branch(self, branch: SideBranch, commits: Sequence[Commit]) -> Iterator[Commit]:
        start = self.now - timedelta(days=branch.days)
        end = start + min(timedelta(days=branch.days), _SIDE_BRANCH_SPAN)
        parent = max(
            index
            for index, commit in enumerate(commits)
            if commit.branch == "main" and commit.when <= start
        )
        path = f"docs/proposals/{PurePosixPath(branch.name).name}.md"
        text = f"# {branch.name}\n"
        moments = self._moments(start, end, len(branch.messages))
        for number, (message, when) in enumerate(zip(branch.messages, moments, strict=True)):
            text += f"\n- {message}"
            files = {path: f"{text}\n"}
            yield Commit(branch.name, self.authors[0], when, message, files, parent)
            parent = len(commits) + number

    def _releases(self, count: int) -> dict[int, str]:
        versions = self.description.versions
        return {
            round(count * (0.12 + 0.85 * number / len(versions))): version
            for number, version in enumerate(versions, start=1)
        }

    def _moments(self, start: datetime, end: datetime, count: int) -> list[datetime]:
        return sorted(self._working_moment(start, end) for _ in range(count))

    def _working_moment(self, start: datetime, end: datetime) -> datetime:
        while True:
            day = start + (end - start) * self.random.random()
            seconds = int((9 + 11 * self.random.random()) * 3600)
            midnight = day.replace(hour=0, minute=0, second=0, microsecond=0)
            moment = midnight + timedelta(seconds=seconds)
            is_weekend = moment.weekday() >= 5
            if start <= moment <= end and (not is_weekend or self.random.random() < _WEEKEND_SHARE):
                return moment

    def _author(self) -> Person:
        return self.authors[int(self.random.random() ** 1.7 * len(self.authors))]

    def _pick(self, items: Sequence[_T]) -> _T:
        return items[int(self.random.random() * len(items))]

    def _message(self, path: str, version: str) -> str:
        by_file = self.messages["file"]
        if version:
            return str(by_file["release"].format(version=version))
        chinese, english = self._pick(self.description.subjects)
        patterns: Sequence[str] | None = by_file.get(_category(path))
        if patterns is None:
            stage = "change" if english in self.introduced else "introduce"
            self.introduced.add(english)
            patterns = self.messages[self.description.style][stage]
        pattern: str = self._pick(patterns)
        return pattern.format(zh=chinese, en=english, scope=self.description.scope)


class Changelog:
    """The text of `CHANGELOG.md`, newest first; every commit adds its line."""

    def __init__(self) -> None:
        self._pending: list[str] = []
        self._released = ""

    def add(self, message: str, version: str, when: datetime) -> None:
        if not version:
            self._pending.insert(0, f"- {message}\n")
            return
        heading = f"## {version} ({when:%Y-%m-%d})\n\n"
        self._released = f"{heading}{''.join(self._pending)}\n{self._released}"
        self._pending = []

    def text(self) -> str:
        pending = f"## Unreleased 未发布\n\n{''.join(self._pending)}\n" if self._pending else ""
        return f"# Changelog\n\n{pending}{self._released}".rstrip() + "\n"


def growth(tree: dict[str, str]) -> list[tuple[str, str]]:
    """Give the states each file goes through, in the order they are written, ending in `tree`.

    Source and prose grow by paragraphs, side by side; other files come whole.
    """
    steps = []
    for path, text in tree.items():
        states = _states(path, text)
        first = _WHOLE_FILE_PROGRESS.get(_category(path), 0.5) if len(states) == 1 else 0.0
        steps += [(first + n / len(states), path, state) for n, state in enumerate(states)]
    return [(path, state) for _, path, state in sorted(steps)]


def spread(states: Sequence[tuple[str, str]], count: int) -> list[tuple[dict[str, str], str]]:
    """Give, for each of `count` commits, the files it writes and the first of their paths."""
    writes: list[tuple[dict[str, str], str]] = [({}, "") for _ in range(count)]
    last = max(1, round(count * _GROWTH_SHARE))
    for number, (path, text) in enumerate(states):
        index = number * last // len(states)
        files, first = writes[index]
        files[path] = text
        writes[index] = (files, first or path)
    return writes


def _states(path: str, text: str) -> list[str]:
    suffix = PurePosixPath(path).suffix
    if suffix not in _GROWING_SUFFIXES:
        return [text]
    blocks = text.rstrip("\n").split("\n\n")
    starts = ["\n\n".join(blocks[:length]) for length in range(1, len(blocks))]
    if suffix == ".java":
        # Between its methods only the brace of the class is open.
        grown = [f"{start}\n}}\n" for start in starts if _open_braces(start) == 1]
    else:
        grown = [f"{start}\n" for start in starts if _open_braces(start) == 0]
    return [*grown, text]


def _open_braces(text: str) -> int:
    return text.count("{") - text.count("}")


def _category(path: str) -> str:
    pure = PurePosixPath(path)
    return _CATEGORY_BY_NAME.get(pure.name) or _CATEGORY_BY_SUFFIX.get(pure.suffix, "")
