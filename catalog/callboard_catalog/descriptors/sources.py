"""Reads the files that a placeholder names: bounded, and never outside of the repository."""

from collections.abc import Callable
from typing import Any, Final
from urllib.parse import urljoin

from callboard.errors import CallboardError, InputError, NotFoundError, reason_of
from callboard.i18n import Text, Translator
from callboard_catalog.descriptors.faults import shown
from callboard_catalog.descriptors.locations import is_url, resolve_path
from callboard_catalog.descriptors.reader import read_documents

_ = Translator("callboard")

Read = Callable[[str], bytes]
"""Gives the bytes of a path below the repository's root, or of an absolute URL. Raises
`NotFoundError` or `FileNotFoundError` for what is not there, `CallboardError` or `OSError` else."""

MAXIMUM_BYTES: Final = 20 * 1024 * 1024


class PlaceholderError(Exception):
    """One placeholder that cannot be replaced."""

    def __init__(self, code: str, message: Text) -> None:
        super().__init__(str(message))
        self.code = code
        self.message = message


class Sources:
    """Reads the targets of one document, each once, up to a total size."""

    def __init__(self, read: Read) -> None:
        self._read = read
        self._size = 0
        self._data: dict[str, bytes] = {}
        self.targets: dict[str, None] = {}

    def resolve(self, target: str, base: str) -> str:
        """Give the path or URL that a target means in the file or URL `base`."""
        if is_url(target):
            return target
        if is_url(base):
            return urljoin(base, target)
        try:
            return resolve_path(target, base)
        except InputError as error:
            raise PlaceholderError("placeholder-bad-target", error.message) from error

    def read(self, location: str) -> bytes:
        """Give the bytes of a path or URL; raises `PlaceholderError`."""
        self.targets[location] = None
        if location not in self._data:
            try:
                self._data[location] = self._read(location)
            except (NotFoundError, FileNotFoundError) as error:
                message = _("there is no %(file)s", file=shown(location))
                raise PlaceholderError("placeholder-target-missing", message) from error
            except (CallboardError, OSError) as error:
                message = _(
                    "%(file)s cannot be read: %(reason)s",
                    file=shown(location),
                    reason=reason_of(error),
                )
                raise PlaceholderError("placeholder-unreadable", message) from error
        data = self._data[location]
        self._size += len(data)
        if self._size > MAXIMUM_BYTES:
            message = _(
                "the placeholders of one document add up to over %(limit)s bytes",
                limit=MAXIMUM_BYTES,
            )
            raise PlaceholderError("too-many-placeholders", message)
        return data


def decoded(data: bytes, location: str) -> str:
    """Give the text of a file; raises `PlaceholderError` where it is not UTF-8."""
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        message = _("%(file)s is not UTF-8", file=shown(location))
        raise PlaceholderError("placeholder-bad-content", message) from error


def parse_one(data: bytes, location: str) -> Any:
    """Give the only YAML (or JSON) document of a file; raises `PlaceholderError`."""
    documents = read_documents(data)
    faults = [document.fault for document in documents if document.fault]
    if faults:
        message = _(
            "%(file)s: line %(line)s: %(problem)s",
            file=shown(location),
            line=faults[0].line,
            problem=faults[0].message,
        )
    elif len(documents) != 1:
        message = _(
            "%(file)s: it holds %(number)s documents; expected exactly one",
            file=shown(location),
            number=len(documents),
        )
    else:
        return documents[0].value
    raise PlaceholderError("placeholder-bad-content", message)
