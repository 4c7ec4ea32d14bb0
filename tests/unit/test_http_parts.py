import gzip
from datetime import UTC, datetime

import httpx
import pytest

from callboard.errors import InputError, NotFoundError, NotReadyError, UnauthorisedError
from callboard.http.budget import Budgets
from callboard.http.response import Response, read_body
from callboard.http.retry import Backoff, read_retry_after

NOW = datetime(2026, 1, 1, 12, 0, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (None, None),
        ("120", 120.0),
        (" 0 ", 0.0),
        ("Thu, 01 Jan 2026 12:00:30 GMT", 30.0),
        ("Thu, 01 Jan 2026 11:00:00 GMT", 0.0),
        ("soon", None),
        ("-5", None),
        ("9" * 400, 999999999.0),
    ],
)
def test_reads_retry_after(value: str | None, seconds: float | None) -> None:
    assert read_retry_after(value, NOW) == seconds


def test_backoff_doubles_its_ceiling_up_to_a_limit() -> None:
    highest = Backoff(base=1.0, ceiling=5.0, uniform=lambda _, high: high)
    assert [highest.pause(attempt, None) for attempt in range(4)] == [1.0, 2.0, 4.0, 5.0]
    assert Backoff(uniform=lambda low, _: low).pause(5, None) == 0.0
    assert highest.pause(0, 3.0) == 3.0


def test_budget_fills_up_with_time() -> None:
    now = [0.0]
    budgets = Budgets(limit=2, period=10.0, clock=lambda: now[0])
    assert [budgets.reserve("a", 60.0) for _ in range(4)] == [0.0, 0.0, 5.0, 10.0]
    assert budgets.reserve("a", 1.0) is None
    assert budgets.reserve("b", 1.0) == 0.0
    now[0] = 40.0
    assert budgets.reserve("a", 0.0) == 0.0
    state = budgets.snapshot()["a"]
    assert (state.requests, state.waited, state.available) == (5, 15.0, 1.0)


def test_body_is_unpacked_within_the_limit() -> None:
    packed = gzip.compress(b"x" * 1000)
    assert read_body([packed[:10], packed[10:]], "gzip", 1000) == b"x" * 1000
    with pytest.raises(InputError, match="larger than 999 bytes"):
        read_body([packed], "gzip", 999)


def test_packed_bomb_is_not_unpacked() -> None:
    bomb = gzip.compress(b"\0" * 50_000_000)
    with pytest.raises(InputError):
        read_body([bomb], "gzip", 1000)


def test_broken_bodies_are_refused() -> None:
    packed = gzip.compress(b"x" * 1000)
    for chunks, encoding in (([packed[:-12]], "gzip"), ([b"x" * 30], "gzip"), ([b"x"], "br")):
        with pytest.raises(NotReadyError):
            read_body(chunks, encoding, 1000)


def response(status: int, body: bytes = b"", **headers: str) -> Response:
    return Response(status, httpx.Headers(headers), body, "https://example.com/")


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (401, UnauthorisedError),
        (403, UnauthorisedError),
        (404, NotFoundError),
        (422, InputError),
        (301, InputError),
        (429, NotReadyError),
        (500, NotReadyError),
    ],
)
def test_status_tells_the_error(status: int, error: type[Exception]) -> None:
    with pytest.raises(error, match=str(status)):
        response(status).checked()


def test_success_and_not_modified_are_given_back() -> None:
    assert response(200, etag='"1"').checked().etag == '"1"'
    assert response(304).checked().not_modified


def test_text_and_json() -> None:
    chinese = response(200, "支付".encode("gbk"), **{"content-type": "text/plain; charset=gbk"})
    assert chinese.text == "支付"
    assert response(200, "支付".encode()).text == "支付"
    assert response(200, b'{"a": 1}').json() == {"a": 1}
    with pytest.raises(InputError, match="not JSON"):
        response(200, b"<html>").json()
