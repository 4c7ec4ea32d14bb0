"""Times, numbers, links and marks; what a browser wishes for."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from callboard_web import formats
from callboard_web.preferences import Reader, best_language, zone_named

NOW = datetime(2026, 11, 20, 6, 32, 8, tzinfo=UTC)
ENGLISH = Reader(language="en", zone=ZoneInfo("Asia/Shanghai"), now=NOW)
CHINESE = Reader(language="zh-CN", zone=ZoneInfo("Asia/Shanghai"), now=NOW)


def test_exact_times() -> None:
    assert formats.exact(NOW, ENGLISH) == "20 Nov 2026, 14:32"
    assert formats.exact(NOW, CHINESE) == "2026-11-20 14:32"
    assert formats.day(NOW, ENGLISH) == "Friday 20 November 2026"
    assert formats.day(NOW, CHINESE) == "2026年11月20日 星期五"


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        (-5, ("now", 0)),
        (59, ("now", 0)),
        (60, ("min", 1)),
        (3599, ("min", 59)),
        (26 * 3600, ("h", 26)),
        (3 * 86400, ("d", 3)),
        (7 * 86400, None),
    ],
)
def test_ages(seconds: int, expected: object) -> None:
    assert formats.age_parts(NOW - timedelta(seconds=seconds), NOW) == expected


def test_numbers() -> None:
    assert formats.number(1846, ENGLISH) == "1,846"
    assert formats.number(1846, CHINESE) == "1,846"
    assert formats.number(2.4, ENGLISH) == "2.4"


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://example.com/x", "https://example.com/x"),
        ("mailto:a@example.com", "mailto:a@example.com"),
        ("/catalog", "/catalog"),
        ("//evil.example", "#"),
        ("/\\evil.example", "#"),
        ("javascript:alert(1)", "#"),
        (" JaVaScRiPt:alert(1)", "#"),
        ("data:text/html,x", "#"),
        ("http://[bad", "#"),
        ("", "#"),
        (None, "#"),
    ],
)
def test_links_from_outside(url: object, expected: str) -> None:
    assert formats.safe_url(url) == expected


@pytest.mark.parametrize(
    "path", ["//evil.example", "https://evil.example", "/\\evil", "/a\r\nSet-Cookie: x", "", "a"]
)
def test_ways_back_stay_in_the_portal(path: str) -> None:
    assert formats.address(path) == "/"
    assert formats.address("/catalog?q=1") == "/catalog?q=1"


def test_marks_are_escaped() -> None:
    text = formats.marked("\ue000<b>\ue001 & co")
    assert str(text) == "<mark>&lt;b&gt;</mark> &amp; co"


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("", "en"),
        ("zh", "zh-CN"),
        ("zh-TW,en;q=0.5", "zh-CN"),
        ("de, en;q=0.4, zh;q=0.7", "zh-CN"),
        ("de", "en"),
        ("zh;q=nonsense", "en"),
    ],
)
def test_language_of_the_browser(header: str, expected: str) -> None:
    assert best_language(header, ("en", "zh-CN")) == expected


@pytest.mark.parametrize("name", ["", "../../etc/passwd", "x" * 65, "Nowhere/Land", "\x00"])
def test_unknown_time_zones(name: str) -> None:
    assert zone_named(name) is None


def test_dates_without_their_time() -> None:
    at = NOW - timedelta(days=30)
    assert formats.date(at, ENGLISH).split()[-1] == str(at.year)
    assert formats.date(at, CHINESE).count("-") == 2
    assert ":" not in formats.date(at, ENGLISH) + formats.date(at, CHINESE)
