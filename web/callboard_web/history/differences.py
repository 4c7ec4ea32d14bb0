"""The difference of two texts, line by line, at a bounded cost."""

import difflib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import zip_longest
from typing import Final

CONTEXT: Final = 2
"""Unchanged lines shown around a change."""

COMPARED: Final = 600
"""Lines compared one with another; beyond, a stretch is shown as replaced whole."""

SHOWN: Final = 400
"""Lines of a difference that a page shows."""

LONGEST_LINE: Final = 500


@dataclass(frozen=True, slots=True)
class DiffLine:
    """A line. `sign` is `+`, `-`, a space, or `…` for lines left out; `number` counts from 1.

    `old` is the number that an unchanged line had before.
    """

    sign: str
    text: str
    number: int = 0
    old: int = 0


@dataclass(frozen=True, slots=True)
class Difference:
    """What differs. `cut` says that there is more than is shown."""

    lines: Sequence[DiffLine]
    added: int
    removed: int
    cut: bool

    def sides(self) -> Iterator[tuple[DiffLine | None, DiffLine | None]]:
        """Give the lines side by side: what was removed beside what was added in its place."""
        removed: list[DiffLine] = []
        added: list[DiffLine] = []
        for line in self.lines:
            if line.sign == "-" and not added:
                removed.append(line)
            elif line.sign == "+":
                added.append(line)
            else:
                yield from zip_longest(removed, added)
                removed, added = ([line], []) if line.sign == "-" else ([], [])
                if line.sign != "-":
                    yield replace(line, number=line.old), line
        yield from zip_longest(removed, added)


def difference(before: str, after: str) -> Difference:
    """Compare two texts; the numbers are of lines of the newer one, or of the older if removed."""
    old, new = before.splitlines(), after.splitlines()
    head = _common(old, new)
    tail = _common(old[head:][::-1], new[head:][::-1])
    old_middle, new_middle = old[head : len(old) - tail], new[head : len(new) - tail]
    lines: list[DiffLine] = []
    start = max(head - CONTEXT, 0)
    if start:
        lines.append(DiffLine("…", ""))
    lines += [DiffLine(" ", new[at], at + 1, at + 1) for at in range(start, head)]
    lines += _middle(old_middle, new_middle, head)
    end = len(new) - tail
    grown = len(new) - len(old)
    lines += [
        DiffLine(" ", new[at], at + 1, at + 1 - grown)
        for at in range(end, min(end + CONTEXT, len(new)))
    ]
    if end + CONTEXT < len(new):
        lines.append(DiffLine("…", ""))
    return Difference(
        [replace(line, text=line.text[:LONGEST_LINE]) for line in lines[:SHOWN]],
        sum(line.sign == "+" for line in lines),
        sum(line.sign == "-" for line in lines),
        len(lines) > SHOWN,
    )


def _common(left: Sequence[str], right: Sequence[str]) -> int:
    for index, (one, other) in enumerate(zip(left, right, strict=False)):
        if one != other:
            return index
    return min(len(left), len(right))


def _middle(old: Sequence[str], new: Sequence[str], offset: int) -> Iterator[DiffLine]:
    if max(len(old), len(new)) > COMPARED:
        yield from _signed("-", old, 0, offset)
        yield from _signed("+", new, 0, offset)
        return
    matcher = difflib.SequenceMatcher(None, old, new, autojunk=False)
    groups = list(matcher.get_grouped_opcodes(CONTEXT))
    for number, group in enumerate(groups):
        if number:
            yield DiffLine("…", "")
        for tag, old_from, old_to, new_from, new_to in group:
            if tag == "equal":
                kept = _signed(" ", new[new_from:new_to], new_from, offset)
                for index, line in enumerate(kept):
                    yield replace(line, old=offset + old_from + index + 1)
                continue
            yield from _signed("-", old[old_from:old_to], old_from, offset)
            yield from _signed("+", new[new_from:new_to], new_from, offset)


def _signed(sign: str, lines: Sequence[str], begin: int, offset: int) -> Iterator[DiffLine]:
    for index, text in enumerate(lines):
        yield DiffLine(sign, text, offset + begin + index + 1)
