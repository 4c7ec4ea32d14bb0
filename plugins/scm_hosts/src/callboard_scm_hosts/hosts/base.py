"""What every type of host does, and how to read answers that may hold anything."""

import base64
import binascii
import hashlib
from collections.abc import Mapping, Sequence
from typing import Any, Final, Protocol
from urllib.parse import quote

from callboard.errors import ConflictError, InputError, NotFoundError
from callboard.i18n import Translator
from callboard_scm_hosts.client import HostClient
from callboard_scm_hosts.settings import DiscoverSettings
from callboard_scm_hosts.values import (
    BLOB,
    MAXIMUM_BYTES,
    PATH,
    Found,
    Known,
    Reading,
    TreeEntry,
    Wanted,
    is_safe,
)

_ = Translator("scm_hosts")

Query = Mapping[str, str | int]
PLAIN_FILES: Final = frozenset({"100644", "100755", "100664"})
"""Modes of Git; symbolic links and submodules are not followed."""


class HostApi(Protocol):
    """One type of host."""

    lags: bool
    """Whether a listing may tell of a push up to an hour late."""
    page_size: int
    """How many repositories a full page of a listing has, where only that tells of another."""

    def listing(self, discovery: DiscoverSettings) -> tuple[str, Query]:
        """Give the address of the list of repositories."""

    def items(self, data: Any) -> Sequence[Any]:
        """Give the repositories of a page; raises `ValueError` for what is no page."""

    def found(self, item: Mapping[str, Any]) -> Found:
        """Read one repository of a page; raises `ValueError` for what is none."""

    def read(self, client: HostClient, known: Known, wanted: Wanted) -> Reading | None:
        """Read a repository, None where its head is the one that was read before."""

    def blob_address(self, found: Found, blob: str) -> str:
        """Give the address of a file's content."""


def text_of(item: Mapping[str, Any], key: str, longest: int = 250) -> str:
    """Give a text of an answer, empty for null; raises `ValueError` for another type."""
    value = item.get(key)
    if value is None:
        return ""
    if not isinstance(value, str) or len(value) > longest or not value.isprintable():
        raise ValueError(f"{key} is no text of at most {longest} characters")
    return value


def id_of(item: Mapping[str, Any]) -> str:
    """Give the host's number of a repository as text."""
    value = item.get("id")
    if isinstance(value, bool) or not isinstance(value, int) or not 0 < value < 2**63:
        raise ValueError("id is no number")
    return str(value)


def path_of(item: Mapping[str, Any], key: str) -> str:
    """Give the full path of a repository: `group/name`."""
    path = text_of(item, key, 500)
    if not PATH.fullmatch(path) or {".", ".."} & set(path.split("/")) or "/" not in path:
        raise ValueError(f"{key} is no path of a repository")
    return path


def branch_of(item: Mapping[str, Any]) -> str:
    """Give the default branch."""
    branch = text_of(item, "default_branch")
    if branch.startswith(("-", "/")) or ".." in branch or " " in branch:
        raise ValueError("default_branch is no name of a branch")
    return branch


def topics_of(item: Mapping[str, Any], *keys: str) -> tuple[str, ...]:
    """Give the topics, from the first of these keys that is there."""
    for key in keys:
        values = item.get(key)
        if isinstance(values, list):
            named = (value.get("ident") if isinstance(value, dict) else value for value in values)
            return tuple(sorted({name for name in named if isinstance(name, str)}))[:100]
    return ()


def quoted(text: str) -> str:
    """Make a text one part of an address."""
    return quote(text, safe="")


def list_of(data: Any) -> Sequence[Any]:
    """Give a list; raises `ValueError` for another type."""
    if not isinstance(data, list):
        raise ValueError("expected a list")
    return data


def entry_of(item: Any, blob_key: str) -> TreeEntry | None:
    """Read one entry of a tree, None for what is no plain file."""
    if not isinstance(item, dict) or item.get("type") != "blob":
        return None
    path, blob, size = item.get("path"), item.get(blob_key), item.get("size", 0)
    if item.get("mode") not in PLAIN_FILES or not isinstance(path, str) or not is_safe(path):
        return None
    if not isinstance(blob, str) or not BLOB.fullmatch(blob) or len(path) > 500:
        return None
    plain = isinstance(size, int) and not isinstance(size, bool) and size >= 0
    return TreeEntry(path, blob, size if plain else 0)


def content_of(data: Any, blob: str) -> bytes:
    """Give the content of a file's answer; it must be what its blob id says (Git objects).

    Raises `InputError` where it is not.
    """
    content = data.get("content") if isinstance(data, dict) else None
    encoding = data.get("encoding") if isinstance(data, dict) else None
    found = None
    if isinstance(content, str) and encoding == "base64":
        try:
            found = base64.b64decode("".join(content.split()), validate=True)
        except (ValueError, binascii.Error):
            found = None
    elif isinstance(content, str):
        found = content.encode()
    if found is None or not is_content(found, blob):
        raise InputError(
            _("The host gave another content for a file than the one of its blob %(blob)s.",
              blob=blob[:12]),
            hint=_("It is tried again later."),
        )  # fmt: skip
    return found


def is_content(content: bytes, blob: str) -> bool:
    """Whether a blob id is that of a content, for both of Git's object formats."""
    kind = "sha256" if len(blob) == 64 else "sha1"
    digest = hashlib.new(kind, b"blob %d\0" % len(content), usedforsecurity=False)
    digest.update(content)
    return digest.hexdigest() == blob


def read_tree(
    api: HostApi, client: HostClient, known: Known, wanted: Wanted, tree: Sequence[TreeEntry],
    *, head: str, etag: str = "", partial: bool = False, contents: Mapping[str, bytes] = {},
) -> Reading:  # fmt: skip
    """Choose the files of a tree and read its descriptors."""
    chosen = wanted.chosen(tree)
    if not chosen:
        reason = _("The host does not list all files of this repository.") if partial else ""
        return Reading("none", head, etag, reason=reason)
    read = {}
    for entry, descriptor in chosen:
        if not descriptor or entry.size > MAXIMUM_BYTES or entry.blob in read:
            continue
        if entry.blob in contents:
            read[entry.blob] = contents[entry.blob]
        elif entry.blob not in known.blobs:
            answer = client.get(api.blob_address(known.found, entry.blob))
            read[entry.blob] = content_of(answer.data, entry.blob)
    reason = _("The host does not list all files; those named may be missing.") if partial else ""
    return Reading("read", head, etag, tuple(chosen), read, reason)


def missing(error: NotFoundError | ConflictError) -> Reading:
    """Say that there is nothing to read: no commit yet, or no such branch."""
    if isinstance(error, ConflictError):
        return Reading("empty")
    return Reading("empty", reason=_("It has no such branch, or nothing was ever pushed to it."))
