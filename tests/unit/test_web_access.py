"""What one may do and why, for oneself and for anybody, on pages and by API."""

import json
import re
from collections.abc import Mapping
from html import unescape
from typing import Any

import pytest
from starlette.requests import HTTPConnection
from starlette.testclient import TestClient

from callboard.audit import entries
from callboard.entities import EntityRef
from callboard.identity import Limit, Principal, Selector, Subject
from callboard_web.testing import PortalUnderTest

EVIL = "<script>alert(1)</script>"
TURNED = "\u202egnp.exe"
CATALOG = f"""
apiVersion: backstage.io/v1alpha1
kind: User
metadata: {{name: ada}}
spec: {{profile: {{displayName: Ada Admin}}, memberOf: []}}
---
apiVersion: backstage.io/v1alpha1
kind: User
metadata: {{name: eve}}
spec: {{profile: {{displayName: Eve Developer}}, memberOf: [red]}}
---
apiVersion: backstage.io/v1alpha1
kind: User
metadata: {{name: sam}}
spec: {{profile: {{displayName: "Sam {EVIL}{TURNED}"}}, memberOf: [red]}}
---
apiVersion: backstage.io/v1alpha1
kind: Group
metadata: {{name: red, title: 红队 Red}}
spec: {{type: team, children: []}}
---
apiVersion: backstage.io/v1alpha1
kind: Component
metadata: {{name: orders, title: Orders, tags: [pci]}}
spec: {{type: service, lifecycle: production, owner: red}}
---
apiVersion: backstage.io/v1alpha1
kind: Component
metadata: {{name: ledger, title: Ledger}}
spec: {{type: service, lifecycle: production, owner: blue}}
---
apiVersion: backstage.io/v1alpha1
kind: Component
metadata: {{name: secret-thing, title: Secret thing, tags: [hidden]}}
spec: {{type: service, lifecycle: production, owner: red}}
"""
ACCESS: Mapping[str, Any] = {
    "anonymous": "",
    "administrators": ["user:ada"],
    "roles": [
        {"name": "starter", "title": f"Starter {EVIL}", "permissions": ["catalog.source.*"]},
        {"name": "empty", "permissions": ["no.such.*"]},
    ],
    "bindings": [
        {"role": "auditor", "to": ["user:sam", "provider-group:audit"], "note": f"why {EVIL}"},
        {"role": "viewer", "to": ["user:eve"], "effect": "deny", "on": {"tag": ["hidden"]}},
        {"role": "maintainer", "to": ["service:deployer"], "on": {"environment": ["production"]}},
        {"role": "gone", "to": ["group:red"]},
        *({"role": "viewer", "to": [f"provider-group:team-{number:04}"]} for number in range(120)),
    ],
}
REFRESH = "catalog.entity.refresh"


@pytest.fixture
def portal_plugins() -> list[str]:
    return []


@pytest.fixture
def portal_settings() -> Mapping[str, Any]:
    return {"access": ACCESS}


@pytest.fixture
def client(portal: PortalUnderTest) -> TestClient:
    """Give a browser; the cookie `as` says who uses it."""
    portal.catalog_add(CATALOG)
    client = portal.client

    def credential(connection: HTTPConnection) -> Subject | None:
        name = connection.cookies.get("as")
        if not name:
            return None
        ref = EntityRef.of("user", "default", name)
        title, mine = app.personal.above((ref,))
        return Subject(
            principal=Principal(kind="person", name=str(ref), entity=ref), title=title, mine=mine
        )

    app = client.app.state.portal  # type: ignore[attr-defined]
    app.credentials.insert(0, credential)
    return client


def become(client: TestClient, name: str) -> TestClient:
    client.cookies.set("as", name)
    return client


def read(client: TestClient, path: str, status: int = 200) -> str:
    answer = client.get(path, follow_redirects=False)
    assert answer.status_code == status, answer.text[:300]
    return answer.text


def answered(page: str) -> str:
    """Give the words of the answer, without markup."""
    panel = page.partition('id="answer"')[2].partition("</section>")[0]
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", panel)).split())


# Oneself


def test_everybody_known_sees_what_they_may_do(client: TestClient) -> None:
    page = read(become(client, "eve"), "/me/access")
    assert "Eve Developer" in page
    assert "红队 Red" in page
    assert page.count("what you or your teams own") >= 2
    assert "/tmp" not in page, "where the settings are is for those who may read policies"
    assert "callboard.yaml:" not in page
    given, rest = (read(client, f"/me/access?show={show}") for show in ("yes", "no"))
    assert "catalog.entity.read" in given
    assert "catalog.source.refresh" not in given.partition('id="rights"')[2]
    assert "catalog.source.refresh" in rest.partition('id="rights"')[2]


def test_strangers_sign_in_first(client: TestClient) -> None:
    assert client.get("/me/access", follow_redirects=False).status_code in (303, 401)
    assert client.get("/api/access/decision?permission=x").status_code == 401
    assert client.get("/api/access/permissions").status_code == 401


def test_why_one_may(client: TestClient) -> None:
    become(client, "eve")
    told = answered(read(client, f"/me/access?permission={REFRESH}&entity=orders"))
    assert "Allowed" in told
    assert "The role Developer gives it. It is held by Everyone signed in" in told
    assert "Who can give it" not in told


def test_why_one_may_not_and_who_can_give_it(client: TestClient) -> None:
    become(client, "eve")
    told = answered(read(client, f"/me/access?permission={REFRESH}&entity=ledger"))
    assert "Not allowed" in told
    assert "Neither you nor your teams own it" in told
    assert "one of the roles" in told
    assert "Maintainer" in told
    assert "Who can give it Ada Admin" in told


def test_what_is_given_on_some(client: TestClient) -> None:
    told = answered(read(become(client, "eve"), f"/me/access?permission={REFRESH}"))
    assert "On some only" in told
    assert "Given on what you or your teams own" in told


def test_a_title_is_as_good_as_a_name_in_any_language(client: TestClient) -> None:
    become(client, "eve")
    assert REFRESH in answered(read(client, "/me/access?permission=READ AN entity's source again"))
    client.cookies.set("callboard_language", "zh-CN")
    assert REFRESH in answered(read(client, "/me/access?permission=重新读取实体的来源"))


def test_what_is_not_understood_is_kept_and_offered(client: TestClient) -> None:
    become(client, "eve")
    page = read(client, f"/me/access?permission=refresh{EVIL}&entity=orders")
    assert "There is no permission" in page
    assert 'value="orders"' in page
    assert EVIL not in page
    page = read(client, "/me/access?permission=refresh")
    assert "/me/access?permission=catalog.source.refresh#answer" in page
    page = read(client, f"/me/access?permission={REFRESH}&entity=orde")
    assert "component%3Adefault%2Forders" in page
    assert "Choose what you ask about" in read(client, "/me/access?environment=production")


def test_what_one_may_do_with_one_entity(client: TestClient) -> None:
    page = read(become(client, "eve"), "/me/access?entity=component:default/ledger")
    assert "Permissions on Ledger" in page
    rights = page.partition('id="rights"')[2]
    assert "catalog.entity.read" in rights
    assert "portal.job.run" not in rights
    menu = read(client, "/catalog/default/component/orders")
    assert 'href="/me/access?entity=component%3Adefault/orders"' in menu


def test_hidden_entities_are_as_those_that_are_not_there(client: TestClient) -> None:
    become(client, "eve")
    asked = "/me/access?permission=catalog.entity.read&entity=component:default/"
    hidden, missing = (read(client, asked + name) for name in ("secret-thing", "nothing-here"))
    assert "that you may see" in hidden
    assert answered(hidden) == answered(missing) == ""
    assert "Secret thing" not in hidden
    options = read(client, "/me/access/entities?entity=secret")
    assert "secret" not in options
    assert "component:default/orders" in read(client, "/me/access/entities?entity=order")
    answer = client.get(
        "/api/access/decision",
        params={"permission": "catalog.entity.read", "entity": "component:default/secret-thing"},
    )
    assert answer.status_code == 404


def test_a_token_is_told_what_it_is_made_for(portal: PortalUnderTest, client: TestClient) -> None:
    app = client.app.state.portal  # type: ignore[attr-defined]
    ref = EntityRef.of("user", "default", "eve")
    limits = (
        Limit(permissions=("catalog.entity.read",)),
        Limit(permissions=("catalog.*",), on=Selector(tags=frozenset({"java"}))),
    )
    token = Subject(
        principal=Principal(kind="token", name="7"), title="CI", limits=limits,
        mine=app.personal.above((ref,))[1],
    )  # fmt: skip
    app.credentials.insert(0, lambda connection: token)
    told = answered(read(client, f"/me/access?permission={REFRESH}&entity=orders"))
    assert "Not allowed" in told
    assert "The token is made for" in told
    assert "does not fit" in told


def test_a_refusal_leads_to_the_explanation(client: TestClient) -> None:
    page = read(become(client, "eve"), "/access", 403)
    assert "/me/access?permission=access.policy.read#answer" in page


# Anybody


@pytest.mark.parametrize(
    "path",
    ["/access", "/access/bindings", "/access/sources", "/access/role?name=viewer",
     "/access/explain", "/access/subjects?more=e", "/api/access/roles", "/api/access/bindings",
     f"/api/access/decision?permission={REFRESH}&subject=user:ada"],
)  # fmt: skip
def test_policies_are_for_auditors(client: TestClient, path: str) -> None:
    read(become(client, "eve"), path, 403)
    read(become(client, "sam"), path)
    read(become(client, "ada"), path)


def test_auditors_change_nothing(client: TestClient) -> None:
    become(client, "sam")
    assert "/access/bindings/new" not in read(client, "/access")
    for path in ("/access/bindings/new", "/access/roles/new", "/access/roles/edit?name=x"):
        read(client, path, 403)


def test_explaining_somebody_else_is_written_down(
    portal: PortalUnderTest, client: TestClient
) -> None:
    become(client, "sam")
    asked = f"/access/explain?subject=user:eve&permission={REFRESH}&entity=ledger"
    page = read(client, asked)
    assert "Not allowed" in answered(page)
    assert "Neither they nor their teams own it" in answered(page)
    assert "Eve Developer" in page
    read(client, "/access/explain?subject=user:sam")  # oneself is nobody else
    with portal.runtime.database.read() as connection:
        (entry,) = entries(connection, action="access.decision.explain")
    assert (entry.actor, entry.subject) == ("person:user:default/sam", "user:default/eve")
    assert entry.after == {"asked": [f"{REFRESH} ledger"]}


@pytest.mark.parametrize(
    ("subject", "allowed"),
    [("anonymous", False), ("signed-in", False), ("group:red", True), ("Red", True),
     ("红队 Red", True), ("service:deployer", False), ("eve", True)],
)  # fmt: skip
def test_all_sorts_of_subjects(client: TestClient, subject: str, allowed: bool) -> None:
    become(client, "ada")
    parameters = {"subject": subject, "permission": REFRESH, "entity": "orders"}
    page = client.get("/access/explain", params=parameters).text
    assert ("Allowed" in answered(page).split("Permission")[0]) is allowed


def test_an_environment_counts(client: TestClient) -> None:
    become(client, "ada")
    asked = f"/access/explain?subject=service:deployer&permission={REFRESH}&entity=ledger"
    assert "Not allowed" in answered(read(client, asked))
    told = answered(read(client, f"{asked}&environment=production"))
    assert "Not allowed" not in told
    assert "environment production" in told


def test_nobody_and_several_are_told_apart(client: TestClient) -> None:
    become(client, "ada")
    assert "Nobody is called" in read(client, "/access/explain?subject=zzz")
    page = read(client, "/access/explain?subject=d&permission=x")
    assert "choose one" in page
    assert "subject=group%3Adefault%2Fred&amp;permission=x" in page


# Roles, bindings, sources


def test_roles_and_what_is_in_them(client: TestClient) -> None:
    become(client, "sam")
    page = read(client, "/access")
    assert EVIL not in page
    assert "Starter &lt;script&gt;" in page
    page = read(client, "/access/role?name=starter")
    assert "by catalog.source.*" in page
    assert "No binding gives this role." in page
    assert "callboard.yaml" in page
    assert "/tmp" not in page
    assert "It has none" in read(client, "/access/role?name=empty")
    read(client, "/access/role?name=nope", 404)


def test_bindings_are_paged_and_narrowed(client: TestClient) -> None:
    become(client, "sam")
    first = read(client, "/access/bindings?role=viewer")
    assert "1–50 of 122" in first
    second = read(client, "/access/bindings?role=viewer&from=50")
    assert "51–100 of 122" in second
    found = {*re.findall(r"team-\d{4}", first)} & {*re.findall(r"team-\d{4}", second)}
    assert not found
    assert "1–1 of 1" in read(client, "/access/bindings?subject=red")
    assert "1–1 of 1" in read(client, "/access/bindings?effect=deny&origin=settings")
    assert "No binding matches" in read(client, "/access/bindings?effect=deny&role=auditor")
    read(client, "/access/bindings?from=-5&role=%00&effect=x")


def test_hostile_names_are_text(client: TestClient) -> None:
    become(client, "ada")
    for path in (
        "/access/bindings",
        "/access/explain?subject=user:sam",
        "/access/role?name=auditor",
    ):
        page = read(client, path)
        assert EVIL not in page
        assert (
            f"<bdi>Sam {EVIL}".replace("<script>", "&lt;script&gt;").replace(
                "</script>", "&lt;/script&gt;"
            )
            in page
        ), "a title that runs the other way is kept inside"


def test_sources_tell_what_is_wrong(client: TestClient) -> None:
    page = read(become(client, "sam"), "/access/sources")
    assert "There is no role gone." in page
    assert "something is wrong in them" in page


# The API


def test_a_decision_as_json(client: TestClient) -> None:
    become(client, "eve")
    answer = client.get(
        "/api/access/decision", params={"permission": REFRESH, "entity": "component:default/orders"}
    ).json()
    assert answer["allowed"] is True
    assert answer["extent"] == "all"
    assert answer["entity"] == "component:default/orders"
    assert answer["subject"] == "person:user:default/eve"
    fits = [item for item in answer["considered"] if item["outcome"] == "fits"]
    assert [item["binding"]["role"] for item in fits] == ["developer"]
    assert fits[0]["binding"]["on"] == {"owned": True}
    some = client.get("/api/access/decision", params={"permission": REFRESH}).json()
    assert (some["allowed"], some["extent"]) == (False, "some")


def test_permissions_in_both_languages(client: TestClient) -> None:
    items = become(client, "eve").get("/api/access/permissions").json()["items"]
    (read_entities,) = [item for item in items if item["name"] == "catalog.entity.read"]
    assert read_entities["title"] == {"en": "See entities", "zh-CN": "查看实体"}
    assert read_entities["about"] == "entity"


def test_roles_and_bindings_as_json(client: TestClient) -> None:
    become(client, "sam")
    roles = client.get("/api/access/roles").json()["items"]
    assert {item["name"] for item in roles} >= {"viewer", "administrator", "starter"}
    page = client.get("/api/access/bindings?role=viewer&limit=2&offset=1").json()
    assert (page["total"], len(page["items"]), page["offset"]) == (122, 2, 1)
    assert client.get("/api/access/bindings?limit=999").status_code == 400


def test_a_batch(portal: PortalUnderTest, client: TestClient) -> None:
    become(client, "ada")
    found = re.search(r'name="csrf_token" value="([^"]+)"', client.get("/navigation").text)
    assert found
    headers = {"x-csrf-token": found[1]}

    def post(body: Any) -> Any:
        content = body if isinstance(body, str) else json.dumps(body)
        return client.post("/api/access/decisions", content=content, headers=headers)

    asked = [{"permission": REFRESH, "entity": "component:default/orders", "subject": name}
             for name in ("user:eve", "user:sam", "anonymous", "")]  # fmt: skip
    items = post({"items": asked}).json()["items"]
    assert [item["allowed"] for item in items] == [True, True, False, True]
    with portal.runtime.database.read() as connection:
        looked = entries(connection, action="access.decision.explain")
    assert {item.subject for item in looked} == {
        "user:default/eve", "user:default/sam", "anonymous",
    }  # fmt: skip
    assert post({"items": asked * 26}).status_code == 400
    for wrong in ("", "[]", "{}", '{"items": 1}', '{"items": [1]}', "[" * 9000):
        assert post(wrong).status_code == 400, wrong[:20]
    assert post({"items": [{"permission": "no.such"}]}).status_code == 400
    become(client, "eve")
    assert post({"items": asked[:1]}).status_code == 403
    assert post({"items": [{"permission": REFRESH}]}).status_code == 200
