"""Who sees which runs: every list, card, column and figure shows what its reader may see."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from made_runs import a_run, a_service, add, identified
from starlette.testclient import TestClient

from callboard.testing import Clock
from callboard_catalog.testing import descriptor
from callboard_ci_tekton.following import PIPELINE_RUNS
from callboard_web.testing import PortalUnderTest, portal_under_test, sign_in_as

ADA = "user:default/ada"
ACCESS = {
    "anonymous": "",
    "defaults": False,
    "roles": [
        {"name": "runs", "permissions": ["ci_tekton.run.read"]},
        {"name": "stray", "permissions": ["ci_tekton.unmatched.read"]},
    ],
    "bindings": [
        {"role": "viewer", "to": [ADA, "user:default/mia"]},
        {"role": "stray", "to": ["user:default/mia"]},
        # One component is there without its runs, another is not there at all.
        *(
            {"role": role, "to": [ADA], "effect": "deny",
             "on": {"entity": [f"component:default/{name}"]}}
            for role, name in (("runs", "vault"), ("viewer", "engine"))
        ),
    ],
}  # fmt: skip
NAMES = ("cart", "vault", "engine")


@pytest.fixture(scope="module", params=["sqlite", pytest.param("pg", marks=pytest.mark.postgres)])
def portal(
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
    portal_templates: dict[str, Path],
) -> Iterator[PortalUnderTest]:
    settings: dict[str, object] = {"access": ACCESS}
    if request.param == "pg":
        server = request.getfixturevalue("postgres_server")
        settings["database"] = {"url": server.url(server.create_empty())}
    with portal_under_test(
        tmp_path_factory.mktemp("seen") / "portal",
        plugins=["ci_tekton"],
        settings=settings,
        clock=Clock(datetime(2026, 3, 2, 8, tzinfo=UTC)),
        templates=portal_templates,
    ) as made:
        people = [descriptor(name, "User", spec={"memberOf": ["shop"]}) for name in ("ada", "mia")]
        services = [a_service(name, identified(name)) for name in NAMES]
        add(made, descriptor("shop", "Group"), *people, *services)
        runs = [
            a_run(
                f"run-of-{name}", state="False", pipeline=f"build-{name}", labels=identified(name)
            )
            for name in NAMES
        ]
        made.observe("build", PIPELINE_RUNS, *runs, a_run("run-of-nobody", pipeline="stray"))
        yield made


def browser(portal: PortalUnderTest, who: str, *roles: str) -> TestClient:
    client = TestClient(portal.client.app, base_url="https://testserver")
    sign_in_as(client, f"user:default/{who}", roles=roles)
    return client


def told(text: str, begin: str = "build-") -> set[str]:
    return {name for name in (*NAMES, "stray") if f"{begin}{name}" in text}


LISTS = {
    "page": ("/ci_tekton/", "run-of-"),
    "failed": ("/ci_tekton/?state=failed", "run-of-"),
    "home": ("/", "build-"),
    "statistics": ("/api/plugins/ci_tekton/statistics", "shop-ci/build-"),
    "teams": ("/api/plugins/ci_tekton/statistics?by=team", '"runs":'),
}


@pytest.mark.parametrize("name", ["page", "failed", "home", "statistics"])
def test_a_list_shows_runs_of_what_may_be_seen(portal: PortalUnderTest, name: str) -> None:
    path, begin = LISTS[name]
    assert told(browser(portal, "mia").get(path).text, begin) == set(NAMES)
    assert told(browser(portal, "ada").get(path).text, begin) == {"cart"}
    for filtered in ("vault", "engine"):
        assert f"run-of-{filtered}" not in (
            browser(portal, "ada").get(f"/ci_tekton/?pipeline=build-{filtered}").text
        )


def test_figures_of_a_team_are_of_what_may_be_seen(portal: PortalUnderTest) -> None:
    for who, runs in (("mia", 3), ("ada", 1)):
        (team,) = browser(portal, who).get(LISTS["teams"][0]).json()["items"]
        assert (team["name"], team["runs"]) == ("group:default/shop", runs)


def test_a_column_is_empty_where_runs_may_not_be_seen(portal: PortalUnderTest) -> None:
    path = "/catalog/export/csv?kind=component&columns=name,ci_tekton.last_run"
    for who, expected in (("mia", set(NAMES)), ("ada", {"cart"})):
        lines = browser(portal, who).get(path).text.splitlines()
        assert {name for name in NAMES for line in lines
                if name in line and "Failed" in line} == expected  # fmt: skip


def test_tabs_are_there_for_those_who_may_see_runs(portal: PortalUnderTest) -> None:
    ada = browser(portal, "ada")
    answers = {name: ada.get(f"/catalog/default/component/{name}/ci_tekton.runs") for name in NAMES}
    assert "run-of-cart" in answers["cart"].text
    assert answers["vault"].status_code in (403, 404)
    assert answers["engine"].status_code == 404
    assert "run-of-" not in answers["vault"].text + answers["engine"].text


def test_stray_runs_are_for_those_who_may(portal: PortalUnderTest) -> None:
    assert "run-of-nobody" in browser(portal, "mia").get("/ci_tekton/unmatched").text
    assert browser(portal, "ada").get("/ci_tekton/unmatched").status_code == 403
    assert "run-of-nobody" not in browser(portal, "mia").get("/ci_tekton/").text


def test_metrics_are_for_those_who_may_read_metrics(portal: PortalUnderTest) -> None:
    assert browser(portal, "ada").get("/metrics").status_code == 403
    figures = browser(portal, "chief", "administrator").get("/metrics").text
    assert 'callboard_ci_tekton_success_ratio{pipeline="build/shop-ci/build-vault"} 0.0' in figures
