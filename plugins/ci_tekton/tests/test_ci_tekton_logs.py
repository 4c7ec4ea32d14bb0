"""Logs of steps from a real API server: followed, kept, lost, found again."""

import asyncio
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import orjson
import pytest
from sandbox_api import TOKENS, Api, serving
from sqlalchemy import select

from callboard.errors import NotFoundError
from callboard.identity import Limit, Principal, Subject, acting_for
from callboard.streams import StreamMessage
from callboard.testing import Clock, absent
from callboard_ci_tekton import models
from callboard_ci_tekton.following import PIPELINE_RUNS, TASK_RUNS
from callboard_ci_tekton.logs import keeping
from callboard_ci_tekton.logs import saving as saving_of_logs
from callboard_ci_tekton.logs.hub import hub_of
from callboard_ci_tekton.logs.keeping import conclude, take
from callboard_ci_tekton.logs.objects import ObjectStore
from callboard_ci_tekton.logs.places import place_of
from callboard_ci_tekton.logs.reading import find_log, may_see, messages
from callboard_ci_tekton.logs.retention import prune_logs
from callboard_ci_tekton.logs.saving import save_run
from callboard_ci_tekton.retention import prune
from callboard_sandbox.api.application import Application
from callboard_sandbox.api.failures import ApiError
from callboard_sandbox.api.faults import Plan
from callboard_sandbox.api.server import Server
from callboard_web.testing import PortalUnderTest, portal_under_test

SECRET = "hunter2-hunter2"
LOGS = "/api/plugins/ci_tekton/logs"


@pytest.fixture
def portal_plugins() -> Sequence[str]:
    return ["ci_tekton"]


@pytest.fixture
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    with serving(tmp_path_factory.mktemp("cluster")) as made:
        made.store.create("namespaces", {"metadata": {"name": "shop-ci"}})
        yield made


@pytest.fixture
def portal_settings(
    api: Api, monkeypatch: pytest.MonkeyPatch, token_file: Path
) -> Mapping[str, Any]:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    settings = settings_for(api.server.address)
    [build, _other] = settings["kubernetes"]["clusters"]
    token_file.write_text(build.pop("token"))
    build["token_file"] = str(token_file)
    return settings


@pytest.fixture
def token_file(tmp_path: Path) -> Path:
    return tmp_path / "token"


def settings_for(address: str, **logs: Any) -> dict[str, Any]:
    cluster = {"name": "build", "server": address, "token": TOKENS["admin"]}
    quiet = {"name": "other", "server": "https://192.0.2.1", "token": SECRET}
    return {
        "kubernetes": {"clusters": [cluster, quiet]},
        "plugins": {"settings": {"ci_tekton": {"logs": logs}}},
    }


def step(name: str, *, ended: bool) -> dict[str, Any]:
    times = {"startedAt": "2026-03-02T07:00:05Z", "finishedAt": "2026-03-02T07:00:30Z"}
    state = {"terminated": {**times, "exitCode": 0, "reason": "Completed"}}
    begun = {"running": {"startedAt": times["startedAt"]}}
    return {"name": name, "container": f"step-{name}", **(state if ended else begun)}


def task_run(*steps: dict[str, Any], version: int = 5, name: str = "one-test") -> dict[str, Any]:
    ended = all("terminated" in each for each in steps)
    status = "True" if ended else "Unknown"
    condition = {"type": "Succeeded", "status": status,
                 "reason": "Succeeded" if ended else "Running"}  # fmt: skip
    more = {"completionTime": "2026-03-02T07:00:31Z"} if ended else {}
    return {
        "apiVersion": "tekton.dev/v1", "kind": "TaskRun",
        "metadata": {"name": name, "namespace": "shop-ci", "uid": f"uid-{name}",
                     "resourceVersion": str(version), "creationTimestamp": "2026-03-02T07:00:00Z",
                     "labels": {"tekton.dev/pipelineRunUID": "uid-one",
                                "tekton.dev/pipelineTask": "test"}},
        "spec": {},
        "status": {"podName": f"{name}-pod", "startTime": "2026-03-02T07:00:01Z",
                   "conditions": [condition], "steps": list(steps), **more},
    }  # fmt: skip


RUN: dict[str, Any] = {
    "apiVersion": "tekton.dev/v1", "kind": "PipelineRun",
    "metadata": {"name": "one", "namespace": "shop-ci", "uid": "uid-one",
                 "resourceVersion": "3", "creationTimestamp": "2026-03-02T07:00:00Z"},
    "spec": {"pipelineRef": {"name": "build"}},
    "status": {"conditions": [{"type": "Succeeded", "status": "True", "reason": "Succeeded"}],
               "completionTime": "2026-03-02T07:00:40Z"},
}  # fmt: skip


RUNNING = {"running": {"startedAt": "2026-03-02T07:00:05Z"}}


def pod(api: Api, *containers: str, name: str = "one-test-pod") -> None:
    """Make a pod whose containers run."""
    api.store.create("pods", {
        "metadata": {"name": name, "namespace": "shop-ci"},
        "spec": {"nodeName": "node", "containers": [{"name": each} for each in containers]},
        "status": {"phase": "Running", "containerStatuses": [
            {"name": each, "restartCount": 0, "state": RUNNING} for each in containers]},
    })  # fmt: skip


def write(api: Api, *lines: str, container: str = "step-a", name: str = "one-test-pod") -> None:
    api.store.append_log("shop-ci", name, container, lines)


def end(api: Api, *containers: str, name: str = "one-test-pod") -> None:
    """Let all containers of a pod end."""
    api.store.set_status("pods", "shop-ci", name, {"phase": "Succeeded", "containerStatuses": [
        {"name": each, "restartCount": 0, "state": {"terminated": {"exitCode": 0}}}
        for each in containers or ("step-a",)]})  # fmt: skip


def observed(portal: PortalUnderTest, *steps: dict[str, Any], version: int = 5) -> int:
    """Let the portal see the run and its task; give the number of the attempt."""
    portal.observe("build", PIPELINE_RUNS, RUN)
    portal.observe("build", TASK_RUNS, task_run(*steps, version=version))
    with portal.host("ci_tekton").read() as connection:
        return int(connection.execute(select(models.task.c.id)).scalar_one())


def kept(portal: PortalUnderTest) -> Any:
    with portal.host("ci_tekton").read() as connection:
        return connection.execute(select(models.log)).one()


def texts(answer: Any) -> list[str]:
    return [line["text"] for line in answer.json()["lines"]]


def files(portal: PortalUnderTest) -> list[Path]:
    return [file for file in (portal.host("ci_tekton").data / "logs").rglob("*") if file.is_file()]


# Following


async def until_end(stream: AsyncIterator[StreamMessage]) -> tuple[list[str], dict[str, Any]]:
    """Read a stream to its end; its lines must follow each other."""
    found: list[str] = []
    async for message in stream:
        data = orjson.loads(message.data)
        if message.event == "end":
            return found, data
        assert data["first"] == len(found) + 1
        found += [text for _at, text in data["lines"]]
        assert message.id == str(len(found))
    raise AssertionError("the stream ended without an end")


def followed(
    portal: PortalUnderTest, number: int, act: Callable[[], None], readers: int = 2
) -> list[tuple[list[str], dict[str, Any]]]:
    """Let readers follow a log, do something once they have its first line, read to the end."""
    host = portal.host("ci_tekton")
    found = find_log(host, number, "step-a")

    async def read() -> list[tuple[list[str], dict[str, Any]]]:
        async with asyncio.timeout(60):
            begun = [asyncio.ensure_future(until_end(messages(host, found, 0)))
                     for _ in range(readers)]  # fmt: skip
            await asyncio.to_thread(wait_for_lines, host, readers)
            await asyncio.to_thread(act)
            return await asyncio.gather(*begun)

    return asyncio.run(read())


def wait_for_lines(host: Any, readers: int) -> None:
    deadline = time.monotonic() + 30
    hub = hub_of(host)
    while not (hub.readers == readers and all(follow.total for follow in hub._listed())):
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_two_readers_follow_one_log(portal: PortalUnderTest, api: Api) -> None:
    pod(api, "step-a")
    write(api, "first", f"curl -u ada:{SECRET} https://x:y@example.test")
    number = observed(portal, step("a", ended=False))
    before = len(portal.client.get("/metrics").text)
    assert before

    def act() -> None:
        assert hub_of(portal.host("ci_tekton")).followed == 1
        assert "callboard_ci_tekton_log_readers 2.0" in portal.client.get("/metrics").text
        write(api, *(f"line {line}" for line in range(3000)))
        end(api)

    for lines, last in followed(portal, number, act):
        assert lines[:2] == ["first", "curl -u ada:*** https://***@example.test"]
        assert lines[2:] == [f"line {line}" for line in range(3000)]
        assert last["total"] == 3002


def test_a_server_that_is_killed_is_followed_on(portal: PortalUnderTest, api: Api) -> None:
    pod(api, "step-a")
    write(api, "first")
    number = observed(portal, step("a", ended=False))
    port = int(api.server.address.rpartition(":")[2])
    again: list[Server] = []

    def act() -> None:
        write(api, *(f"before {line}" for line in range(500)))
        api.server.stop()
        write(api, *(f"meanwhile {line}" for line in range(500)))
        again.append(Server(Application(api.store, api.access, api.faults), port=port))
        again[0].start()
        write(api, "last")
        end(api)

    try:
        [(lines, _end)] = followed(portal, number, act, readers=1)
    finally:
        for server in again:
            server.stop()
    assert lines == [
        "first", *(f"before {line}" for line in range(500)),
        *(f"meanwhile {line}" for line in range(500)), "last",
    ]  # fmt: skip


@pytest.mark.slow
def test_a_token_that_expires_is_read_anew_and_no_line_is_lost_or_doubled(
    portal: PortalUnderTest, api: Api, token_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pod(api, "step-a")
    write(api, "first")
    number = observed(portal, step("a", ended=False))
    port = int(api.server.address.rpartition(":")[2])
    again: list[Server] = []
    refused: list[str] = []
    who = api.access.who

    def noted(headers: Mapping[str, str]) -> Any:
        try:
            return who(headers)
        except ApiError:
            refused.append(headers["authorization"])
            raise

    def act() -> None:
        write(api, *(f"before {line}" for line in range(500)))
        token_file.write_text("token-of-tomorrow")
        api.access.tokens["admin"] = "token-of-tomorrow"
        # The stream breaks; whoever takes it up again comes with a token that has expired.
        api.server.stop()
        again.append(Server(Application(api.store, api.access, api.faults), port=port))
        again[0].start()
        write(api, *(f"after {line}" for line in range(500)))
        end(api)

    monkeypatch.setattr(api.access, "who", noted)
    try:
        [(lines, last)] = followed(portal, number, act, readers=1)
        assert set(refused) == {f"Bearer {TOKENS['admin']}"}
        observed(portal, step("a", ended=True), version=6)
        portal.run_jobs()
    finally:
        for server in again:
            server.stop()
    wanted = ["first", *(f"before {line}" for line in range(500)),
              *(f"after {line}" for line in range(500))]  # fmt: skip
    assert (lines, last["total"]) == (wanted, 1001)
    assert texts(portal.client.get(f"{LOGS}/{number}/step-a?count=5000")) == wanted
    assert kept(portal).state == "kept"


def test_a_log_is_kept_when_its_step_ends_and_outlives_the_pod(
    portal: PortalUnderTest, api: Api
) -> None:
    pod(api, "step-a", "step-b")
    write(api, "one", f"the password is {SECRET}", "\x1b[31mFAIL\x1b[0m at last")
    number = observed(portal, step("a", ended=False), step("b", ended=False))
    assert texts(portal.client.get(f"{LOGS}/{number}/step-a"))[0] == "one"
    end(api, "step-a", "step-b")
    observed(portal, step("a", ended=True), step("b", ended=False), version=6)
    portal.run_jobs()
    row = kept(portal)
    assert (row.container, row.state, row.lines) == ("step-a", "kept", 3)
    assert len(files(portal)) == 1
    observed(portal, step("a", ended=True), step("b", ended=False), version=7)
    portal.run_jobs()
    assert kept(portal).kept_at == row.kept_at

    api.store.delete("pods", "shop-ci", "one-test-pod")
    portal.observe("build", TASK_RUNS, task_run(step("a", ended=True), version=8), gone=True)
    answer = portal.client.get(f"{LOGS}/{number}/step-a?from=2&count=1").json()
    assert (answer["state"], answer["total"], answer["done"]) == ("kept", 3, True)
    assert [line["n"] for line in answer["lines"]] == [2]
    assert answer["lines"][0]["text"] == "the password is ***"
    assert answer["lines"][0]["at"].endswith("Z")
    found = portal.client.get(f"{LOGS}/{number}/step-a/search?q=fail%20AT").json()
    assert found == {"lines": [3], "total": 1}
    download = portal.client.get(f"{LOGS}/{number}/step-a/download")
    assert download.text.splitlines()[0] == "one"
    assert 'filename="one-test-step-a.log"' in download.headers["content-disposition"]
    stream = portal.client.get(f"{LOGS}/{number}/step-a/stream", headers={"last-event-id": "2"})
    assert "id: 3\nevent: lines\n" in stream.text
    assert '"state":"kept"' in stream.text
    assert SECRET not in stream.text + download.text
    audited = portal.client.get("/audit?action=ci_tekton.log.download").text
    assert "ci_tekton.log.download" in audited


def test_a_log_without_a_pod_is_lost_with_its_reason(portal: PortalUnderTest, api: Api) -> None:
    number = observed(portal, step("a", ended=True))
    portal.run_jobs()
    assert kept(portal).state == "lost"
    answer = portal.client.get(f"{LOGS}/{number}/step-a").json()
    assert (answer["state"], answer["lines"], answer["done"]) == ("lost", [], True)
    assert "The pod was deleted" in answer["message"]
    assert portal.client.get(f"{LOGS}/{number}/step-a/download").status_code == 410
    assert portal.client.get(f"{LOGS}/{number}/step-z").status_code == 404
    assert portal.client.get(f"{LOGS}/999/step-a").status_code == 404


def test_what_fails_is_tried_again(portal: PortalUnderTest, api: Api, clock: Clock) -> None:
    pod(api, "step-a")
    lines = [f"line {line}" for line in range(2000)]
    write(api, *lines)
    end(api)
    api.faults.plan(Plan("disconnect", next=1, path="/log", after=9000))
    api.faults.plan(Plan("busy", next=1, path="/log"))
    api.faults.plan(Plan("failed", next=1, path="/log"))
    number = observed(portal, step("a", ended=True))
    portal.run_jobs()
    row = kept(portal)
    assert (row.state, row.attempts) == ("waiting", 1)
    assert files(portal) == []
    assert "callboard_ci_tekton_logs_failing 1.0" in portal.client.get("/metrics").text
    for _ in range(3):
        clock.advance(timedelta(hours=2))
        portal.run_jobs()
    assert kept(portal).state == "kept"
    assert texts(portal.client.get(f"{LOGS}/{number}/step-a?count=5000")) == lines
    assert len(files(portal)) == 1


def test_a_pod_that_goes_early_leaves_what_was_followed(portal: PortalUnderTest, api: Api) -> None:
    pod(api, "step-a")
    write(api, "all there was")
    number = observed(portal, step("a", ended=False))
    followed(portal, number, lambda: (api.store.delete("pods", "shop-ci", "one-test-pod"), None)[1])
    observed(portal, step("a", ended=True), version=6)
    portal.run_jobs()
    answer = portal.client.get(f"{LOGS}/{number}/step-a").json()
    assert (answer["state"], [line["text"] for line in answer["lines"]]) == (
        "cut", ["all there was"],
    )  # fmt: skip
    assert "what the portal had seen" in answer["message"]


def asked_to_end(*, timeout: str = "1h0m0s", status: str = "TaskRunCancelled") -> dict[str, Any]:
    body = task_run(step("a", ended=False), version=6)
    return {**body, "spec": {"status": status, "timeout": timeout}}


def saving(portal: PortalUnderTest, act: Callable[[], None]) -> None:
    """Run the jobs that are due while something is done."""
    worker = threading.Thread(target=portal.run_jobs)
    worker.start()
    act()
    worker.join(60)
    assert not worker.is_alive()


def test_a_step_that_others_end_is_followed_until_it_is_gone(
    portal: PortalUnderTest, api: Api
) -> None:
    pod(api, "step-a")
    write(api, "first")
    number = observed(portal, step("a", ended=False))
    portal.run_jobs()
    portal.observe("build", TASK_RUNS, asked_to_end())

    def act() -> None:
        write(api, "cleaning up")
        end(api)

    saving(portal, act)
    assert kept(portal).state == "saved"
    api.store.delete("pods", "shop-ci", "one-test-pod")
    observed(portal, step("a", ended=True), version=7)
    portal.run_jobs()
    row = kept(portal)
    assert (row.state, row.lines) == ("cut", 2)
    answer = portal.client.get(f"{LOGS}/{number}/step-a")
    assert texts(answer) == ["first", "cleaning up"]
    assert "what the portal had seen" in answer.json()["message"]


def test_what_was_saved_goes_when_the_log_can_be_read(portal: PortalUnderTest, api: Api) -> None:
    pod(api, "step-a")
    write(api, "first")
    number = observed(portal, step("a", ended=False))
    save_run(portal.host("ci_tekton"), kept_run(portal), 30)
    assert (kept(portal).state, len(files(portal))) == ("saved", 1)
    write(api, "second")
    save_run(portal.host("ci_tekton"), kept_run(portal), 30)
    assert (kept(portal).lines, len(files(portal))) == (2, 1)
    end(api)
    observed(portal, step("a", ended=True), version=6)
    portal.run_jobs()
    assert (kept(portal).state, len(files(portal))) == ("kept", 1)
    assert texts(portal.client.get(f"{LOGS}/{number}/step-a")) == ["first", "second"]


def kept_run(portal: PortalUnderTest) -> int:
    with portal.host("ci_tekton").read() as connection:
        return int(connection.execute(select(models.run.c.id)).scalar_one())


def test_what_is_saved_too_late_is_found_still(portal: PortalUnderTest, api: Api) -> None:
    """The pod goes while its log is saved: whoever keeps logs finds nothing at first."""
    pod(api, "step-a")
    write(api, "first")
    number = observed(portal, step("a", ended=False))
    host = portal.host("ci_tekton")
    put, run = place_of(host).put, kept_run(portal)

    class Late:
        def put(self, name: str, file: Path) -> None:
            put(name, file)
            api.store.delete("pods", "shop-ci", "one-test-pod")
            observed(portal, step("a", ended=True), version=6)
            portal.run_jobs()
            assert kept(portal).state == "lost"

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(saving_of_logs, "place_of", lambda _host: Late())
        save_run(host, run, 30)
    portal.run_jobs()
    assert kept(portal).state == "cut"
    assert texts(portal.client.get(f"{LOGS}/{number}/step-a")) == ["first"]


LIMITS: Sequence[tuple[str, Mapping[str, str], float, bool]] = (
    ("10m0s", {}, 9.4, False), ("10m0s", {}, 9.8, True), ("10m0s", {}, 12, False),
    ("0", {"pipeline": "1h0m0s"}, 59.9, True), ("1h0m0s", {"tasks": "20m"}, 19.9, True),
    ("0", {"pipeline": "0"}, 600, False), ("", {}, 60, False), ("soon", {}, 60, False),
)  # fmt: skip
"""A task's own limit, those of its run, minutes since they began, and whether time is short."""


def test_tasks_are_followed_before_their_time_is_up(portal: PortalUnderTest, clock: Clock) -> None:
    begun = "2026-03-02T07:00:00Z"
    going_on = {"type": "Succeeded", "status": "Unknown", "reason": "Running"}
    status, named = {"conditions": [going_on], "startTime": begun}, RUN["metadata"]
    for version, (own, of_run, after, late) in enumerate(LIMITS, start=10):
        run: dict[str, Any] = {
            **RUN,
            "spec": {"pipelineRef": {"name": "build"}, "timeouts": of_run},
        }
        run |= {"metadata": {**named, "resourceVersion": str(version)}, "status": status}
        portal.observe("build", PIPELINE_RUNS, run)
        body = asked_to_end(timeout=own, status="")
        body["metadata"]["resourceVersion"] = str(version)
        portal.observe("build", TASK_RUNS, body)
        clock.set(datetime.fromisoformat(begun) + timedelta(minutes=after))
        found = saving_of_logs.late_tasks(portal.host("ci_tekton"))
        assert bool(found) is late, (own, of_run, after)


def test_two_workers_share_the_work(
    portal: PortalUnderTest, api: Api, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    pod(api, "step-a", "step-b")
    write(api, "a")
    end(api, "step-a", "step-b")
    number = observed(portal, step("a", ended=True), step("b", ended=True))
    host = portal.host("ci_tekton")
    mine = take(host, "build", "first")
    assert [row.container for row in mine] == ["step-a", "step-b"]
    assert take(host, "build", "second") == []
    clock.advance(timedelta(minutes=3))
    theirs = take(host, "build", "second")
    assert len(theirs) == 2
    conclude(host, mine[0], "first", keeping.Kept("lost", "too late"))
    assert keeping.keep(host, theirs[0], "second")
    assert texts(portal.client.get(f"{LOGS}/{number}/step-a")) == ["a"]
    monkeypatch.setattr(keeping, "RENEWED", -1.0)
    with pytest.raises(keeping._HandedOnError):
        list(keeping._renewing(host, mine[1], "first", [("", "b")]))


def test_a_damaged_archive_is_said(portal: PortalUnderTest, api: Api) -> None:
    pod(api, "step-a")
    write(api, "one")
    end(api)
    number = observed(portal, step("a", ended=True))
    portal.run_jobs()
    [file] = files(portal)
    data = bytearray(file.read_bytes())
    data[20] ^= 1
    file.write_bytes(data)
    answer = portal.client.get(f"{LOGS}/{number}/step-a")
    assert (answer.status_code, answer.json()["state"]) == (200, "damaged")
    assert portal.client.get(f"{LOGS}/{number}/step-a/download").status_code == 410
    file.unlink()
    assert portal.client.get(f"{LOGS}/{number}/step-a").json()["state"] == "damaged"


def test_logs_go_by_age_and_with_their_runs(
    portal: PortalUnderTest, api: Api, clock: Clock
) -> None:
    pod(api, "step-a")
    write(api, "one")
    end(api)
    number = observed(portal, step("a", ended=True))
    portal.run_jobs()
    host = portal.host("ci_tekton")
    assert prune_logs(host) == 0
    assert len(files(portal)) == 1
    clock.advance(timedelta(days=399))
    assert prune(host) == 0
    clock.advance(timedelta(days=2))
    assert prune_logs(host) == 1
    assert files(portal) == []
    assert portal.client.get(f"{LOGS}/{number}/step-a").json()["state"] == "expired"
    prune(host)
    assert portal.client.get(f"{LOGS}/{number}/step-a").status_code == 404


def test_the_oldest_go_where_there_are_too_many(
    portal: PortalUnderTest, api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = [f"task-{number}" for number in range(5)]
    portal.observe("build", PIPELINE_RUNS, RUN)
    for name in names:
        pod(api, "step-a", name=f"{name}-pod")
        write(api, name, name=f"{name}-pod")
        end(api, name=f"{name}-pod")
        portal.observe("build", TASK_RUNS, task_run(step("a", ended=True), name=name))
    portal.run_jobs()
    host = portal.host("ci_tekton")
    with host.read() as connection:
        sizes = list(connection.execute(select(models.log.c.stored)).scalars())
    room = host.settings.logs.model_copy(update={"keep_bytes": sum(sizes) - 1})
    monkeypatch.setitem(host.settings.__dict__, "logs", room)
    assert prune_logs(host) == 1
    assert len(files(portal)) == 4


def test_only_who_may_see_the_run_may_see_its_logs(portal: PortalUnderTest, api: Api) -> None:
    pod(api, "step-a")
    write(api, "one")
    number = observed(portal, step("a", ended=False))
    found = find_log(portal.host("ci_tekton"), number, "step-a")
    host = portal.host("ci_tekton")
    somebody = Subject(
        principal=Principal(kind="person", name="user:default/eve"),
        limits=(Limit(permissions=("catalog.*",)),),
    )
    with acting_for(somebody):
        assert not may_see(host, found)
        with pytest.raises(NotFoundError):
            find_log(host, number, "step-a")
    assert may_see(host, found)


WORKER = """
import os, signal, sys
from datetime import datetime
from pathlib import Path
from callboard_ci_tekton.logs import keeping
from callboard_web.runtime import Runtime

runtime = Runtime.open(Path(sys.argv[1]), dict(os.environ),
                       clock=lambda: datetime.fromisoformat(sys.argv[2]))
runtime.start(worker=False, serve=False)
if sys.argv[3] == "placed":
    keeping.conclude = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
keeping.keep_logs(runtime.host("ci_tekton"), "build")
"""


@pytest.mark.slow
@pytest.mark.parametrize("moment", ["read", "placed"])
def test_a_worker_killed_in_the_middle_loses_and_doubles_nothing(
    portal: PortalUnderTest, api: Api, clock: Clock, moment: str
) -> None:
    pod(api, "step-a")
    lines = [f"line {line}" for line in range(5000)]
    write(api, *lines)
    end(api)
    number = observed(portal, step("a", ended=True))
    slow = Plan("slow", next=1, path="/log", seconds=20)
    if moment == "read":
        api.faults.plan(slow)
    config = portal.runtime.settings.file
    assert config is not None
    environ = {**os.environ, "CALLBOARD_PLUGINS": "ci_tekton"}
    with subprocess.Popen(
        [sys.executable, "-c", WORKER, str(config), clock().isoformat(), moment], env=environ
    ) as worker:
        if moment == "read":
            deadline = time.monotonic() + 60
            while not slow.met:
                assert time.monotonic() < deadline
                time.sleep(0.05)
            worker.kill()
        assert worker.wait(60) == -signal.SIGKILL
    assert kept(portal).state == "reading"
    if moment == "placed":
        # The pod is gone before anybody comes back to its log.
        assert len(files(portal)) == 1
        api.store.delete("pods", "shop-ci", "one-test-pod")
    portal.run_jobs()
    assert kept(portal).state == "reading"  # it still belongs to the one that was killed
    clock.advance(timedelta(minutes=3))
    portal.run_jobs()
    row = kept(portal)
    assert (row.state, row.lines, row.attempts) == ("kept", 5000, 2)
    assert texts(portal.client.get(f"{LOGS}/{number}/step-a?count=5000")) == lines
    assert len(files(portal)) == 1


def object_store() -> Path:
    """Find what runs the store; its absence skips a test, and fails one in CI."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    named = os.environ.get("CALLBOARD_OBJECT_STORE")
    found = (Path(named) if named else cache / "callboard" / "object-store") / "bin" / "python"
    if not found.exists():
        absent("No object store: run tools/install_object_store.sh.")
    return found


@pytest.mark.slow
def test_an_object_store_keeps_logs(
    api: Api,
    clock: Clock,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    """The server of moto, in a process of its own: its clients would watch this one's requests."""
    python = object_store()
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    store = f"http://127.0.0.1:{port}"
    given = {"place": "s3://ci-logs/callboard", "endpoint": store, "access_key": "key",
             "secret_key": "secret"}  # fmt: skip
    settings = {**settings_for(api.server.address, **given), "http": {"allow_hosts": ["127.0.0.1"]}}
    command = [str(python), "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    with (
        subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as server,
        portal_under_test(tmp_path / "portal", plugins=["ci_tekton"], settings=settings,
                          clock=clock, templates={}) as portal,
    ):  # fmt: skip
        try:
            wait_for_port(port)
            pod(api, "step-a")
            lines = [f"line {line}" for line in range(30_000)]
            write(api, *lines)
            end(api)
            number = observed(portal, step("a", ended=True))
            portal.run_jobs()
            assert "no bucket of that name" in str(kept(portal).error)
            bucket = place_of(portal.host("ci_tekton"))
            assert isinstance(bucket, ObjectStore)
            bucket._ask("PUT", "").checked()
            clock.advance(timedelta(hours=1))
            portal.run_jobs()
            row = kept(portal)
            assert row.state == "kept"
            api.store.delete("pods", "shop-ci", "one-test-pod")
            page = portal.client.get(f"{LOGS}/{number}/step-a?from=20001&count=5000")
            assert texts(page) == lines[20_000:25_000]
            text = portal.client.get(f"{LOGS}/{number}/step-a/download").text
            assert text.splitlines() == lines
            assert bucket.names(row.address[:30]) == [row.address]
            clock.advance(timedelta(days=401))
            assert prune_logs(portal.host("ci_tekton")) == 1
            assert bucket.names("") == []
        finally:
            server.kill()


def wait_for_port(port: int) -> None:
    deadline = time.monotonic() + 60
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            assert time.monotonic() < deadline
            time.sleep(0.05)
        else:
            return
