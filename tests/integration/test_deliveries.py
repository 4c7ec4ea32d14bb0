"""Deliveries: verified, kept once, worked by jobs, folded where they are refused, shown."""

import re
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from itertools import count
from typing import Any

import pytest
from sqlalchemy import delete, select, update
from starlette.testclient import TestClient

from callboard import jobs
from callboard.audit import entries
from callboard.jobs import store as job_store
from callboard.jobs.models import job_run
from callboard_web.runtime import Runtime
from callboard_web.webhooks import reading, refusals, store
from callboard_web.webhooks.models import delivery
from callboard_web.webhooks.naming import delivery_name
from callboard_web.webhooks.reading import Question
from callboard_web.webhooks.settings import WebhooksSettings
from callboard_web.webhooks.working import tidy

TokenOf = Callable[[TestClient], str]
ONE = "/hooks/sample/one"
numbers = count(1)


def signed(hook: str = "one", **more: str) -> dict[str, str]:
    named = {"x-signature": f"right for {hook}", "x-github-delivery": f"d-{next(numbers)}"}
    return {**named, **{name.replace("_", "-"): value for name, value in more.items()}}


def received(runtime: Runtime) -> list[bytes]:
    found: list[bytes] = runtime.plugins.records["sample"].module.received  # type: ignore[attr-defined]
    return found


@pytest.fixture(autouse=True)
def empty(portal_runtime: Runtime) -> None:
    """Begin with no delivery, no run of theirs and nothing counted."""
    with portal_runtime.database.write() as connection:
        connection.execute(delete(delivery))
        connection.execute(delete(job_run).where(job_run.c.name.startswith("webhook-")))
    portal_runtime.__dict__.pop("receiver", None)
    received(portal_runtime).clear()


def rows(runtime: Runtime, **narrowed: Any) -> list[store.Delivery]:
    with runtime.database.read() as connection:
        return list(reading.page(connection, Question(**narrowed), limit=1000))


def one(runtime: Runtime, number: int) -> store.Delivery:
    with runtime.database.read() as connection:
        found = reading.find(connection, number)
    assert found is not None
    return found


def test_a_delivery_is_kept_worked_and_shown(client: TestClient, portal_runtime: Runtime) -> None:
    headers = signed(x_custom="kept", cookie="a=secret1", x_api_key="secret2")
    body = b'{"ref": "main", "password": "secret3", "text": "\\u4f60 <b>"}'
    taken = client.post(f"{ONE}?token=secret4&event=push", content=body, headers=headers)
    assert taken.status_code == 202
    number = taken.json()["delivery"]
    waiting = one(portal_runtime, number)
    assert (waiting.state, waiting.verdict, waiting.attempts) == ("waiting", "verified", 0)
    assert received(portal_runtime) == []
    portal_runtime.jobs.run_once()
    assert received(portal_runtime) == [body]
    done = one(portal_runtime, number)
    assert (done.state, done.attempts, done.event) == ("done", 1, "push")
    assert done.outcome == f"{headers['x-github-delivery']} for one"
    assert done.links == [("The catalog", "/catalog")], "no other links than to this portal"
    page = client.get(f"/deliveries/{number}").text
    assert "你 &lt;b&gt;" in page
    assert "kept" in page
    assert not re.search(r"secret\d", page)
    answer = client.get(f"/api/deliveries/{number}").json()
    assert answer["state"] == "done"
    assert not re.search(r"secret\d", str(answer))
    assert f'href="/jobs/{done.run}"' in page
    assert page.count('href="/catalog"') > 1


def test_one_that_is_sent_again_is_worked_once(client: TestClient, portal_runtime: Runtime) -> None:
    headers = signed()
    first = client.post(ONE, content=b"a", headers=headers)
    again = client.post(ONE, content=b"a", headers=headers)
    portal_runtime.jobs.run_once()
    later = client.post(ONE, content=b"a", headers=headers)
    portal_runtime.jobs.run_once()
    assert [item.status_code for item in (first, again, later)] == [202, 200, 200]
    assert again.json() == {**first.json(), "repeated": True}
    assert received(portal_runtime) == [b"a"]
    assert one(portal_runtime, first.json()["delivery"]).times == 3


def test_the_same_name_at_another_hook_is_another_delivery(
    client: TestClient, portal_runtime: Runtime
) -> None:
    headers = signed()
    client.post(ONE, content=b"a", headers=headers)
    other = {**headers, "x-signature": "right for two"}
    assert client.post("/hooks/sample/two", content=b"a", headers=other).status_code == 202
    portal_runtime.jobs.run_once()
    assert received(portal_runtime) == [b"a", b"a"]


def test_many_at_once_of_one_name_are_one(client: TestClient, portal_runtime: Runtime) -> None:
    headers, begin = signed(), threading.Barrier(8)

    def send(_: int) -> int:
        begin.wait()
        return client.post(ONE, content=b"a", headers=headers).status_code

    with ThreadPoolExecutor(8) as pool:
        statuses = sorted(pool.map(send, range(8)))
    assert statuses == [200] * 7 + [202]
    [kept] = rows(portal_runtime)
    assert kept.times == 8
    portal_runtime.jobs.run_once()
    assert received(portal_runtime) == [b"a"]


def test_what_is_forged_cannot_take_the_place_of_what_is_genuine(
    client: TestClient, portal_runtime: Runtime
) -> None:
    headers = signed()
    forged = {**headers, "x-signature": "right for two"}
    assert client.post(ONE, content=b"evil", headers=forged).status_code == 401
    assert client.post(ONE, content=b"good", headers=headers).status_code == 202
    portal_runtime.jobs.run_once()
    assert received(portal_runtime) == [b"good"]


def test_a_refused_one_is_a_verdict_without_its_body(
    client: TestClient, portal_runtime: Runtime, token_of: TokenOf
) -> None:
    answer = client.post(ONE, content=b"hunter2", headers={"authorization": "hunter3"})
    assert answer.status_code == 401
    assert "It bears no signature." in answer.text
    [kept] = rows(portal_runtime)
    assert (kept.verdict, kept.state, kept.reason) == (
        "refused",
        "refused",
        "It bears no signature.",
    )
    assert (kept.size, kept.run) == (7, None)
    page = client.get(f"/deliveries/{kept.id}").text
    assert "It bears no signature." in page
    assert "hunter" not in page
    with portal_runtime.database.read() as connection:
        assert reading.body_of(connection, kept.id) == b""
    portal_runtime.jobs.run_once()
    assert received(portal_runtime) == []
    replayed = client.post(f"/deliveries/{kept.id}/replay", data={"csrf_token": token_of(client)})
    assert replayed.status_code == 409


def test_a_flood_of_refused_ones_is_few_rows(client: TestClient, portal_runtime: Runtime) -> None:
    for number in range(300):
        answer = client.post(ONE, content=b"x", headers={"x-github-delivery": f"f-{number}"})
        assert answer.status_code == 401
    [kept] = rows(portal_runtime)
    portal_runtime.receiver.refusals.settle(everything=True)
    assert one(portal_runtime, kept.id).times == 300
    with portal_runtime.database.read() as connection:
        told = entries(connection, action="portal.webhook.deliver", limit=500)
    assert 1 <= len(told) < 30


def test_senders_try_again_where_a_plugin_fails_to_name_its_webhooks(
    client: TestClient, portal_runtime: Runtime
) -> None:
    nameless = portal_runtime.plugins.records["sample"].module.nameless  # type: ignore[attr-defined]
    nameless.append(True)
    try:
        assert client.post(ONE, content=b"x", headers=signed()).status_code == 503
        assert client.get("/deliveries").status_code == 200
    finally:
        nameless.clear()
    assert client.post(ONE, content=b"x", headers=signed()).status_code == 202
    assert client.post("/hooks/sample/none", content=b"x").status_code == 404
    portal_runtime.jobs.run_once()


def test_a_flood_from_many_addresses_is_bounded(portal_runtime: Runtime) -> None:
    from callboard.identity import CLIENT_ADDRESS
    from callboard_web.webhooks.hooks import find_hook
    from callboard_web.webhooks.receiving import NotVerifiedError

    hook = find_hook(portal_runtime, "sample", "one")
    assert hook is not None
    for number in range(3 * refusals.MOST):
        before = CLIENT_ADDRESS.set(f"198.51.100.{number}")
        with pytest.raises(NotVerifiedError):
            portal_runtime.receiver.receive(hook, {}, {}, b"")
        CLIENT_ADDRESS.reset(before)
    portal_runtime.receiver.refusals.settle(everything=True)
    found = rows(portal_runtime)
    assert len(found) == refusals.MOST + 1
    assert sum(item.times for item in found) == 3 * refusals.MOST
    assert found[0].reason == refusals.MANY


def test_one_that_fails_is_tried_again_then_shown(
    client: TestClient, portal_runtime: Runtime, token_of: TokenOf
) -> None:
    taken = client.post(ONE, content=b"fail", headers=signed())
    number, run = taken.json()["delivery"], taken.json()["run"]
    portal_runtime.jobs.run_once()
    waiting = one(portal_runtime, number)
    assert (waiting.state, waiting.attempts) == ("waiting", 1)
    assert "tried again" in client.get(f"/deliveries/{number}").text
    _hasten(portal_runtime, run)
    portal_runtime.jobs.run_once()
    failed = one(portal_runtime, number)
    assert (failed.state, failed.attempts) == ("failed", 2)
    assert "the branch" in str(failed.outcome)
    assert "abcdef0123456789" not in str(failed.outcome)
    assert "1 delivery failed since the last good one" in client.get("/deliveries").text
    # Replaying it is a new attempt, and is audited.
    received(portal_runtime).clear()
    sent = client.post(f"/deliveries/{number}/replay", data={"csrf_token": token_of(client)})
    assert sent.status_code == 200
    with portal_runtime.database.read() as connection:
        [told] = entries(connection, action="portal.webhook.replay", limit=1)
    assert told.subject == f"delivery:{number}"
    portal_runtime.jobs.run_once()
    assert received(portal_runtime) == [b"fail"]
    assert one(portal_runtime, number).attempts == 3


def _hasten(runtime: Runtime, run: int) -> None:
    with runtime.database.write() as connection:
        now = {"not_before": runtime.now()}
        connection.execute(update(job_run).where(job_run.c.id == run).values(now))


def test_a_failed_one_that_its_sender_sends_again_is_worked_again(
    client: TestClient, portal_runtime: Runtime
) -> None:
    headers = signed()
    taken = client.post(ONE, content=b"fail", headers=headers).json()
    portal_runtime.jobs.run_once()
    _hasten(portal_runtime, taken["run"])
    portal_runtime.jobs.run_once()
    assert one(portal_runtime, taken["delivery"]).state == "failed"
    again = client.post(ONE, content=b"fail", headers=headers)
    assert again.status_code == 200
    assert again.json()["run"] != taken["run"]
    assert one(portal_runtime, taken["delivery"]).state == "waiting"


def test_one_whose_worker_was_killed_is_worked_by_the_next(
    client: TestClient, portal_runtime: Runtime
) -> None:
    taken = client.post(ONE, content=b"a", headers=signed()).json()
    number, run = taken["delivery"], taken["run"]
    database, now = portal_runtime.database, portal_runtime.now()
    with database.write() as connection:
        # What is left of a worker that was killed in the middle of it.
        assert store.begin(connection, number, run)
        job = {("sample", "webhook-told")}
        job_store.take(connection, job, "dead", now=now, lease=timedelta(seconds=-1))
    assert one(portal_runtime, number).state == "working"
    tidy(portal_runtime.host("portal"), WebhooksSettings())
    assert one(portal_runtime, number).state == "working", "its run is not given up yet"
    portal_runtime.jobs.run_once()
    done = one(portal_runtime, number)
    assert (done.state, done.attempts) == ("done", 2)
    assert received(portal_runtime) == [b"a"]


def test_what_was_done_is_not_done_again_by_a_late_run(
    client: TestClient, portal_runtime: Runtime
) -> None:
    taken = client.post(ONE, content=b"a", headers=signed()).json()
    portal_runtime.jobs.run_once()
    number = taken["delivery"]
    payload = {"delivery": number}
    portal_runtime.jobs.submit(None, "sample", "webhook-told", payload, str(number))
    portal_runtime.jobs.run_once()
    assert received(portal_runtime) == [b"a"]


def test_one_whose_run_was_lost_fails_and_says_so(
    client: TestClient, portal_runtime: Runtime
) -> None:
    taken = client.post(ONE, content=b"a", headers=signed()).json()
    with portal_runtime.database.write() as connection:
        assert jobs.cancel(connection, taken["run"], now=portal_runtime.now())
    tidy(portal_runtime.host("portal"), WebhooksSettings())
    assert one(portal_runtime, taken["delivery"]).state == "failed"


def test_what_is_old_or_too_much_is_deleted(client: TestClient, portal_runtime: Runtime) -> None:
    for number in range(130):
        client.post(ONE, content=str(number).encode(), headers=signed())
    portal_runtime.jobs.run_once()
    kept = client.post(ONE, content=b"waits", headers=signed()).json()["delivery"]
    host = portal_runtime.host("portal")
    tidy(host, WebhooksSettings(most=100))
    assert len(rows(portal_runtime)) == 100
    with portal_runtime.database.write() as connection:
        old = {"last_at": portal_runtime.now() - timedelta(days=40)}
        connection.execute(update(delivery).values(old))
    tidy(host, WebhooksSettings())
    left = rows(portal_runtime)
    assert [item.id for item in left] == [kept], "what still has to be worked stays"
    portal_runtime.jobs.run_once()
    tidy(host, WebhooksSettings())
    assert len(rows(portal_runtime)) == 1, "the newest good one stays"


def test_one_that_cannot_be_checked_is_no_refusal(
    client: TestClient, portal_runtime: Runtime
) -> None:
    assert client.post(ONE, content=b"broken", headers=signed()).status_code == 500
    assert rows(portal_runtime) == []
    assert 'callboard_webhook_requests_total{hook="one",plugin="sample",result="failed"} 1.0' in (
        client.get("/metrics").text
    )


def test_the_list_is_narrowed(client: TestClient, portal_runtime: Runtime) -> None:
    for index in range(3):
        client.post(f"{ONE}?event=push", content=b"%d" % index, headers=signed())
    client.post("/hooks/sample/two?event=ping", content=b"x", headers=signed("two"))
    client.post(ONE, content=b"x")
    portal_runtime.jobs.run_once()

    def listed(query: str) -> list[Mapping[str, Any]]:
        items: list[Mapping[str, Any]] = client.get(f"/api/deliveries?{query}").json()["items"]
        return items

    assert len(listed("")) == 5
    assert len(listed("hook=sample.one")) == 4
    assert len(listed("hook=sample.one&verdict=verified")) == 3
    assert [item["event"] for item in listed("event=ping")] == ["ping"]
    assert [item["verdict"] for item in listed("state=refused")] == ["refused"]
    assert listed("until=2020-01-01") == []
    assert len(listed("since=2020-01-01T00:00:00%2B08:00")) == 5
    first = client.get("/api/deliveries?limit=2").json()
    rest = client.get(f"/api/deliveries?limit=10&before={first['before']}").json()
    assert len(first["items"]) + len(rest["items"]) == 5
    assert rest["before"] is None
    page = client.get("/deliveries?hook=sample.two&since=nonsense").text
    assert 'aria-invalid="true"' in page
    assert page.count('href="/deliveries/') < client.get("/deliveries").text.count("/deliveries/")


@pytest.mark.parametrize(
    "query",
    ["state=odd", "verdict=odd", "since=yesterday", "limit=501", "limit=-1", "limit=²", "odd=1",
     "before=99999999999999999999"],
)  # fmt: skip
def test_the_api_refuses_what_it_does_not_understand(client: TestClient, query: str) -> None:
    assert client.get(f"/api/deliveries?{query}").status_code == 400


def test_the_pages_say_how_to_set_up_a_sender(client: TestClient) -> None:
    page = client.get("/deliveries").text
    assert "/deliveries/hooks/sample/one" in page
    hook = client.get("/deliveries/hooks/sample/one").text
    assert "http://testserver/hooks/sample/one" in hook
    assert "sample.one" in hook
    assert "Type it in." in hook
    assert client.get("/deliveries/hooks/sample/none").status_code == 404
    assert client.get("/deliveries/999999").status_code == 404
    assert client.post("/hooks/sample/told").status_code == 404, "only its addresses take anything"
    found = client.get("/api/deliveries/hooks").json()["items"]
    assert {item["hook"] for item in found} == {"sample.push", "sample.one", "sample.two"}


def test_health_counts_since_the_last_good_one(client: TestClient, portal_runtime: Runtime) -> None:
    client.post(ONE, content=b"x")
    client.post(ONE, content=b"a", headers=signed())
    portal_runtime.jobs.run_once()

    def health() -> Mapping[str, Any]:
        items = client.get("/api/deliveries/hooks").json()["items"]
        found: Mapping[str, Any] = next(item for item in items if item["hook"] == "sample.one")
        return found

    good = health()
    assert (good["status"], good["refusedSince"]) == ("ok", 0)
    assert good["lastRefused"]
    client.post(ONE, content=b"x", headers={"x-signature": "wrong"})
    client.post(ONE, content=b"x", headers={"x-signature": "wrong"})
    portal_runtime.receiver.refusals.settle(everything=True)
    bad = health()
    assert (bad["status"], bad["refusedSince"]) == ("warn", 2)


def test_names_of_deliveries() -> None:
    assert delivery_name({"x-github-delivery": "g", "idempotency-key": "k"}, b"") == "g"
    assert delivery_name({"idempotency-key": "k", "x-gitlab-event-uuid": "u"}, b"") == "k"
    stamped = {"x-gitee-timestamp": "1"}
    assert delivery_name(stamped, b"a") == delivery_name(stamped, b"a")
    assert delivery_name(stamped, b"a") != delivery_name({"x-gitee-timestamp": "2"}, b"a")
    assert delivery_name(stamped, b"a") != delivery_name(stamped, b"b")
    assert delivery_name({}, b"a") != delivery_name({}, b"a")
    assert delivery_name({"x-github-delivery": "长" * 300}, b"").startswith("sha256:")
    assert len(delivery_name({"x-github-delivery": "g" * 300}, b"")) < 100


def test_hostile_bodies_are_shown_bounded(client: TestClient, portal_runtime: Runtime) -> None:
    deep = b"[" * 100_000
    for body in (deep, b"\x00\xff\xfe", b"<script>alert(1)</script>" * 10_000, b"payload=%7B", b""):
        number = client.post(ONE, content=body, headers=signed()).json()["delivery"]
        page = client.get(f"/deliveries/{number}")
        assert page.status_code == 200
        assert "<script>alert" not in page.text
        assert len(page.text) < 500_000
        assert "\x00" not in page.text


def test_the_event_of_a_delivery_is_published(client: TestClient, portal_runtime: Runtime) -> None:
    from callboard.events.models import event

    number = client.post(ONE, content=b"a", headers=signed()).json()["delivery"]
    query = select(event.c.kind).where(event.c.subject == f"delivery:{number}")
    with portal_runtime.database.read() as connection:
        assert connection.execute(query).scalars().all() == [store.RECEIVED]


def test_metrics_count_what_is_kept_by_state(client: TestClient, portal_runtime: Runtime) -> None:
    for body in (b"a", b"b"):
        client.post(ONE, content=body, headers=signed())
    portal_runtime.jobs.run_once()
    client.post(ONE, content=b"c", headers=signed())
    client.post(ONE, content=b"x", headers={"x-signature": "wrong"})
    answer = client.get("/metrics").text
    for state, number in (("done", 2), ("waiting", 1), ("refused", 1)):
        labels = f'hook="one",plugin="sample",state="{state}"'
        assert f"callboard_webhook_deliveries{{{labels}}} {number}.0" in answer
    assert 'callboard_webhook_last_good_seconds{hook="one",plugin="sample"}' in answer
