"""Static files: read once, compressed once, named by their content so that browsers keep them."""

import gzip
import hashlib
import mimetypes
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

DIRECTORY: Final = Path(__file__).parent / "static"
_SERVED: Final = frozenset({".css", ".js", ".mjs", ".svg", ".png", ".ico", ".woff2"})
_TEXT: Final = frozenset({".css", ".js", ".mjs", ".svg"})


@dataclass(frozen=True, slots=True)
class Asset:
    """A file as it is sent. `compressed` is empty for formats that are compressed already."""

    name: str
    digest: str
    media_type: str
    content: bytes
    compressed: bytes

    @property
    def path(self) -> str:
        """The path below `/static/`, with the digest before the last dot."""
        stem, dot, suffix = self.name.rpartition(".")
        return f"{stem}.{self.digest}{dot}{suffix}"


class Assets:
    """The host's files, and those of plugins as `<plugin>/<file>`, by their address.

    `directories` are the plugins' (`callboard_static`); of each only the folder with the plugin's
    name is served, so none can take the place of another's files or the host's.
    """

    def __init__(self, directories: Mapping[str, Path] | None = None) -> None:
        assets = list(_files(DIRECTORY, DIRECTORY))
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


def _files(root: Path, folder: Path) -> Iterator[Asset]:
    for path in sorted(folder.rglob("*")):
        if path.suffix in _SERVED:
            yield _read(path, path.relative_to(root).as_posix())


def _read(path: Path, name: str) -> Asset:
    content = path.read_bytes()
    media_type = mimetypes.guess_type(name)[0] or "application/octet-stream"
    if path.suffix in (".js", ".mjs"):
        media_type = "text/javascript"
    compressed = gzip.compress(content, mtime=0) if path.suffix in _TEXT else b""
    digest = hashlib.sha256(content).hexdigest()[:12]
    return Asset(name, digest, media_type, content, compressed)
