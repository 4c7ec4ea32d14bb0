"""The values of rules: texts with a few named values in `{{ … }}`, and names of references.

Nothing is computed. What stands for a name is what somebody pushed: a pipeline must take it as
data, and hand it to no shell unquoted.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Final

NAMES: Final = frozenset(
    {"revision", "branch", "tag", "source", "before", "repository", "number", "actor", "changed"}
)
_EXPRESSION: Final = re.compile(r"\{\{(.*?)\}\}")
_NAME: Final = re.compile(r"\s*([a-z]+)\s*")
CHANGED: Final = re.compile(r"\s*\{\{\s*changed\s*\}\}\s*")
_PREFIXES: Final = ("refs/heads/", "refs/tags/")


def plain_name(reference: str) -> str:
    """Give the name of a branch or tag: `refs/heads/release/1.2` is `release/1.2`.

    A name that is plain already stays as it is: only one prefix of Git's own is taken away.
    """
    for prefix in _PREFIXES:
        if reference.startswith(prefix):
            return reference.removeprefix(prefix)
    return reference


def names_in(text: str) -> list[str]:
    """Give the names a text refers to; raises `ValueError` for one that there is not."""
    found = []
    for inside in _EXPRESSION.findall(text):
        match = _NAME.fullmatch(inside)
        if match is None or match[1] not in NAMES:
            known = ", ".join(sorted(NAMES))
            raise ValueError(f"{{{{{inside}}}}} stands for nothing; expected one of {known}")
        found.append(match[1])
    return found


def filled(text: str, values: Mapping[str, str]) -> str:
    """Put values in for their names. What they hold is not looked at again."""
    names_in(text)
    return _EXPRESSION.sub(lambda match: values.get(match[1].strip(), ""), text)


def filled_list(
    texts: Sequence[str], values: Mapping[str, str], changed: Sequence[str]
) -> list[str]:
    """Fill several texts; one that is `{{ changed }}` alone becomes an item for each file."""
    found: list[str] = []
    for text in texts:
        found += changed if CHANGED.fullmatch(text) else [filled(text, values)]
    return found
