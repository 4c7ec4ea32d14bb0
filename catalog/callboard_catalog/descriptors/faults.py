"""What is wrong with a descriptor, and where."""

from dataclasses import dataclass

Path = tuple[str | int, ...]
"""Keys and list positions from the root of a document, such as `("metadata", "tags", 0)`."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing wrong with a document.

    `code` is a stable word such as `missing-spec.owner`. `line` counts from 1 within the file;
    0 where only `path` is known, for `Lines.line` to find.
    """

    code: str
    path: Path
    message: str
    line: int = 0


def path_text(path: Path) -> str:
    """Give a path as people write it: `metadata.tags[0]`."""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
        else:
            text += f".{part}" if text else part
    return text


def type_name(value: object) -> str:
    """Give the JSON name of a value's type."""
    names = {dict: "an object", list: "a list", str: "a string", bool: "true or false"}
    if value is None:
        return "null"
    return names.get(type(value), "a number")


def shown(value: object) -> str:
    """Give a value shortened for a message."""
    text = repr(value) if isinstance(value, str) else type_name(value)
    return text if len(text) <= 80 else f"{text[:77]}…'"
