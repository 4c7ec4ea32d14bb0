"""Events as people read them, put into words by those who wrote them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Final

from callboard.contributions import Activity, ActivityContext, ActivityItem, Event
from callboard.database import Database
from callboard.events.log import is_of
from callboard.plugins import Contributed, PluginError
from callboard.plugins.contributions import check_contribution
from callboard_catalog.service import CatalogService
from callboard_web.activity.runs import Question, Run, read_runs
from callboard_web.slots import Asker, Slots

ROUNDS: Final = 2
"""How often more is read where what was read has no words."""


@dataclass(frozen=True, slots=True)
class Line:
    """What happened, in words; `more` is how many events stand behind it, or more if `open`."""

    event: Event
    item: ActivityItem
    more: int
    open: bool


@dataclass(frozen=True, slots=True)
class Happenings:
    """A page of them, the newest first. `next` is where the one after begins; 0 at the end."""

    lines: Sequence[Line]
    next: int
    failed: Sequence[PluginError]


class ActivityLog:
    """Reads the event log and asks for words, each contribution in isolation."""

    def __init__(self, database: Database, slots: Slots, catalog: CatalogService) -> None:
        self.database = database
        self.slots = slots
        self.catalog = catalog

    def page(self, asker: Asker, question: Question, only: str = "") -> Happenings:
        """Give a page; the kinds asked for are those that somebody has words for.

        `only` is the key of a contribution: what the others tell of is left out.
        """
        told = [
            item
            for item in self.slots.permitted(self.slots.plugins.contributions.activity)
            if only in ("", item.key)
        ]
        if not told:
            return Happenings([], 0, [])
        kinds = [kind for item in told for kind in item.value.kinds]
        question = replace(question, kinds=tuple(dict.fromkeys(kinds)))
        lines: list[Line] = []
        failed: dict[str, PluginError] = {}
        for _ in range(ROUNDS):
            with self.database.read() as connection:
                runs, following = read_runs(connection, question, self.catalog)
            words, errors = self._words(asker, told, [run.event for run in runs])
            failed.update((error.plugin, error) for error in errors)
            lines += [_line(run, words[run.event.id]) for run in runs if run.event.id in words]
            if not following or len(lines) >= question.limit or not runs:
                break
            question = replace(question, before=following, limit=question.limit - len(lines))
        return Happenings(lines, following, list(failed.values()))

    def _words(
        self, asker: Asker, told: Sequence[Contributed[Activity]], events: Sequence[Event]
    ) -> tuple[dict[int, ActivityItem], list[PluginError]]:
        calls = []
        for contributed in told:
            own = [event for event in events if is_of(event.kind, contributed.value.kinds)]
            if own:
                describe = partial(self._describe, asker, contributed, own)
                calls.append((contributed, "activity", describe, dict))
        words: dict[int, ActivityItem] = {}
        errors = []
        for answer in self.slots.plugins.call_all(calls):
            if isinstance(answer, PluginError):
                errors.append(answer)
            else:
                words = {**answer, **words}
        return words, errors

    def _describe(
        self, asker: Asker, contributed: Contributed[Activity], events: Sequence[Event]
    ) -> dict[int, ActivityItem]:
        common = asker.common(self.slots.host_for(contributed.plugin))
        given: Mapping[int, Any] = contributed.value.describe(
            ActivityContext(events=events, **common)
        )
        for item in given.values():
            check_contribution(item, ActivityItem)
        return dict(given)


def _line(run: Run, item: ActivityItem) -> Line:
    return Line(run.event, item, run.count - 1, run.open)
