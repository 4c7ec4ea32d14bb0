"""Reads one site at a commit: which pages there are, in which order, made of which files.

Only what changed is read and rendered: a page whose blob and whose included blobs are those of the
last reading keeps its rendition.
"""

import hashlib
import posixpath
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from callboard.i18n import Text, Translator
from callboard_docs.reading.configuration import NAMES, Configuration, read_configuration
from callboard_docs.reading.includes import expand, includes_something
from callboard_docs.reading.navigation import (
    Navigation,
    Node,
    addresses_of,
    folder_nodes,
    read_navigation,
    title_of,
)
from callboard_docs.rendering import VERSION

if TYPE_CHECKING:
    from callboard.git import GitRepository, TreeFile

_ = Translator("docs")

LONGEST_PATH: Final = 680
READ_AT_ONCE: Final = 200


@dataclass(frozen=True, slots=True)
class Limits:
    """Sizes in bytes, but for `pages`."""

    page: int
    file: int
    site: int
    pages: int


@dataclass(slots=True)
class Source:
    """A page before it is rendered. `digest` is empty where `fault` says why."""

    path: str
    blob: str
    digest: str = ""
    fault: str = ""
    includes: dict[str, Any] = field(default_factory=dict)
    text: str | None = None


@dataclass(slots=True)
class Layout:
    """The files of a site at a commit. Paths are those in the repository; `docs` is a folder."""

    docs: str
    title: str
    files: "Mapping[str, TreeFile]"
    pages: list[str]
    nav: list[Any] | None
    notes: list[Text]

    def relative(self, path: str) -> str:
        """Give a path within the folder of the pages."""
        return path[len(self.docs) + 1 :] if self.docs else path

    def absolute(self, path: str) -> str:
        """Give the path in the repository."""
        return posixpath.join(self.docs, path)


def read_layout(git: "GitRepository", commit: str, folder: str, limits: Limits) -> Layout:
    """Find the pages of a site."""
    files = {
        item.path: item
        for item in git.files(commit)
        if not (item.is_symlink or item.is_submodule) and len(item.path) <= LONGEST_PATH
    }
    settings = _configuration(git, files, folder)
    notes = list(settings.notes) if settings else []
    docs = posixpath.join(folder, settings.docs_dir if settings else "docs")
    pages = _pages_below(files, docs)
    if settings is None:
        notes.append(_("There is no mkdocs.yml: the folders give the order of the pages."))
        if not pages:
            docs = folder
            pages = [path for path in _pages_below(files, docs)
                     if posixpath.dirname(path) == folder]  # fmt: skip
    elif not pages:
        notes.append(
            _("mkdocs.yml says that the pages are in %(folder)s; there are none.", folder=docs)
        )
    if len(pages) > limits.pages:
        notes.append(
            _(
                "There are %(count)s pages; the first %(limit)s are read.",
                count=len(pages),
                limit=limits.pages,
            )
        )
    title = settings.site_name if settings else ""
    nav = settings.nav if settings else None
    return Layout(docs, title, files, pages[: limits.pages], nav, notes)


def _configuration(
    git: "GitRepository", files: "Mapping[str, TreeFile]", folder: str
) -> Configuration | None:
    for name in NAMES:
        found = files.get(posixpath.join(folder, name))
        if found is not None:
            for _blob, content in git.read([found.blob]):
                return read_configuration(content)
            return read_configuration(b" " * (2**20))
    return None


def _pages_below(files: "Mapping[str, TreeFile]", folder: str) -> list[str]:
    prefix = f"{folder}/" if folder else ""
    return sorted(
        path for path in files if path.startswith(prefix) and path.lower().endswith(".md")
    )


def collect_sources(
    git: "GitRepository",
    layout: Layout,
    folder: str,
    known: Mapping[str, Source],
    limits: Limits,
) -> Iterator[Source]:
    """Give every page with what it is made of; `text` only of those that are not `known`."""
    pending: list[Source] = []
    for path in layout.pages:
        item = layout.files[path]
        before = known.get(path)
        if before is not None and _is_unchanged(before, item.blob, layout):
            yield before
        elif item.size > limits.page:
            yield Source(path, item.blob, fault="large")
        else:
            pending.append(Source(path, item.blob))
        if len(pending) >= READ_AT_ONCE:
            yield from _read(git, layout, folder, pending, limits)
            pending = []
    yield from _read(git, layout, folder, pending, limits)


def _is_unchanged(before: Source, blob: str, layout: Layout) -> bool:
    if before.blob != blob or not before.digest:
        return False
    used: Mapping[str, str] = before.includes.get("used", {})
    if before.includes.get("missing"):
        return False
    return all(
        path in layout.files and layout.files[path].blob == known for path, known in used.items()
    )


def _read(
    git: "GitRepository", layout: Layout, folder: str, sources: list[Source], limits: Limits
) -> Iterator[Source]:
    contents = dict(git.read({source.blob for source in sources})) if sources else {}
    for source in sources:
        content = contents.get(source.blob)
        if content is None:
            source.fault = "large"
            yield source
            continue
        text = _decoded(content)
        if includes_something(text):
            text = _expand(git, layout, folder, source, text)
        if len(text) > limits.page:
            source.fault = "large"
        else:
            source.text = text
            source.digest = hashlib.sha256(f"{VERSION}\0{text}".encode()).hexdigest()
        yield source


def _expand(git: "GitRepository", layout: Layout, folder: str, source: Source, text: str) -> str:
    def read(path: str) -> str | None:
        found = layout.files.get(path)
        if found is None or not found.is_readable:
            return None
        return next((_decoded(content) for _blob, content in git.read([found.blob])), None)

    folders = [folder, layout.docs, posixpath.dirname(source.path)]
    expanded = expand(text, folders, read)
    source.includes = {
        "used": {path: layout.files[path].blob for path in sorted(expanded.used)},
        "missing": expanded.missing,
    }
    return expanded.text


def _decoded(content: bytes) -> str:
    text = content.decode("utf-8-sig", "replace").replace("\0", "\N{REPLACEMENT CHARACTER}")
    return text.replace("\r\n", "\n").replace("\r", "\n")


@dataclass(slots=True)
class Order:
    """The pages as they stand on the portal: addresses and titles by path, and the tree."""

    addresses: dict[str, str]
    titles: dict[str, str]
    listed: list[str]
    nodes: list[dict[str, Any]]
    problems: list[tuple[str, str]]
    notes: list[Text]


def arrange(layout: Layout, headings: Mapping[str, tuple[str, str]]) -> Order:
    """Put pages in order. `headings` are the title of the front matter and the first heading."""
    relative = [layout.relative(path) for path in layout.pages]
    addresses = addresses_of(relative)
    titles = {}
    for path in relative:
        front, heading = headings.get(layout.absolute(path), ("", ""))
        titles[path] = front or heading or title_of(path)
    if layout.nav is None:
        navigation = Navigation(folder_nodes(relative, titles), [], [])
    else:
        navigation = read_navigation(layout.nav, relative)
        _name_pages(navigation.nodes, titles)
    return Order(
        addresses={layout.absolute(path): address for path, address in addresses.items()},
        titles={layout.absolute(path): title for path, title in titles.items()},
        listed=[layout.absolute(path) for path in navigation.paths()],
        nodes=[_node(node, titles, addresses) for node in navigation.nodes],
        problems=navigation.problems,
        notes=navigation.notes,
    )


def _name_pages(nodes: list[Node], titles: dict[str, str]) -> None:
    """Let the titles of `nav` go before those of the pages."""
    for node in nodes:
        if node.path and node.title:
            titles[node.path] = node.title
        _name_pages(node.children, titles)


def _node(node: Node, titles: Mapping[str, str], addresses: Mapping[str, str]) -> dict[str, Any]:
    made: dict[str, Any] = {"t": node.title or titles.get(node.path, "")}
    if node.path:
        made["a"] = addresses[node.path]
    if node.url:
        made["u"] = node.url
    if node.children:
        made["c"] = [_node(child, titles, addresses) for child in node.children]
    return made
