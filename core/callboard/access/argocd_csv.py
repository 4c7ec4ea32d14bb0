"""Reads the policy files of Argo CD, line by line, as Argo CD itself does.

Rules: Argo CD, `util/rbac/rbac.go` (its loader of policy lines); Go, `encoding/csv` with
`TrimLeadingSpace` (quoting); gobwas/glob without separators (patterns); Argo CD operator manual,
"RBAC Configuration".
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import translate
from functools import lru_cache
from typing import Final

from callboard.access.model import PolicyFault
from callboard.i18n import Text, Translator

_ = Translator("callboard")

SPACE: Final = "\t\n\v\f\r \x85\xa0\u1680\u2028\u2029\u202f\u205f\u3000" + "".join(
    map(chr, range(0x2000, 0x200B))
)
"""White space as Go's `unicode.IsSpace` has it; that of Python has more."""

MOST_LINES: Final = 20_000
MOST_ALTERNATIVES: Final = 64
"""Patterns that one with `{a,b}` may stand for."""

_OPEN, _OR, _CLOSE = "\0{", "\0,", "\0}"
"""Parts of alternatives, told from the same characters after a backslash."""

_LENGTHS: Final = {"p": 6, "g": 3}


@dataclass(frozen=True, slots=True)
class Line:
    """A rule: its kind, `p` or `g`, and what follows. `number` counts lines from 1."""

    file: str
    number: int
    kind: str
    fields: tuple[str, ...]


def read_lines(text: str, file: str, first: int = 1) -> tuple[list[Line], list[PolicyFault]]:
    """Read a whole file; `first` is the number of its first line.

    Argo CD refuses all of a policy with one bad line: so a caller that finds faults does not use
    the lines.
    """
    lines: list[Line] = []
    faults: list[PolicyFault] = []
    for number, raw in enumerate(text.split("\n"), first):
        stripped = raw.strip(SPACE)
        if not stripped or stripped.startswith("#"):
            continue
        if len(lines) >= MOST_LINES:
            message = _("The file has more than %(limit)s rules.", limit=MOST_LINES)
            return [], [*faults, PolicyFault(file=file, line=number, message=message)]
        try:
            fields = split(stripped)
        except ValueError as error:
            faults.append(PolicyFault(file=file, line=number, message=error.args[0]))
            continue
        fault = _fault_of(fields)
        if fault:
            faults.append(PolicyFault(file=file, line=number, message=fault))
        else:
            lines.append(Line(file, number, fields[0], tuple(fields[1:])))
    return lines, faults


def _fault_of(fields: list[str]) -> Text:
    wanted = _LENGTHS.get(fields[0])
    if wanted is None:
        return _("A rule begins with p or g, not with %(word)s.", word=repr(fields[0][:40]))
    if len(fields) == wanted:
        return ""
    if wanted == 3:
        return _("A rule g has a subject and a role: g, my-group, role:developer")
    return _(
        "A rule p has five values after it: p, role:developer, applications, sync, project/*, allow"
    )


def split(line: str) -> list[str]:
    """Split one line into its fields; raises `ValueError` with a text for people."""
    fields: list[str] = []
    rest = line
    while True:
        rest = rest.lstrip(SPACE)
        if not rest.startswith('"'):
            field, comma, rest = rest.partition(",")
            if '"' in field:
                raise ValueError(_("A quotation mark stands within a value that does not begin "
                                   "with one."))  # fmt: skip
        else:
            field, comma, rest = _quoted(rest[1:])
        fields.append(field)
        if not comma:
            return fields


def _quoted(rest: str) -> tuple[str, str, str]:
    """Give a quoted field, whether a comma follows, and what is after it."""
    field = ""
    while True:
        part, quote, rest = rest.partition('"')
        field += part
        if not quote:
            raise ValueError(_("A quotation mark is not closed."))
        if rest.startswith('"'):
            field, rest = f'{field}"', rest[1:]
        elif not rest or rest.startswith(","):
            return field, rest[:1], rest[1:]
        else:
            raise ValueError(_("Something follows a closing quotation mark; expected a comma."))


# Patterns


def alternatives(pattern: str) -> tuple[str, ...] | None:
    """Give the patterns of `fnmatch` that name the same as one of Argo CD's; None for a bad one.

    `*` and `**` stand for any text, `?` for a character, `[abc]`, `[a-z]` and `[!a]` for one of
    some, `{a,b}` for either, a backslash takes the next character as it is.
    """
    try:
        found = list(_branches(list(_tokens(pattern))))
    except ValueError:
        return None
    return tuple(dict.fromkeys(found))


def matches(pattern: str, value: str) -> bool:
    """Say whether a pattern of Argo CD names a value; a bad pattern names nothing."""
    found = alternatives(pattern)
    return found is not None and any(_compiled(item).match(value) for item in found)


@lru_cache(maxsize=2048)
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(translate(pattern))


def _tokens(pattern: str) -> Iterator[str]:
    """Give `{`, `,` and `}` of alternatives, and all else as pieces of a pattern of `fnmatch`."""
    at, depth = 0, 0
    while at < len(pattern):
        char = pattern[at]
        at += 1
        if char == "\\":
            if at == len(pattern):
                raise ValueError("a backslash at the end")
            yield _literal(pattern[at])
            at += 1
        elif char == "[":
            end = pattern.find("]", at + 1)
            inner = pattern[at:end]
            if end < 0 or inner in ("", "!"):
                raise ValueError("an open bracket")
            yield f"[{inner}]"
            at = end + 1
        elif char == "*":
            yield "*"
        elif char == "?":
            yield "?"
        elif char == "{":
            depth += 1
            yield _OPEN
        elif char == "}" and depth:
            depth -= 1
            yield _CLOSE
        elif char == "," and depth:
            yield _OR
        else:
            yield _literal(char)
    if depth:
        raise ValueError("an open brace")


def _literal(char: str) -> str:
    return f"[{char}]" if char in "*?[" else char


def _branches(tokens: list[str]) -> list[str]:
    """Write out alternatives: each way through them is a pattern of its own."""
    ways, position = _alternation(tokens, 0, nested=False)
    if position != len(tokens):
        raise ValueError("a closing brace too many")
    return ways


def _alternation(pieces: list[str], at: int, *, nested: bool) -> tuple[list[str], int]:
    done: list[str] = []
    ways = [""]
    while at < len(pieces):
        piece = pieces[at]
        at += 1
        if piece == _OPEN:
            inner, at = _alternation(pieces, at, nested=True)
            ways = [way + one for way in ways for one in inner]
        elif nested and piece in (_OR, _CLOSE):
            done += ways
            ways = [""]
            if piece == _CLOSE:
                return done, at
        else:
            again = piece == "*" and all(way.endswith("*") for way in ways)
            ways = ways if again else [way + piece for way in ways]
        if len(ways) + len(done) > MOST_ALTERNATIVES:
            raise ValueError("too many alternatives")
    return done + ways, at
