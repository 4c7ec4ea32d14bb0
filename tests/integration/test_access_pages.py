"""Making, changing and removing roles and bindings in pages, on both databases."""

import re
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from starlette.requests import HTTPConnection
from starlette.testclient import TestClient

from callboard import events
from callboard.audit import entries
from callboard.entities import EntityRef
from callboard.identity import Principal, Subject
from callboard.testing import new_database
from callboard_web.app import create_app
from callboard_web.runtime import Runtime

CATALOG = """
apiVersion: backstage.io/v1alpha1
kind: Group
metadata: {name: red, title: Red Team}
spec: {type: team, children: []}
"""
PERSON = """---
apiVersion: backstage.io/v1alpha1
kind: User
metadata: {name: %s}
spec: {profile: {displayName: %s}, memberOf: [red]}
"""
EVIL = "<script>alert(1)</script>\u202e"
RUN = "portal.job.run"


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def runtime(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Runtime]:
    """Give a portal whose settings name one administrator: `root`."""
    stack = ExitStack()
    url = stack.enter_context(new_database(request, request.param))
    people = "".join(PERSON % (name, name.title()) for name in ("root", "ada", "eve", "kim"))
    (tmp_path / "shop").mkdir()
    (tmp_path / "shop/catalog-info.yaml").write_text(CATALOG + people)
    config = tmp_path / "callboard.yaml"
    config.write_text(
        f"database: {{url: '{url}'}}\naccess: {{administrators: ['user:root']}}\n"
        "catalog: {sources: [{name: shop, type: folder, path: shop}]}\n"
    )
    runtime = Runtime.open(config, {"CALLBOARD_PLUGINS": ""})
    runtime.upgrade()
    runtime.start(worker=False, serve=False)
    runtime.engine.read("shop")
    yield runtime
    runtime.stop()
    stack.close()


@pytest.fixture
def client(runtime: Runtime) -> TestClient:
    """Give a browser; the cookie `as` says who uses it, the administrator of the settings first."""
    client = TestClient(create_app(runtime))
    app = client.app.state.portal  # type: ignore[attr-defined]

    def credential(connection: HTTPConnection) -> Subject | None:
        ref = EntityRef.of("user", "default", connection.cookies["as"])
        title, mine = app.personal.above((ref,))
        principal = Principal(kind="person", name=str(ref), entity=ref)
        return Subject(principal=principal, title=title, mine=mine)

    app.credentials.insert(0, credential)
    client.cookies.set("as", "root")
    return client


Field = str | list[str]


def send(client: TestClient, path: str, **fields: Field) -> tuple[int, str]:
    """Send a form with its token; give the status and the page, or where it leads."""
    found = re.search(r'name="csrf_token" value="([^"]+)"', client.get("/navigation").text)
    assert found
    data = {"csrf_token": found[1], **fields}
    answer = client.post(path, data=data, follow_redirects=False)
    return answer.status_code, answer.headers.get("location") or answer.text


def saved(client: TestClient, path: str, **fields: Field) -> None:
    status, page = send(client, path, **{"act": "save", **fields})
    assert status == 303, page[page.find("form-errors") :][:600]


def fields_of(page: str) -> dict[str, str]:
    """Give the hidden fields of the form that takes back the last act."""
    form = page.partition('action="/access/undo"')[2].partition("</form>")[0]
    found = dict(re.findall(r'name="(\w+)" value="([^"]*)"', form))
    assert found, "nothing can be taken back"
    return {name: value.replace("&#34;", '"') for name, value in found.items()}


def may(runtime: Runtime, name: str, permission: str = RUN) -> bool:
    ref = EntityRef.of("user", "default", name)
    red = EntityRef.of("group", "default", "red")
    principal = Principal(kind="person", name=str(ref), entity=ref)
    subject = Subject(principal=principal, mine=(ref, red))
    return runtime.services.access.decide(subject, permission).allowed


def test_a_team_gets_a_role_and_it_is_taken_back(runtime: Runtime, client: TestClient) -> None:
    assert not may(runtime, "eve")
    saved(client, "/access/bindings/new", role="maintainer", more="red", note=f"asked {EVIL}")
    assert may(runtime, "eve")
    page = client.get("/access/bindings").text
    assert "This gives the role Maintainer to Red Team (4 people), on everything." in page
    assert EVIL not in page
    with runtime.database.read() as connection:
        (entry,) = entries(connection, action="access.binding.add")
        told = [item.kind for item in events.read(connection, 0, limit=100)]
    assert entry.actor == "person:user:default/root"
    assert entry.after["to"] == ["group:default/red"]
    assert "access.binding.added" in told
    undo = fields_of(page)
    assert send(client, "/access/undo", **undo)[0] == 303
    assert not may(runtime, "eve")


def test_the_form_gathers_who_it_is_for(client: TestClient) -> None:
    status, page = send(client, "/access/bindings/new", role="viewer", more="eve", act="add")
    assert status == 200
    assert 'value="user:default/eve" checked' in page
    to = ["user:default/eve"]
    status, page = send(
        client, "/access/bindings/new", role="viewer", to=to, more="service:deployer", act="add"
    )
    assert 'value="service:deployer" checked' in page
    assert 'value="user:default/eve" checked' in page


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"role": "viewer", "more": "zzz"}, "Nobody is called zzz."),
        ({"role": "viewer", "more": "e"}, "choose one"),
        ({"role": "viewer", "more": "user:"}, "is no name of a subject"),
        ({"role": "viewer"}, "Write who it is for."),
        ({"role": "", "more": "eve"}, "Choose a role."),
        ({"role": "gone", "more": "eve"}, "There is no role gone."),
        ({"role": "viewer", "to": ["a\nb"]}, "no name of a person"),
        ({"role": "viewer", "more": "eve", "on-owner": "a b c"}, "Write names or references"),
        ({"role": "viewer", "more": "eve", "on-tag": "x" * 200}, "at most 120 characters"),
        ({"role": "viewer", "more": "eve", "note": "x" * 3000}, "at most 2000 characters"),
    ],
)
def test_what_is_wrong_is_said_and_nothing_is_lost(
    client: TestClient, fields: dict[str, Field], said: str
) -> None:
    status, page = send(
        client, "/access/bindings/new", **{"act": "save", "on-kind": f"api, {EVIL}", **fields}
    )
    assert status == 422
    assert said in page
    assert EVIL not in page
    assert "api, &lt;script&gt;" in page


def test_on_some_entities_only(runtime: Runtime, client: TestClient) -> None:
    on = {"on-kind": "Component，api", "on-owner": "red, blue", "on-owned": "on"}
    saved(client, "/access/bindings/new", role="maintainer", more="eve", **on)
    (binding,) = (item for item in runtime.services.access.policy.bindings if item.number)
    assert binding.on.kinds == {"component", "api"}
    assert binding.on.owners == {"group:default/red", "group:default/blue"}
    assert binding.on.owned
    page = client.get(f"/access/bindings/{binding.number}").text
    assert 'value="component, api"' in page


def test_forbidding_is_asked_about_first(runtime: Runtime, client: TestClient) -> None:
    saved(client, "/access/bindings/new", role="maintainer", more="red")
    fields: dict[str, Field] = {
        "role": "maintainer",
        "more": "eve",
        "effect": "deny",
        "act": "save",
    }
    status, page = send(client, "/access/bindings/new", **fields)
    assert status == 200
    assert "This takes what is in the role Maintainer from Eve, on everything" in page
    assert may(runtime, "eve")
    assert send(client, "/access/bindings/new", **fields, confirmed="yes")[0] == 303
    assert not may(runtime, "eve")
    assert may(runtime, "ada")


def test_removing_is_asked_about_and_taken_back(runtime: Runtime, client: TestClient) -> None:
    saved(client, "/access/bindings/new", role="maintainer", more="red", note="of old")
    (binding,) = (item for item in runtime.services.access.policy.bindings if item.number)
    path = f"/access/bindings/{binding.number}"
    version = re.findall(r'name="version" value="(\d+)"', client.get(path).text)[0]
    status, page = send(client, f"{path}/remove", version=version)
    assert status == 200
    assert "This takes the role Maintainer from Red Team (4 people)" in page
    assert may(runtime, "eve")
    assert send(client, f"{path}/remove", version=version, confirmed="yes")[0] == 303
    assert not may(runtime, "eve")
    undo = fields_of(client.get("/access/bindings").text)
    assert send(client, "/access/undo", **undo)[0] == 303
    assert may(runtime, "eve")
    assert "of old" in client.get("/access/bindings").text


def test_who_was_faster_is_not_written_over_unseen(runtime: Runtime, client: TestClient) -> None:
    saved(client, "/access/bindings/new", role="viewer", more="eve")
    (binding,) = (item for item in runtime.services.access.policy.bindings if item.number)
    path = f"/access/bindings/{binding.number}"
    version = re.findall(r'name="version" value="(\d+)"', client.get(path).text)[0]
    mine: dict[str, Field] = {"role": "maintainer", "to": ["user:default/eve"], "version": version}
    theirs: dict[str, Field] = {"role": "auditor", "to": ["user:default/eve"], "version": version}
    saved(client, path, **theirs)
    status, page = send(client, path, act="save", **mine)
    assert status == 409
    assert "Somebody else has changed this meanwhile." in page
    assert '<option value="maintainer" selected' in page
    newer = re.findall(r'name="version" value="(\d+)"', page)[-1]
    assert newer != version
    saved(client, path, **{**mine, "version": newer})
    assert may(runtime, "eve")


def test_what_is_gone_can_be_made_again(runtime: Runtime, client: TestClient) -> None:
    saved(client, "/access/bindings/new", role="viewer", more="eve")
    (binding,) = (item for item in runtime.services.access.policy.bindings if item.number)
    path = f"/access/bindings/{binding.number}"
    version = re.findall(r'name="version" value="(\d+)"', client.get(path).text)[0]
    send(client, f"{path}/remove", version=version, confirmed="yes")
    fields: dict[str, Field] = {"role": "maintainer", "to": ["user:default/eve"]}
    status, page = send(client, path, act="save", version=version, **fields)
    assert status == 409
    assert 'action="/access/bindings/new"' in page
    assert '<option value="maintainer" selected' in page
    assert "Somebody has removed this meanwhile." in page
    assert client.get(path).status_code == 404


def test_nobody_locks_themselves_out(runtime: Runtime, client: TestClient) -> None:
    saved(client, "/access/bindings/new", role="administrator", more="ada")
    client.cookies.set("as", "ada")
    (binding,) = (item for item in runtime.services.access.policy.bindings if item.number)
    path = f"/access/bindings/{binding.number}"
    version = re.findall(r'name="version" value="(\d+)"', client.get(path).text)[0]
    status, page = send(client, path, act="save", role="administrator",
                        to=["user:default/eve"], version=version)  # fmt: skip
    assert status == 409
    assert "could not change roles and bindings yourself" in page
    status, page = send(client, f"{path}/remove", version=version, confirmed="yes")
    assert status == 409
    status, page = send(client, "/access/bindings/new", act="save", role="administrator",
                        more="red", effect="deny", confirmed="yes")  # fmt: skip
    assert status == 409
    assert may(runtime, "ada", "access.policy.change")


def test_only_administrators_change_policies(runtime: Runtime, client: TestClient) -> None:
    before = runtime.services.access.generation
    client.cookies.set("as", "eve")
    for page in ("bindings/new", "bindings/1", "bindings/1/remove", "roles/new", "roles/remove",
                 "roles/edit", "undo"):  # fmt: skip
        path = f"/access/{page}"
        assert send(client, path, role="administrator", more="eve", act="save")[0] == 403
    assert runtime.services.access.generation == before


def test_a_change_is_tried_before_it_is_made(runtime: Runtime, client: TestClient) -> None:
    status, page = send(client, "/access/bindings/new", act="try", role="maintainer", more="red")
    assert status == 200
    assert "This gives the role Maintainer to Red Team (4 people), on everything." in page
    assert "Nothing was saved yet." in page
    assert 'value="group:default/red" checked' in page
    assert not may(runtime, "eve")


def test_a_role_of_ones_own(runtime: Runtime, client: TestClient) -> None:
    fields: dict[str, Field] = {
        "name": "release", "title": f"Release {EVIL}", "permission": ["portal.job.run"],
        "patterns": "portal.plugin.*", "includes": ["viewer"],
    }  # fmt: skip
    _status, page = send(client, "/access/roles/new", act="try", **fields)
    assert "The role gets:" in page
    saved(client, "/access/roles/new", **fields)
    has = runtime.services.access.permissions_of("release")
    assert {"portal.job.run", "portal.plugin.read", "catalog.entity.read"} <= has
    page = client.get("/access/roles/edit?name=release").text
    assert EVIL not in page
    assert 'value="portal.plugin.*"' in page
    version = re.findall(r'name="version" value="(\d+)"', page)[0]
    fewer: dict[str, Field] = {"patterns": "portal.job.run", "version": version}
    _status, page = send(client, "/access/roles/edit?name=release", act="try", **fewer)
    assert "The role loses:" in page
    saved(client, "/access/roles/edit?name=release", **fewer)
    assert runtime.services.access.permissions_of("release") == {"portal.job.run"}
    undo = fields_of(client.get("/access/role?name=release").text)
    assert send(client, "/access/undo", **undo)[0] == 303
    assert runtime.services.access.permissions_of("release") == has


def test_a_role_in_use_stays(runtime: Runtime, client: TestClient) -> None:
    saved(client, "/access/roles/new", name="release", permission=["portal.job.run"])
    saved(client, "/access/bindings/new", role="release", more="eve")
    edit = client.get("/access/roles/edit?name=release").text
    version = re.findall(r'name="version" value="(\d+)"', edit)[0]
    path = "/access/roles/remove?name=release"
    assert send(client, path, version=version)[0] == 200
    status, page = send(client, path, version=version, confirmed="yes")
    assert status == 409
    assert "Bindings give this role" in page
    for name, said in (
        ("release", "of this name already"),
        ("a,b", "without commas"),
        ("", "Write"),
    ):
        status, page = send(client, "/access/roles/new", act="save", name=name, patterns="x.y")
        assert (status, said in page) == (422, True)


def test_pages_may_be_read_only(tmp_path: Path) -> None:
    config = tmp_path / "callboard.yaml"
    config.write_text("access: {anonymous: administrator, pages: false}\n")
    runtime = Runtime.open(config, {"CALLBOARD_PLUGINS": ""})
    runtime.upgrade()
    runtime.start(worker=False, serve=False)
    try:
        client = TestClient(create_app(runtime))
        assert "/access/bindings/new" not in client.get("/access").text
        status, page = send(client, "/access/bindings/new", act="save", role="viewer",
                            more="signed-in")  # fmt: skip
        assert status == 409
        assert "Policies are not made in pages here" in page
    finally:
        runtime.stop()


def test_what_happened_is_told_to_those_who_may_read_policies(client: TestClient) -> None:
    saved(client, "/access/roles/new", name="release/<b>", permission=["portal.job.run"])
    page = client.get("/activity").text
    assert "The role release/&lt;b&gt; was made" in page
    assert "/access/role?name=release%2F%3Cb%3E" in page
    assert client.get("/access/role?name=release%2F%3Cb%3E").status_code == 200
    client.cookies.set("as", "eve")
    assert "release/" not in client.get("/activity").text
