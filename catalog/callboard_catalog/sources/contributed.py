"""A source that a plugin contributes."""

import hashlib
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from itertools import count
from typing import TYPE_CHECKING

import orjson

from callboard.contributions import EntitySource, SourceContext, SourceDocument
from callboard.i18n import Text, Translator
from callboard_catalog.sources.base import FoundFile, WebAddress

if TYPE_CHECKING:
    from callboard.host import Host

_ = Translator("callboard")


class ContributedReader:
    """Asks a plugin for its documents."""

    def __init__(
        self, plugin: str, source: EntitySource, host_for: "Callable[[str], Host]"
    ) -> None:
        self.plugin = plugin
        self.source = source
        self._host_for = host_for
        self._known = ""

    def version(self, known: str) -> str:
        self._known = known
        if self.source.version is None:
            return ""
        return str(self.source.version(self._context()))

    def snapshot(self, version: str) -> "ContributedSnapshot":
        return ContributedSnapshot(self, version, list(self.source.read(self._context())))

    def _context(self) -> SourceContext:
        return SourceContext(host=self._host_for(self.plugin), version=self._known)

    def kept(self, path: str, blob: str) -> None:
        return None


class ContributedSnapshot:
    """The documents a plugin gave, as files."""

    def __init__(
        self, reader: ContributedReader, version: str, documents: list[SourceDocument]
    ) -> None:
        self.reader = reader
        self.contents: dict[str, bytes] = {}
        self.files: dict[str, FoundFile] = {}
        for document in documents:
            self._add(document)
        self.version = version or _digest(self.files)
        self.roots: Collection[str] = list(self.files)

    def _add(self, document: SourceDocument) -> None:
        path = _unused(document.path, self.files)
        fault: Text = ""
        try:
            content = _bytes(document)
        except (TypeError, UnicodeError) as error:
            content, fault = b"", _("The plugin gave what is no JSON: %(error)s.", error=str(error))
        digest = hashlib.sha256(content + str(fault).encode()).hexdigest()
        self.contents[path] = content
        self.files[path] = FoundFile(path, digest, len(content), fault, "not-json")

    def read(self, paths: Collection[str]) -> Iterator[tuple[str, bytes]]:
        for path in paths:
            if path in self.contents:
                yield path, self.contents[path]

    def location(self, path: str) -> str:
        return f"{self.reader.plugin}:{self.reader.source.name}/{path}"

    def web(self, path: str) -> WebAddress:
        return WebAddress()

    def commit(self, paths: Sequence[str]) -> None:
        return None


def _bytes(document: SourceDocument) -> bytes:
    if isinstance(document.content, str):
        return document.content.encode()
    # JSON is YAML: one reader for both.
    return orjson.dumps(document.content, default=_plain, option=orjson.OPT_SORT_KEYS)


def _plain(value: object) -> object:
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"a {type(value).__name__} cannot be written as JSON")


def _unused(path: str, known: Collection[str]) -> str:
    """Give the path, or with a number where it is taken: documents must not hide each other."""
    numbered = path
    for number in count(2):
        if numbered not in known:
            break
        numbered = f"{path} ({number})"
    return numbered


def _digest(files: dict[str, FoundFile]) -> str:
    digest = hashlib.sha256()
    for path in sorted(files):
        digest.update(f"{path}\0{files[path].blob}\0".encode())
    return digest.hexdigest()
