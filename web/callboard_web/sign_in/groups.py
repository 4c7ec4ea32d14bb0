"""What the provider's groups stand for in the catalog."""

import re
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass

from callboard.entities import EntityRef
from callboard.errors import InputError
from callboard.people.names import LONGEST_NAME, entity_name
from callboard_web.sign_in.settings import GroupRule


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupMatch:
    """What became of one group: the Group and the rule's number from 1, or what was missing.

    `missing` are the Groups that rules led to and the catalog does not have.
    """

    name: str
    group: EntityRef | None = None
    rule: int = 0
    missing: tuple[EntityRef, ...] = ()


def match_groups(
    names: Sequence[str],
    rules: Sequence[GroupRule],
    existing: Callable[[Collection[EntityRef]], Collection[EntityRef]],
) -> list[GroupMatch]:
    """Give for each name the first rule that leads to a Group that exists.

    `existing` gives those that do; it is asked once.
    """
    led = {name: list(_led(name, rules)) for name in names}
    wanted = {ref for pairs in led.values() for _, ref in pairs}
    found = existing(wanted) if wanted else ()
    return [_match(name, pairs, found) for name, pairs in led.items()]


def _match(
    name: str, pairs: Sequence[tuple[int, EntityRef]], found: Collection[EntityRef]
) -> GroupMatch:
    for number, ref in pairs:
        if ref in found:
            return GroupMatch(name=name, group=ref, rule=number)
    return GroupMatch(name=name, missing=tuple(dict.fromkeys(ref for _, ref in pairs)))


def _led(name: str, rules: Sequence[GroupRule]) -> Iterable[tuple[int, EntityRef]]:
    for number, rule in enumerate(rules, 1):
        written = _written(name, rule)
        if not written:
            continue
        try:
            ref = EntityRef.parse(written, default_kind="group")
        except InputError:
            continue
        if ref.kind == "group":
            yield number, ref


def _written(name: str, rule: GroupRule) -> str:
    """Give the reference a rule makes of a name, or nothing where it is not meant."""
    if rule.name:
        return rule.group if name == rule.name else ""
    if rule.matches:
        match = re.fullmatch(rule.matches, name)
        if match is None:
            return ""
        parts = {key: entity_name(value or "") for key, value in match.groupdict().items()}
        # A part without a letter would make another group of the template.
        return rule.group.format(**parts) if all(parts.values()) else ""
    path = _below(name, rule.below)
    return (rule.group or "group:default/{path}").format(path=path) if path else ""


def _below(name: str, above: str) -> str:
    """Give the parts of a path below another one, joined; nothing for what is not below it."""
    parts = [part for part in name.strip("/").split("/") if part]
    outer = [part for part in above.strip("/").split("/") if part]
    if [part.lower() for part in parts[: len(outer)]] != [part.lower() for part in outer]:
        return ""
    inner = [entity_name(part) for part in parts[len(outer) :]]
    joined = "-".join(inner)
    return joined if all(inner) and len(joined) <= LONGEST_NAME else ""
