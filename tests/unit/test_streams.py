"""Streams of plugins' routes: messages as they come, and what ends them."""

import asyncio
from collections.abc import AsyncIterator, Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.types import Message

from callboard import streams
from callboard.streams import EventStream, StreamMessage, Streams

SCOPE = {"type": "http", "method": "GET", "path": "/", "headers": [], "asgi": {"version": "3.0"}}


async def always(closed: list[bool]) -> AsyncIterator[StreamMessage]:
    """Say one thing, and nothing more."""
    try:
        yield StreamMessage("first", "word", "1")
        await asyncio.Event().wait()
    finally:
        closed.append(True)


async def read(answer: EventStream, until: Callable[[str], None] = lambda _text: None) -> str:
    """Give all that is sent until it ends."""
    said = []

    async def receive() -> Message:
        await asyncio.Event().wait()
        raise AssertionError

    async def send(message: Message) -> None:
        if message["type"] == "http.response.body":
            said.append(message["body"].decode())
            until(said[-1])
        else:
            said.append(f"{message['status']}\n")

    async with asyncio.timeout(20):
        await answer(dict(SCOPE), receive, send)
    return "".join(said)


def test_messages_are_sent_as_they_come_and_then_it_ends() -> None:
    async def two() -> AsyncIterator[StreamMessage]:
        yield StreamMessage("a\nb", "lines", "7")
        await asyncio.sleep(0)
        yield StreamMessage("", "end")

    held = Streams()
    said = asyncio.run(read(EventStream(held, two(), lambda: True)))
    head, _, rest = said.partition("\n\n")
    assert head.startswith("200\nretry: ")
    assert rest == "id: 7\nevent: lines\ndata: a\ndata: b\n\nevent: end\ndata: \n\n"
    assert held.count == 0


@given(text=st.text())
def test_no_text_can_begin_another_message(text: str) -> None:
    written = str(StreamMessage(text))
    assert written.endswith("\n\n")
    lines = written[:-2].split("\n")
    assert all(line.startswith("data: ") for line in lines)
    read_back = "\n".join(line.removeprefix("data: ") for line in lines)
    assert read_back == text.replace("\r\n", "\n").replace("\r", "\n")


def test_the_end_of_the_process_ends_it() -> None:
    held, closed = Streams(), [False]

    def close(text: str) -> None:
        if "first" in text:
            held.close()

    said = asyncio.run(read(EventStream(held, always(closed), lambda: True), close))
    assert "data: first" in said
    assert closed[-1]
    assert asyncio.run(read(EventStream(held, always(closed), lambda: True))).startswith("503")


@pytest.mark.parametrize("who", ["plugin", "host"])
def test_who_may_listen_no_more_hears_no_more(monkeypatch: pytest.MonkeyPatch, who: str) -> None:
    monkeypatch.setattr(streams, "CHECKED", 0.0)
    monkeypatch.setattr(streams, "BEAT", 0.01)
    held, closed, may = Streams(), [False], [True]
    if who == "host":
        held.is_same = lambda _connection: may[0]

    def withdraw(text: str) -> None:
        if "first" in text:
            may[0] = False

    answer = EventStream(held, always(closed), lambda: may[0] or who == "host")
    said = asyncio.run(read(answer, withdraw))
    assert said.endswith("data: first\n\n")
    assert closed[-1]


def test_signs_of_life_are_sent_and_no_more_streams_than_there_may_be(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(streams, "BEAT", 0.01)
    held, closed = Streams(most=1), [False]

    async def both() -> str:
        begun = asyncio.Event()

        def look(text: str) -> None:
            begun.set()
            if text == ":\n\n":
                held.close()

        first = asyncio.ensure_future(read(EventStream(held, always(closed), lambda: True), look))
        await begun.wait()
        second = await read(EventStream(held, always(closed), lambda: True))
        assert ":\n\n" in await first
        return second

    assert asyncio.run(both()) == "503\nToo many open streams."
