"""Asks a directory: encrypted, page by page (RFC 2696), bounded, and nobody but this server."""

import ssl
import time
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

from callboard.errors import CallboardError, InputError, NotReadyError, UnauthorisedError
from callboard.i18n import Text, Translator
from callboard_people_ldap.settings import Scope, ServerSettings

_ = Translator("people_ldap")

CONNECTING: Final = 10
"""Seconds until a server must have taken a connection."""
ANSWERING: Final = 60
"""Seconds until a server must have sent a page."""

MOST_BYTES: Final = 512 * 2**20
"""What one reading may take in."""

_SCOPES: Final = {"subtree": "SUBTREE", "one": "LEVEL", "base": "BASE"}
_SUCCESS: Final = 0
_PARTIAL: Final = frozenset({3, 4, 11})
"""timeLimitExceeded, sizeLimitExceeded and adminLimitExceeded (RFC 4511, A.1)."""
_REFERRAL: Final = 10
_NO_OBJECT: Final = 32
_REFUSED: Final = frozenset({8, 13, 48, 49, 50, 53})


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry. `values` has what was asked for, by the lower-case name without options."""

    dn: str
    values: dict[str, tuple[bytes, ...]]

    def texts(self, attribute: str) -> tuple[str, ...]:
        """Give the values of an attribute that are text."""
        found = self.values.get(attribute.lower(), ()) if attribute else ()
        return tuple(text for value in found if (text := _decoded(value)))

    def text(self, attribute: str) -> str:
        """Give the first value of an attribute, empty where there is none."""
        return next(iter(self.texts(attribute)), "")


class Directory:
    """A connection to one server. Use `connected`."""

    def __init__(self, settings: ServerSettings, connection: Any) -> None:
        self.settings = settings
        self._connection = connection

    def search(
        self, base: str, filter_: str, scope: Scope, attributes: Sequence[str]
    ) -> Iterator[Entry]:
        """Give every entry that fits; references to other servers are left out.

        Raises `NotReadyError` for a server that fails, is too slow, or gives only a part, and
        `InputError` for a search that cannot be right. Nothing incomplete ends without an error.
        """
        cookie: bytes | None = None
        seen: set[bytes] = set()
        number = 0
        while True:
            with _told(self.settings):
                self._connection.search(
                    base, filter_, search_scope=_SCOPES[scope], attributes=list(attributes),
                    paged_size=self.settings.page_size, paged_cookie=cookie,
                )  # fmt: skip
            self._check_result(base)
            for item in self._connection.response or ():
                if item.get("type") != "searchResEntry":
                    continue
                number += 1
                if number > self.settings.maximum_entries:
                    raise _too_many(self.settings, base)
                yield Entry(item["dn"], _values(item["raw_attributes"]))
            cookie = self._cookie()
            if not cookie:
                return
            if cookie in seen or len(seen) > self.settings.maximum_entries:
                raise _failed(self.settings, _("Its pages go in a circle."))
            seen.add(cookie)

    def _cookie(self) -> bytes:
        controls = self._connection.result.get("controls") or {}
        paged = controls.get("1.2.840.113556.1.4.319") or {}
        return bytes((paged.get("value") or {}).get("cookie") or b"")

    def _check_result(self, base: str) -> None:
        code = int(self._connection.result.get("result", 80))
        if code == _SUCCESS:
            return
        said = str(self._connection.result.get("description", code))
        if code in _PARTIAL:
            raise NotReadyError(
                _("%(name)s gives only a part of what is below %(base)s: %(said)s.",
                  name=self.settings.name, base=base, said=said),
                hint=_("A part is not taken. Let the server give this account more, or ask for "
                       "smaller pages with page_size."),
            )  # fmt: skip
        if code == _REFERRAL:
            raise InputError(
                _("%(name)s has nothing of %(base)s itself, and names another server.",
                  name=self.settings.name, base=base),
                hint=_("Other servers are not asked by themselves. Give the url of the one that "
                       "has it, as another server."),
            )  # fmt: skip
        if code == _NO_OBJECT:
            raise InputError(
                _("%(name)s has no %(base)s, or the account may not see it.",
                  name=self.settings.name, base=base),
                hint=_("Check base, and what bind_dn may read."),
            )  # fmt: skip
        _check_refused(self.settings, code, said)
        raise _failed(self.settings, said)


class _Bounded:
    """A socket that gives only so much, and only until some time: a server may drip, or not end."""

    def __init__(self, socket: Any, settings: ServerSettings) -> None:
        self._socket = socket
        self._settings = settings
        self._ends = time.monotonic() + settings.timeout.total_seconds()
        self._left = MOST_BYTES

    def __getattr__(self, name: str) -> Any:
        return getattr(self._socket, name)

    def recv(self, size: int) -> bytes:
        if time.monotonic() > self._ends:
            raise _failed(self._settings, _("It was not read in the time that timeout allows."))
        data: bytes = self._socket.recv(size)
        self._left -= len(data)
        if self._left < 0:
            raise _failed(self._settings, _("It gives more than a reading may take in."))
        return data


@contextmanager
def connected(settings: ServerSettings) -> Iterator[Directory]:
    """Connect to a server as the account of the settings.

    Raises `NotReadyError` where it does not answer or its certificate is not trusted, and
    `UnauthorisedError` where it refuses the account. No message holds the password.
    """
    ldap3 = _library()
    context = _tls_context(settings)
    server = ldap3.Server(
        settings.hostname, port=settings.port, use_ssl=settings.tls, get_info=ldap3.NONE,
        connect_timeout=CONNECTING, tls=_tls(context, settings.hostname) if context else None,
    )  # fmt: skip
    password = settings.password.get_secret_value() if settings.password else None
    connection = ldap3.Connection(
        server, user=settings.bind_dn or None, password=password, auto_referrals=False,
        authentication=ldap3.SIMPLE if settings.bind_dn else ldap3.ANONYMOUS,
        receive_timeout=min(ANSWERING, int(settings.timeout.total_seconds())), read_only=True,
        raise_exceptions=False, check_names=False, return_empty_attributes=False,
    )  # fmt: skip
    try:
        with _told(settings):
            connection.open()
            if settings.start_tls:
                connection.start_tls()
            connection.socket = _Bounded(connection.socket, settings)
            connection.bind()
        code = int(connection.result.get("result", 80))
        if code != _SUCCESS:
            said = str(connection.result.get("description", code))
            _check_refused(settings, code, said)
            raise _failed(settings, said)
        yield Directory(settings, connection)
    finally:
        _close(connection)


def _close(connection: Any) -> None:
    # It is over, and what was wrong was told before.
    with suppress(Exception):
        connection.unbind()
    # A connection that was never made leaves its socket open.
    if connection.socket is not None:
        connection.socket.close()


@lru_cache(maxsize=1)
def _library() -> Any:
    with warnings.catch_warnings():
        # It still names parts of pyasn1 by their former names.
        warnings.simplefilter("ignore", DeprecationWarning)
        import ldap3
        import ldap3.strategy.sync

    return ldap3


def _tls_context(settings: ServerSettings) -> ssl.SSLContext | None:
    if not (settings.tls or settings.start_tls):
        return None
    try:
        context = ssl.create_default_context(cafile=settings.ca)
    except (OSError, ssl.SSLError) as error:
        raise InputError(
            _("The file of certificates %(path)s cannot be read.", path=str(settings.ca)),
            hint=_("Check ca of %(name)s.", name=settings.name),
        ) from error
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


def _tls(context: ssl.SSLContext, hostname: str) -> Any:
    """Give what ldap3 encrypts with: Python's own checks of the chain and the name."""
    ldap3 = _library()

    class Checked(ldap3.Tls):  # type: ignore[misc,name-defined]
        def wrap_socket(self, connection: Any, do_handshake: bool = False) -> None:
            connection.socket = context.wrap_socket(
                connection.socket, do_handshake_on_connect=do_handshake, server_hostname=hostname
            )

    return Checked(validate=ssl.CERT_REQUIRED)


@contextmanager
def _told(settings: ServerSettings) -> Iterator[None]:
    """Turn what the library and the network raise into errors for people."""
    from pyasn1.error import PyAsn1Error

    core = _library().core.exceptions
    try:
        yield
    except (core.LDAPInvalidFilterError, core.LDAPInvalidDnError) as error:
        raise InputError(
            _("A filter or base of %(name)s cannot be read: %(said)s.",
              name=settings.name, said=str(error)[:200]),
            hint=_("Filters are written as in RFC 4515, DNs as in RFC 4514."),
        ) from error  # fmt: skip
    except CallboardError:
        raise
    except (core.LDAPException, OSError) as error:
        if "certificate" in str(error).lower():
            raise NotReadyError(
                _("The certificate of %(url)s is not trusted.", url=settings.url),
                hint=_("Give the certificate of its CA as ca, and the name in it as the host."),
            ) from error
        raise _failed(settings, type(error).__name__) from error
    except (PyAsn1Error, ArithmeticError, LookupError, TypeError, ValueError) as error:
        # What the library makes of bytes that are no LDAP.
        raise _failed(settings, _("Its answer is no LDAP.")) from error


def _check_refused(settings: ServerSettings, code: int, said: str) -> None:
    if code in _REFUSED:
        raise UnauthorisedError(
            _("%(name)s refuses the account: %(said)s.", name=settings.name, said=said),
            hint=_("Check bind_dn and password, and what the account may read."),
        )


def _failed(settings: ServerSettings, said: Text) -> NotReadyError:
    return NotReadyError(
        _("The directory at %(url)s cannot be read: %(said)s", url=settings.url, said=said),
        hint=_("What was read before is kept. It is tried again later."),
    )


def _too_many(settings: ServerSettings, base: str) -> InputError:
    return InputError(
        _("There are more than %(number)s entries below %(base)s.",
          number=settings.maximum_entries, base=base),
        hint=_("Narrow the filter, or raise maximum_entries of %(name)s.", name=settings.name),
    )  # fmt: skip


def _values(attributes: Any) -> dict[str, tuple[bytes, ...]]:
    found: dict[str, tuple[bytes, ...]] = {}
    for name, values in attributes.items():
        key = str(name).partition(";")[0].lower()
        found[key] = found.get(key, ()) + tuple(bytes(value) for value in values)
    return found


def _decoded(value: bytes) -> str:
    try:
        return value.decode()
    except UnicodeDecodeError:
        return ""
