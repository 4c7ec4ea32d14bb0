"""A source of files that a plugin contributes: listed first, of which only what is new is read."""

import hashlib
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Final

from callboard.contributions import FileSource, SourceContext, SourceFile
from callboard.errors import InputError
from callboard.i18n import Text, Translator
from callboard_catalog.descriptors.envelope import is_key
from callboard_catalog.sources.base import FoundFile, WebAddress
from callboard_catalog.sources.folder import MAXIMUM_FILES, too_large

if TYPE_CHECKING:
    from callboard.host import Host

_ = Translator("callboard")

LONGEST_VERSION: Final = 64
"""Versions are kept in a column of so many characters; of longer ones the digest is."""


class FilesReader:
    """Asks a plugin for the names of its files, and then for what is in some of them."""

    def __init__(
        self,
        plugin: str,
        source: FileSource,
        host_for: "Callable[[str], Host]",
        maximum_bytes: int,
    ) -> None:
        self.plugin = plugin
        self.source = source
        self.maximum_bytes = maximum_bytes
        self._host_for = host_for
        self._known = ""

    def version(self, known: str) -> str:
        self._known = known
        if self.source.version is None:
            return ""
        return _short(str(self.source.version(self._context())))

    def snapshot(self, version: str) -> "FilesSnapshot":
        return FilesSnapshot(self, version, self.source.list(self._context()))

    def read(self, files: Sequence[SourceFile]) -> Iterable[tuple[str, bytes]]:
        """Ask the plugin for the content of these files."""
        return self.source.read(self._context(), files)

    def _context(self) -> SourceContext:
        return SourceContext(host=self._host_for(self.plugin), version=self._known)

    def kept(self, path: str, blob: str) -> None:
        return None


class FilesSnapshot:
    """The files as the plugin listed them. What it lists twice is taken once, as it came first."""

    def __init__(self, reader: FilesReader, version: str, listed: Iterable[SourceFile]) -> None:
        self.reader = reader
        self.listed: dict[str, SourceFile] = {}
        for file in listed:
            self.listed.setdefault(_checked(file).path, file)
            if len(self.listed) > MAXIMUM_FILES:
                raise InputError(
                    _("The source lists more than %(limit)s files.", limit=MAXIMUM_FILES),
                    hint=_("Let it find fewer files."),
                )
        limit = reader.maximum_bytes
        self.files = {path: _found(file, limit) for path, file in self.listed.items()}
        self.version = version or self._digest()

    @cached_property
    def roots(self) -> Collection[str]:
        return sorted(path for path, file in self.listed.items() if file.descriptor)

    def read(self, paths: Collection[str]) -> Iterator[tuple[str, bytes]]:
        wanted = {path: self.listed[path] for path in paths if path in self.listed}
        if not wanted:
            return
        for path, content in self.reader.read(list(wanted.values())):
            # What was not asked for is not taken, and nothing twice.
            if wanted.pop(path, None) is not None:
                yield path, bytes(content)

    def location(self, path: str) -> str:
        file = self.listed.get(path)
        given = file.location if file else ""
        return given or f"{self.reader.plugin}:{self.reader.source.name}/{path}"

    def web(self, path: str) -> WebAddress:
        file = self.listed.get(path)
        if file is None:
            return WebAddress()
        return WebAddress(file.view_url, file.edit_url, file.source_url, file.annotations)

    def commit(self, paths: Sequence[str]) -> None:
        return None

    def _digest(self) -> str:
        digest = hashlib.sha256()
        for path in sorted(self.files):
            file = self.listed[path]
            digest.update(f"{path}\0{file!r}\0".encode(errors="replace"))
        return digest.hexdigest()


def _checked(file: SourceFile) -> SourceFile:
    """Refuse what is no name of a file below its root; a plugin passes on what others named."""
    if not isinstance(file, SourceFile):
        raise TypeError(f"gave {type(file).__name__}, expected SourceFile")
    parts = file.path.split("/")
    if not file.path.isprintable() or {"", ".", ".."} & set(parts) or "\\" in file.path:
        raise InputError(
            _("The source lists %(path)s, which is no path of a file.", path=repr(file.path[:200]))
        )
    if file.root and not file.path.startswith(f"{file.root}/"):
        raise InputError(
            _(
                "The source lists %(path)s, which is not below %(root)s.",
                path=repr(file.path[:200]),
                root=repr(file.root[:200]),
            )
        )
    for key, value in file.annotations.items():
        if not (
            isinstance(key, str) and is_key(key) and isinstance(value, str) and value.isprintable()
        ):
            raise InputError(
                _(
                    "The source gives %(path)s the annotation %(key)s, which no entity may have.",
                    path=repr(file.path[:200]),
                    key=repr(str(key)[:200]),
                ),
                hint=_("Keys are such as example.com/project-slug, values texts."),
            )
    return file


def _found(file: SourceFile, limit: int) -> FoundFile:
    fault: Text = file.fault
    code = "file-unreadable"
    if not fault and file.size > limit:
        fault, code = too_large(file.size, limit), "too-large"
    version = _short(file.version)
    if fault or file.annotations:
        # Another fault is news, too, and so are other annotations.
        said = f"{version}\0{fault}\0{sorted(file.annotations.items())}"
        version = hashlib.sha256(said.encode(errors="replace")).hexdigest()
    return FoundFile(file.path, version, file.size, fault, code, file.root)


def _short(version: str) -> str:
    if len(version) <= LONGEST_VERSION and version.isprintable():
        return version
    return hashlib.sha256(version.encode(errors="replace")).hexdigest()
