"""Checks of what is installed: Python packages and git."""

import importlib.metadata
import platform
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable, Iterator
from typing import Final

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

import callboard
from callboard.doctor.frame import Check, Finding
from callboard.plugins.records import ENTRY_POINT_GROUP

_SHOWN: Final = ("pluggy", "pydantic", "SQLAlchemy", "alembic", "fastapi", "jinja2", "huey")
_OLDEST_PYTHON: Final = (3, 11)
_OLDEST_GIT: Final = (2, 30)
_GIT_SECONDS: Final = 10


def versions_check() -> Check:
    """Look at Python and the packages: what Callboard and its plugins require must be there."""
    return Check("Versions", _versions)


def _versions() -> Iterator[Finding]:
    python = platform.python_version()
    if sys.version_info < _OLDEST_PYTHON:
        yield Finding("bad", f"Python {python}", "Callboard needs Python 3.11 or newer.")
    versions = ((name, _version(name)) for name in _SHOWN)
    shown = ", ".join(f"{name} {version}" for name, version in versions if version)
    yield Finding("ok", f"Callboard {callboard.__version__} on Python {python}", shown)
    mismatches = sorted(set(find_mismatches(["callboard", *_plugin_distributions()])))
    for mismatch in mismatches:
        step = "Run pip install --upgrade for the package that asks, or update Callboard."
        yield Finding("bad", "A package does not fit", mismatch, step)
    if not mismatches:
        yield Finding("ok", "Packages fit together")


def _version(name: str) -> str:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return ""


def _plugin_distributions() -> list[str]:
    found = importlib.metadata.entry_points(group=ENTRY_POINT_GROUP)
    return [entry.dist.name for entry in found if entry.dist is not None]


def find_mismatches(names: Iterable[str]) -> Iterator[str]:
    """Yield a sentence for each requirement, of these packages and all below, that is not met."""
    waiting = [(name, frozenset[str]()) for name in names]
    seen = set()
    while waiting:
        name, extras = waiting.pop()
        if (canonicalize_name(name), extras) in seen:
            continue
        seen.add((canonicalize_name(name), extras))
        try:
            distribution = importlib.metadata.distribution(name)
        except importlib.metadata.PackageNotFoundError:
            continue
        for requirement in _requirements(distribution, extras):
            problem = _problem(requirement)
            if problem:
                asking = f"{distribution.name} {distribution.version}"
                yield f"{asking} requires {requirement}, {problem}."
            waiting.append((requirement.name, frozenset(requirement.extras)))


def _requirements(
    distribution: importlib.metadata.Distribution, extras: frozenset[str]
) -> Iterator[Requirement]:
    for text in distribution.requires or ():
        try:
            requirement = Requirement(text)
        except InvalidRequirement:
            continue
        marker = requirement.marker
        if marker is None or any(marker.evaluate({"extra": extra}) for extra in ("", *extras)):
            requirement.marker = None
            yield requirement


def _problem(requirement: Requirement) -> str:
    version = _version(requirement.name)
    if not version:
        return "which is not installed"
    if not requirement.specifier.contains(version, prereleases=True):
        return f"but {version} is installed"
    return ""


def git_check() -> Check:
    """Look for the git program and its version."""
    return Check("git", _git)


def _git() -> Iterator[Finding]:
    step = "Install git 2.30 or newer, such as with: apt install git"
    program = shutil.which("git")
    if program is None:
        yield Finding("bad", "git is not installed", "Git sources cannot be read.", step)
        return
    answer = subprocess.run(
        [program, "--version"],
        capture_output=True,
        text=True,
        timeout=_GIT_SECONDS,
        check=False,
        stdin=subprocess.DEVNULL,
    )
    match = re.search(r"git version (\d+)\.(\d+)(\S*)", answer.stdout)
    if match is None:
        said = (answer.stdout or answer.stderr).strip()[:200]
        yield Finding("bad", "git does not answer", f"{program} --version said: {said}", step)
    elif (int(match[1]), int(match[2])) < _OLDEST_GIT:
        yield Finding("warn", f"{match[0]} is old", f"It is {program}.", step)
    else:
        yield Finding("ok", match[0], program)
