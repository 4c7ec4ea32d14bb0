"""What `repositories.yaml` says: the repositories of the sample organisation and their story."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import yaml

from callboard_web.demo.fast_import import Person

_FOLDER: Final = Path(__file__).parent
_TREES: Final = _FOLDER / "repositories"


@dataclass(frozen=True, slots=True)
class SideBranch:
    """A branch with commits of its own that began `days` ago."""

    name: str
    days: int
    messages: list[str]


@dataclass(frozen=True, slots=True)
class Description:
    """One repository: how it is named, read by the catalog, and how it came to be."""

    name: str
    title: str
    scope: str
    commits: int
    authors: list[str]
    subjects: list[tuple[str, str]]
    style: str = "code"
    quiet_days: int = 0
    descriptors: list[str] = field(default_factory=lambda: ["catalog-info.yaml"])
    versions: list[str] = field(default_factory=list)
    release_branch: dict[str, str] = field(default_factory=dict)
    branches: list[SideBranch] = field(default_factory=list)

    def tree(self) -> dict[str, str]:
        """Give the text of every file as it stands in the end, by its path."""
        root = _TREES / self.name
        return {
            path.relative_to(root).as_posix(): path.read_text(encoding="utf-8")
            for path in sorted(root.rglob("*"))
            if path.is_file()
        }


@dataclass(frozen=True, slots=True)
class Story:
    """All repositories, the patterns of their commit messages and the people by user name."""

    repositories: list[Description]
    messages: dict[str, dict[str, Any]]
    people: dict[str, Person]


def read_story() -> Story:
    """Read the description that is shipped with the portal."""
    content = yaml.safe_load((_FOLDER / "repositories.yaml").read_text(encoding="utf-8"))
    return Story(
        [_description(item) for item in content["repositories"]], content["messages"], _people()
    )


def _description(item: dict[str, Any]) -> Description:
    branches = [SideBranch(**branch) for branch in item.pop("branches", [])]
    subjects = [(chinese, english) for chinese, english in item.pop("subjects")]
    return Description(**item, branches=branches, subjects=subjects)


def _people() -> dict[str, Person]:
    people = {}
    for path in sorted((_TREES / "organisation" / "users").glob("*.yaml")):
        for user in yaml.safe_load_all(path.read_text(encoding="utf-8")):
            profile = user["spec"]["profile"]
            people[user["metadata"]["name"]] = Person(profile["displayName"], profile["email"])
    return people
