"""Completes a valid document: defaults, annotations about where it is from, hashes."""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import orjson

from callboard.entities import DEFAULT_NAMESPACE, EntityRef
from callboard_catalog.descriptors.relations import reference_of

LOCATION: Final = "backstage.io/managed-by-location"
ORIGIN: Final = "backstage.io/managed-by-origin-location"
VIEW_URL: Final = "backstage.io/view-url"
EDIT_URL: Final = "backstage.io/edit-url"
SOURCE_LOCATION: Final = "backstage.io/source-location"
REJECTED_URL: Final = "about:blank#rejected-script-url"

# Order says nothing in these lists, so it must never count as a change (Backstage, hashing).
_UNORDERED: Final = (
    "providesApis", "consumesApis", "dependsOn", "dependencyOf", "memberOf", "children", "members",
)  # fmt: skip
_IGNORED_BY_BROWSERS: Final = re.compile(r"[\x00-\x20]+")
_SCRIPT_SCHEMES: Final = ("javascript:", "vbscript:")


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """Where a document was read: location references (`type:target`) and URLs, as far as known.

    `location` is the file itself, `origin` what a person registered (by default the same), `more`
    what else the source says of it, as annotations.
    """

    location: str
    origin: str = ""
    view_url: str = ""
    edit_url: str = ""
    source_location: str = ""
    more: Mapping[str, str] = field(default_factory=dict)

    def annotations(self) -> dict[str, str]:
        """Give the annotations that say so, without those that are not known."""
        known = {
            LOCATION: self.location,
            ORIGIN: self.origin or self.location,
            VIEW_URL: self.view_url,
            EDIT_URL: self.edit_url,
            SOURCE_LOCATION: self.source_location,
        }
        return {**self.more, **{key: value for key, value in known.items() if value}}


@dataclass(frozen=True, slots=True)
class Finished:
    """A document ready to be stored. `content_hash` is that of its meaning, 40 hex digits."""

    ref: EntityRef
    document: dict[str, Any]
    content_hash: str


def finish(document: Mapping[str, Any], origin: Origin) -> Finished:
    """Complete a valid document; the given one is not changed.

    Values written in the file win over those of `origin`. URLs that would run a script are
    replaced by one that does nothing. `metadata.etag` is the content hash unless given.
    """
    metadata = dict(document["metadata"])
    metadata["namespace"] = metadata.get("namespace") or DEFAULT_NAMESPACE
    annotations = origin.annotations()
    annotations.update(metadata.get("annotations") or {})
    for key in (VIEW_URL, EDIT_URL):
        if runs_script(annotations.get(key, "")):
            annotations[key] = REJECTED_URL
    metadata["annotations"] = annotations
    if metadata.get("links"):
        metadata["links"] = [_safe_link(link) for link in metadata["links"]]
    finished = {**document, "metadata": metadata}
    content_hash = _content_hash(finished)
    metadata.setdefault("etag", content_hash)
    return Finished(reference_of(finished), finished, content_hash)


def stable_json(document: Mapping[str, Any]) -> bytes:
    """Give the JSON of a document with sorted keys: equal documents give equal bytes."""
    return orjson.dumps(document, option=orjson.OPT_SORT_KEYS)


def runs_script(url: str) -> bool:
    """Tell whether a browser would run this URL as a script; it skips white space and controls."""
    return _IGNORED_BY_BROWSERS.sub("", url[:1000]).lower().startswith(_SCRIPT_SCHEMES)


def _safe_link(link: dict[str, Any]) -> dict[str, Any]:
    return {**link, "url": REJECTED_URL} if runs_script(link["url"]) else link


def _content_hash(document: dict[str, Any]) -> str:
    spec = document.get("spec")
    if isinstance(spec, dict):
        ordered = {name: _sorted(spec[name]) for name in _UNORDERED if name in spec}
        if ordered:
            document = {**document, "spec": {**spec, **ordered}}
    return hashlib.sha1(stable_json(document), usedforsecurity=False).hexdigest()


def _sorted(value: Any) -> Any:
    if isinstance(value, list) and all(isinstance(item, str) for item in value):
        return sorted(value)
    return value
