"""The lines Git servers speak in, and what they say of references (gitprotocol-common(5),
gitprotocol-pack(5), gitprotocol-v2(5))."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

from callboard.git.address import is_hash

LONGEST_PACKET: Final = 65_520
PEELED: Final = "^{}"
_LENGTH: Final = re.compile(rb"[0-9a-fA-F]{4}")
_FLUSH: Final = b"0000"
_DELIMITER: Final = b"0001"


class UnusualError(Exception):
    """Something that is left to the git program, which may well know what to do with it."""


@dataclass(slots=True)
class References:
    """What a remote offers: objects by reference, those of tags also by `name^{}` for what they
    lead to, and the targets of symbolic references."""

    objects: dict[str, str] = field(default_factory=dict)
    symbolic: dict[str, str] = field(default_factory=dict)

    def add(self, name: str, value: str) -> None:
        """Take in a reference; raises `UnusualError` for what is none."""
        if not name or not is_hash(value):
            raise UnusualError
        self.objects[name] = value


def request_of_references(prefixes: Sequence[str], object_format: str) -> bytes:
    """Give the body of the command `ls-refs`."""
    head = ["command=ls-refs\n"]
    if object_format:
        head.append(f"object-format={object_format}\n")
    told = ["peel\n", "symrefs\n", *(f"ref-prefix {prefix}\n" for prefix in prefixes)]
    return b"".join(
        (*map(_packet, head), _DELIMITER, *map(_packet, told), _FLUSH),
    )


def _packet(text: str) -> bytes:
    data = text.encode()
    return f"{len(data) + 4:04x}".encode() + data


def capabilities_of(body: bytes) -> dict[str, str] | None:
    """Give what a server says it can do in protocol version 2; None for an older protocol.

    Raises `UnusualError` for what is no advertisement.
    """
    lines = _without_service(body)
    if next(lines, None) != b"version 2":
        return None
    found: dict[str, str] = {}
    for line in lines:
        if line is None:
            return found
        name, _, value = line.decode("utf-8", "replace").partition("=")
        found[name] = value
    raise UnusualError


def read_advertisement(body: bytes) -> References:
    """Read what a server of protocol version 0 or 1 offers; raises `UnusualError`."""
    found = References()
    for number, line in enumerate(_without_service(body)):
        if line is None:
            return found
        if line == b"version 1" and number == 0:
            continue
        reference, _, capabilities = line.partition(b"\0")
        value, _, name = reference.decode("utf-8", "replace").partition(" ")
        if value == "shallow":
            continue
        found.add(name, value)
        for word in capabilities.decode("utf-8", "replace").split():
            if word.startswith("symref="):
                source, _, target = word.removeprefix("symref=").partition(":")
                found.symbolic[source] = target
    raise UnusualError


def read_references(body: bytes) -> References:
    """Read the answer to `ls-refs`; raises `UnusualError`."""
    found = References()
    for line in _lines(body):
        if line is None:
            return found
        value, name, *attributes = [*line.decode("utf-8", "replace").split(" "), ""]
        found.add(name, value)
        for attribute in attributes:
            kind, _, target = attribute.partition(":")
            if kind == "peeled":
                found.add(f"{name}{PEELED}", target)
            elif kind == "symref-target":
                found.symbolic[name] = target
    raise UnusualError


def _without_service(body: bytes) -> Iterator[bytes | None]:
    """Give the lines after the announcement of the service, which version 2 may leave out."""
    lines = _lines(body)
    first = next(lines, b"")
    if first != b"# service=git-upload-pack":
        yield first
    elif next(lines, None) is not None:
        raise UnusualError
    yield from lines


def _lines(body: bytes) -> Iterator[bytes | None]:
    """Yield each line without its end, None for a flush; what follows must be whole."""
    at = 0
    while at < len(body):
        written = body[at : at + 4]
        if not _LENGTH.fullmatch(written):
            raise UnusualError
        length = int(written, 16)
        if length == 0:
            yield None
            at += 4
        elif 4 <= length <= LONGEST_PACKET and at + length <= len(body):
            yield body[at + 4 : at + length].removesuffix(b"\n")
            at += length
        else:
            raise UnusualError
