"""What changed between two documents of an entity, as a person says it."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final

from callboard.i18n import Text, Translator
from callboard_web.entities.words import ANNOTATIONS, PLACES, readable

_: Final = Translator("callboard")

MOST: Final = 8
"""Sentences for one change; the difference below shows the rest."""

LONGEST: Final = 60
LISTED: Final = 6

_REFERENCE: Final = re.compile(r"[a-z]+:(?:default/)?([^:/\s]+)", re.IGNORECASE)

Document = Mapping[str, Any]
Changed = Callable[[str, str], Text]

_SINGLE: Final[Mapping[str, tuple[Changed, Callable[[str], Text], Callable[[str], Text]]]] = {
    "spec.owner": (
        lambda old, new: _("Owner from %(old)s to %(new)s", old=old, new=new),
        lambda new: _("Owner set to %(new)s", new=new),
        lambda old: _("Owner %(old)s taken out", old=old),
    ),
    "spec.lifecycle": (
        lambda old, new: _("Lifecycle from %(old)s to %(new)s", old=old, new=new),
        lambda new: _("Lifecycle set to %(new)s", new=new),
        lambda old: _("Lifecycle %(old)s taken out", old=old),
    ),
    "spec.type": (
        lambda old, new: _("Type from %(old)s to %(new)s", old=old, new=new),
        lambda new: _("Type set to %(new)s", new=new),
        lambda old: _("Type %(old)s taken out", old=old),
    ),
    "spec.system": (
        lambda old, new: _("System from %(old)s to %(new)s", old=old, new=new),
        lambda new: _("Put into the system %(new)s", new=new),
        lambda old: _("Taken out of the system %(old)s", old=old),
    ),
    "spec.domain": (
        lambda old, new: _("Domain from %(old)s to %(new)s", old=old, new=new),
        lambda new: _("Put into the domain %(new)s", new=new),
        lambda old: _("Taken out of the domain %(old)s", old=old),
    ),
    "metadata.title": (
        lambda old, new: _("Title from “%(old)s” to “%(new)s”", old=old, new=new),
        lambda new: _("Title set to “%(new)s”", new=new),
        lambda old: _("Title “%(old)s” taken out", old=old),
    ),
}
_LISTS: Final[Mapping[str, tuple[Callable[[str], Text], Callable[[str], Text]]]] = {
    "metadata.tags": (
        lambda names: _("Tags added: %(names)s", names=names),
        lambda names: _("Tags removed: %(names)s", names=names),
    ),
    "metadata.links": (
        lambda names: _("Links added: %(names)s", names=names),
        lambda names: _("Links removed: %(names)s", names=names),
    ),
    "spec.dependsOn": (
        lambda names: _("Now depends on %(names)s", names=names),
        lambda names: _("No longer depends on %(names)s", names=names),
    ),
    "spec.providesApis": (
        lambda names: _("Now provides %(names)s", names=names),
        lambda names: _("No longer provides %(names)s", names=names),
    ),
    "spec.consumesApis": (
        lambda names: _("Now consumes %(names)s", names=names),
        lambda names: _("No longer consumes %(names)s", names=names),
    ),
    "spec.memberOf": (
        lambda names: _("Joined %(names)s", names=names),
        lambda names: _("Left %(names)s", names=names),
    ),
    "spec.members": (
        lambda names: _("Members added: %(names)s", names=names),
        lambda names: _("Members removed: %(names)s", names=names),
    ),
}


def sentences(before: Document, after: Document, changed: Sequence[str]) -> list[Text]:
    """Say what changed, the weightiest first, at most `MOST` of it."""
    found: dict[Text, None] = {}
    for path in sorted(changed, key=_weight):
        found.update(dict.fromkeys(_say(path, before, after)))
    return list(found)[:MOST]


_ORDER: Final = (*_SINGLE, "spec.definition", *_LISTS, "metadata.description")


def _weight(path: str) -> tuple[int, str]:
    place = path.startswith("metadata.annotations.") and path[21:].startswith(PLACES)
    index = _ORDER.index(path) if path in _ORDER else len(_ORDER)
    return (index + place, path)


def _say(path: str, before: Document, after: Document) -> Iterator[Text]:
    old, new = _at(before, path), _at(after, path)
    if path in _SINGLE:
        yield from _single(path, old, new)
    elif path in _LISTS:
        yield from _listed(path, old, new)
    elif path == "spec.definition":
        yield _("Definition changed")
    elif path == "metadata.description":
        yield (
            _("Description changed")
            if old and new
            else _("Description added")
            if new
            else _("Description taken out")
        )
    elif path.startswith("metadata.annotations"):
        yield from _keyed(path, "metadata.annotations", before, after)
    elif path.startswith("metadata.labels"):
        yield from _keyed(path, "metadata.labels", before, after)
    else:
        yield _("%(path)s changed", path=path)


def _single(path: str, old: Any, new: Any) -> Iterator[Text]:
    changed, added, removed = _SINGLE[path]
    if old and new:
        yield changed(_called(old), _called(new))
    elif new:
        yield added(_called(new))
    elif old:
        yield removed(_called(old))
    else:
        yield _("%(path)s changed", path=path)


def _listed(path: str, old: Any, new: Any) -> Iterator[Text]:
    added, removed = _LISTS[path]
    older, newer = _names(old), _names(new)
    came = [name for name in newer if name not in older]
    went = [name for name in older if name not in newer]
    if came:
        yield added(_joined(came))
    if went:
        yield removed(_joined(went))
    if not came and not went:
        yield _("%(path)s changed", path=path)


def _keyed(path: str, root: str, before: Document, after: Document) -> Iterator[Text]:
    """Say which annotation or label came, went or changed; the path may name all of them."""
    older, newer = _mapping(_at(before, root)), _mapping(_at(after, root))
    wanted = path.removeprefix(root).removeprefix(".")
    keys = [wanted] if wanted else sorted(older.keys() | newer.keys())
    if not any(key in older or key in newer for key in keys):
        yield _("%(path)s changed", path=path)
        return
    for key in keys:
        if root == "metadata.annotations" and key.startswith(PLACES):
            yield _("Read from another place, or by another address")
            continue
        name = ANNOTATIONS.get(key) or readable(key)
        if key not in older:
            yield _("%(name)s set to %(new)s", name=name, new=_short(newer.get(key)))
        elif key not in newer:
            yield _("%(name)s taken out", name=name)
        else:
            old, new = _short(older[key]), _short(newer[key])
            yield _("%(name)s from %(old)s to %(new)s", name=name, old=old, new=new)


def _at(document: Document, path: str) -> Any:
    value: Any = document
    for part in path.split("."):
        if not isinstance(value, Mapping):
            return None
        value = value.get(part)
    return value


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _names(value: Any) -> list[str]:
    items = value if isinstance(value, list) else []
    return [
        str(item.get("title") or item.get("url")) if isinstance(item, Mapping) else str(item)
        for item in items
    ]


def _joined(names: Sequence[str]) -> str:
    shown = ", ".join(_called(name) for name in names[:LISTED])
    return f"{shown}, …" if len(names) > LISTED else shown


def _called(value: Any) -> str:
    """Leave out of a reference what goes without saying."""
    text = _short(value)
    match = _REFERENCE.fullmatch(text)
    return match[1] if match else text


def _short(value: Any) -> str:
    text = " ".join(str(value).split())
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"
