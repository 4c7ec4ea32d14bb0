"""Which files of a source to read: the descriptors it names and what their Locations lead to."""

import hashlib
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any, Final
from urllib.parse import urljoin

from callboard.errors import CallboardError, InputError, NotFoundError, reason_of
from callboard.i18n import Text, Translator, storable
from callboard_catalog.descriptors import Fault, location_targets, resolve_path
from callboard_catalog.descriptors.locations import is_url
from callboard_catalog.ingest.parse import ParsedFile, Parser, Rejection
from callboard_catalog.sources import Snapshot

_ = Translator("callboard")

FILES_AT_ONCE: Final = 200
PREFETCHED_BYTES: Final = 64 * 1024 * 1024
MAXIMUM_REMOTE: Final = 1_000
LONGEST_PATH: Final = 2_000
"""In bytes. Paths have an index in the tables; on PostgreSQL it takes about 2,700."""
_PLACEHOLDER: Final = re.compile(
    rb"\$(?:text|json|yaml|openapi|asyncapi)[\"']?:\s*[\"']?([^\s\"'}]+)"
)


@dataclass(frozen=True, slots=True)
class KnownFile:
    """What the tables hold of a file."""

    blob: str
    targets: Mapping[str, Any] | None
    reads: Mapping[str, str] | None


@dataclass(frozen=True, slots=True)
class Remote:
    """A URL that was asked: its content, or why there is none."""

    blob: str
    data: bytes = b""
    error: CallboardError | None = None


class Walk:
    """One pass over a snapshot. `visited` has all paths that belong to the source in the end."""

    def __init__(
        self,
        snapshot: Snapshot,
        known: Mapping[str, KnownFile],
        *,
        fetch: Callable[[str], bytes],
        everything: bool,
    ) -> None:
        self.snapshot = snapshot
        self.known = known
        self.everything = everything
        self.visited: set[str] = set()
        self._fetch = fetch
        self._remote: dict[str, Remote] = {}
        self._prefetched: dict[str, bytes] = {}

    def changed(self, parser: Parser) -> Iterator[ParsedFile]:
        """Yield the files that are new or changed, following Locations, each file once."""
        pending = [path for path in self.snapshot.roots if not _is_long(path)]
        while pending:
            self.visited.update(pending)
            found: list[str] = []
            stale = []
            for path in pending:
                known = self.known.get(path)
                if known is None or not self._is_current(path, known):
                    stale.append(path)
                elif known.targets:
                    found.extend(self._targets(path, known.targets["specs"])[0])
            for parsed in self._parse(parser, stale):
                self._keep_locations(parsed)
                found.extend(self._add_targets(parsed))
                yield parsed
            pending = [path for path in dict.fromkeys(found) if path not in self.visited]

    # What has changed

    def _is_current(self, path: str, known: KnownFile) -> bool:
        if self.everything or known.blob != self.blob_of(path):
            return False
        reads = known.reads or {}
        if any(self.blob_of(target) != blob for target, blob in reads.items()):
            return False
        if not known.targets:
            return True
        paths, rejections = self._targets(path, known.targets["specs"])
        return bool(known.targets["digest"] == _digest(paths, rejections))

    def blob_of(self, path: str) -> str:
        """Name the present content of a path or URL; empty where there is none."""
        if is_url(path) and path not in self.snapshot.files:
            return self._ask(path).blob
        file = self.snapshot.files.get(path)
        return file.blob if file else ""

    def _ask(self, url: str) -> Remote:
        if url not in self._remote:
            self._remote[url] = self._fetched(url)
        return self._remote[url]

    def _fetched(self, url: str) -> Remote:
        try:
            if len(self._remote) >= MAXIMUM_REMOTE:
                raise InputError(
                    _("One source may lead to at most %(limit)s URLs.", limit=MAXIMUM_REMOTE)
                )
            data = self._fetch(url)
        except CallboardError as error:
            return Remote(f"error: {error.message}"[:500], error=error)
        return Remote(hashlib.sha256(data).hexdigest(), data)

    # Reading

    def _parse(self, parser: Parser, paths: Collection[str]) -> Iterator[ParsedFile]:
        remaining = iter(paths)
        while chunk := list(islice(remaining, FILES_AT_ONCE)):
            local = []
            for path in chunk:
                file = self.snapshot.files.get(path)
                if file is None and is_url(path):
                    yield self._parse_remote(parser, path)
                elif file is not None and file.fault:
                    yield _unreadable(path, file.blob, file.code, file.fault)
                elif file is not None:
                    local.append(path)
            contents = list(self.snapshot.read(local))
            self._prefetch(contents)
            for path, data in contents:
                yield parser.parse(path, self.snapshot.files[path].blob, data)
            for path in sorted(set(local) - {path for path, _data in contents}):
                message = _("The file cannot be read; check its size and permissions.")
                yield _unreadable(path, "", "file-unreadable", message)

    def _parse_remote(self, parser: Parser, url: str) -> ParsedFile:
        remote = self._ask(url)
        if remote.error is not None:
            message = reason_of(remote.error)
            return _unreadable(url, remote.blob, "location-target-unreadable", message)
        return parser.parse(url, remote.blob, remote.data)

    def _prefetch(self, contents: Iterable[tuple[str, bytes]]) -> None:
        """Read what placeholders name in one go: a process for each of them would be slow."""
        wanted: dict[str, None] = {}
        for path, data in contents:
            if b"$" not in data:
                continue
            for match in _PLACEHOLDER.finditer(data):
                try:
                    target = resolve_path(match[1].decode(), path)
                except (InputError, UnicodeDecodeError):
                    continue
                file = self.snapshot.files.get(target)
                if file and not file.fault:
                    wanted[target] = None
        size, chosen = 0, []
        for target in wanted:
            size += self.snapshot.files[target].size
            if size > PREFETCHED_BYTES:
                break
            chosen.append(target)
        self._prefetched = dict(self.snapshot.read(chosen)) if chosen else {}

    def read(self, path: str) -> bytes:
        """Give the bytes of another file for a placeholder; raises a `CallboardError`."""
        if path in self._prefetched:
            return self._prefetched[path]
        if is_url(path) and path not in self.snapshot.files:
            remote = self._ask(path)
            if remote.error is not None:
                raise remote.error
            return remote.data
        file = self.snapshot.files.get(path)
        if file is None:
            raise NotFoundError(_("There is no file %(path)s.", path=path))
        if file.fault:
            raise InputError(file.fault)
        for _path, data in self.snapshot.read([path]):
            return data
        raise NotFoundError(_("The file %(path)s went away while it was read.", path=path))

    # Locations

    def _keep_locations(self, parsed: ParsedFile) -> None:
        """Let a Location that turned bad lead where it did: what it names must not leave."""
        known = self.known.get(parsed.path)
        shown = {ref for *_, ref in parsed.locations}
        for position, line, spec, ref in (known.targets or {"specs": ()})["specs"] if known else ():
            if ref not in shown and parsed.keeps(ref):
                parsed.locations.append((position, line, spec, ref))

    def _add_targets(self, parsed: ParsedFile) -> list[str]:
        if not parsed.locations:
            return []
        paths, rejections = self._targets(parsed.path, parsed.locations)
        parsed.targets = _digest(paths, rejections)
        parsed.rejections.extend(rejections)
        return paths

    def _targets(
        self, base: str, specs: Iterable[tuple[int, int, Mapping[str, Any], str]]
    ) -> tuple[list[str], list[Rejection]]:
        paths: dict[str, None] = {}
        rejections = []
        for position, line, spec, ref in specs:
            if is_url(base):
                found, faults = _remote_targets(base, spec), []
            else:
                targets = location_targets({"spec": spec}, base, self.snapshot.files)
                found = [*targets.paths, *targets.urls]
                faults = [] if targets.optional else targets.faults
            for path in found:
                if _is_long(path):
                    message = _(
                        "the target %(target)s is longer than %(limit)s bytes",
                        target=f"{path[:80]}…",
                        limit=LONGEST_PATH,
                    )
                    faults.append(Fault("bad-target", (), message))
                else:
                    paths[path] = None
            rejections += [
                Rejection(position, line, "warning", fault.code, storable(fault.message), ref)
                for fault in faults
            ]
        return list(paths), rejections


def _is_long(path: str) -> bool:
    return len(path) * 4 > LONGEST_PATH and len(path.encode()) > LONGEST_PATH


def _remote_targets(base: str, spec: Mapping[str, Any]) -> list[str]:
    listed = [spec.get("target"), *(spec.get("targets") or ())]
    joined = [urljoin(base, target) for target in listed if isinstance(target, str)]
    return [url for url in joined if url.startswith(("https://", "http://"))]


def _digest(paths: Collection[str], rejections: Collection[Rejection]) -> str:
    text = "\0".join([*paths, *(f"{item.code}\0{item.message}" for item in rejections)])
    return hashlib.sha256(text.encode()).hexdigest()


def _unreadable(path: str, blob: str, code: str, message: Text) -> ParsedFile:
    parsed = ParsedFile(path, blob, unreadable=True)
    parsed.rejections.append(Rejection(0, 1, "error", code, storable(message)))
    return parsed
