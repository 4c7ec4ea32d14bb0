"""Static files: read once, compressed when first asked for, named by their content."""

import hashlib
import mimetypes
import posixpath
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from callboard_web.compression import compress_for_ever

DIRECTORY: Final = Path(__file__).parent / "static"
TOGETHER: Final[Mapping[str, tuple[str, ...]]] = {
    "host.css": ("callboard.css", "portal.css"),
    "host.js": (
        "vendor/htmx.min.js", "shell.js", "palette.js", "keys.js", "stream.js", "live.js",
        "forms.js", "states.js", "visits.js", "session.js",
    ),
}  # fmt: skip
"""What every page loads, each made of several files: a browser asks for few."""

_SERVED: Final = frozenset({".css", ".js", ".mjs", ".svg", ".png", ".ico", ".woff2"})
_TEXT: Final = frozenset({".css", ".js", ".mjs", ".svg"})
_IMPORT: Final = re.compile(rb'(\b(?:from|import)\s*)"(\.\.?/[\w./-]+\.m?js)"')


@dataclass(frozen=True, slots=True)
class Asset:
    """A file as it is sent."""

    name: str
    digest: str
    media_type: str
    content: bytes
    is_text: bool
    _compressed: dict[str, bytes] = field(default_factory=dict, compare=False, repr=False)

    @property
    def path(self) -> str:
        """The path below `/static/`, with the digest before the last dot."""
        stem, dot, suffix = self.name.rpartition(".")
        return f"{stem}.{self.digest}{dot}{suffix}"

    def compressed(self, encoding: str) -> bytes:
        """Give the content in `br` or `gzip`; the first time takes a moment."""
        if encoding not in self._compressed:
            self._compressed[encoding] = compress_for_ever(self.content, encoding)
        return self._compressed[encoding]


class Assets:
    """The host's files, and those of plugins as `<plugin>/<file>`, by their address.

    `directories` are the plugins' (`callboard_static`); of each only the folder with the plugin's
    name is served, so none can take the place of another's files or the host's.
    """

    def __init__(self, directories: Mapping[str, Path] | None = None) -> None:
        own = {asset.name: asset for asset in _files(DIRECTORY, DIRECTORY)}
        assets = [*own.values()]
        for name, parts in TOGETHER.items():
            assets.append(_asset(name, b"\n".join(own[part].content for part in parts)))
        for plugin, directory in (directories or {}).items():
            assets.extend(_files(directory, directory / plugin))
        self._by_name: Mapping[str, Asset] = {asset.name: asset for asset in assets}
        self._by_path: Mapping[str, Asset] = {asset.path: asset for asset in assets}
        joined = "".join(asset.digest for asset in assets)
        self.version = hashlib.sha256(joined.encode()).hexdigest()[:12]

    def url(self, name: str) -> str:
        """Give the address of a file, such as `callboard.css`; raises KeyError for no such file."""
        return f"/static/{self._by_name[name].path}"

    def find(self, path: str) -> Asset | None:
        """Give the file at a path below `/static/`, if it is there in that very version."""
        return self._by_path.get(path)

    def named(self, name: str) -> Asset | None:
        """Give the file of a plain name, such as `favicon.svg`."""
        return self._by_name.get(name)


def _files(root: Path, folder: Path) -> Iterable[Asset]:
    found = sorted(folder.rglob("*"))
    paths = {path.relative_to(root).as_posix(): path for path in found if path.suffix in _SERVED}
    read: dict[str, Asset] = {}
    for name in paths:
        _read(name, paths, read, ())
    return read.values()


def _read(
    name: str, paths: Mapping[str, Path], read: dict[str, Asset], asking: tuple[str, ...]
) -> Asset:
    """Read a file. Modules name each other plainly; what is served names them by their digests.

    `asking` are those that import it. A circle stays as it is written, and the browser tells of it:
    of its modules none could get its digest first.
    """
    if name in read:
        return read[name]

    def named(found: re.Match[bytes]) -> bytes:
        folder, _, _ = found[2].decode().rpartition("/")
        wanted = posixpath.normpath(posixpath.join(posixpath.dirname(name), found[2].decode()))
        if wanted not in paths or wanted in (*asking, name):
            return found[0]
        asset = _read(wanted, paths, read, (*asking, name))
        return found[1] + f'"{folder}/{posixpath.basename(asset.path)}"'.encode()

    content = paths[name].read_bytes()
    if paths[name].suffix in (".js", ".mjs"):
        content = _IMPORT.sub(named, content)
    read[name] = _asset(name, content)
    return read[name]


def _asset(name: str, content: bytes) -> Asset:
    suffix = Path(name).suffix
    media_type = mimetypes.guess_type(name)[0] or "application/octet-stream"
    if suffix in (".js", ".mjs"):
        media_type = "text/javascript"
    digest = hashlib.sha256(content).hexdigest()[:12]
    return Asset(name, digest, media_type, content, suffix in _TEXT)
