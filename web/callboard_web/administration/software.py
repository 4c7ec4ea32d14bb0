"""What runs here: versions and licences of Callboard, its plugins and all that they need."""

import platform
import sqlite3
from dataclasses import dataclass
from functools import lru_cache
from importlib import metadata
from typing import TYPE_CHECKING, Final

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name
from sqlalchemy import text

from callboard import CONTRACT, __version__
from callboard.i18n import Text, Translator

if TYPE_CHECKING:
    from callboard_web.runtime import Runtime

_: Final = Translator("callboard")

LONGEST_LICENCE: Final = 60
_CLASSIFIER: Final = "License :: OSI Approved :: "


@dataclass(frozen=True, slots=True)
class Package:
    """An installed package. `licence` is an SPDX expression where its author gives one."""

    name: str
    version: str
    licence: str
    summary: str


VENDORED: Final = (Package("htmx", "2", "0BSD", "HTML over the wire"),)
"""Files of others within this distribution."""


def versions(runtime: "Runtime") -> list[tuple[Text, str]]:
    """Give what decides how the portal behaves: its own version and what is below it."""
    return [
        ("Callboard", __version__),
        (_("Plugin contract"), str(CONTRACT)),
        ("Python", platform.python_version()),
        (_("Database"), _database(runtime)),
        (_("System"), f"{platform.system()} {platform.release()} {platform.machine()}"),
    ]


def _database(runtime: "Runtime") -> str:
    if runtime.database.path is not None:
        return f"SQLite {sqlite3.sqlite_version}"
    with runtime.database.read() as connection:
        return f"PostgreSQL {connection.execute(text('SHOW server_version')).scalar_one()}"


@lru_cache(maxsize=4)
def packages(roots: tuple[str, ...]) -> list[Package]:
    """Give the packages of these names and all they require, by name; read once."""
    found: dict[str, Package] = {}
    seen: set[tuple[str, frozenset[str]]] = set()
    waiting = [(name, frozenset[str]()) for name in roots]
    while waiting:
        written, extras = waiting.pop()
        name = canonicalize_name(written)
        if (name, extras) in seen:
            continue
        seen.add((name, extras))
        try:
            distribution = metadata.distribution(name)
        except metadata.PackageNotFoundError:
            continue
        found[name] = Package(
            distribution.name,
            distribution.version,
            _licence(distribution),
            _field(distribution, "Summary"),
        )
        waiting.extend(_required(distribution, extras))
    return [found[name] for name in sorted(found)]


def _required(
    distribution: metadata.Distribution, extras: frozenset[str]
) -> list[tuple[str, frozenset[str]]]:
    """Give what a distribution needs with these extras, each with the extras it is needed with."""
    names = []
    for written in distribution.requires or ():
        try:
            requirement = Requirement(written)
        except InvalidRequirement:
            continue
        chosen = ("", *extras)
        if requirement.marker is None or any(
            requirement.marker.evaluate({"extra": extra}) for extra in chosen
        ):
            names.append((requirement.name, frozenset(requirement.extras)))
    return names


def _field(distribution: metadata.Distribution, name: str) -> str:
    return next(iter(distribution.metadata.get_all(name) or ()), "")


def _licence(distribution: metadata.Distribution) -> str:
    """Give the licence: the SPDX expression (PEP 639), else the classifiers, else a short text."""
    expression = _field(distribution, "License-Expression")
    if expression:
        return expression
    classified = [
        item.removeprefix(_CLASSIFIER)
        for item in distribution.metadata.get_all("Classifier") or ()
        if item.startswith(_CLASSIFIER)
    ]
    if classified:
        return ", ".join(classified)
    written = _field(distribution, "License").strip().partition("\n")[0]
    return written if len(written) <= LONGEST_LICENCE else written[:LONGEST_LICENCE] + "…"
