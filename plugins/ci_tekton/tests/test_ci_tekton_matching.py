"""Whose runs they are: by what entities ask for, by what runs say, and by what people claim."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from made_runs import a_run, a_service, add, identified, settle
from sqlalchemy import event, select
from starlette.testclient import TestClient

from callboard.testing import Clock
from callboard_catalog.testing import descriptor
from callboard_ci_tekton import models
from callboard_ci_tekton.following import PIPELINE_RUNS
from callboard_ci_tekton.matching import rework
from callboard_ci_tekton.matching.entities import match_catalog
from callboard_ci_tekton.matching.service import note_start
from callboard_web.testing import PortalUnderTest, portal_under_test, sign_in_as

SERVICES: Mapping[str, Mapping[str, str]] = {
    "by-id": {"backstage.io/kubernetes-id": "cart"},
    "by-id-there": {
        "backstage.io/kubernetes-id": "cart", "backstage.io/kubernetes-namespace": "pay-ci",
    },
    "by-cicd": {"tekton.dev/cicd": "true"},
    "by-janus": {"janus-idp.io/tekton": "janus"},
    "by-pipeline": {"tekton.dev/pipeline": "lint, ship"},
    "by-own-pipeline": {"callboard.io/tekton-pipeline": "nightly"},
    "in-the-north": {
        "callboard.io/tekton-pipeline": "deploy", "callboard.io/tekton-cluster": "north",
    },
    "in-the-west": {
        "callboard.io/tekton-pipeline": "sail", "backstage.io/kubernetes-cluster": "west",
    },
    "by-labels": {"backstage.io/kubernetes-label-selector": "team=shop,tier==front"},
    "by-own-labels": {"callboard.io/tekton-label-selector": "app=own"},
    "by-other-operators": {"backstage.io/kubernetes-label-selector": "team in (pay)"},
    "by-source": {"backstage.io/source-location": "url:https://git.example.test/shop/source/"},
    "guarded": {"callboard.io/tekton-namespace": "pay-ci"},
}  # fmt: skip
NAMES = "callboard.io/tekton-entity"
SOURCE = {"repo-url": "git@git.example.test:shop/source.git"}
NAMED = {"app.kubernetes.io/name": "by-janus"}

RUNS: Mapping[str, tuple[str, dict[str, Any], set[str]]] = {
    "label": ("build", {"labels": identified("cart")}, {"by-id"}),
    "annotation": ("build", {"notes": identified("cart")}, {"by-id"}),
    "namespace": (
        "build", {"labels": identified("cart"), "namespace": "pay-ci"}, {"by-id", "by-id-there"},
    ),
    "name-as-id": ("build", {"labels": identified("by-cicd")}, {"by-cicd"}),
    "name-without-cicd": ("build", {"labels": identified("by-pipeline")}, set()),
    "janus-id": ("build", {"labels": identified("janus")}, {"by-janus"}),
    "janus-label": ("build", {"labels": {"janus-idp.io/tekton": "janus"}}, {"by-janus"}),
    "pipeline": ("build", {"pipeline": "ship"}, {"by-pipeline"}),
    "own-pipeline": ("build", {"pipeline": "nightly"}, {"by-own-pipeline"}),
    "north": ("north", {"pipeline": "deploy"}, {"in-the-north"}),
    "south": ("south", {"pipeline": "deploy"}, set()),
    "west": ("west", {"pipeline": "sail"}, {"in-the-west"}),
    "east": ("east", {"pipeline": "sail"}, set()),
    "both-labels": ("build", {"labels": {"team": "shop", "tier": "front"}}, {"by-labels"}),
    "one-label": ("build", {"labels": {"team": "shop"}}, set()),
    "other-operator": ("build", {"labels": {"team": "pay"}}, set()),
    "own-labels": ("build", {"labels": {"app": "own"}}, {"by-own-labels"}),
    "app-name": ("build", {"labels": NAMED}, {"by-janus"}),
    "source": ("build", {"parameters": SOURCE}, {"by-source"}),
    # Of several ways the first counts alone.
    "annotation-before-name": ("build", {"labels": NAMED, "pipeline": "ship"}, {"by-pipeline"}),
    "name-before-source": ("build", {"labels": NAMED, "parameters": SOURCE}, {"by-janus"}),
    "several-entities": (
        "build", {"labels": identified("cart"), "pipeline": "nightly"},
        {"by-id", "by-own-pipeline"},
    ),
    # What a run says of itself counts where the entity, or the settings, allow it.
    "named-where-allowed": (
        "build",
        {"notes": {NAMES: "guarded"}, "labels": identified("cart"), "namespace": "pay-ci"},
        {"guarded"},
    ),
    "named-elsewhere": ("build", {"notes": {NAMES: "component:default/guarded"}}, set()),
    "named-without-limits": (
        "build", {"notes": {NAMES: "by-source"}, "labels": identified("cart")}, {"by-id"},
    ),
    "named-where-trusted": ("north", {"notes": {NAMES: "Component:by-source"}}, {"by-source"}),
    "names-nothing": ("north", {"notes": {NAMES: "no reference"}}, set()),
}  # fmt: skip


@pytest.fixture(scope="module")
def found(
    tmp_path_factory: pytest.TempPathFactory, portal_templates: dict[str, Path]
) -> Iterator[tuple[PortalUnderTest, Mapping[str, set[str]]]]:
    """Give a portal with all these services and runs, and which run belongs to which."""
    with portal_under_test(
        tmp_path_factory.mktemp("matching") / "portal",
        plugins=["ci_tekton"],
        settings={"plugins": {"settings": {"ci_tekton": {"matching": {"trusted": ["north/*"]}}}}},
        clock=Clock(datetime(2026, 3, 2, 8, tzinfo=UTC)),
        templates=portal_templates,
    ) as portal:
        add(portal, *(a_service(name, notes) for name, notes in SERVICES.items()))
        for name, (cluster, more, _) in RUNS.items():
            portal.observe(cluster, PIPELINE_RUNS, a_run(name, **more))
        yield portal, entities_of(portal)


def entities_of(portal: PortalUnderTest) -> dict[str, set[str]]:
    matched: dict[str, set[str]] = {}
    query = select(models.run.c.name, models.run.c.matched, models.match.c.entity).outerjoin(
        models.match, models.match.c.run_id == models.run.c.id
    )
    with portal.host("ci_tekton").read() as connection:
        for name, is_matched, ref in connection.execute(query):
            assert is_matched == (ref is not None)
            matched.setdefault(name, set()).update([ref.rpartition("/")[2]] if ref else [])
    return matched


@pytest.mark.parametrize("name", RUNS)
def test_a_run_belongs_to_whom_it_should(
    found: tuple[PortalUnderTest, Mapping[str, set[str]]], name: str
) -> None:
    assert found[1][name] == RUNS[name][2]


def test_what_a_run_says_of_itself_is_proposed(
    found: tuple[PortalUnderTest, Mapping[str, set[str]]],
) -> None:
    page = found[0].client.get("/ci_tekton/unmatched").text
    assert 'value="component:default/guarded"' in page
    assert "The run names component:default/guarded itself" in page


ACCESS = {
    "access": {
        "anonymous": "",
        "defaults": False,
        "roles": [{"name": "stray", "permissions": ["ci_tekton.unmatched.read"]}],
        "bindings": [
            {"role": "viewer", "to": ["user:default/ada"]},
            {"role": "stray", "to": ["user:default/ada"]},
            {"role": "maintainer", "to": ["user:default/ada"], "on": {"owner": ["group:shop"]}},
        ],
    }
}


def browser(portal: PortalUnderTest, who: str, *roles: str) -> TestClient:
    client = TestClient(portal.client.app, base_url="https://testserver")
    sign_in_as(client, f"user:default/{who}", roles=roles)
    return client


class TestClaims:
    """What people say of runs that nobody asks for."""

    @pytest.fixture
    def portal_plugins(self) -> Sequence[str]:
        return ["ci_tekton"]

    @pytest.fixture
    def portal_settings(self) -> Mapping[str, Any]:
        return ACCESS

    def claim(self, client: TestClient, key: str, entity: str) -> Any:
        page = client.get("/ci_tekton/unmatched").text
        token = page.partition('name="csrf_token" value="')[2].partition('"')[0]
        form = {"csrf_token": token, "key": key, "entity": entity}
        return client.post("/ci_tekton/unmatched", data=form)

    def test_a_claim_takes_nothing_from_others(self, portal: PortalUnderTest) -> None:
        asks = {"tekton.dev/pipeline": "build"}
        there = {"backstage.io/kubernetes-namespace": "pay-ci", **asks}
        services = a_service("asks", there), a_service("orders"), a_service("vault", owner="pay")
        add(portal, *services, descriptor("ada", "User", spec={"memberOf": []}))
        portal.observe(
            "build", PIPELINE_RUNS, a_run("asked-for", namespace="pay-ci"), a_run("stray")
        )
        chief = browser(portal, "chief", "administrator")
        answer = self.claim(chief, "pipeline:build/pay-ci/build", "orders")
        assert (
            "Entities ask for all runs with pipeline:build/pay-ci/build themselves" in answer.text
        )
        ada = browser(portal, "ada")
        mine = "pipeline:build/shop-ci/build"
        refused = self.claim(ada, mine, "vault")
        assert refused.status_code == 403
        assert "ci_tekton.run.claim" in refused.text
        answer = self.claim(chief, mine, "component:default/nobody")
        assert answer.status_code == 422
        assert "There is no entity component:default/nobody." in answer.text
        assert 'value="component:default/nobody"' in answer.text
        assert entities_of(portal) == {"asked-for": {"asks"}, "stray": set()}

        assert self.claim(ada, mine, "orders").status_code == 200
        assert entities_of(portal)["stray"] == {"orders"}
        assert self.claim(chief, mine, "vault").status_code == 200
        assert entities_of(portal)["stray"] == {"vault"}
        portal.observe("build", PIPELINE_RUNS, a_run("another", pipeline="lint"))
        assert self.claim(ada, mine, "orders").status_code == 403

        # An entity that asks for the runs itself comes before every claim.
        add(portal, a_service("late", asks))
        assert entities_of(portal)["stray"] == {"late"}

    def test_a_claim_ends_with_its_entity_and_comes_back_with_it(
        self, portal: PortalUnderTest
    ) -> None:
        add(portal, a_service("orders"))
        portal.observe("build", PIPELINE_RUNS, a_run("stray"))
        chief = browser(portal, "chief", "administrator")
        self.claim(chief, "pipeline:build/shop-ci/build", "orders")
        [file] = portal._catalog.glob("*.yaml")
        file.rename(file.with_suffix(".away"))
        portal.runtime.engine.read("test")
        settle(portal)
        assert entities_of(portal) == {"stray": set()}
        file.with_suffix(".away").rename(file)
        portal.runtime.engine.read("test")
        settle(portal)
        assert entities_of(portal) == {"stray": {"orders"}}

    def test_a_run_that_was_started_here_is_the_entitys(self, portal: PortalUnderTest) -> None:
        add(portal, a_service("orders"), a_service("asks", {"tekton.dev/pipeline": "build"}))
        portal.observe("build", PIPELINE_RUNS, a_run("one"))
        with portal.host("ci_tekton").write() as connection:
            number = connection.execute(select(models.run.c.id)).scalar_one()
            note_start(connection, number, "component:default/orders")
        portal.observe("build", PIPELINE_RUNS, a_run("one", version=6, labels={"more": "yes"}))
        assert entities_of(portal) == {"one": {"orders"}}


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def filled(
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
    portal_templates: dict[str, Path],
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[PortalUnderTest]:
    """Give a portal with five runs that nobody asks for, matched two at a time."""
    monkeypatch.setattr(rework, "TOGETHER", 2)
    settings: dict[str, Any] = {}
    if request.param == "postgresql":
        server = request.getfixturevalue("postgres_server")
        settings["database"] = {"url": server.url(server.create_empty())}
    with portal_under_test(
        tmp_path_factory.mktemp("rework") / "portal",
        plugins=["ci_tekton"],
        settings=settings,
        clock=Clock(datetime(2026, 3, 2, 8, tzinfo=UTC)),
        templates=portal_templates,
    ) as portal:
        settle(portal)
        runs = [a_run(f"run-{number}", labels=identified("cart")) for number in range(5)]
        portal.observe("build", PIPELINE_RUNS, *runs)
        yield portal


def test_matching_anew_goes_on_where_it_was_killed(filled: PortalUnderTest) -> None:
    host, engine = filled.host("ci_tekton"), filled.runtime.database.engine
    filled.catalog_add(a_service("cart", identified("cart")))
    parts = 0

    def killed(connection: Any, cursor: Any, statement: str, *rest: Any) -> None:
        nonlocal parts
        if statement.startswith("UPDATE ci_tekton_rematch"):
            parts += 1
            if parts == 2:
                raise KeyboardInterrupt

    event.listen(engine, "before_cursor_execute", killed)
    with pytest.raises(KeyboardInterrupt):
        match_catalog(host)
    assert sum(map(bool, entities_of(filled).values())) == 2
    match_catalog(host)
    event.remove(engine, "before_cursor_execute", killed)
    assert all(refs == {"cart"} for refs in entities_of(filled).values())
    assert parts == 3, "what was done before the kill is not done again"
    with host.read() as connection:
        (newest,) = connection.execute(select(models.latest)).all()
        last = select(models.run.c.name).where(models.run.c.id == newest.run_id)
        assert connection.execute(last).scalar_one() == "run-4"
        assert not connection.execute(select(models.rematch)).all()

    written: list[str] = []
    event.listen(engine, "before_cursor_execute", lambda _c, _k, said, *_: written.append(said))
    match_catalog(host)
    assert not [said for said in written if not said.startswith(("SELECT", "BEGIN", "PRAGMA"))]
    filled.catalog_add(a_service("lonely", {"tekton.dev/pipeline": "nothing"}))
    written.clear()
    match_catalog(host)
    assert not [said for said in written if "ci_tekton_match" in said]
