"""Addresses and names of references from outside: what is refused before git sees it."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from urllib.parse import unquote, urlsplit, urlunsplit

from callboard.errors import InputError
from callboard.git.local import check_local
from callboard.i18n import Text, Translator
from callboard.redaction import redact

_ = Translator("callboard")

MAXIMUM_URL_LENGTH: Final = 2000
MAXIMUM_REFERENCE_LENGTH: Final = 250

_CONTROL: Final = re.compile(r"[\x00-\x20\x7f-\x9f]")
_HELPER: Final = re.compile(r"[A-Za-z0-9+.-]*::")
_HOST: Final = re.compile(r"\w[\w.-]*|[0-9A-Fa-f:.]+")
_USER: Final = re.compile(r"\w[\w.+-]*")
_SECURE_COPY: Final = re.compile(
    r"(?:(?P<user>[^@/:]+)@)?(?P<host>[^@/:\[\]]+|\[[0-9A-Fa-f:.]+\]):(?P<path>.+)", re.DOTALL
)
_HASH: Final = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
# `git check-ref-format`, with a leading hyphen refused in addition.
_BAD_REFERENCE: Final = re.compile(
    r"^[-/@]$|^[-/]|[\x00-\x20\x7f~^:?*\[\\]|\.\.|@\{|//|/$|\.$|(?:^|/)\.|\.lock(?:/|$)"
)


@dataclass(frozen=True, slots=True)
class Address:
    """A checked address. `url` is what git is given, without a password."""

    url: str
    scheme: str
    username: str = ""
    password: str = field(default="", repr=False)


def parse_address(url: str, *, allow_local: Sequence[Path], allow_http: bool) -> Address:
    """Check where a repository is said to be.

    Raises `InputError` for an address that is no https, ssh, git or (where allowed) http address
    or local path, and for anything git could take as an option or as a command.
    """
    if not url or len(url) > MAXIMUM_URL_LENGTH or url.startswith("-") or _HELPER.match(url):
        raise _refused(url, _("it is empty, too long, an option or a remote helper"))
    if _CONTROL.search(url) and not url.startswith(("/", "file://")):
        raise _refused(url, _("it holds white space or control characters"))
    if url.startswith(("/", "file://")):
        return _local(url, allow_local)
    if "://" not in url:
        return _secure_copy(url)
    return _remote(url, allow_http=allow_http)


def _local(url: str, allow_local: Sequence[Path]) -> Address:
    path = url
    if url.startswith("file://"):
        host, _slash, path = url.removeprefix("file://").partition("/")
        if host not in ("", "localhost"):
            raise _refused(url, _("a file address names no other host"))
        path = "/" + unquote(path)
    if re.search(r"[\x00-\x1f\x7f]", path):
        raise _refused(url, _("it holds control characters"))
    return Address(str(check_local(Path(path), allow_local)), "file")


def _secure_copy(url: str) -> Address:
    match = _SECURE_COPY.fullmatch(url)
    if match is None:
        raise _refused(url, _("it is neither a URL nor host:path nor an absolute path"))
    user, host, path = match["user"], match["host"].strip("[]"), match["path"]
    if not _HOST.fullmatch(host) or (user and not _USER.fullmatch(user)) or path[0] in "-:":
        reason = _("its user, host or path begins or is written in a way git misreads")
        raise _refused(url, reason)
    return Address(url, "ssh")


def _remote(url: str, *, allow_http: bool) -> Address:
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise _refused(url, _("it is not a well-formed URL")) from error
    if parts.scheme not in ("https", "ssh", "git", "http"):
        scheme = repr(parts.scheme[:20])
        raise _refused(url, _("the protocol %(name)s is not allowed", name=scheme))
    if parts.scheme == "http" and not allow_http:
        raise _refused(url, _("http is not encrypted and not allowed here"))
    host = parts.hostname or ""
    if not _HOST.fullmatch(host) or parts.path.startswith("/-") or parts.query or parts.fragment:
        reason = _("its host or path is missing or written in a way git misreads")
        raise _refused(url, reason)
    place = f"[{host}]" if ":" in host else host
    place += f":{port}" if port else ""
    username, password = unquote(parts.username or ""), unquote(parts.password or "")
    if parts.scheme == "ssh":
        if password or (username and not _USER.fullmatch(username)):
            reason = _("an SSH address holds a plain user name and no password")
            raise _refused(url, reason)
        return Address(url, "ssh")
    return Address(
        urlunsplit((parts.scheme, place, parts.path, "", "")), parts.scheme, username, password
    )


def _refused(url: str, reason: Text) -> InputError:
    return InputError(
        _(
            "The repository address %(address)s is refused: %(reason)s.",
            address=repr(redact(url)[:200]),
            reason=reason,
        ),
        hint=_(
            "Expected https://host/path, ssh://user@host/path, user@host:path, "
            "or a path under a folder that the settings allow."
        ),
    )


def check_reference(name: str) -> str:
    """Give the name of a branch or tag back if it is one git allows (`git check-ref-format`).

    Raises `InputError` otherwise, and for names that begin with a hyphen.
    """
    if not is_reference(name):
        raise InputError(
            _("%(name)s is not the name of a branch or tag.", name=repr(name[:80])),
            hint=_("Expected a name such as main, release/1.2 or v1.2.0, or a full commit hash."),
        )
    return name


def is_reference(name: str) -> bool:
    """Whether `check_reference` lets the name pass."""
    return bool(name) and len(name) <= MAXIMUM_REFERENCE_LENGTH and not _BAD_REFERENCE.search(name)


def is_hash(text: str) -> bool:
    """Whether the text is a full object hash in lower case."""
    return _HASH.fullmatch(text) is not None


def check_hash(text: str) -> str:
    """Give a full object hash back; raises `InputError` for anything else."""
    if not is_hash(text):
        raise InputError(
            _(
                "%(text)s is not a commit hash; expected 40 hexadecimal digits.",
                text=repr(text[:80]),
            )
        )
    return text
