"""Checks descriptor files on disk as a source would read them: for CI and editors."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from callboard.errors import CallboardError, InputError
from callboard_catalog.descriptors import KindRegistry, Limits, Origin
from callboard_catalog.ingest import Parser
from callboard_catalog.sources.folder import SKIPPED

NAMES = ("catalog-info.yaml", "catalog-info.yml")


@dataclass(frozen=True, slots=True)
class FoundFault:
    """A fault and its place. Severity is `error` or `warning`."""

    path: Path
    line: int
    severity: str
    message: str


@dataclass(frozen=True, slots=True)
class Checked:
    """One file: how many documents it has, and what is wrong with them."""

    documents: int
    faults: list[FoundFault]


def check_paths(paths: Sequence[Path], registry: KindRegistry, limits: Limits) -> Iterator[Checked]:
    """Check files; of folders, all `catalog-info.yaml` below. URLs in placeholders are not read."""
    for path in paths:
        if path.is_dir():
            found = sorted(
                file for name in NAMES for file in path.rglob(name) if not SKIPPED & set(file.parts)
            )
            for file in found:
                yield _check(file, path, registry, limits)
        else:
            yield _check(path, path.parent, registry, limits)


def _check(file: Path, root: Path, registry: KindRegistry, limits: Limits) -> Checked:
    try:
        data = file.read_bytes()
    except OSError as error:
        return Checked(1, [FoundFault(file, 1, "error", f"cannot be read: {error.strerror}")])
    parser = Parser(
        registry=registry,
        limits=limits,
        origin_of=lambda path: Origin(location=f"file:{path}"),
        read=lambda path: _read(root, path),
        blob_of=lambda path: "",
    )
    parsed = parser.parse(str(file.relative_to(root)), "", data)
    faults = [
        FoundFault(file, item.line, item.severity, item.message) for item in parsed.rejections
    ]
    bad = {item.position for item in parsed.rejections if item.severity == "error"}
    return Checked(len(parsed.candidates) + len(bad), faults)


def _read(root: Path, path: str) -> bytes:
    if "://" in path:
        raise InputError("URLs are not read by this check.")
    target = (root / path).resolve()
    if not target.is_relative_to(root.resolve()):
        raise CallboardError(f"{path} leads out of {root}.")
    return target.read_bytes()
