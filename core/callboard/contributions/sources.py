"""Where entities come from, and what completes them."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from callboard.i18n import Text

if TYPE_CHECKING:
    from callboard.host import Host


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceDocument:
    """One document of an entity source: YAML text (any number of documents) or one entity."""

    path: str
    content: str | Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceContext:
    """`version` is what the source gave at its last good read, or empty."""

    host: "Host"
    version: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class EntitySource:
    """Finds entities somewhere else and hands them to the catalog.

    `version` is a cheap question, asked first: an answer equal to the last one means that nothing
    changed and `read` is not called. `read` gives the whole set; what it no longer gives leaves
    the catalog. An exception keeps the last good state and is shown with its time.
    """

    name: str
    title: Text
    read: Callable[[SourceContext], Iterable[SourceDocument]]
    version: Callable[[SourceContext], str] | None = None
    every: timedelta = timedelta(minutes=5)


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceFile:
    """A file of a file source, named and described but not read yet.

    `path` is unique within the source, such as `group/repository/catalog-info.yaml`; `version`
    changes when the content does (a blob id, an ETag); `size` is in bytes, 0 where it is not known.
    Only a `descriptor` is read by itself. Others may be named by Locations and placeholders such as
    `$text`, which never lead out of `root`: the folder, such as `group/repository`, to which the
    file belongs; empty is the whole source.

    `location` becomes the location annotation, such as `url:https://…`; the three URLs are those of
    the annotations view-url, edit-url and source-location. `annotations` are further ones, such as
    `github.com/project-slug`, for every entity of the file that does not set them itself. With
    `fault` the file is not read, and is listed with what it says.
    """

    path: str
    version: str
    size: int = 0
    descriptor: bool = True
    root: str = ""
    location: str = ""
    view_url: str = ""
    edit_url: str = ""
    source_url: str = ""
    annotations: Mapping[str, str] = field(default_factory=dict)
    fault: Text = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceTrouble:
    """Says that a source, or a part of what it is made of, could not be read.

    `text` says how much of what. Where `whole`, the source is shown as failing, else as partly
    read. `path` is the page of the portal that lists the parts.
    """

    text: Text
    hint: Text = ""
    whole: bool = False
    path: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class FileSource:
    """Finds files somewhere else, for which the catalog reads only what is new.

    Unlike an `EntitySource` it lists first: `list` gives every file with its version, the whole
    set, and `read` is asked, some hundreds of files at a time, for those that are new, have another
    version, or are named by one of these. `read` yields (path, content) in any order. A file it
    leaves out is listed as one that cannot be read; an exception keeps the last good state, shown
    with its time, and what was read before it stays read.

    `version` is as of `EntitySource`: asked first, often, so it must be cheap. It must differ
    whenever `list` or `trouble` would give something else. `trouble` is asked after the files were
    read; None says that all is well.
    """

    name: str
    title: Text
    list: Callable[[SourceContext], Iterable[SourceFile]]
    read: Callable[[SourceContext, Sequence[SourceFile]], Iterable[tuple[str, bytes]]]
    version: Callable[[SourceContext], str] | None = None
    every: timedelta = timedelta(minutes=5)
    trouble: Callable[[SourceContext], SourceTrouble | None] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Sources:
    """Entity sources that depend on the plugin's settings: one for each place they name.

    `sources` is called once, when the portal starts; it looks at `host.settings` and asks nobody.
    """

    sources: Callable[["Host"], Iterable[EntitySource | FileSource]]


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessorContext:
    """Where the document comes from."""

    host: "Host"
    source: str
    path: str


@dataclass(frozen=True, slots=True, kw_only=True)
class EntityProcessor:
    """Changes or completes an entity before it is stored; must give the same for the same input.

    `process` returns the new document, or None to leave it. A raising processor leaves the
    document as it was and the fault is listed. A new `version` processes every entity again.
    """

    name: str
    process: Callable[[Mapping[str, Any], ProcessorContext], Mapping[str, Any] | None]
    version: str = "1"
    order: int = 100
