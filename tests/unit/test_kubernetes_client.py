"""What plugins do with a cluster: look, act, ask what is allowed."""

import json
from collections.abc import Iterator
from contextlib import nullcontext
from typing import Any

import pytest
from recorded_cluster import ClusterServer, Reply, Request, fixture, status

from callboard.errors import InputError
from callboard.kubernetes import ClusterError, Question, Resource, Verb
from callboard.kubernetes.access import grants
from callboard.kubernetes.answer import warning_texts
from callboard.kubernetes.client import ClusterClient
from callboard.kubernetes.connection import Connection
from callboard.kubernetes.listing import pages
from callboard.kubernetes.settings import ClusterSettings

RUNS = Resource("tekton.dev", "v1", "pipelineruns", "PipelineRun")
CONFIG_MAPS = Resource("", "v1", "configmaps", "ConfigMap")
NODES = Resource("", "v1", "nodes", "Node", namespaced=False)
SHOP = "/api/v1/namespaces/shop/configmaps"
REVIEWS = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
RULES = "/apis/authorization.k8s.io/v1/selfsubjectrulesreviews"


@pytest.fixture
def server() -> Iterator[ClusterServer]:
    made = ClusterServer()
    yield made
    made.close()


@pytest.fixture
def slept() -> list[float]:
    return []


@pytest.fixture
def client(
    server: ClusterServer, slept: list[float], monkeypatch: pytest.MonkeyPatch
) -> Iterator[ClusterClient]:
    settings = ClusterSettings(name="build", server=server.address)
    made = ClusterClient(settings, Connection(settings), sleep=slept.append)
    yield made
    made.connection.close()


def config_map(version: str = "1", **data: str) -> dict[str, Any]:
    metadata = {"name": "cart", "namespace": "shop", "uid": "u", "resourceVersion": version}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data}


# Discovery


def recorded_discovery(server: ClusterServer) -> None:
    for root, name in (("/api", "aggregated_api"), ("/apis", "aggregated_apis")):
        body = fixture(f"kubernetes/discovery/{name}.json")

        def answer(request: Request, body: bytes = body, root: str = root) -> Reply:
            if "as=APIGroupDiscoveryList" not in request.headers["accept"]:
                return Reply(b"", 406)
            if request.headers.get("if-none-match") == f'"{root}"':
                return Reply(status=304)
            return Reply(body, headers=[("ETag", f'"{root}"')])

        server.on("GET", root, answer)


@pytest.mark.corpus
def test_kinds_are_found_at_the_version_that_is_served(
    server: ClusterServer, client: ClusterClient
) -> None:
    recorded_discovery(server)
    assert client.serves(RUNS) == RUNS
    older = Resource("tekton.dev", "v1beta1", "pipelineruns", "PipelineRun")
    assert client.serves(older) == older
    assert client.serves(Resource("tekton.dev", "v7", "pipelineruns", "?")) == RUNS
    assert client.serves(Resource("", "v1", "nodes", "?")) == NODES
    assert client.serves(Resource("nope.example", "v1", "nopes", "Nope")) is None
    assert client.serves(Resource("tekton.dev", "v1", "nopes", "Nope")) is None
    # Two requests tell all of it.
    assert [request.path for request in server.seen] == ["/api", "/apis"]


@pytest.mark.corpus
def test_discovery_is_asked_again_with_what_is_known(
    server: ClusterServer, client: ClusterClient
) -> None:
    recorded_discovery(server)
    before = client.discovery.kinds()
    assert client.discovery.kinds(anew=True) == before
    assert [request.headers.get("if-none-match") for request in server.seen] == [
        None, None, '"/api"', '"/apis"',
    ]  # fmt: skip


@pytest.mark.corpus
def test_what_is_known_is_used_while_the_cluster_is_away(
    server: ClusterServer, client: ClusterClient
) -> None:
    recorded_discovery(server)
    assert client.serves(RUNS)
    client.discovery._until = 0.0
    server.on("GET", "/api", Reply(b"bad gateway", 502, "text/plain"))
    assert client.serves(RUNS)
    with pytest.raises(ClusterError):
        client.discovery.kinds(anew=True)


@pytest.mark.corpus
def test_older_servers_are_asked_group_by_group(
    server: ClusterServer, client: ClusterClient
) -> None:
    for path in ("/api", "/apis", "/api/v1", "/apis/tekton.dev/v1", "/apis/tekton.dev/v1beta1"):
        name = path.strip("/").replace("/", "_")
        server.on("GET", path, Reply(fixture(f"kubernetes/discovery/{name}.json")))
    assert client.serves(RUNS) == RUNS
    assert client.serves(NODES) == NODES
    assert client.serves(Resource("", "v1", "pods/log", "Pod")) is None


def test_a_group_whose_server_is_away_keeps_its_kinds(
    server: ClusterServer, client: ClusterClient
) -> None:
    def groups(**version: Any) -> Reply:
        item = {"metadata": {"name": "tekton.dev"}, "versions": [{"version": "v1", **version}]}
        return Reply({"kind": "APIGroupDiscoveryList", "items": [item]})

    run = {"resource": "pipelineruns", "responseKind": {"kind": "PipelineRun"},
           "scope": "Namespaced"}  # fmt: skip
    server.on("GET", "/api", Reply({"kind": "APIGroupDiscoveryList", "items": []}))
    server.on(
        "GET", "/apis", groups(resources=[run]), groups(freshness="Stale"), groups(resources=[])
    )
    assert client.serves(RUNS) == RUNS
    client.discovery.kinds(anew=True)
    assert client.serves(RUNS) == RUNS
    client.discovery.kinds(anew=True)
    assert client.serves(RUNS) is None


# Lists


def a_page(*uids: str, token: str = "") -> Reply:
    items = [{"metadata": {"uid": uid}} for uid in uids]
    return Reply({"metadata": {"resourceVersion": "9", "continue": token}, "items": items})


def uids(client: ClusterClient, **options: Any) -> list[str]:
    return [item["metadata"]["uid"] for item in client.list(CONFIG_MAPS, "shop", **options)]


def test_lists_are_read_page_by_page(server: ClusterServer, client: ClusterClient) -> None:
    server.on("GET", SHOP, a_page("a", "b", token="t/+="), a_page("c"))
    assert uids(client, labels={"app": "cart", "example.com/tier": ""}) == ["a", "b", "c"]
    first, second = (request.query for request in server.seen)
    assert first == {"limit": "500", "labelSelector": "app=cart,example.com/tier="}
    assert second == {**first, "continue": "t/+="}


@pytest.mark.corpus
def test_recorded_pages_are_read(server: ClusterServer, client: ClusterClient) -> None:
    first = json.loads(fixture("kubernetes/paging/page1.json"))
    second = json.loads(fixture("kubernetes/paging/page2.json"))
    second["metadata"]["continue"] = ""
    path = "/api/v1/namespaces/shop/events"
    server.on("GET", path, Reply(first), Reply(second))
    events = Resource("", "v1", "events", "Event")
    found = list(client.list(events, "shop"))
    assert found == [*first["items"], *second["items"]]
    assert server.seen[1].query["continue"] == first["metadata"]["continue"]


def test_an_expired_list_goes_on_where_the_server_offers_it(
    server: ClusterServer, client: ClusterClient
) -> None:
    expired = status(410, "Expired", metadata={"continue": "fresh"})
    server.on("GET", SHOP, a_page("a", token="old"), expired, a_page("b"))
    assert uids(client) == ["a", "b"]
    assert [request.query.get("continue") for request in server.seen] == [None, "old", "fresh"]


def test_an_expired_list_is_else_begun_anew_and_gives_nothing_twice(
    server: ClusterServer, client: ClusterClient
) -> None:
    expired = status(410, "Expired")
    server.on("GET", SHOP, a_page("a", "b", token="old"), expired, a_page("b", "c"))
    assert uids(client) == ["a", "b", "c"]
    server.on("GET", SHOP, expired)
    with pytest.raises(ClusterError, match="no longer has this state"):
        uids(client)


def test_who_wants_one_state_is_told_that_it_is_gone(
    server: ClusterServer, client: ClusterClient
) -> None:
    expired = status(410, "Expired", metadata={"continue": "fresh"})
    server.on("GET", SHOP, a_page("a", token="old"), expired)
    read = pages(client.connection, CONFIG_MAPS, "shop")
    assert next(read).resource_version == "9"
    with pytest.raises(ClusterError) as raised:
        next(read)
    assert raised.value.state == "gone"


def test_all_namespaces_are_those_of_the_settings(server: ClusterServer) -> None:
    settings = ClusterSettings(name="build", server=server.address, namespaces=["shop", "pay"])
    client = ClusterClient(settings, Connection(settings))
    server.on("GET", SHOP, a_page("a"))
    server.on("GET", "/api/v1/namespaces/pay/configmaps", a_page("b"))
    server.on("GET", "/api/v1/nodes", a_page("n"))
    assert [item["metadata"]["uid"] for item in client.list(CONFIG_MAPS)] == ["a", "b"]
    assert [item["metadata"]["uid"] for item in client.list(NODES)] == ["n"]


def test_labels_cannot_widen_a_selection(client: ClusterClient) -> None:
    for labels in ({"app": "a,b"}, {"app!": "a"}, {"app": "a\n"}):
        with pytest.raises(InputError, match="no label"):
            list(client.list(CONFIG_MAPS, "shop", labels=labels))


# Patience


def test_a_busy_server_is_asked_again_when_it_wants(
    server: ClusterServer, client: ClusterClient, slept: list[float]
) -> None:
    busy = status(429, "TooManyRequests", details={"retryAfterSeconds": 3})
    server.on("GET", f"{SHOP}/cart", busy, Reply(config_map()))
    assert client.get(CONFIG_MAPS, "shop", "cart") == config_map()
    [pause] = slept
    assert 3 <= pause <= 4.5


def test_a_server_that_stays_busy_is_left_alone(
    server: ClusterServer, client: ClusterClient, slept: list[float]
) -> None:
    server.on("GET", f"{SHOP}/cart", Reply(b"", 503, "text/plain"))
    with pytest.raises(ClusterError) as raised:
        client.get(CONFIG_MAPS, "shop", "cart")
    assert raised.value.state == "busy"
    assert len(slept) == 3
    assert slept[0] < slept[1] < slept[2]


def test_nobody_is_let_wait_for_minutes(
    server: ClusterServer, client: ClusterClient, slept: list[float]
) -> None:
    server.on("GET", f"{SHOP}/cart", Reply(b"", 429, "text/plain", [("Retry-After", "120")]))
    with pytest.raises(ClusterError):
        client.get(CONFIG_MAPS, "shop", "cart")
    assert slept == []


@pytest.mark.parametrize(("code", "requests"), [(429, 2), (503, 1), (500, 1)])
def test_a_write_is_repeated_only_where_nothing_was_done(
    code: int, requests: int, server: ClusterServer, client: ClusterClient
) -> None:
    server.on("POST", SHOP, status(code, "Busy"), Reply(config_map(), 201))
    with nullcontext() if requests > 1 else pytest.raises(ClusterError):
        client.create(CONFIG_MAPS, config_map())
    assert len(server.seen) == requests


# Writes


def test_what_is_created_is_validated_strictly(
    server: ClusterServer, client: ClusterClient
) -> None:
    warnings = [("Warning", '299 - "unknown field \\"spec.x\\""'), ("Warning", '299 - "two"')]
    server.on("POST", SHOP, Reply(config_map(), 201, headers=warnings))
    written = client.create(CONFIG_MAPS, config_map(), dry=True)
    assert written.object == config_map()
    assert written.warnings == ('unknown field "spec.x"', "two")
    [request] = server.seen
    assert request.query == {
        "fieldManager": "callboard", "fieldValidation": "Strict", "dryRun": "All",
    }  # fmt: skip
    assert request.json == config_map()


def test_two_warnings_may_come_in_one_header() -> None:
    assert warning_texts('299 - "a, \\"b\\"", 299 cart "c"') == ['a, "b"', "c"]
    assert warning_texts("nonsense") == []


@pytest.mark.parametrize(
    ("patch", "content_type"),
    [
        ({"data": {"a": None}}, "application/merge-patch+json"),
        ([{"op": "test", "path": "/a", "value": 1}], "application/json-patch+json"),
    ],
)
def test_patches_say_what_they_are(
    patch: Any, content_type: str, server: ClusterServer, client: ClusterClient
) -> None:
    server.on("PATCH", f"{SHOP}/cart/status", Reply(config_map()))
    client.patch(CONFIG_MAPS, "shop", "cart", patch, subresource="status")
    [request] = server.seen
    assert request.headers["content-type"] == content_type
    assert request.json == patch
    assert request.query["fieldManager"] == "callboard"


def test_a_conflict_is_met_with_a_fresh_read(server: ClusterServer, client: ClusterClient) -> None:
    server.on("GET", f"{SHOP}/cart", Reply(config_map("1", n="1")), Reply(config_map("2", n="5")))
    server.on("PATCH", f"{SHOP}/cart", status(409, "Conflict"), Reply(config_map("3", n="6")))
    written = client.change(
        CONFIG_MAPS, "shop", "cart", lambda found: {"data": {"n": str(int(found["data"]["n"]) + 1)}}
    )
    assert written.object["data"] == {"n": "6"}
    patches = [request.json for request in server.seen if request.method == "PATCH"]
    assert patches == [
        {"data": {"n": "2"}, "metadata": {"resourceVersion": "1"}},
        {"data": {"n": "6"}, "metadata": {"resourceVersion": "2"}},
    ]


def test_conflicts_are_retried_only_where_it_is_asked_for(
    server: ClusterServer, client: ClusterClient
) -> None:
    server.on("PATCH", f"{SHOP}/cart", status(409, "Conflict"))
    with pytest.raises(ClusterError):
        client.patch(CONFIG_MAPS, "shop", "cart", {"data": {}})
    assert len(server.seen) == 1
    server.on("GET", f"{SHOP}/cart", Reply(config_map()))
    assert client.change(CONFIG_MAPS, "shop", "cart", lambda found: None).object == config_map()
    with pytest.raises(ClusterError):
        client.change(CONFIG_MAPS, "shop", "cart", lambda found: {"data": {}})


def test_applying_names_the_manager_and_the_kind(
    server: ClusterServer, client: ClusterClient
) -> None:
    server.on("PATCH", f"{SHOP}/cart", Reply(config_map()))
    body = {"metadata": {"name": "cart", "namespace": "shop"}, "data": {"k": "ü"}}
    client.apply(CONFIG_MAPS, body)
    client.apply(CONFIG_MAPS, body, force=True, dry=True)
    first, second = server.seen
    assert first.headers["content-type"] == "application/apply-patch+yaml"
    assert first.json == {"apiVersion": "v1", "kind": "ConfigMap", **body}
    assert first.query == {"fieldManager": "callboard", "fieldValidation": "Strict"}
    assert second.query == {**first.query, "force": "true", "dryRun": "All"}


def test_only_the_object_that_is_meant_is_deleted(
    server: ClusterServer, client: ClusterClient
) -> None:
    server.on("DELETE", f"{SHOP}/cart", Reply({"kind": "Status", "status": "Success"}))
    assert client.delete(CONFIG_MAPS, "shop", "cart", uid="u").object["status"] == "Success"
    client.delete(CONFIG_MAPS, "shop", "cart", dry=True)
    first, second = (request.json for request in server.seen)
    assert first["preconditions"] == {"uid": "u"}
    assert first["propagationPolicy"] == second["propagationPolicy"] == "Background"
    assert second["dryRun"] == ["All"]
    assert "preconditions" not in second


def test_names_cannot_lead_elsewhere(server: ClusterServer, client: ClusterClient) -> None:
    with pytest.raises(ClusterError):
        client.get(CONFIG_MAPS, "shop/../pay", "../../secrets/a?x=")
    assert (
        server.seen[0].path
        == "/api/v1/namespaces/shop%2F..%2Fpay/configmaps/..%2F..%2Fsecrets%2Fa%3Fx%3D"
    )


# Access


def reviewing(server: ClusterServer, allowed: bool) -> None:
    server.on("POST", REVIEWS, Reply({"status": {"allowed": allowed}}, 201))


def rules(server: ClusterServer, *found: dict[str, Any]) -> None:
    server.on("POST", RULES, Reply({"status": {"resourceRules": found, "incomplete": False}}, 201))


def test_one_question_is_one_review_a_minute(server: ClusterServer, client: ClusterClient) -> None:
    reviewing(server, True)
    question = Question("create", RUNS, "shop", subresource="status")
    assert client.allowed([question, question]) == [True, True]
    assert client.allowed([question]) == [True]
    [request] = server.seen
    assert request.json["spec"]["resourceAttributes"] == {
        "verb": "create", "group": "tekton.dev", "resource": "pipelineruns",
        "subresource": "status", "namespace": "shop",
    }  # fmt: skip
    client._reviews._clock = lambda: 1e12
    reviewing(server, False)
    assert client.allowed([question]) == [False]


def test_several_questions_of_a_namespace_are_answered_by_its_rules(
    server: ClusterServer, client: ClusterClient
) -> None:
    rule = {"verbs": ["get", "list"], "apiGroups": ["tekton.dev"], "resources": ["pipelineruns"]}
    rules(server, rule)
    reviewing(server, False)
    verbs: tuple[Verb, ...] = ("get", "list", "create")
    assert client.allowed([Question(verb, RUNS, "shop") for verb in verbs]) == [True, True, False]
    # Authorisers that list no rules may grant more: what no rule grants is asked for.
    assert [request.path for request in server.seen] == [RULES, REVIEWS]
    assert server.seen[0].json["spec"] == {"namespace": "shop"}


@pytest.mark.corpus
def test_recorded_reviews_are_understood(server: ClusterServer, client: ClusterClient) -> None:
    server.on(
        "POST", REVIEWS,
        Reply(fixture("kubernetes/access/ssar_allowed.json"), 201),
        Reply(fixture("kubernetes/access/ssar_denied.json"), 201),
    )  # fmt: skip
    server.on("POST", RULES, Reply(fixture("kubernetes/access/ssrr.json"), 201))
    asked = [Question("list", RUNS, "shop"), Question("list", RUNS, "pay")]
    assert client.allowed(asked) == [True, False]
    reviews = Resource("authorization.k8s.io", "v1", "selfsubjectaccessreviews", "")
    four = [Question("create", reviews, "shop", name=name) for name in "abcd"]
    assert client.allowed(four) == [True] * 4
    assert len(server.asked(RULES)) == 1


def test_what_is_asked_of_all_is_asked_of_the_namespaces_of_the_settings(
    server: ClusterServer,
) -> None:
    settings = ClusterSettings(name="build", server=server.address, namespaces=["shop", "pay"])
    client = ClusterClient(settings, Connection(settings))

    def review(request: Request) -> Reply:
        space = request.json["spec"]["resourceAttributes"].get("namespace")
        return Reply({"status": {"allowed": space in (None, "shop")}}, 201)

    server.on("POST", REVIEWS, review)
    asked = [Question("list", RUNS), Question("list", RUNS, "shop"), Question("list", NODES)]
    assert client.allowed(asked) == [False, True, True]


@pytest.mark.parametrize(
    ("rule", "granted"),
    [
        ({}, True),
        ({"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]}, True),
        ({"verbs": ["list"]}, False),
        ({"apiGroups": ["apps"]}, False),
        ({"resources": ["pods"]}, False),
        ({"resources": ["*/log"]}, True),
        ({"resources": ["pods/status"]}, False),
        ({"resourceNames": ["cart"]}, True),
        ({"resourceNames": ["pay"]}, False),
    ],
)
def test_rules_grant_what_they_name(rule: dict[str, list[str]], granted: bool) -> None:
    pods = Resource("", "v1", "pods", "Pod")
    question = Question("get", pods, "shop", "cart", "log")
    full = {"verbs": ["get"], "apiGroups": [""], "resources": ["pods/log"], **rule}
    assert grants([full], question) is granted
