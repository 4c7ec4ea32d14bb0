"""Pushing, deleting and undoing through the portal: who may, what is answered, what pages show."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from callboard.testing import Clock
from callboard_web.app import create_app
from callboard_web.catalog_api.routes import ENDPOINTS
from callboard_web.testing import PortalUnderTest, portal_under_test, sign_in_as

ENTITIES = "/api/catalog/entities"
CATALOG = """
apiVersion: backstage.io/v1alpha1
kind: Group
metadata: {name: mills}
spec: {type: team, children: []}
---
apiVersion: backstage.io/v1alpha1
kind: User
metadata: {name: ada}
spec: {memberOf: [mills]}
---
apiVersion: backstage.io/v1alpha1
kind: User
metadata: {name: bob}
spec: {memberOf: []}
---
apiVersion: backstage.io/v1alpha1
kind: Component
metadata: {name: mill}
spec: {type: service, lifecycle: production, owner: mills}
"""


@pytest.fixture
def made(tmp_path: Path, clock: Clock) -> Iterator[PortalUnderTest]:
    with portal_under_test(
        tmp_path / "portal",
        plugins=[],
        settings={"access": {"anonymous": ""}, "portal": {"public_badges": True}},
        clock=clock,
        templates={},
    ) as portal:
        portal.catalog_add(CATALOG)
        yield portal


class Browser:
    """Somebody signed in, or nobody, with the token that requests need."""

    def __init__(self, made: PortalUnderTest, user: str = "", *roles: str) -> None:
        self.client = TestClient(create_app(made.runtime), base_url="https://testserver")
        if user:
            sign_in_as(self.client, f"user:default/{user}", roles=roles)
        page = self.client.get("/me" if user else "/sign-in").text
        found = re.search(r'name="csrf_token" value="([^"]+)"', page)
        self.token = found[1] if found else ""

    def send(self, method: str, path: str, **more: Any) -> Any:
        headers = {"x-csrf-token": self.token, **more.pop("headers", {})}
        return self.client.request(method, path, headers=headers, **more)

    def post(self, path: str, **fields: str) -> Any:
        form = {"csrf_token": self.token, **fields}
        return self.client.post(path, data=form, follow_redirects=False)

    def get(self, path: str) -> Any:
        return self.client.get(path)


def thing(name: str, **spec: str) -> dict[str, Any]:
    given = {"type": "service", "lifecycle": "production", "owner": "mills", **spec}
    return {
        "apiVersion": "backstage.io/v1alpha1", "kind": "Component", "metadata": {"name": name},
        "spec": given,
    }  # fmt: skip


def test_a_push_in_each_form(made: PortalUnderTest) -> None:
    ada = Browser(made, "ada", "maintainer")
    body = {"source": "ci", "entities": [thing("a"), {"kind": "API"}]}
    answer = ada.send("PUT", ENTITIES, json=body)
    assert answer.status_code == 200
    told = answer.json()
    assert told["counts"] == {"created": 1, "rejected": 1}
    assert (told["newSource"], told["dryRun"], told["kept"]) == (True, False, True)
    assert told["results"][0] == {
        "ref": "component:default/a", "result": "created", "index": 0,
    }  # fmt: skip
    assert {"code", "message", "key"} <= told["results"][1]["errors"][0].keys()
    listed = ada.send("PUT", f"{ENTITIES}?source=ci", json=[thing("a"), thing("b")])
    assert listed.json()["counts"] == {"unchanged": 1, "created": 1}
    text = "{apiVersion: x}\n---\n: [\n---\nkind: Component\n"
    yaml = ada.send(
        "PUT", f"{ENTITIES}?source=ci&mode=delta&removed=component:b", content=text,
        headers={"content-type": "application/yaml; charset=utf-8"},
    ).json()  # fmt: skip
    assert yaml["counts"] == {"rejected": 3, "removed": 1}
    assert [item.get("line") for item in yaml["results"]][:3] == [1, 3, 5]
    dry = ada.send("PUT", f"{ENTITIES}?source=ci&dryRun=true", json=[])
    assert dry.json()["counts"] == {"removed": 1}
    assert ada.get(f"{ENTITIES}/by-name/component/default/a").status_code == 200


@pytest.mark.parametrize(
    ("query", "body", "said"),
    [
        ("source=x", {"entites": []}, "request/body"),
        ("source=x", {"mode": "full"}, "entities"),
        ("source=x&mode=some", [], "allowed values"),
        ("source=x&dryRun=yes", [], "boolean"),
        ("source=x&sauce=y", [], "Unknown query parameter"),
        ("source=x", {"source": "y", "entities": []}, "another in the body"),
        ("", [], "source's name"),
        ("source=X%20Y", [], "source's name"),
        ("source=x&mode=delta&removed=a:b:c/d/e", {"entities": []}, "a:b:c/d/e"),
        ("source=x", "text", "request/body"),
    ],
)
def test_a_push_that_cannot_be(made: PortalUnderTest, query: str, body: Any, said: str) -> None:
    ada = Browser(made, "ada", "maintainer")
    answer = ada.send("PUT", f"{ENTITIES}?{query}", json=body)
    assert answer.status_code == 400
    assert said in answer.json()["error"]["message"]
    assert ada.get("/api/catalog/push-sources").json() == {"items": []}


def test_bodies_that_are_no_push(made: PortalUnderTest) -> None:
    ada = Browser(made, "ada", "maintainer")
    for content, kind, status in (
        (b"x" * (5 * 1024 * 1024 + 1), "application/json", 413),
        (b"{", "application/json", 400),
        (b"", "application/yaml", 400),
        (b"a: 1", "text/plain", 415),
        (b"\xff\xfe\x00", "application/yaml", 200),
    ):
        headers = {"content-type": kind}
        answer = ada.send("PUT", f"{ENTITIES}?source=x", content=content, headers=headers)
        assert answer.status_code == status, content[:10]


def test_who_may_push_and_remove(made: PortalUnderTest) -> None:
    push = {"source": "ci", "entities": [thing("a")]}
    assert Browser(made).send("PUT", ENTITIES, json=push).status_code == 401
    assert Browser(made, "ada").send("PUT", ENTITIES, json=push).status_code == 403
    ada, bob = Browser(made, "ada", "maintainer"), Browser(made, "bob", "maintainer")
    assert ada.send("PUT", ENTITIES, json=push).status_code == 200
    refused = bob.send("PUT", ENTITIES, json=push)
    assert refused.status_code == 403
    assert "belongs to" in refused.json()["error"]["message"]
    assert bob.send("DELETE", "/api/catalog/push-sources/ci").status_code == 403
    assert "Remove this source" not in bob.get("/sources/ci").text
    assert "Remove this source" in ada.get("/sources/ci").text
    assert bob.send("PUT", ENTITIES, json={**push, "source": "test"}).status_code == 409
    root = Browser(made, "bob", "administrator")
    assert root.send("PUT", ENTITIES, json=push).status_code == 200
    [source] = ada.get("/api/catalog/push-sources").json()["items"]
    assert (source["owner"], source["mode"]) == ("person:user:default/ada", "full")
    assert root.send("DELETE", "/api/catalog/push-sources/ci").status_code == 204
    assert root.send("DELETE", "/api/catalog/push-sources/ci").status_code == 404
    made.run_jobs()
    assert ada.get(f"{ENTITIES}/by-name/component/default/a").status_code == 404


def test_the_page_of_a_pushed_source(made: PortalUnderTest) -> None:
    ada = Browser(made, "ada", "maintainer")
    ada.send("PUT", ENTITIES, json={"source": "ci", "entities": [thing("a")]})
    page = ada.get("/sources/ci").text
    assert "person:user:default/ada" in page
    assert "Read again" not in page
    assert "pushed by person:user:default/ada" in ada.get("/sources").text
    assert "Read its source again" not in ada.get("/catalog/default/component/a").text
    assert ada.post("/sources/ci/refresh").status_code == 409
    asked = ada.post("/sources/ci/remove")
    assert asked.status_code == 200
    assert "1 entity leaves the catalog" in asked.text
    assert ada.post("/sources/test/remove").status_code == 404
    assert ada.post("/sources/ci/remove", confirmed="yes").status_code == 303
    made.run_jobs()
    assert ada.get("/sources/ci").status_code == 404


def test_the_lines_of_a_rejected_document_are_shown(made: PortalUnderTest) -> None:
    ada = Browser(made, "ada", "maintainer")
    bad = {**thing("a"), "spec": {"type": ["x"], "lifecycle": "production", "owner": "mills"}}
    bad["metadata"] = {"name": "a", "annotations": {"password": "hunter2-secret"}}
    push = {"source": "ci", "entities": [bad, thing("b")]}
    ada.send("PUT", ENTITIES, json=push)
    address = ""
    for page in ("/sources/ci", "/problems", "/me/problems"):
        text = ada.get(page).text
        assert "push it to this source again" in text, page
        found = re.search(r'href="(/problems/lines\?[^"]+)"', text)
        assert found, page
        address = found[1].replace("&amp;", "&")
        shown = ada.get(address).text
        named = re.search(r'<div class="d"><i>\d+</i><span lang="zxx">(.*?)</span>', shown)
        assert named, page
        assert "&#34;type&#34;: [" in named[1]
        assert "spec.type" in shown
        assert "push it to this source again" in shown
        assert "hunter2" not in shown
    assert "/problems/lines" not in ada.get("/problems?kind=conflict").text
    # Pushed again it is still there; mended, or taken out, it is gone.
    ada.send("PUT", ENTITIES, json=push)
    assert "&#34;type&#34;: [" in ada.get(address).text
    ada.send("PUT", ENTITIES, json={**push, "entities": [thing("a"), thing("b")]})
    assert "These lines are not kept." in ada.get(address).text
    assert "/problems/lines" not in ada.get("/sources/ci").text
    ada.send("PUT", ENTITIES, json=push)
    assert "&#34;type&#34;: [" in ada.get(address).text
    ada.send("PUT", ENTITIES, json={**push, "entities": [thing("b")]})
    assert ada.get(address).status_code == 404


def uid_of(browser: Browser, name: str) -> str:
    found = browser.get(f"{ENTITIES}/by-name/component/default/{name}")
    assert found.status_code == 200
    return str(found.json()["metadata"]["uid"])


def test_deleting_by_uid_and_undoing(made: PortalUnderTest) -> None:
    ada, bob = Browser(made, "ada"), Browser(made, "bob")
    number = uid_of(ada, "mill")
    path = f"{ENTITIES}/by-uid/{number}"
    assert bob.send("DELETE", path).status_code == 403
    assert ada.send("DELETE", f"{ENTITIES}/by-uid/nonsense").status_code == 204
    assert ada.send("DELETE", f"{path}?reason=ours").status_code == 204
    assert ada.send("DELETE", path).status_code == 204
    made.runtime.engine.read("test")
    assert ada.get(f"{ENTITIES}/by-name/component/default/mill").status_code == 404
    [item] = bob.get("/api/catalog/deleted").json()["items"]
    assert (item["ref"], item["uid"], item["reason"]) == (
        "component:default/mill", number, "ours",
    )  # fmt: skip
    assert (item["by"], item["givenBy"]) == ("person:user:default/ada", ["test"])
    undo = f"/api/catalog/deleted/{number}/restore"
    assert bob.send("POST", undo).status_code == 403
    assert ada.send("POST", undo).json() == {"ref": "component:default/mill", "served": True}
    assert ada.send("POST", undo).status_code == 404
    assert uid_of(bob, "mill") == number


def test_deleting_on_the_page(made: PortalUnderTest) -> None:
    ada, bob = Browser(made, "ada"), Browser(made, "bob")
    base = "/catalog/default/component/mill"
    number = uid_of(ada, "mill")
    assert f"{base}/delete" in ada.get(base).text
    assert f"{base}/delete" not in bob.get(base).text
    assert bob.get(f"{base}/delete").status_code == 403
    assert bob.post(f"{base}/delete").status_code == 403
    question = ada.get(f"{base}/delete").text
    assert "Where it comes from" in question
    assert "0001.yaml:" in question
    assert ada.post(f"{base}/delete", reason="<b>old</b>").headers["location"] == "/deleted"
    listed = ada.get("/deleted").text
    assert "&lt;b&gt;old&lt;/b&gt;" in listed
    assert f"/deleted/{number}/restore" in listed
    assert f"/deleted/{number}/restore" not in bob.get("/deleted").text
    gone = ada.get(base)
    assert gone.status_code == 410
    assert "It was deleted." in gone.text
    assert ada.post(f"/deleted/{number}/restore").headers["location"] == base
    assert ada.get(base).status_code == 200
    assert "Nothing is deleted." in ada.get("/deleted").text


def test_problems_turn_pages_by_cursor(made: PortalUnderTest) -> None:
    ada = Browser(made, "ada", "maintainer")
    bad = [thing(f"bad-{at}", owner="no-team", lifecycle="x") for at in range(5)]
    ada.send("PUT", ENTITIES, json={"source": "ci", "entities": bad})
    path = "/api/catalog/problems?source=ci&limit=2"
    seen, cursor = [], ""
    for _ in range(4):
        answer = ada.get(f"{path}{'&cursor=' + cursor if cursor else ''}").json()
        seen += [item["id"] for item in answer["items"]]
        cursor = answer["pageInfo"].get("nextCursor", "")
        if not cursor:
            break
        of_another = ada.get(f"/api/catalog/problems?source=test&limit=2&cursor={cursor}")
        assert of_another.status_code == 400
    assert len(seen) == len(set(seen)) == 5
    assert not cursor
    first = ada.get(path).json()["items"][0]
    assert (first["kind"], first["other"], first["line"]) == (
        "dangling", "group:default/no-team", 1,
    )  # fmt: skip
    assert first["since"].startswith("2026-03-02T08:00:00")
    assert ada.get("/api/catalog/problems?kind=orphan").status_code == 400
    one = ada.get("/api/catalog/problems?entity=component:default/bad-1").json()["items"]
    assert [item["ref"] for item in one] == ["component:default/bad-1"]


def test_badges_of_problems(made: PortalUnderTest) -> None:
    ada = Browser(made, "ada", "maintainer")
    ada.send("PUT", ENTITIES, json={"source": "ci", "entities": [thing("a", owner="none")]})
    assert "in order" in ada.get("/badges/default/component/mill/problems.svg").text
    assert "1 problem" in ada.get("/badges/default/component/a/problems.svg").text
    assert "1 problem" in Browser(made).get("/badges/sources/ci.svg").text
    assert "in order" in ada.get("/badges/sources/test.svg").text
    assert ada.get("/badges/sources/none.svg").status_code == 404
    page = ada.get("/catalog/default/component/a/badge").text
    assert "https://testserver/badges/default/component/a/problems.svg" in page


def test_endpoints_of_these_are_described(made: PortalUnderTest) -> None:
    paths = Browser(made, "ada").get("/api/catalog/openapi.json").json()["paths"]
    described = {(method.upper(), path) for path, item in paths.items() for method in item}
    for method, path in (
        ("PUT", "/entities"), ("GET", "/push-sources"), ("DELETE", "/push-sources/{name}"),
        ("DELETE", "/entities/by-uid/{uid}"), ("GET", "/deleted"),
        ("POST", "/deleted/{uid}/restore"), ("GET", "/problems"), ("GET", "/sources"),
    ):  # fmt: skip
        assert (method, path) in described
    assert "application/yaml" in paths["/entities"]["put"]["requestBody"]["content"]
    assert len({(item.method, item.path) for item in ENDPOINTS}) == len(ENDPOINTS)
