"""What waits for a person: what every contribution says of it, the worst first."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Final

from callboard.contributions import PageContext, Waiting, WaitingItem
from callboard.i18n import Text
from callboard.plugins import Contributed, PluginError
from callboard.plugins.contributions import check_contribution
from callboard_web.slots import Asker, Slots

RANK: Final = {status: rank for rank, status in enumerate(("bad", "block", "warn", "wait"))}
MOST_OF_ONE: Final = 200
"""Items taken of one contribution."""

_LONG_AGO: Final = datetime(1, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Group:
    """What one contribution says: how much waits, or the error in its place."""

    key: str
    title: Text
    count: int
    error: PluginError | None = None


@dataclass(frozen=True, slots=True)
class Waits:
    """All that waits, the worst first and of these the newest, each with its group's key."""

    items: Sequence[tuple[str, WaitingItem]]
    groups: Sequence[Group]

    @property
    def failed(self) -> list[Group]:
        return [group for group in self.groups if group.error]

    def of(self, key: str) -> list[WaitingItem]:
        """Give what one group says, or all of it where there is no such group."""
        named = any(group.key == key for group in self.groups)
        return [item for group, item in self.items if group == key or not named]


def waits_for(
    slots: Slots, asker: Asker, more: tuple[str, Text, Sequence[WaitingItem]] | None = None
) -> Waits:
    """Ask all contributions side by side; `more` is a group of the host's own, asked before."""
    asked = slots.permitted(slots.plugins.contributions.waiting)
    answers = slots.plugins.call_all(
        [(item, "what waits", partial(_read, slots, asker, item), list) for item in asked]
    )
    groups, items = [], []
    if more and more[2]:
        groups.append(Group(more[0], more[1], len(more[2])))
        items += [(more[0], item) for item in more[2]]
    for contributed, answer in zip(asked, answers, strict=True):
        key, title = contributed.key, contributed.value.title
        if isinstance(answer, PluginError):
            groups.append(Group(key, title, 0, answer))
        elif answer:
            groups.append(Group(key, title, len(answer)))
            items += [(key, item) for item in answer]
    items.sort(key=lambda pair: pair[1].at or _LONG_AGO, reverse=True)
    items.sort(key=lambda pair: RANK.get(pair[1].status, len(RANK)))
    return Waits(items, groups)


def _read(slots: Slots, asker: Asker, item: Contributed[Waiting]) -> list[WaitingItem]:
    given = item.value.read(PageContext(**asker.common(slots.host_for(item.plugin))))
    found = list(given)[:MOST_OF_ONE]
    for one in found:
        check_contribution(one, WaitingItem)
        if one.at and one.at.tzinfo is None:
            raise ValueError("gave a time without a zone")
    return found
