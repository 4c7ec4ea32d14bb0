"""What is found of people and groups, before they have names in the catalog."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import urlsplit

LONGEST_TITLE: Final = 200
LONGEST_ADDRESS: Final = 320
"""Characters of an e-mail address (RFC 3696, erratum 1690)."""
LONGEST_URL: Final = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundUser:
    """A person. `id` outlives a change of everything else; `name` is what they are called there."""

    id: str
    name: str
    title: str = ""
    email: str = ""
    picture: str = ""
    annotations: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundGroup:
    """A group. `members` are ids of people, `children` of groups; those not found are left out."""

    id: str
    name: str
    title: str = ""
    description: str = ""
    email: str = ""
    picture: str = ""
    type: str = "team"
    annotations: Mapping[str, str] = field(default_factory=dict)
    members: frozenset[str] = frozenset()
    children: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class FoundPeople:
    """A whole reading; where an id is there twice, the first counts."""

    users: Sequence[FoundUser] = ()
    groups: Sequence[FoundGroup] = ()


def clean(value: object, longest: int = LONGEST_TITLE) -> str:
    """Give a text of somewhere else on one line, bounded; empty for what is no text."""
    if not isinstance(value, str):
        return ""
    text = " ".join(value[: 2 * longest].split())
    return "".join(letter for letter in text if letter.isprintable())[:longest]


def web_address(value: object) -> str:
    """Give the address of a picture, empty for what is none that a page could show."""
    text = value if isinstance(value, str) and len(value) <= LONGEST_URL else ""
    try:
        parts = urlsplit(text)
    except ValueError:
        return ""
    good = parts.scheme == "https" and parts.hostname and not parts.username
    return text if good and text.isprintable() and " " not in text else ""


def mail_address(value: object) -> str:
    """Give an e-mail address, empty for what is none."""
    text = value.strip() if isinstance(value, str) else ""
    local, at, domain = text.rpartition("@")
    good = at and local and domain and len(text) <= LONGEST_ADDRESS
    return text if good and text.isprintable() and not any(map(str.isspace, text)) else ""
