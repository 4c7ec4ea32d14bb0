"""A plugin that asks a real server takes part in decisions; what goes wrong there is a refusal."""

import http.server
import json
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol

import pytest

from callboard.access import Access
from callboard.entities import EntityRef
from callboard.identity import (
    NOBODY,
    EntityFacts,
    Limit,
    Principal,
    Selector,
    Subject,
    acting_for,
    asking,
)
from callboard_web.runtime import Runtime

SAMPLE = Path(__file__).parents[2] / "docs/plugin-authors/samples/deciders/callboard_gatekeeper.py"
REFRESH, READ = "catalog.entity.refresh", "catalog.entity.read"
SHOP = EntityFacts(
    ref="component:default/web", kind="component", namespace="default",
    owner="group:default/blue", system="system:default/shop",
)  # fmt: skip
BANK = replace(SHOP, ref="component:default/ledger", system="system:default/bank")
EVE = Subject(
    principal=Principal(kind="person", name="user:default/eve"),
    mine=(EntityRef.of("user", "default", "eve"), EntityRef.of("group", "default", "blue")),
)
STRANGER = Subject(principal=Principal(kind="person", name="user:default/mallory"))


class Installs(Protocol):
    def install(self, name: str, source: str, **options: str) -> None: ...


class PermissionSystem:
    """A real server on loopback that says what it was told to say."""

    def __init__(self) -> None:
        self.says: dict[str, Any] = {"effect": "abstain"}
        self.closed: list[str] = []
        self.delay = 0.0
        self.status = 200
        self.asked: list[dict[str, Any]] = []
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["content-length"])))
                outer.asked.append({"path": self.path, **body})
                time.sleep(outer.delay)
                said = outer.says if self.path == "/decide" else {"closed_systems": outer.closed}
                self.send_response(outer.status)
                self.end_headers()
                self.wfile.write(json.dumps(said).encode())

            def log_message(self, *_: Any) -> None:
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.server_address[1]}"

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def system() -> Iterator[PermissionSystem]:
    made = PermissionSystem()
    yield made
    made.close()


Opens = Callable[..., Runtime]


@pytest.fixture
def portal(
    system: PermissionSystem, site: Installs, tmp_path: Path, sqlite_template: Path
) -> Iterator[Opens]:
    """Give the function that opens a portal with the sample as a plugin."""
    opened: list[Runtime] = []

    def made(source: str = "", plugins: str = "gatekeeper", **deciders: Any) -> Runtime:
        site.install("gatekeeper", source or SAMPLE.read_text("utf-8"))
        limits = {"time_limit": "5s", "keep": "0s", **deciders}
        settings = {
            "access": {"deciders": limits, "administrators": ["user:ada"]},
            "http": {"allow_hosts": ["127.0.0.1"], "allow_private": True},
            "plugins": {"settings": {"gatekeeper": {"url": system.url}} if not source else {}},
        }
        config = tmp_path / "callboard.yaml"
        config.write_text(json.dumps(settings))
        shutil.copyfile(sqlite_template, tmp_path / "callboard.sqlite3")
        runtime = Runtime.open(config, {"CALLBOARD_PLUGINS": plugins})
        opened.append(runtime)
        runtime.upgrade()
        return runtime

    yield made
    for runtime in opened:
        runtime.stop()


def test_the_server_is_asked_with_all_that_is_known(
    portal: Opens, system: PermissionSystem
) -> None:
    access = portal().services.access
    assert access.decide(EVE, REFRESH, SHOP, environment="production").allowed
    assert system.asked == [
        {
            "path": "/decide", "who": "user:default/eve",
            "groups": ["group:default/blue", "user:default/eve"], "permission": REFRESH,
            "entity": "component:default/web", "environment": "production",
        }
    ]  # fmt: skip
    assert access.decide(EVE, READ, SHOP).allowed
    assert len(system.asked) == 1


@pytest.mark.parametrize(
    ("effect", "for_owner", "for_stranger"),
    [("abstain", True, False), ("allow", True, True), ("deny", False, False)],
)
def test_a_verdict_counts(
    portal: Opens, system: PermissionSystem, effect: str, for_owner: bool, for_stranger: bool
) -> None:
    system.says = {"effect": effect, "reason": "Change 4711 says so."}
    access = portal().services.access
    assert access.decide(EVE, REFRESH, SHOP).allowed is for_owner
    stranger = access.decide(STRANGER, REFRESH, SHOP)
    assert stranger.allowed is for_stranger
    assert ("Change 4711" in str(stranger.reasons[0].text)) is (effect != "abstain")
    explained = access.explain(EVE, REFRESH, SHOP)
    assert [(item.verdict, item.failed) for item in explained.verdicts] == [(effect, False)]


def test_denials_of_roles_and_tokens_are_not_overruled(
    portal: Opens, system: PermissionSystem
) -> None:
    system.says = {"effect": "allow"}
    access = portal().services.access
    token = replace(EVE, limits=(Limit(permissions=(READ,)),))
    assert not access.decide(token, REFRESH, SHOP).allowed
    store = access.store
    store.add_binding(
        store.binding_settings({"role": "developer", "to": ["everyone"], "effect": "deny"})
    )
    assert not access.decide(EVE, REFRESH, SHOP).allowed
    assert access.filter(EVE, REFRESH).nothing
    assert system.asked == []


def break_off(system: PermissionSystem) -> None:
    system.server.shutdown()
    system.server.server_close()


def answer_nonsense(system: PermissionSystem) -> None:
    system.says = {"effect": "maybe"}


def answer_nothing(system: PermissionSystem) -> None:
    system.says = {}


def fail(system: PermissionSystem) -> None:
    system.status = 500


def hang(system: PermissionSystem) -> None:
    system.delay = 1.0


@pytest.mark.parametrize("wrong", [break_off, answer_nonsense, answer_nothing, fail, hang])
def test_what_goes_wrong_is_a_refusal_that_names_the_decider(
    portal: Opens, system: PermissionSystem, wrong: Callable[[PermissionSystem], None]
) -> None:
    wrong(system)
    access = portal(time_limit="300ms").services.access
    decision = access.decide(EVE, REFRESH, SHOP)
    assert not decision.allowed
    assert "Gatekeeper" in str(decision.reasons[0].text)
    (verdict,) = access.explain(EVE, REFRESH, SHOP).verdicts
    assert verdict.failed
    assert access.decide(EVE, READ, SHOP).allowed
    glass = Subject(principal=Principal(kind="person", name="x"), roles=("administrator",))
    assert access.decide(glass, REFRESH, SHOP).allowed


def test_lists_are_narrowed_as_the_server_says(portal: Opens, system: PermissionSystem) -> None:
    access = portal().services.access
    assert access.filter(EVE, REFRESH).fits(BANK)
    system.closed = ["system:default/bank"]
    chosen = access.filter(EVE, REFRESH)
    assert chosen.fits(SHOP)
    assert not chosen.fits(BANK)
    assert access.filter(EVE, READ).everything
    system.status = 500
    assert access.filter(EVE, REFRESH).nothing
    assert not access.anywhere(EVE, REFRESH)


def test_an_answer_holds_for_a_while(portal: Opens, system: PermissionSystem) -> None:
    access = portal(keep="1h").services.access
    assert access.decide(EVE, REFRESH, SHOP).allowed
    system.says = {"effect": "deny"}
    assert access.decide(EVE, REFRESH, SHOP).allowed
    assert not access.decide(EVE, REFRESH, BANK).allowed
    assert not access.decide(EVE, REFRESH, SHOP, environment="production").allowed
    assert len(system.asked) == 3


def test_a_plugin_that_must_decide_and_is_missing_closes_everything(portal: Opens) -> None:
    access = portal(plugins="", required=["gatekeeper"]).services.access
    decision = access.decide(EVE, READ, SHOP)
    assert not decision.allowed
    assert "gatekeeper" in str(decision.reasons[0].text)
    assert access.filter(EVE, READ).nothing
    assert not access.anywhere(EVE, READ)
    glass = Subject(principal=Principal(kind="person", name="x"), roles=("administrator",))
    assert access.decide(glass, READ, SHOP).allowed


OWN = """
from callboard import hookimpl
from callboard.contributions import Decider, EntityVerdict, Verdict
from callboard.identity import asking

seen = []

def decide(request, host):
    seen.append(asking())
    return {verdict}

@hookimpl
def callboard_deciders():
    return [Decider(name="own", title="Own", permissions=("catalog.*",), decide=decide)]
"""


def own(portal: Opens, verdict: str) -> Access:
    return portal(OWN.format(verdict=verdict)).services.access


@pytest.mark.parametrize("verdict", ["None", "True", "'allow'", "1 / 0", "exit()"])
def test_an_answer_of_another_type_is_a_refusal(portal: Opens, verdict: str) -> None:
    access = own(portal, verdict)
    decision = access.decide(EVE, READ, SHOP)
    assert not decision.allowed
    assert "Own" in str(decision.reasons[0].text)


def test_without_an_answer_for_lists_they_are_empty_but_ways_in_stay_open(portal: Opens) -> None:
    access = own(portal, "Verdict(effect='abstain')")
    assert access.decide(EVE, READ, SHOP).allowed
    assert access.filter(EVE, READ).nothing
    assert access.anywhere(EVE, READ)


def test_what_a_decider_reads_is_not_narrowed(portal: Opens) -> None:
    runtime = portal(OWN.format(verdict="Verdict(effect='abstain')"))
    with acting_for(NOBODY):
        runtime.services.access.decide(EVE, READ, SHOP)
        assert asking() is NOBODY
    module: Any = runtime.plugins.records["gatekeeper"].module
    assert module.seen == [None]


def test_an_allowed_selector_opens_what_roles_do_not(portal: Opens) -> None:
    source = OWN.format(verdict="Verdict(effect='allow')").replace(
        "decide=decide)", "decide=decide, entities=entities)"
    ) + (
        "\nfrom callboard.identity import Selector\n"
        "def entities(subject, permission, host):\n"
        "    return EntityVerdict(allow=(Selector(systems=frozenset({'system:default/shop'})),))\n"
    )
    access = portal(source).services.access
    on = Selector(systems=frozenset({"system:default/shop"}))
    assert access.filter(NOBODY, READ).allow == {on}
