"""Checks descriptor files on disk as a source would read them: for CI and editors."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from callboard.errors import CallboardError, InputError, reason_of
from callboard.i18n import Text, Translator
from callboard_catalog.descriptors import KindRegistry, Limits, Origin
from callboard_catalog.ingest.parse import Parser
from callboard_catalog.sources.folder import SKIPPED

_ = Translator("callboard")

NAMES = ("catalog-info.yaml", "catalog-info.yml")


@dataclass(frozen=True, slots=True)
class FoundFault:
    """A fault and its place. Severity is `error` or `warning`."""

    path: Path
    line: int
    severity: str
    message: Text


@dataclass(frozen=True, slots=True)
class Checked:
    """One file: how many documents it has, and what is wrong with them."""

    documents: int
    faults: list[FoundFault]


def check_paths(paths: Sequence[Path], registry: KindRegistry, limits: Limits) -> Iterator[Checked]:
    """Check files; of folders, all `catalog-info.yaml` below. URLs in placeholders are not read.

    Paths in placeholders may lead anywhere within the repository, as in the portal; outside of
    a repository within the folder.
    """
    for file, root in descriptor_files(paths):
        yield _check(file, root, registry, limits)


def descriptor_files(paths: Sequence[Path]) -> Iterator[tuple[Path, Path]]:
    """Give the files, of folders all `catalog-info.yaml` below, each with its repository's root."""
    for path in paths:
        if path.is_dir():
            root = _root(path)
            found = (file for name in NAMES for file in path.rglob(name))
            for file in sorted(found):
                if SKIPPED.isdisjoint(file.relative_to(path).parts):
                    yield file, root
        else:
            yield path, _root(path.parent)


def _root(folder: Path) -> Path:
    resolved = folder.resolve()
    parents = (resolved, *resolved.parents)
    return next((parent for parent in parents if (parent / ".git").exists()), resolved)


def _check(file: Path, root: Path, registry: KindRegistry, limits: Limits) -> Checked:
    try:
        with file.open("rb") as opened:
            data = opened.read(limits.file_size + 1)
    except OSError as error:
        message = _("cannot be read: %(reason)s", reason=reason_of(error))
        return Checked(1, [FoundFault(file, 1, "error", message)])
    parser = Parser(
        registry=registry,
        limits=limits,
        origin_of=lambda path: Origin(location=f"file:{path}"),
        read=lambda _base, path: read_below(root, path),
        blob_of=lambda path: "",
    )
    # The folder is resolved, the file is not: a link to it lies where the link is.
    place = file.parent.resolve() / file.name
    parsed = parser.parse(place.relative_to(root).as_posix(), "", data)
    faults = [
        FoundFault(file, item.line, item.severity, item.message) for item in parsed.rejections
    ]
    bad = {item.position for item in parsed.rejections if item.severity == "error"}
    return Checked(len(parsed.candidates) + len(bad), faults)


def read_below(root: Path, path: str) -> bytes:
    """Read a file that a placeholder names; raises `CallboardError` for what lies outside."""
    if "://" in path:
        raise InputError("URLs are not read by this check.")
    target = (root / path).resolve()
    if not target.is_relative_to(root):
        raise CallboardError(f"{path} leads out of {root}.")
    return target.read_bytes()
