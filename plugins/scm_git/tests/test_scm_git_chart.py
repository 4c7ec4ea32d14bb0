"""The geometry of the activity chart."""

from datetime import UTC, date, datetime, timedelta

import pytest

from callboard_scm_git.chart import HEIGHT, draw_chart
from callboard_scm_git.reading import first_day

NOW = datetime(2026, 3, 4, 12, tzinfo=UTC)  # a Wednesday


def test_the_year_is_53_weeks_that_end_with_this_one() -> None:
    chart = draw_chart({}, NOW)
    assert len(chart.weeks) == 53
    assert chart.weeks[-1].start == date(2026, 3, 2)
    assert chart.weeks[0].start == first_day(NOW) == date(2025, 3, 3)


def test_commits_are_summed_by_week_and_others_left_out() -> None:
    monday = date(2026, 3, 2)
    days = {monday: 2, monday + timedelta(days=2): 3, monday - timedelta(days=1): 4,
            date(2025, 3, 2): 9}  # fmt: skip
    chart = draw_chart(days, NOW)
    assert [week.commits for week in chart.weeks[-2:]] == [4, 5]
    assert chart.total == 9
    assert chart.busiest.start == monday


def test_bars_stand_on_the_axis_and_stay_inside() -> None:
    chart = draw_chart({date(2026, 3, 2): 7, date(2025, 3, 3): 10}, NOW)
    for week in chart.weeks:
        assert week.y + week.height == pytest.approx(HEIGHT)
        assert week.x >= 0
        assert week.x + chart.bar_width <= 100
    assert chart.weeks[0].height == HEIGHT
    assert [line.commits for line in chart.lines] == [0, 5, 10]


@pytest.mark.parametrize(
    ("most", "top"), [(0, 2), (1, 2), (3, 4), (5, 10), (11, 20), (21, 40), (99, 100), (101, 200)]
)
def test_the_axis_ends_at_an_even_number(most: int, top: int) -> None:
    assert draw_chart({date(2026, 3, 2): most}, NOW).lines[-1].commits == top
