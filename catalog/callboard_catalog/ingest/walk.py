"""Which files of a source to read: the descriptors it names and what their Locations lead to."""

import hashlib
import re
from collections import deque
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any, Final
from urllib.parse import urljoin

from callboard.errors import CallboardError, InputError, NotFoundError, reason_of
from callboard.i18n import Text, Translator, storable
from callboard_catalog.descriptors import Fault, location_targets, resolve_path
from callboard_catalog.descriptors.locations import is_url
from callboard_catalog.ingest.apart import File, Parsed, place_for
from callboard_catalog.ingest.parse import ParsedFile, Parser, Rejection
from callboard_catalog.sources import Snapshot
from callboard_catalog.sources.addresses import Visit

_ = Translator("callboard")

FILES_AT_ONCE: Final = 200
PREFETCHED_BYTES: Final = 64 * 1024 * 1024
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


class Walk:
    """One pass over a snapshot. `visited` has all paths that belong to the source in the end.

    `visit` asks the URLs that Locations and placeholders lead to; `origins` has the root that led
    to each of them first.
    """

    def __init__(
        self,
        snapshot: Snapshot,
        known: Mapping[str, KnownFile],
        *,
        visit: Visit,
        everything: bool,
    ) -> None:
        self.snapshot = snapshot
        self.known = known
        self.everything = everything
        self.visited: set[str] = set()
        self.visit = visit
        self.origins: dict[str, str] = {}
        self._needed: set[str] = set()
        self._prefetched: dict[str, bytes] = {}
        self._by_root: dict[str, list[str]] | None = None

    def changed(self, parser: Parser) -> Iterator[ParsedFile]:
        """Yield the files that are new or changed, following Locations, each file once."""
        pending = [path for path in self.snapshot.roots if not _is_long(path)]
        while pending:
            self.visited.update(pending)
            self._prepare(pending)
            found: list[str] = []
            stale = []
            for path in pending:
                known = self.known.get(path)
                if known is None or not self._is_current(path, known):
                    stale.append(path)
                elif known.targets:
                    found.extend(self._lead(path, self._targets(path, known.targets["specs"])[0]))
            for parsed in self._parse(parser, stale):
                self._keep_locations(parsed)
                found.extend(self._lead(parsed.path, self._add_targets(parsed)))
                yield parsed
            pending = [path for path in dict.fromkeys(found) if path not in self.visited]

    def _prepare(self, paths: Collection[str]) -> None:
        """Ask all URLs at once that these files are, or took in when they were read last."""
        wanted = [path for path in paths if self._is_remote(path)]
        for path in paths:
            known = self.known.get(path)
            wanted += [target for target in (known and known.reads) or () if is_url(target)]
        self.visit.prepare(wanted)

    def _lead(self, path: str, targets: list[str]) -> list[str]:
        root = self.origins.get(path, path)
        for target in targets:
            if self._is_remote(target):
                self.origins.setdefault(target, root)
        return targets

    def _is_remote(self, path: str) -> bool:
        return is_url(path) and path not in self.snapshot.files

    # What has changed

    def _is_current(self, path: str, known: KnownFile) -> bool:
        if self.everything or known.blob != self._name_of(path):
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
        if self._is_remote(path):
            return self.visit.ask(path).blob
        file = self.snapshot.files.get(path)
        return file.blob if file else ""

    def _name_of(self, path: str) -> str:
        """Name what a file gives: for a URL, its content and who led here, which is told too."""
        blob = self.blob_of(path)
        origin = self.origins.get(path)
        if origin is None:
            return blob
        return f"{blob}-{hashlib.sha256(origin.encode()).hexdigest()[:8]}"

    # Reading

    def _parse(self, parser: Parser, paths: Collection[str]) -> Iterator[ParsedFile]:
        place, begun = place_for(parser, len(paths)), deque[Parsed]()
        try:
            for unread, lot in self._lots(parser, paths):
                yield from unread
                begun.append(place.begin(lot))
                while len(begun) > place.ahead:
                    yield from begun.popleft()()
            for parsed in begun:
                yield from parsed()
        finally:
            place.close()

    def _lots(
        self, parser: Parser, paths: Collection[str]
    ) -> Iterator[tuple[list[ParsedFile], list[File]]]:
        """Give lots of files with what they hold, each after those that are not parsed with it."""
        remaining = iter(paths)
        while chunk := list(islice(remaining, FILES_AT_ONCE)):
            local, unread = [], []
            for path in chunk:
                file = self.snapshot.files.get(path)
                if file is None and is_url(path):
                    unread.append(self._parse_remote(parser, path))
                elif file is not None and file.fault:
                    unread.append(_unreadable(path, file.blob, file.code, file.fault))
                elif file is not None:
                    local.append(path)
            contents = list(self.snapshot.read(local))
            self._prefetch(contents)
            for path in sorted(set(local) - {path for path, _data in contents}):
                message = _("The file cannot be read; check its size and permissions.")
                unread.append(_unreadable(path, "", "file-unreadable", message))
            yield unread, [(path, self.snapshot.files[path].blob, data) for path, data in contents]

    def _parse_remote(self, parser: Parser, url: str) -> ParsedFile:
        try:
            data = self.visit.content(url)
        except NotFoundError as error:
            if url not in self._needed:
                return ParsedFile(url, self._name_of(url))
            return self._without_answer(url, error)
        except CallboardError as error:
            return self._without_answer(url, error)
        return parser.parse(url, self._name_of(url), data)

    def _without_answer(self, url: str, error: CallboardError) -> ParsedFile:
        message = reason_of(error)
        return _unreadable(url, self._name_of(url), "location-target-unreadable", message)

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
                if self._belongs(target, path) and not self.snapshot.files[target].fault:
                    wanted[target] = None
        size, chosen = 0, []
        for target in wanted:
            size += self.snapshot.files[target].size
            if size > PREFETCHED_BYTES:
                break
            chosen.append(target)
        self._prefetched = dict(self.snapshot.read(chosen)) if chosen else {}

    def read(self, base: str, path: str) -> bytes:
        """Give the bytes of a file for a placeholder in `base`; raises a `CallboardError`."""
        if path in self.snapshot.files and not self._belongs(path, base):
            raise NotFoundError(_("There is no file %(path)s.", path=path))
        if path in self._prefetched:
            return self._prefetched[path]
        if self._is_remote(path):
            return self.visit.content(path)
        file = self.snapshot.files.get(path)
        if file is None:
            raise NotFoundError(_("There is no file %(path)s.", path=path))
        if file.fault:
            raise InputError(file.fault)
        for _path, data in self.snapshot.read([path]):
            return data
        raise NotFoundError(_("The file %(path)s went away while it was read.", path=path))

    def _belongs(self, path: str, base: str) -> bool:
        """Whether a file may be named in another one: both are of the same root."""
        files = self.snapshot.files
        root = files[base].root if base in files else ""
        return path in files and (not root or files[path].root == root)

    def _files_beside(self, base: str) -> Collection[str]:
        file = self.snapshot.files.get(base)
        if file is None or not file.root:
            return self.snapshot.files
        if self._by_root is None:
            self._by_root = {}
            for path, other in self.snapshot.files.items():
                self._by_root.setdefault(other.root, []).append(path)
        return self._by_root[file.root]

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
                found, faults = self._expanded(_remote_targets(base, spec)), []
            else:
                targets = location_targets({"spec": spec}, base, self._files_beside(base))
                found = [*targets.paths, *self._expanded(targets.urls)]
                faults = [] if targets.optional else targets.faults
            if spec.get("presence") != "optional":
                self._needed.update(filter(is_url, found))
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

    def _expanded(self, urls: Iterable[str]) -> list[str]:
        return [found for url in urls for found in self.visit.expand(url)]


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
