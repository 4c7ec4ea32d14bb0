"""Errors that a person reads: what failed, where, what was expected, what to do next."""

import errno
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Final

from callboard.i18n import Message, Text, Translator

_ = Translator("callboard")


class CallboardError(Exception):
    """Base of every error with a message meant for a person.

    The message never holds a secret; pages show it in the reader's language, `str()` gives it in
    English. `status` is the HTTP status a page or the API answers with, `name` the stable word in
    the JSON error body.
    """

    status: ClassVar[int] = 500
    name: ClassVar[str] = "InternalError"

    def __init__(self, message: Text, *, hint: Text = "") -> None:
        super().__init__(str(message))
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message} {self.hint}".strip()


class InputError(CallboardError):
    """What was handed in cannot be used."""

    status = 400
    name = "InputError"


class RefusedError(CallboardError):
    """Somebody may not do something.

    `permission` is the name of what is missing, and `entity` the reference of what it was asked
    about, where that is known: the page that tells of it says who can give it.
    """

    def __init__(
        self, message: Text, *, hint: Text = "", permission: str = "", entity: str = ""
    ) -> None:
        super().__init__(message, hint=hint)
        self.permission = permission
        self.entity = entity


class NotAllowedError(RefusedError):
    """The one who asks may not do this."""

    status = 403
    name = "NotAllowedError"


class NotSignedInError(RefusedError):
    """It is not known who asks, and that must be known here (RFC 9110, section 15.5.2)."""

    status = 401
    name = "AuthenticationError"


class NotFoundError(CallboardError):
    """There is no such thing."""

    status = 404
    name = "NotFoundError"


class ConflictError(CallboardError):
    """The state of things does not allow it."""

    status = 409
    name = "ConflictError"


class NotReadyError(CallboardError):
    """A remote part does not answer now; try again later."""

    status = 503
    name = "ServiceUnavailableError"


class UnauthorisedError(CallboardError):
    """A remote part refused the credentials it was given."""

    status = 502
    name = "UpstreamUnauthorisedError"


@dataclass(frozen=True, slots=True)
class SettingsFault:
    """One thing wrong with the configuration.

    `file` is the settings file as it was named, or the environment variable; `line` counts from 1,
    0 where there is none; `key` is dotted, such as `catalog.sources[0].url`. The message begins
    with the key and never holds a secret.
    """

    file: str
    line: int
    key: str
    message: str

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}" if self.line else self.file
        return f"{place}: {self.message}" if place else self.message


class SettingsError(CallboardError):
    """The configuration cannot be used; the message lists every fault with its file and line."""

    name = "SettingsError"

    def __init__(
        self, message: Text, *, hint: Text = "", faults: Sequence[SettingsFault] = ()
    ) -> None:
        super().__init__(message, hint=hint)
        self.faults = tuple(faults)


_SYSTEM_ERRORS: Final[dict[int, Message]] = {
    errno.EACCES: _("Permission denied"),
    errno.EPERM: _("Operation not permitted"),
    errno.ENOENT: _("No such file or directory"),
    errno.ENOTDIR: _("Not a directory"),
    errno.EISDIR: _("Is a directory"),
    errno.ENOSPC: _("No space left on device"),
    errno.EDQUOT: _("Disk quota exceeded"),
    errno.EROFS: _("Read-only file system"),
    errno.EIO: _("Input/output error"),
    errno.EMFILE: _("Too many open files"),
    errno.ENFILE: _("Too many open files in system"),
    errno.ENAMETOOLONG: _("File name too long"),
    errno.ELOOP: _("Too many levels of symbolic links"),
    errno.ESTALE: _("Stale file handle"),
    errno.ECONNREFUSED: _("Connection refused"),
    errno.ECONNRESET: _("Connection reset by peer"),
    errno.EHOSTUNREACH: _("No route to host"),
    errno.ENETUNREACH: _("Network is unreachable"),
    errno.ETIMEDOUT: _("Connection timed out"),
    errno.EPIPE: _("Broken pipe"),
}


def reason_of(error: Exception) -> Text:
    """Give what an error says, for a message that has it as an argument."""
    if isinstance(error, CallboardError):
        if not error.hint:
            return error.message
        return _("%(message)s %(hint)s", message=error.message, hint=error.hint)
    # Errors of libraries, such as `ssl.SSLError`, have numbers of their own.
    if isinstance(error, OSError) and type(error).__module__ == "builtins":
        found = _SYSTEM_ERRORS.get(error.errno or 0)
        if found is not None:
            return found
    return str(getattr(error, "strerror", None) or error)
