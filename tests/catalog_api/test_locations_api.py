"""The API of registered locations, beyond the golden cases, on both databases."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from api_portal import DATABASES, ApiPortal, Described, Files, api_portal_at, files_served
from location_servers import GitHost, git_host

from callboard_catalog.locations.model import location_ref
from callboard_catalog.testing import descriptor


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GitHost]:
    with git_host(tmp_path_factory.mktemp("git") / "host") as made:
        yield made


@pytest.fixture(scope="module", params=DATABASES)
def given(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, host: GitHost
) -> Iterator[ApiPortal]:
    settings = {
        "http": {"allow_hosts": ["127.0.0.1"], "retries": 0, **host.settings["http"]},
        "git": host.settings["git"],
        "access": {"bindings": [{"role": "viewer", "to": ["user:default/vera"]}]},
    }
    with api_portal_at(request, tmp_path_factory.mktemp("api"), settings) as made:
        yield made


@pytest.fixture
def api(given: ApiPortal) -> Iterator[Described]:
    yield given.api
    for item in given.api.all("/locations"):
        given.api.ask("DELETE", f"/locations/{item['data']['id']}")
    given.portal.run_jobs()


@pytest.fixture(scope="module")
def files() -> Iterator[Files]:
    with files_served() as served:
        yield served


def put(files: Files, name: str) -> dict[str, str]:
    """Serve a component and give the location to register."""
    files.contents[f"/{name}.yaml"] = descriptor(name)
    return {"type": "url", "target": f"{files.address}/{name}.yaml"}


def add(api: Described, location: dict[str, str]) -> dict[str, Any]:
    answer = api.post("/locations", location)
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json()["location"]
    return made


def test_a_location_is_read_soon_and_its_entities_know_it(
    api: Described, given: ApiPortal, files: Files
) -> None:
    location = put(files, "first")
    made = add(api, location)
    assert made["entityRef"] == location_ref(f"url:{location['target']}")
    assert api.all("/locations") == [{"data": made}]
    assert api.all(f"/locations/{made['id']}") == made
    given.portal.run_jobs()
    assert api.get("/entities/by-name/component/default/first").status_code == 200
    name = made["entityRef"].partition("/")[2]
    own = api.all(f"/entities/by-name/location/default/{name}")
    assert own["spec"] == location
    assert api.all("/locations/by-entity/Component/default/First") == made
    # One of the settings comes from no registered location.
    assert api.get("/locations/by-entity/component/default/svc-one").status_code == 404
    assert api.get("/locations/by-entity/component/default/none").status_code == 404
    assert api.ask("DELETE", f"/locations/{made['id']}").status_code == 204
    given.portal.run_jobs()
    assert api.get("/entities/by-name/component/default/first").status_code == 404
    assert api.get(f"/locations/{made['id']}").status_code == 404


@pytest.mark.parametrize(
    "body",
    [
        None,
        {},
        {"type": "url"},
        {"target": "https://example.com/a.yaml"},
        {"type": "url", "target": 7},
        {"type": "url", "target": "https://example.com/a.yaml", "more": 1},
        {"type": "http", "target": "//example.com/a.yaml"},
        {"type": "https", "target": "https://example.com/a.yaml"},
        {"type": "url", "target": "javascript:alert(1)"},
        {"type": "url", "target": "url:https://example.com/a.yaml"},
        {"type": "url", "target": "\0"},
        {"type": "url", "target": "https://169.254.169.254/a.yaml"},
        ["url", "https://example.com/a.yaml"],
    ],
)
def test_what_is_no_location_is_refused(api: Described, body: Any) -> None:
    for answer in (api.post("/locations", body), api.post("/locations?dryRun=true", body)):
        assert answer.status_code == 400, answer.text
        assert answer.json()["error"]["name"] == "InputError"
    assert api.all("/locations") == []


def test_an_unknown_parameter_or_id(api: Described, files: Files) -> None:
    location = put(files, "first")
    assert api.post("/locations?dry=true", location).status_code == 400
    assert api.post("/locations?onConflict=ignore", location).status_code == 400
    for method, path in (
        ("GET", "none"), ("DELETE", "none"), ("GET", "%00"), ("DELETE", "x" * 4_000)
    ):  # fmt: skip
        assert api.ask(method, f"/locations/{path}").status_code == 404
    assert api.ask("PUT", "/locations/none", json=location).status_code == 404


def test_a_clash_by_change_is_a_conflict(api: Described, files: Files) -> None:
    first, second = add(api, put(files, "first")), add(api, put(files, "second"))
    wanted = {"type": "url", "target": second["target"]}
    answer = api.ask("PUT", f"/locations/{first['id']}", json=wanted)
    assert (answer.status_code, answer.json()["error"]["name"]) == (409, "ConflictError")
    same = api.ask("PUT", f"/locations/{second['id']}", json=wanted)
    assert same.json() == second


def test_trying_reads_and_says_what_is_wrong_first(api: Described, files: Files) -> None:
    location = put(files, "first")
    tried = api.post("/locations?dryRun=true", location).json()
    assert [item["metadata"]["name"] for item in tried["entities"]] == ["first"]
    assert tried["exists"] is False
    add(api, location)
    assert api.post("/locations?dryRun=true", location).json()["exists"] is True
    files.contents["/first.yaml"] = "kind: Component\nmetadata: {name: first}\n"
    answer = api.post("/locations?dryRun=true", location)
    assert answer.status_code == 400
    assert "apiVersion" in answer.json()["error"]["message"]


def test_locations_by_query(api: Described, files: Files) -> None:
    made = [add(api, put(files, name)) for name in ("one", "two", "three", "four", "five")]
    first = api.post("/locations/by-query", {"limit": 2}).json()
    assert (len(first["items"]), first["totalItems"]) == (2, 5)
    found = first["items"]
    cursor = first["pageInfo"].get("nextCursor")
    while cursor:
        page = api.post("/locations/by-query", {"cursor": cursor}).json()
        found += page["items"]
        cursor = page["pageInfo"].get("nextCursor")
    assert sorted(item["id"] for item in found) == sorted(item["id"] for item in made)
    assert len(found) == 5
    for query, names in {
        '{"target": {"$hasPrefix": "%s/T"}}': {"two", "three"},
        '{"$any": [{"target": "%s/ONE.yaml"}, {"target": {"$in": ["%s/two.yaml"]}}]}': {
            "one",
            "two",
        },
        '{"$not": {"target": {"$hasPrefix": "%s/f"}}}': {"one", "two", "three"},
        '{"type": "url", "nothing": {"$exists": false}}': {"one", "two", "three", "four", "five"},
        '{"type": "file"}': set(),
        "{}": {"one", "two", "three", "four", "five"},
    }.items():
        body = {"query": json.loads(query.replace("%s", files.address))}
        items = api.post("/locations/by-query", body).json()["items"]
        assert {item["target"].rpartition("/")[2][:-5] for item in items} == names, query
    assert api.post("/locations/by-query", {"query": {"$what": 1}}).status_code == 400
    assert api.post("/locations/by-query", {"cursor": "forged"}).status_code == 400
    assert api.post("/locations/by-query", {"limit": 0}).status_code == 400
    assert api.post("/locations/by-query").json()["totalItems"] == 5


def test_analysis_of_a_repository_and_of_its_files(
    api: Described, given: ApiPortal, host: GitHost
) -> None:
    host.commit({"README.md": "Orders"})

    def ask(target: str, **more: str) -> Any:
        return api.post(
            "/analyze-location", {"location": {"type": "url", "target": target}, **more}
        )

    found = ask(host.repository).json()
    assert found["existingEntityFiles"] == []
    (generated,) = found["generateEntities"]
    assert generated["entity"]["spec"] == {"type": "other", "lifecycle": "unknown"}
    assert generated["fields"][0]["field"] == "spec.owner"
    host.commit({"catalog-info.yaml": descriptor("in-git")})
    page = host.page("catalog-info.yaml")
    (existing,) = ask(page).json()["existingEntityFiles"]
    assert (existing["isRegistered"], existing["location"]["target"]) == (False, page)
    add(api, {"type": "url", "target": page})
    given.portal.run_jobs()
    assert ask(page).json()["existingEntityFiles"][0]["isRegistered"] is True
    for target in ("https://github.com/none/such", "ftp://x", f"{host.repository}-not"):
        answer = ask(target)
        assert (answer.status_code, answer.json()["error"]["name"]) == (400, "InputError")


def test_a_folder_is_left_for_the_settings(tmp_path: Path, api: Described) -> None:
    answer = api.post("/locations", {"type": "file", "target": str(tmp_path)})
    assert answer.status_code == 400
    assert "catalog.sources" in answer.json()["error"]["message"]
