"""One document that was pushed as one file of its source, with a path that stays the same."""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import orjson

from callboard.entities import EntityRef
from callboard.errors import InputError
from callboard.i18n import Translator
from callboard_catalog.descriptors import Fault
from callboard_catalog.ingest.parse import ref_of
from callboard_catalog.pushing.model import PushedDocument, PushError

_: Final = Translator("callboard")

LONGEST_REF: Final = 250
UNNAMED: Final = "unnamed/"
"""Begins the paths of documents that say of no entity that they are it."""


@dataclass(frozen=True, slots=True)
class File:
    """A document as a file. `ref` is empty where none can be read; then `path` is of its content.

    `fault` says why it is not even kept as a rejected one.
    """

    document: PushedDocument
    ref: str
    path: str
    data: bytes
    blob: str
    fault: PushError | None = None


def files_of(documents: Iterable[PushedDocument]) -> list[File]:
    """Give documents as files, those that name what one before them names with a fault."""
    found: list[File] = []
    taken: set[str] = set()
    for document in documents:
        file = _file(document)
        if file.path in taken and file.fault is None:
            message = _("this push has another document of the same entity before it")
            error = PushError("duplicate-document", message, "metadata.name")
            file = File(document, file.ref, file.path, file.data, file.blob, error)
        taken.add(file.path)
        found.append(file)
    return found


def _file(document: PushedDocument) -> File:
    if document.fault is not None:
        return File(document, "", "", b"", "", error_of(document.fault))
    try:
        # JSON is YAML: one reader for both. Sorted, so that order is no change.
        data = orjson.dumps(document.value, option=orjson.OPT_SORT_KEYS)
    except (TypeError, ValueError) as error:
        fault = PushError("bad-value", _("it is no JSON: %(error)s", error=str(error)[:200]))
        return File(document, "", "", b"", "", fault)
    blob = hashlib.sha256(data).hexdigest()
    ref = ref_of(document.value)
    if not ref or len(ref) > LONGEST_REF:
        return File(document, "", f"{UNNAMED}{blob[:16]}", data, blob)
    return File(document, ref, path_of(ref), data, blob)


def path_of(ref: str) -> str:
    """Give the path of an entity's file: `component/default/orders`."""
    return ref.replace(":", "/", 1)


def ref_at(path: str) -> str:
    """Give the reference that a path is of; empty where it is of none."""
    return "" if path.startswith(UNNAMED) else path.replace("/", ":", 1)


def canonical(ref: str) -> str:
    """Give a reference as the tables have it; raises `InputError` for what is none."""
    if len(ref) > LONGEST_REF:
        raise InputError(_("A reference to remove has over %(most)s characters.", most=LONGEST_REF))
    return str(EntityRef.parse(ref)).replace("\0", "\ufffd")


def error_of(fault: Fault | Any) -> PushError:
    """Give a fault, or a rejection, as it is told to who pushed it."""
    arguments = dict(getattr(fault.message, "arguments", ()))
    # A key that is not there has no place: its code names it.
    _, missing, name = fault.code.partition("missing-")
    key = name if missing else getattr(fault, "key", "")
    return PushError(fault.code, fault.message, key, arguments.get("expected", ""))


def errors_of(rejections: Sequence[Any], severity: str) -> list[PushError]:
    """Give the rejections of one severity as they are told."""
    return [error_of(item) for item in rejections if item.severity == severity]
