"""How bodies and texts are kept: JSON or text, packed, in columns of bytes."""

import zlib
from collections.abc import Iterator
from typing import Any, Final

import orjson

CHUNK_LINES: Final = 1_000
CHUNK_CHARACTERS: Final = 200_000


def pack(value: Any) -> bytes:
    """Pack a JSON value."""
    return zlib.compress(orjson.dumps(value), 6)


def unpack(data: bytes) -> Any:
    """Give the value that `pack` was given."""
    return orjson.loads(zlib.decompress(data))


def pack_text(text: str) -> bytes:
    return zlib.compress(text.encode("utf-8", "surrogatepass"), 6)


def unpack_text(data: bytes) -> str:
    return zlib.decompress(data).decode("utf-8", "surrogatepass")


def chunks(text: str) -> Iterator[tuple[int, str]]:
    """Cut a text into pieces, each with the number of its first line; together they are it.

    A piece has at most `CHUNK_LINES` lines and about `CHUNK_CHARACTERS` characters, so that a page
    of a large text unpacks but one of them.
    """
    line, first, length, gathered = 1, 1, 0, list[str]()
    for number, part in enumerate(_parts(text)):
        too_many = line - first >= CHUNK_LINES or length + len(part) > CHUNK_CHARACTERS
        if number and too_many and gathered:
            yield first, "".join(gathered)
            first, length, gathered = line, 0, []
        gathered.append(part)
        length += len(part)
        line += part.endswith("\n")
    if gathered:
        yield first, "".join(gathered)


def _parts(text: str) -> Iterator[str]:
    """Give the lines, those that are longer than a piece may be in several parts."""
    start = 0
    while start < len(text):
        end = text.find("\n", start, start + CHUNK_CHARACTERS)
        end = min(start + CHUNK_CHARACTERS, len(text)) if end < 0 else end + 1
        yield text[start:end]
        start = end
