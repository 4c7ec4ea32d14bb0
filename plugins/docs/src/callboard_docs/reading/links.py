"""What the links of pages lead to: other pages, files, the host of the repository, or nothing."""

import posixpath
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final, Literal
from urllib.parse import quote, unquote

from callboard_docs.rendering.anchors import fragment_of

Target = tuple[Literal["page", "file", "source", "broken", "large"], str, str]
"""What a link leads to: `page`: address and fragment; `file`: blob and name; `source`: path."""

MEDIA: Final = {
    ".png": "image/png", ".jpg": "image/jpeg", ".jpeg": "image/jpeg", ".gif": "image/gif",
    ".webp": "image/webp", ".svg": "image/svg+xml", ".avif": "image/avif",
    ".pdf": "application/pdf",
}  # fmt: skip
"""The files that are served, by the end of their names; all others are shown by the host."""


@dataclass(frozen=True, slots=True)
class Files:
    """The files of a commit. `pages` are addresses by path in the repository."""

    docs: str
    pages: Mapping[str, str]
    blobs: Mapping[str, tuple[str, int]]
    folders: frozenset[str]
    largest: int

    def resolve(self, page: str, link: str) -> Target:
        """Say what a link of a page leads to, as it was written there."""
        bare = unquote(link.partition("#")[0].partition("?")[0])
        fragment = fragment_of(link)
        base = self.docs if bare.startswith("/") else posixpath.dirname(page)
        path = posixpath.normpath(posixpath.join(base, bare.lstrip("/")))
        if path.startswith("..") or not path.isprintable():
            return ("broken", "", "")
        for candidate in _candidates("" if path == "." else path):
            if candidate in self.pages:
                return ("page", self.pages[candidate], fragment)
        if path in self.blobs:
            return self._file(path)
        return ("source", path, "") if path in self.folders else ("broken", "", "")

    def _file(self, path: str) -> Target:
        suffix = posixpath.splitext(path)[1].lower()
        if suffix not in MEDIA:
            return ("source", path, "")
        blob, size = self.blobs[path]
        if size > self.largest:
            return ("large", path, "")
        return ("file", blob, quote(blob + suffix))


def _candidates(path: str) -> Iterator[str]:
    """Give the pages an address may mean: the file, or what MkDocs makes of it."""
    yield path
    bare = path.removesuffix(".html")
    if bare:
        yield f"{bare}.md"
    for index in ("index.md", "README.md"):
        yield posixpath.join(bare, index)
    if posixpath.basename(bare) == "index":
        yield posixpath.join(posixpath.dirname(bare), "README.md")


def folders_of(paths: Mapping[str, object]) -> frozenset[str]:
    """Give every folder that holds something."""
    found: set[str] = set()
    for path in paths:
        folder = posixpath.dirname(path)
        while folder and folder not in found:
            found.add(folder)
            folder = posixpath.dirname(folder)
    return frozenset(found)
