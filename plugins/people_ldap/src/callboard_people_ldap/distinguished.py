"""Distinguished names (RFC 4514), and values within filters (RFC 4515)."""

from typing import Final

_SPECIAL: Final = {"\\": "\\5c", "*": "\\2a", "(": "\\28", ")": "\\29", "\0": "\\00"}


def escaped(value: str) -> str:
    """Give a value as it may stand in a filter (RFC 4515, section 3)."""
    return "".join(_SPECIAL.get(letter, letter) for letter in value)


def same_form(name: str) -> str:
    """Give one form of all ways to write a DN, for comparing.

    Case and white space do not count in it, as for most attributes people are named by; escapes
    are resolved. What is no DN is given in lower case.
    """
    parts, part, place = [], bytearray(), 0
    raw = name.strip().encode()
    while place < len(raw):
        letter = raw[place : place + 1]
        if letter == b"\\":
            code = raw[place + 1 : place + 3]
            if len(code) == 2 and _is_hex(code):
                part += bytes.fromhex(code.decode())
                place += 3
            else:
                part += code[:1]
                place += 2
            continue
        if letter in (b",", b";", b"+"):
            parts.append((_folded(part), letter))
            part = bytearray()
        else:
            part += letter
        place += 1
    parts.append((_folded(part), b""))
    return "".join(f"{len(text)}:{text}{mark.decode()}" for text, mark in parts)


def first_part(name: str) -> str:
    """Give the first part of a DN as it is written: its RDN."""
    place = 0
    while place < len(name) and name[place] not in ",;":
        place += 2 if name[place] == "\\" else 1
    return name[:place].strip()


def _folded(part: bytearray) -> str:
    text = " ".join(part.decode(errors="replace").casefold().split())
    key, equals, value = text.partition("=")
    return f"{key.strip()}{equals}{value.strip()}"


def _is_hex(code: bytes) -> bool:
    return all(letter in b"0123456789abcdefABCDEF" for letter in code)
