"""Names and descriptions made to break pages: nothing runs, nothing breaks out of its place."""

import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime

import pytest
from browsing import paths_of, served, visiting
from playwright.sync_api import Browser

from callboard_web.runtime import Runtime
from callboard_web.testing import PortalUnderTest, portal_under_test

pytestmark = pytest.mark.browser

WIDEST = """() => [...document.querySelectorAll('main *')]
  .filter(element => element.getBoundingClientRect().right > innerWidth + 1
    && !element.closest('.scroll, .dag, pre, .tabs'))
  .slice(0, 2).map(element => element.outerHTML.slice(0, 80))"""
OVERFLOW = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
TRAPS = """[...document.querySelectorAll('a')]
  .filter(link => /^(javascript|data):/.test(link.href)).length"""
FOREIGN = "main img[src=x], main svg[onload], main script:not([src^='/static/'])"
SCRIPTS = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "'-alert(1)-'",
    "{{ 7 * 7 }}{% raw %}${alert(1)}",
    "</title></textarea></style><svg onload=alert(1)>",
    "javascript:alert(1)",
)
LONG = "W" * 3000
BROKEN = (
    "a\u0301\u0301\u0301" * 40
    + "\u202e evil \u2066 \u200b\u200d\ufeff"
    + "\U0001f468\u200d\U0001f469" * 20
)
RTL = "خدمة الطلبات \u202eexe.pdf מערכת הזמנות " * 6
TEXTS = (*SCRIPTS, LONG, BROKEN, RTL, "词" * 600, "line\u2028separator\u2029 replaced\ufffd")


def _entities() -> Iterator[str]:
    yield _document("Group", "owners", RTL, {"type": "team", "children": []})
    for number, text in enumerate(TEXTS):
        spec = {
            "type": text[:60], "lifecycle": text[:60], "owner": "owners",
            "dependsOn": [f"component:entity-{(number + 1) % len(TEXTS)}"],
        }  # fmt: skip
        yield _document("Component", f"entity-{number}", text, spec)
    operation = {"summary": BROKEN, "description": SCRIPTS[4],
                 "responses": {"200": {"description": RTL}}}  # fmt: skip
    openapi = {
        "openapi": "3.0.3",
        "info": {"title": SCRIPTS[0], "version": LONG[:300], "description": "\n\n".join(TEXTS)},
        "paths": {f"/{SCRIPTS[1]}": {"get": operation}},
    }
    api = {
        "type": "openapi",
        "lifecycle": "x",
        "owner": "owners",
        "definition": json.dumps(openapi),
    }
    yield _document("API", "hostile-api", SCRIPTS[0], api)
    graphql = f'"""{SCRIPTS[0]} {RTL}"""\ntype Query {{ field(argument: String): String }}'
    spec = {"type": "graphql", "lifecycle": "x", "owner": "owners", "definition": graphql}
    yield _document("API", "hostile-graphql", LONG, spec)


def _document(kind: str, name: str, text: str, spec: Mapping[str, object]) -> str:
    document = {
        "apiVersion": "backstage.io/v1alpha1",
        "kind": kind,
        "metadata": {
            "name": name,
            "title": text,
            "description": text,
            "links": [
                {"url": "https://example.com/" + "x" * 300, "title": text},
                {"url": "javascript:alert(document.cookie)", "title": "Trap"},
                {"url": "data:text/html,<script>alert(1)</script>", "title": "Trap"},
            ],
            "annotations": {"example.com/note": text},
        },
        "spec": spec,
    }
    return json.dumps(document, ensure_ascii=False)


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PortalUnderTest]:
    folder = tmp_path_factory.mktemp("hostile")
    with portal_under_test(
        folder, plugins=None, settings={}, clock=lambda: datetime.now(UTC), templates={}
    ) as portal:
        portal.runtime.events.start()
        portal.catalog_add("\n---\n".join(_entities()))
        yield portal


def _paths(runtime: Runtime) -> list[str]:
    every = [f"/catalog/default/component/entity-{number}" for number in range(len(TEXTS))]
    named = {"/catalog/default/api/hostile-api", "/catalog/default/api/hostile-graphql"}
    found = paths_of(runtime, states=False)
    return [*found, *sorted({*every, *named} - set(found)), "/search?q=" + "%3Cscript%3E" * 20]


@pytest.mark.parametrize("width", [390, 1440])
def test_nothing_runs_and_nothing_breaks_out(
    browser: Browser, hostile: PortalUnderTest, width: int
) -> None:
    wrong: list[str] = []
    with (
        served(hostile.runtime) as address,
        visiting(browser, address, viewport={"width": width, "height": 844}) as visit,
    ):
        for path in _paths(hostile.runtime):
            visit.page.goto(path)
            if visit.page.evaluate(OVERFLOW) > 0:
                wrong.append(f"{path} scrolls sideways: {visit.page.evaluate(WIDEST)}")
            if visit.page.evaluate(TRAPS):
                wrong.append(f"{path} links to a script")
            if visit.page.locator(FOREIGN).count():
                wrong.append(f"{path} took markup out of data")
        wrong += visit.faults
    assert wrong == [], "\n".join(wrong)
