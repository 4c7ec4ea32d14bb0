"""The bar chart of a year's activity: geometry for the template, which draws it as SVG.

Widths and positions along the year are percentages, heights are pixels, so that one markup fits
every width without scaling its text.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Final

from callboard_scm_git.reading import WEEKS, first_day

HEIGHT: Final = 96
_GAP: Final = 0.2
_LABELS: Final = (0, 13, 26, 39, 52)


@dataclass(frozen=True, slots=True)
class Week:
    """One bar: the Monday it begins with, its commits, and where it is drawn."""

    start: date
    commits: int
    x: float
    y: float
    height: float


@dataclass(frozen=True, slots=True)
class Line:
    """A line of the grid and the number of commits it stands for."""

    commits: int
    y: float


@dataclass(frozen=True, slots=True)
class Chart:
    """53 weeks, the last one unfinished. `top` is the value of the highest line of the grid."""

    weeks: tuple[Week, ...]
    lines: tuple[Line, ...]
    total: int
    busiest: Week

    @property
    def height(self) -> int:
        return HEIGHT

    @property
    def bar_width(self) -> float:
        """In percent of the chart's width."""
        return round(100 / WEEKS * (1 - _GAP), 3)

    @property
    def labels(self) -> tuple[tuple[Week, str], ...]:
        """The weeks that are named below the chart and how each name is anchored."""
        anchors = ("start", "middle", "middle", "middle", "end")
        return tuple(
            (self.weeks[index], anchor) for index, anchor in zip(_LABELS, anchors, strict=True)
        )


def draw_chart(activity: Mapping[date, int], now: datetime) -> Chart:
    """Give the chart of the 53 weeks that end with the week of `now`."""
    counts = [0] * WEEKS
    first = first_day(now)
    for day, commits in activity.items():
        index = (day - first).days // 7
        if 0 <= index < WEEKS:
            counts[index] += commits
    top = _round_up(max(counts))
    weeks = tuple(_week(first, index, commits, top) for index, commits in enumerate(counts))
    lines = tuple(Line(value, HEIGHT * (1 - value / top)) for value in (0, top // 2, top))
    return Chart(weeks, lines, sum(counts), max(weeks, key=lambda week: week.commits))


def _week(first: date, index: int, commits: int, top: int) -> Week:
    height = round(HEIGHT * commits / top, 1)
    x = round(100 / WEEKS * (index + _GAP / 2), 3)
    return Week(first + timedelta(weeks=index), commits, x, round(HEIGHT - height, 1), height)


def _round_up(value: int) -> int:
    """Give the next even number that is easy to read on an axis: 2, 4, 10, 20, 40, 100, …"""
    step = 1
    while True:
        for factor in (2, 4, 10):
            if value <= factor * step:
                return factor * step
        step *= 10
