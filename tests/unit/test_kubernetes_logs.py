"""Logs: read, followed, taken up again; no line missing, none twice."""

import threading
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from recorded_cluster import BREAK, ClusterServer, Reply, Request, fixture, status

from callboard.kubernetes import ClusterError, LogLine, LogQuery, following, lines
from callboard.kubernetes.connection import Connection
from callboard.kubernetes.following import ContainerLog, container_ended
from callboard.kubernetes.lines import Moment, Seen, log_lines, moment_of
from callboard.kubernetes.settings import ClusterSettings

POD = "/api/v1/namespaces/shop/pods/cart"
START = datetime(2026, 11, 20, 10, 0, tzinfo=UTC)
FOLLOW = LogQuery("main", follow=True)


@pytest.fixture(autouse=True)
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let whoever follows pause for a moment only."""
    monkeypatch.setattr(following, "FIRST_PAUSE", 0.001)
    monkeypatch.setattr(following, "LONGEST_PAUSE", 0.001)


@pytest.fixture
def server() -> Iterator[ClusterServer]:
    made = ClusterServer()
    ended = {"containerStatuses": [{"name": "main", "state": {"terminated": {"exitCode": 0}}}]}
    made.on("GET", POD, Reply({"status": ended}))
    yield made
    made.close()


def opened(server: ClusterServer, query: LogQuery) -> ContainerLog:
    connection = Connection(ClusterSettings(name="build", server=server.address))
    return ContainerLog(connection, "shop", "cart", query)


def texts(server: ClusterServer, query: LogQuery) -> list[str]:
    with opened(server, query) as log:
        return [line.text for line in log]


def text(*pieces: bytes) -> Reply:
    return Reply(content_type="text/plain", pieces=pieces)


def stamp(seconds: float, nanoseconds: int = 0) -> str:
    time = START + timedelta(seconds=seconds)
    return f"{time:%Y-%m-%dT%H:%M:%S}.{time.microsecond * 1000 + nanoseconds:09}Z"


def running(server: ClusterServer) -> None:
    state = {"containerStatuses": [{"name": "main", "state": {"running": {}}}]}
    server.on("GET", POD, Reply({"status": state}))


# Reading


@pytest.mark.corpus
def test_a_recorded_line_has_its_time(server: ClusterServer) -> None:
    body = fixture("kubernetes/logs/timestamps_tail.txt")
    server.on("GET", f"{POD}/log", Reply(body, content_type="text/plain"))
    with opened(server, LogQuery("main", tail=1, previous=True)) as log:
        [line] = log
    assert line == LogLine(
        "2026-11-20T10:21:09.825032000Z", '{"level":"info","msg":"GET /cart 200","ms":12}'
    )
    assert server.asked(f"{POD}/log")[0].query == {
        "container": "main", "timestamps": "true", "previous": "true", "tailLines": "1",
    }  # fmt: skip


def test_lines_come_in_whatever_pieces() -> None:
    whole = f"{stamp(0)} größe\n{stamp(1)} \n{stamp(2, 7)} no end".encode()
    expected = [
        LogLine(stamp(0), "größe"), LogLine(stamp(1), ""), LogLine(stamp(2, 7), "no end"),
    ]  # fmt: skip
    for size in range(1, len(whole) + 1):
        pieces = [whole[at : at + size] for at in range(0, len(whole), size)]
        assert [line for _moment, line in log_lines(pieces)] == expected


def test_a_cut_character_is_left_out_at_the_end_only() -> None:
    cut = "bär".encode()[:2]
    assert [line.text for _m, line in log_lines([b"a\xffb\n" + cut])] == [
        "a\N{REPLACEMENT CHARACTER}b",
        "b",
    ]


def test_times_have_any_zone_and_precision() -> None:
    written = (
        b"2026-11-20T10:00:00Z a\n2026-11-20T18:00:00.5+08:00 b\n"
        b"unable to retrieve container logs\n"
    )
    found = [moment for moment, _line in log_lines([written])]
    seconds = int(START.timestamp())
    assert found == [Moment(seconds, 0), Moment(seconds, 500_000_000), None]
    assert moment_of(START + timedelta(microseconds=3)) == Moment(seconds, 3000)


def test_a_long_line_comes_in_parts_of_one_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lines, "MAXIMUM_PART", 64)
    words = "ä" * 200
    whole = f"{stamp(0)} {words}\n{stamp(1)} b\n".encode()
    results = set()
    for size in (1, 7, 64, 1000):
        pieces = [whole[at : at + size] for at in range(0, len(whole), size)]
        results.add(tuple(line for _moment, line in log_lines(pieces)))
    [found] = results
    assert "".join(line.text for line in found[:-1]) == words
    assert {line.at for line in found[:-1]} == {stamp(0)}
    assert found[-1] == LogLine(stamp(1), "b")


def test_since_is_exact_although_servers_know_seconds(server: ClusterServer) -> None:
    body = f"{stamp(0, 1000)} a\n{stamp(0, 2000)} b\n{stamp(1)} c\n".encode()
    server.on("GET", f"{POD}/log", text(body))
    since = START + timedelta(microseconds=2)
    assert texts(server, LogQuery("main", since=since)) == ["b", "c"]
    assert server.seen[0].query["sinceTime"] == "2026-11-20T10:00:00Z"


def test_a_pod_that_is_not_scheduled_has_no_lines(server: ClusterServer) -> None:
    server.on("GET", f"{POD}/log", Reply(status=204))
    assert texts(server, LogQuery("main")) == []


@pytest.mark.corpus
def test_a_container_that_waits_is_told_to_who_does_not_follow(server: ClusterServer) -> None:
    body = fixture("kubernetes/logs/400_waiting_container.json")
    server.on("GET", f"{POD}/log", Reply(body, 400))
    with pytest.raises(ClusterError, match="image can't be pulled") as raised:
        texts(server, LogQuery("main"))
    assert raised.value.state == "waiting"


# Following


def test_following_waits_for_the_pod_and_the_container(server: ClusterServer) -> None:
    waits = status(400, "BadRequest", 'container "main" in pod "cart" is waiting to start: x')
    log = text(f"{stamp(0)} a\n".encode())
    server.on("GET", f"{POD}/log", Reply(status=204), waits, waits, log)
    server.on("GET", POD, Reply({"status": {"phase": "Pending"}}),
              Reply({"status": {"phase": "Succeeded"}}))  # fmt: skip
    assert texts(server, FOLLOW) == ["a"]


def test_a_stream_that_ends_before_its_container_is_taken_up_again(server: ClusterServer) -> None:
    first = text(f"{stamp(0)} a\n{stamp(1, 5)} b\n".encode())
    again = text(f"{stamp(0)} a\n{stamp(1, 5)} b\n{stamp(1, 5)} b\n{stamp(1, 6)} c\n".encode())
    server.on("GET", f"{POD}/log", first, again)
    alive = Reply({"status": {"containerStatuses": [{"name": "main", "state": {"running": {}}}]}})
    server.on("GET", POD, alive, Reply({"status": {"phase": "Failed"}}))
    assert texts(server, FOLLOW) == ["a", "b", "b", "c"]
    assert server.asked(f"{POD}/log")[1].query["sinceTime"] == "2026-11-20T10:00:00Z"


def test_lines_before_the_last_ones_asked_for_stay_away(server: ClusterServer) -> None:
    server.on(
        "GET", f"{POD}/log",
        text(f"{stamp(0, 3)} c\n".encode(), BREAK),
        text(f"{stamp(0, 1)} a\n{stamp(0, 2)} b\n{stamp(0, 3)} c\n{stamp(0, 4)} d\n".encode()),
    )  # fmt: skip
    assert texts(server, LogQuery("main", follow=True, tail=1)) == ["c", "d"]
    assert "tailLines" not in server.asked(f"{POD}/log")[1].query


def test_a_pod_that_goes_ends_its_log(server: ClusterServer) -> None:
    gone = status(404, "NotFound", details={"name": "cart"})
    server.on("GET", f"{POD}/log", text(f"{stamp(0)} a\n".encode(), BREAK), gone)
    assert texts(server, FOLLOW) == ["a"]
    server.on("GET", f"{POD}/log", gone)
    with pytest.raises(ClusterError) as raised:
        texts(server, FOLLOW)
    assert raised.value.state == "missing"


def test_where_pods_may_not_be_read_the_end_has_to_do(server: ClusterServer) -> None:
    server.on("GET", f"{POD}/log", text(f"{stamp(0)} a\n".encode()))
    server.on("GET", POD, status(403, "Forbidden"))
    assert texts(server, FOLLOW) == ["a"]


def test_credentials_that_expire_midway_are_waited_for(
    server: ClusterServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    expired = status(401, "Unauthorized")
    lines = f"{stamp(0)} a\n".encode()
    # Each refusal is met twice: credentials are read again before it counts.
    server.on("GET", f"{POD}/log", text(lines, BREAK), expired, expired, text(lines), expired,
              text(lines + f"{stamp(1)} b\n".encode()))  # fmt: skip
    running = Reply({"status": {"phase": "Running"}})
    server.on("GET", POD, expired, expired, running, Reply({"status": {"phase": "Failed"}}))
    assert texts(server, FOLLOW) == ["a", "b"]
    server.on("GET", f"{POD}/log", expired)
    with pytest.raises(ClusterError) as raised:
        texts(server, FOLLOW)  # what never was let in is told at once
    assert raised.value.state == "unauthenticated"
    monkeypatch.setattr(following, "GIVE_UP_SECONDS", 0.01)
    server.on("GET", f"{POD}/log", text(lines, BREAK), expired)
    with pytest.raises(ClusterError) as raised:
        texts(server, FOLLOW)
    assert raised.value.state == "unauthenticated"


def test_what_will_not_pass_is_told(server: ClusterServer, monkeypatch: pytest.MonkeyPatch) -> None:
    server.on("GET", f"{POD}/log", status(403, "Forbidden"))
    with pytest.raises(ClusterError) as raised:
        texts(server, FOLLOW)
    assert raised.value.state == "forbidden"
    monkeypatch.setattr(following, "GIVE_UP_SECONDS", 0.01)
    server.on("GET", f"{POD}/log", Reply(b"", 502, "text/html"))
    with pytest.raises(ClusterError) as raised:
        texts(server, FOLLOW)
    assert raised.value.state == "down"


def test_following_is_ended_from_another_thread(server: ClusterServer) -> None:
    go_on = threading.Event()

    def pieces() -> Iterator[bytes]:
        yield f"{stamp(0)} a\n".encode()
        go_on.wait(20)

    running(server)
    server.on("GET", f"{POD}/log", lambda request: Reply(pieces=pieces()))
    log = opened(server, FOLLOW)
    assert next(log).text == "a"
    rest: list[Any] = []
    thread = threading.Thread(target=lambda: rest.extend(log))
    thread.start()
    log.close()
    thread.join(20)
    assert not thread.is_alive()
    go_on.set()
    assert rest == []


def test_one_that_waits_is_ended_as_well(server: ClusterServer) -> None:
    asked = threading.Event()

    def answer(request: Request) -> Reply:
        asked.set()
        return Reply(status=204)

    running(server)
    server.on("GET", f"{POD}/log", answer)
    log = opened(server, FOLLOW)
    thread = threading.Thread(target=lambda: list(log))
    thread.start()
    assert asked.wait(20)
    log.close()
    thread.join(20)
    assert not thread.is_alive()


class Written:
    """A log that is served as kubelets do: from a whole second on, and cut off where it is told."""

    def __init__(self, written: list[tuple[int, int, str]], breaks: list[int]) -> None:
        self.lines = [
            (START + timedelta(seconds=second), f"{stamp(second, nano)} {words}\n".encode())
            for second, nano, words in written
        ]
        self.breaks = breaks

    def answer(self, request: Request) -> Reply:
        since = request.query.get("sinceTime", "")
        body = b"".join(
            line for time, line in self.lines if not since or f"{time:%Y-%m-%dT%H:%M:%SZ}" >= since
        )
        if not self.breaks:
            return text(body)
        return text(body[: self.breaks.pop(0)], BREAK)


@settings(deadline=None, max_examples=40)
@given(
    written=st.lists(
        st.tuples(st.integers(0, 5), st.integers(0, 2), st.sampled_from("ab")), max_size=30
    ).map(lambda found: sorted(found, key=lambda line: line[:2])),
    breaks=st.lists(st.integers(1, 1200), max_size=5),
)
def test_whatever_breaks_no_line_is_missing_and_none_comes_twice(
    written: list[tuple[int, int, str]], breaks: list[int]
) -> None:
    server = ClusterServer()
    with closing(server):
        server.on("GET", POD, Reply({"status": {"phase": "Succeeded"}}))
        if written:
            server.on("GET", f"{POD}/log", Written(written, list(breaks)).answer)
        else:
            server.on("GET", f"{POD}/log", Reply(status=204))
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(following, "FIRST_PAUSE", 0.0)
            assert texts(server, FOLLOW) == [words for _second, _nano, words in written]


def test_outputs_that_are_out_of_order_are_told_apart() -> None:
    seen = Seen()
    order = [(1, "a"), (0, "late"), (2, "b"), (1, "later")]
    every = [(Moment(second, 0), LogLine(str(second), words)) for second, words in order]
    assert [seen.is_new(moment, line) for moment, line in every] == [True] * 4
    seen.resume()
    assert seen.since == 1
    again = [item for item in every if item[0].seconds >= 1]
    assert [seen.is_new(moment, line) for moment, line in again] == [False] * 3
    assert seen.is_new(Moment(2, 0), LogLine("2", "b"))


def test_a_clock_that_is_set_back_costs_no_line() -> None:
    first, later = (Moment(7, 5), LogLine("7.5", "a")), (Moment(7, 1), LogLine("7.1", "b"))
    whole, tail = Seen(), Seen(tail=True)
    for seen in (whole, tail):
        assert seen.is_new(*first)
        seen.resume()
        assert not seen.is_new(*first)
    assert whole.is_new(*later)
    assert not tail.is_new(*later)  # it was not asked for


def test_a_flood_within_a_second_is_remembered_in_bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lines, "MOST_KEPT", 10)
    seen = Seen()
    flood = [(Moment(5, nano), LogLine(f"5.{nano}", "x")) for nano in range(100)]
    assert all(seen.is_new(moment, line) for moment, line in flood)
    assert len(seen._kept) == 10
    seen.resume()
    assert not any(seen.is_new(moment, line) for moment, line in flood)
    assert seen.is_new(Moment(5, 100), LogLine("5.100", "x"))


@pytest.mark.parametrize(
    ("found", "ended"),
    [
        ({}, False),
        ({"phase": "Running"}, False),
        ({"phase": "Succeeded"}, True),
        (
            {"containerStatuses": [{"name": "other", "state": {"terminated": {"exitCode": 1}}}]},
            False,
        ),
        ({"containerStatuses": [{"name": "main", "state": {"terminated": {"exitCode": 1}}}]}, True),
        ({"initContainerStatuses": [{"name": "main", "state": {"running": {}}}]}, False),
        ({"containerStatuses": [{"name": "main", "state": {"waiting": {}}}]}, False),
        ({"containerStatuses": 3}, False),
        (None, False),
    ],
)
def test_when_a_container_has_ended(found: Any, ended: bool) -> None:
    assert container_ended({"status": found}, "main") is ended
