"""Puts settings together with comments, and writes them as YAML."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from textwrap import wrap
from typing import Any, Final

import yaml

WIDTH: Final = 96
_ONLY_REFERENCES: Final = re.compile(r"(?:\$\{(?:env|file):[^}]+\})+")
_PASSWORD: Final = re.compile(r"//[^/\s@$]*:(?!\$\{)[^/\s@]+@")
_NAME: Final = re.compile(r"[^a-z0-9]+")

Path = tuple[str | int, ...]


@dataclass
class Draft:
    """Settings in the making. `notes` stand above the key they are about, `rest` at the end.

    `plugin` is the one that discovers repositories, by `hosts`, `discover` and `people` in its
    settings; `directory` the one that reads directories, by `servers`.
    """

    plugin: str = ""
    directory: str = ""
    settings: dict[str, Any] = field(default_factory=dict)
    notes: dict[Path, list[str]] = field(default_factory=dict)
    rest: list[str] = field(default_factory=list)

    @property
    def hosts(self) -> tuple[str, ...]:
        """Where hosts with repositories are given."""
        return ("plugins", "settings", self.plugin, "hosts")

    @property
    def discover(self) -> tuple[str, ...]:
        """Where it is given what is discovered on them."""
        return ("plugins", "settings", self.plugin, "discover")

    @property
    def people(self) -> tuple[str, ...]:
        """Where it is given whose people and groups are read from them."""
        return ("plugins", "settings", self.plugin, "people")

    def put(self, value: Any, *path: str) -> None:
        """Set a key, unless there is nothing to set."""
        if value in (None, "", [], {}):
            return
        place = self.settings
        for part in path[:-1]:
            place = place.setdefault(part, {})
        place[path[-1]] = value

    def add(self, item: Mapping[str, Any], *path: str, note: str = "") -> Path:
        """Add an item to a list, without its empty values; give its place."""
        place = self.settings
        for part in path[:-1]:
            place = place.setdefault(part, {})
        items = place.setdefault(path[-1], [])
        items.append({key: value for key, value in item.items() if value not in (None, "", [])})
        at: Path = (*path, len(items) - 1)
        if note:
            self.note(note, *at)
        return at

    def items(self, *path: str) -> list[dict[str, Any]]:
        """Give the items of a list so far."""
        place: Any = self.settings
        for part in path:
            place = place.get(part, {})
        return list(place or ())

    def note(self, text: str, *path: str | int) -> None:
        """Write a comment above a key."""
        self.notes.setdefault(path, []).append(text)

    def leave(self, text: str) -> None:
        """Write a comment at the end: something has no counterpart."""
        self.rest.append(text)

    def secret(self, value: Any, variable: str, *about: str | int) -> str:
        """Give a secret as a reference: its own, or one to a new variable where it was written."""
        if isinstance(value, str) and _ONLY_REFERENCES.fullmatch(value):
            return value
        if value in (None, ""):
            return ""
        self.note(f"The secret is written out in app-config: put it into {variable}.", *about)
        return f"${{env:{variable}}}"

    def unused(self, base: str, *lists: tuple[str, ...]) -> str:
        """Give a name of lower-case letters, digits and hyphens that no item of the lists has."""
        name = plain_name(base)[:50].strip("-") or "source"
        taken = {item.get("name") for path in lists for item in self.items(*path)}
        numbered, number = name, 2
        while numbered in taken:
            numbered, number = f"{name}-{number}", number + 1
        return numbered

    def text(self) -> str:
        """Write it all down. A password written out in an address is left out of it."""
        lines = list(self._lines(self.settings, (), ""))
        if self.rest:
            lines += ["", "# Without a counterpart, or to be done by hand:"]
            for text in self.rest:
                lines += _comment(text, "#  ", first="# - ")
        return "\n".join(_PASSWORD.sub("//", line) for line in lines).strip() + "\n"

    def _lines(self, value: Any, path: Path, indent: str) -> Iterator[str]:
        for key, item in value.items():
            here = (*path, key)
            if not path and key != next(iter(value)):
                yield ""
            for note in self.notes.get(here, ()):
                yield from _comment(note, f"{indent}# ")
            if isinstance(item, dict):
                yield f"{indent}{key}:"
                yield from self._lines(item, here, f"{indent}  ")
            elif isinstance(item, list) and item and isinstance(item[0], dict):
                yield f"{indent}{key}:"
                yield from self._items(item, here, f"{indent}  ")
            else:
                yield f"{indent}{_plain(key)}: {_plain(item)}"

    def _items(self, items: list[dict[str, Any]], path: Path, indent: str) -> Iterator[str]:
        for number, item in enumerate(items):
            for note in self.notes.get((*path, number), ()):
                yield from _comment(note, f"{indent}# ")
            lines = self._lines(item, (*path, number), "")
            for count, line in enumerate(lines):
                yield f"{indent}{'  ' if count else '- '}{line}"


def _plain(value: Any) -> str:
    text: str = yaml.safe_dump(value, default_flow_style=True, allow_unicode=True, width=10**6)
    return text.strip().removesuffix("\n...").strip()


def _comment(text: str, indent: str, first: str = "") -> list[str]:
    # YAML takes no control characters, not even in comments.
    return wrap(
        "".join(letter for letter in " ".join(text.split()) if letter.isprintable()),
        WIDTH,
        initial_indent=first or indent,
        subsequent_indent=indent,
        break_long_words=False,
        break_on_hyphens=False,
    )


def plain_name(text: str) -> str:
    """Give a text as lower-case letters, digits and single hyphens."""
    return _NAME.sub("-", text.lower()).strip("-")
