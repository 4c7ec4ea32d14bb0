"""Names of people and groups as entities can have them."""

import hashlib
import re
import unicodedata
from collections.abc import Collection, Iterator, Mapping
from typing import Final

LONGEST_NAME: Final = 63
_NOT_NAME: Final = re.compile(r"[^a-z0-9._]+")


def entity_name(text: str) -> str:
    """Give a text as a name that entities can have, in lower case; empty where none is left."""
    folded = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().lower()
    return _NOT_NAME.sub("-", folded).strip("-._")[:LONGEST_NAME].strip("-._")


def wanted_name(text: str, kind: str, remote_id: str) -> str:
    """Give the name someone should have: one made of their id where the text has no letter."""
    return entity_name(text) or f"{kind}-{_mark(remote_id, 12)}"


def give_names(
    wanted: Mapping[str, str], known: Mapping[str, tuple[str, str]], *, keep: bool
) -> dict[str, str]:
    """Give each id a name of its own.

    `wanted` and the result are by id, `known` has what was wanted and what was given before. Who
    wants what they wanted before keeps their name, also where it is not quite the wanted one; with
    `keep` so does everybody who is known. Of several newcomers who want the same, the one with the
    smallest id has it, and the others have it with a mark made of their id.
    """
    names = {
        number: known[number][1]
        for number, name in wanted.items()
        if number in known and (keep or known[number][0] == name)
    }
    taken = set(names.values())
    for number in sorted(wanted.keys() - names.keys()):
        names[number] = next(_free(wanted[number], number, taken))
        taken.add(names[number])
    return names


def _free(wanted: str, remote_id: str, taken: Collection[str]) -> Iterator[str]:
    candidates = [wanted] + [
        f"{wanted[: LONGEST_NAME - 1 - length].rstrip('-._')}-{_mark(remote_id, length)}"
        for length in (6, 32)
    ]
    return (name for name in candidates if name not in taken)


def _mark(remote_id: str, length: int) -> str:
    return hashlib.sha256(remote_id.encode()).hexdigest()[:length]
