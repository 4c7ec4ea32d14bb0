"""Location references, and the files that a Location entity's targets mean."""

import fnmatch
import posixpath
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

from callboard.errors import InputError
from callboard.i18n import Translator
from callboard_catalog.descriptors.faults import Fault, Path, shown
from callboard_catalog.descriptors.finishing import runs_script

_ = Translator("callboard")

_LOCATION: Final = re.compile(r"([A-Za-z][-A-Za-z0-9_]*):(.+)", re.DOTALL)
_WILDCARD: Final = re.compile(r"[*?\[]")
_URL: Final = re.compile(r"[A-Za-z][-A-Za-z0-9+.]*://")
_MAXIMUM_PATTERN_PARTS: Final = 32


@dataclass(frozen=True, slots=True)
class LocationRef:
    """A location as text: `type:target`, such as `url:https://example.com/catalog-info.yaml`."""

    type: str
    target: str

    def __str__(self) -> str:
        return f"{self.type}:{self.target}"


def parse_location(text: str) -> LocationRef:
    """Read `type:target`. Raises `InputError`, also for `https:…` without its type `url`."""
    match = _LOCATION.fullmatch(text.strip())
    if match is None:
        raise InputError(
            _(
                "%(text)s is not a location; expected type:target, such as url:https://…",
                text=shown(text),
            )
        )
    kind, target = match[1], match[2].strip()
    if kind.lower() in {"http", "https"}:
        better = f"url:{text.strip()[:200]}"
        raise InputError(
            _("%(text)s has no type; write %(better)s", text=shown(text), better=better)
        )
    if runs_script(text.strip()) or runs_script(target):
        raise InputError(_("%(text)s is a script, not a location.", text=shown(text)))
    return LocationRef(kind, target)


def is_url(target: str) -> bool:
    """Tell whether a target is an absolute URL, not a path."""
    return _URL.match(target) is not None


def resolve_path(target: str, base: str) -> str:
    """Give the path of a target relative to the file `base`, both below the repository's root.

    Raises `InputError` for what would leave the root: `..` too often, an absolute path,
    a backslash, a zero byte.
    """
    if target.startswith("/") or "\\" in target or "\0" in target or runs_script(target):
        raise InputError(
            _(
                "%(target)s is not a path relative to %(file)s, written with /.",
                target=shown(target),
                file=base,
            )
        )
    path = posixpath.normpath(posixpath.join(posixpath.dirname(base), target))
    if path == ".." or path.startswith(("../", "/")):
        raise InputError(
            _(
                "%(target)s leads out of the repository of %(file)s.",
                target=shown(target),
                file=base,
            )
        )
    return path


@dataclass(frozen=True, slots=True)
class Targets:
    """What a Location points at: files of its own repository, URLs, and what is wrong.

    `faults` have the codes `bad-target`, `target-missing` (a path that is not there) and
    `target-matches-nothing` (a glob). They are warnings where `optional`.
    """

    paths: list[str]
    urls: list[str]
    faults: list[Fault]
    optional: bool


def location_targets(document: Mapping[str, Any], base: str, paths: Iterable[str]) -> Targets:
    """Resolve the targets of a valid Location read from the file `base`.

    `paths` are the files of the repository, for globs (`*`, `?`, `[…]` within a name, `**` over
    folders) and to tell which files are missing. Order is that of the targets, each path once.
    """
    spec = document["spec"]
    found = Targets([], [], [], spec.get("presence") == "optional")
    if str(spec.get("type", "")).lower() in {"http", "https"}:
        message = _("spec.type is http; expected url, with the whole URL as target")
        found.faults.append(Fault("bad-target", ("spec", "type"), message))
        return found
    known = dict.fromkeys(paths)
    for path, target in _targets(spec):
        try:
            _resolve(found, path, target, base, known)
        except InputError as error:
            found.faults.append(Fault("bad-target", path, error.message))
    found.paths[:] = dict.fromkeys(found.paths)
    found.urls[:] = dict.fromkeys(found.urls)
    return found


def _targets(spec: Mapping[str, Any]) -> list[tuple[Path, str]]:
    single: list[tuple[Path, str]] = (
        [(("spec", "target"), spec["target"])] if "target" in spec else []
    )
    listed = enumerate(spec.get("targets", ()))
    return single + [(("spec", "targets", position), target) for position, target in listed]


def _resolve(found: Targets, path: Path, target: str, base: str, known: Mapping[str, None]) -> None:
    if is_url(target):
        found.urls.append(target)
        return
    resolved = resolve_path(target, base)
    if resolved in known:
        found.paths.append(resolved)
    elif _WILDCARD.search(resolved):
        matches = matching(resolved, known)
        found.paths.extend(matches)
        if not matches:
            message = _("no file matches %(pattern)s", pattern=shown(target))
            found.faults.append(Fault("target-matches-nothing", path, message))
    else:
        message = _(
            "there is no file %(path)s, the target %(target)s of %(file)s",
            path=resolved,
            target=shown(target),
            file=base,
        )
        found.faults.append(Fault("target-missing", path, message))


def matching(pattern: str, paths: Iterable[str]) -> list[str]:
    """Give the paths that a glob matches, sorted. Raises `InputError` for one of too many parts."""
    parts = [part for part in pattern.split("/") if part]
    if len(parts) > _MAXIMUM_PATTERN_PARTS:
        raise InputError(
            _(
                "The glob %(pattern)s has over %(limit)s parts.",
                pattern=shown(pattern),
                limit=_MAXIMUM_PATTERN_PARTS,
            )
        )
    return sorted(path for path in paths if _matches(parts, path.split("/")))


def _matches(pattern: Sequence[str], parts: Sequence[str]) -> bool:
    # Positions in `parts` that the pattern so far may have come to: no backtracking, so a hostile
    # pattern costs at most the product of both lengths.
    reached = {0}
    for piece in pattern:
        if piece == "**":
            reached = set(range(min(reached), len(parts) + 1))
        else:
            regex = _name_regex(piece)
            reached = {at + 1 for at in reached if at < len(parts) and regex.fullmatch(parts[at])}
        if not reached:
            return False
    return len(parts) in reached


@lru_cache(maxsize=256)
def _name_regex(piece: str) -> re.Pattern[str]:
    return re.compile(fnmatch.translate(piece))
