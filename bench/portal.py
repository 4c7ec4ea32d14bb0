"""Every page of the portal with five plugins at work: time in the server, bytes, queries."""

import contextlib
import itertools
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import sqlalchemy
import yaml
from catalogs import PATHS, Generated
from processes import BenchError, serving
from sqlalchemy import event
from starlette.responses import Response
from starlette.testclient import TestClient

from callboard.entities import EntityRef
from callboard_web.app import create_app
from callboard_web.demo.organisation import build_organisation, demo_configuration
from callboard_web.personal import Personal
from callboard_web.runtime import Runtime
from callboard_web.visitors import COOKIE, Visitors

ROOT = Path(__file__).parents[1]
SECRET = "a secret that only signs the cookies of this measurement"
EXAMPLES = ("examples/callboard-hello", "docs/plugin-authors/samples/callboard-oncall")
REQUESTS = 60
WARM_UP = 5
ROUNDS = 40
"""How often everything that is due is run before the pages are asked, at most."""

Figure = dict[str, Any]


def pages(component: str) -> Mapping[str, Sequence[str]]:
    """Give the addresses of each page; several ones are asked in turn, so each is new at first."""
    entity = f"/catalog/default/component/{component}"
    service = "/catalog/default/component/order-service"
    return {
        "home": ["/"],
        "activity": ["/activity"],
        "me": ["/me"],
        "catalog": ["/catalog"],
        "catalog, all kinds": ["/catalog?kind=all&sort=updated&order=desc"],
        "catalog, a new filter each time": [],
        "catalog, text": ["/catalog?kind=all&q=service"],
        "entity": [entity],
        "entity, history": [f"{entity}/history"],
        "entity, relations two deep": [f"{entity}/relations?depth=2"],
        "entity, raw": [f"{entity}/raw"],
        "API definition": ["/catalog/default/api/order-api/apis"],
        "API index": ["/apis/"],
        "docs page": [f"{service}/docs"],
        "docs index": ["/docs/"],
        "teams": ["/teams"],
        "people": ["/people"],
        "ownership gaps": ["/ownership"],
        "systems": ["/systems"],
        "tags": ["/tags"],
        "types": ["/types"],
        "search": ["/search?q=order", "/search?q=service+kind:component", "/search?q=zfwg"],
        "palette": [f"/search/palette?q={text}" for text in ("o", "or", "ord", "pay", "zf")],
        "problems": ["/problems"],
        "sources": ["/sources"],
        "jobs": ["/jobs"],
        "plugins": ["/plugins"],
        "health": ["/health"],
    }


@contextlib.contextmanager
def plugins_installed() -> Iterator[Mapping[str, str]]:
    """Install the examples into a folder of their own; give the environment that finds them."""
    with tempfile.TemporaryDirectory(prefix="callboard-plugins-") as folder:
        subprocess.run(
            [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps",
             "--no-build-isolation", "--target", folder, *(str(ROOT / path) for path in EXAMPLES)],
            check=True,
        )  # fmt: skip
        sys.path.insert(0, folder)
        before = os.environ.get("PYTHONPATH")
        os.environ["PYTHONPATH"] = folder
        try:
            yield {"PYTHONPATH": folder}
        finally:
            sys.path.remove(folder)
            del os.environ["PYTHONPATH"]
            if before is not None:
                os.environ["PYTHONPATH"] = before


def configure(directory: Path, *, database: str, port: int, catalog: Generated) -> Path:
    """Write settings with the sample organisation and a generated catalog beside it."""
    repositories = directory / "repositories"
    build_organisation(repositories, now=datetime.now(UTC))
    settings: dict[str, Any] = yaml.safe_load(demo_configuration(repositories, database, port))
    settings["portal"]["cookie_secret"] = SECRET
    settings["access"] = {"anonymous": "administrator"}
    settings["jobs"] = {"queue_file": str(directory / "queue.sqlite3"), "workers": 0}
    settings["git"]["directory"] = str(directory / "git")
    settings["catalog"]["sources"].append(
        {"name": "generated", "type": "folder", "paths": PATHS, "schedule": "1h",
         "path": str(catalog.directory)}
    )  # fmt: skip
    rota = directory / "rota.json"
    rota.write_text('{"group:default/payments": "Liu Yang"}', "utf-8")
    settings.setdefault("plugins", {}).setdefault("settings", {})["oncall"] = {"rota": str(rota)}
    path = directory / "callboard.yaml"
    path.write_text(yaml.safe_dump(settings, allow_unicode=True), "utf-8")
    return path


def prepare(config: Path) -> tuple[str, list[str]]:
    """Read everything, run what plugins have to do, introduce a person; give the cookie and names.

    The names are those of the loaded plugins.
    """
    runtime = Runtime.open(config, {})
    try:
        runtime.upgrade()
        runtime.start(worker=False, serve=False)
        for source in runtime.engine.sources:
            result = runtime.engine.read(source)
            if result.error:
                raise BenchError(f"{source}: {result.error}")
        for _ in range(ROUNDS):
            if not runtime.jobs.run_once():
                break
        personal = Personal(runtime.database, runtime.catalog, runtime.now)
        response = Response()
        key = Visitors(SECRET).welcome(response, secure=False)
        personal.introduce(key, EntityRef.of("user", "default", "liu.yang"))
        for entity in runtime.catalog.find(kind="component", limit=12):
            personal.star(key, entity.ref, True)
            personal.visited(key, entity.ref.path(), entity.title, entity.ref)
        names = [item.name for item in runtime.plugins.loaded() if not item.builtin]
    finally:
        runtime.stop()
    return response.headers["set-cookie"].partition(";")[0].partition("=")[2], names


def measure(config: Path, port: int, catalog: Generated) -> Figure:
    """Time every page in a served portal, then count the queries of each."""
    cookie, names = prepare(config)
    addresses = dict(pages(catalog.component))
    addresses["catalog, a new filter each time"] = _filters(config)
    found: dict[str, Figure] = {}
    with serving(config, port) as portal:
        portal.client.cookies.set(COOKIE, cookie)
        for name, paths in addresses.items():
            found[name] = _latency(portal.client, paths)
        megabytes = portal.megabytes
    counted = _queries(config, addresses, cookie)
    for name, number in counted.items():
        found[name]["queries"] = number
    return {
        "entities": catalog.entities,
        "plugins": names,
        "pages": found,
        "interactive": interactive(config, port, catalog, cookie),
        "megabytes": megabytes,
    }


def _filters(config: Path) -> list[str]:
    """Give filters nobody has asked for yet: each owner with a type, in turn."""
    url = yaml.safe_load(config.read_text("utf-8"))["database"]["url"]
    engine = sqlalchemy.create_engine(url.replace("postgresql://", "postgresql+psycopg://"))
    statement = """SELECT owner, type FROM entity WHERE kind = 'component' AND owner != ''
        GROUP BY owner, type ORDER BY owner, type LIMIT 80"""
    with engine.connect() as connection:
        rows = connection.execute(sqlalchemy.text(statement)).all()
    engine.dispose()
    return [str(httpx.URL("/catalog", params={"owner": row[0], "type": row[1]})) for row in rows]


def _latency(client: httpx.Client, paths: Sequence[str]) -> Figure:
    each_new = len(paths) > REQUESTS
    turn = itertools.cycle(paths)
    for _ in range(0 if each_new else WARM_UP * len(paths)):
        _get(client, next(turn))
    taken = []
    for _ in range(REQUESTS):
        response = _get(client, next(turn))
        timing = re.search(r"\btotal;dur=([\d.]+)", response.headers["server-timing"])
        if timing is None:
            raise BenchError("The portal tells no time of its own.")
        taken.append(float(timing[1]))
    cuts = statistics.quantiles(taken, n=100)
    sent = int(response.headers.get("content-length") or len(response.content))
    return {"p50": cuts[49], "p95": cuts[94], "bytes": sent}


def _get(client: httpx.Client, path: str) -> httpx.Response:
    response = client.get(path)
    if response.status_code != 200:
        raise BenchError(f"{path} answered {response.status_code}: {response.text[:2000]}")
    return response


def _queries(config: Path, addresses: Mapping[str, Sequence[str]], cookie: str) -> dict[str, int]:
    """Count the statements that read or write, of each page once it has been asked before."""
    runtime = Runtime.open(config, {})
    count = 0

    def seen(_: Any, __: Any, statement: str, *more: Any) -> None:
        nonlocal count
        count += not statement.startswith("BEGIN")

    found = {}
    try:
        runtime.start(worker=False, serve=False)
        event.listen(sqlalchemy.Engine, "before_cursor_execute", seen)
        client = TestClient(create_app(runtime))
        client.cookies.set(COOKIE, cookie)
        for name, paths in addresses.items():
            client.get(paths[0])
            count = 0
            client.get(paths[0])
            found[name] = count
    finally:
        event.remove(sqlalchemy.Engine, "before_cursor_execute", seen)
        runtime.stop()
    return found


INTERACTIVE = ("home", "catalog", "entity", "docs page")
THROTTLE = 4
VISITS = 7
QUIET_MILLISECONDS = 1500
BEFORE = "/tags"
BROWSER_START = 4
"""Seconds that the browser takes for its own start, beside what is measured."""

# Time to interactive: the document is ready and the last long task before the quiet has ended.
WATCH = """window.longTasks = [];
new PerformanceObserver((list) => window.longTasks.push(...list.getEntries()))
  .observe({type: "longtask", buffered: true});"""
READ = """() => Math.max(
  performance.getEntriesByType("navigation")[0].domContentLoadedEventEnd,
  ...window.longTasks.map((task) => task.startTime + task.duration))"""


def interactive(config: Path, port: int, catalog: Generated, cookie: str) -> Figure:
    """Give the milliseconds until a page can be used, in Chromium slowed down four times.

    `next` is one that is opened from another page of the portal, with no file of it in the cache;
    `first` is opened in a new tab, where the browser starts a process for it, slowed down as well.
    """
    from playwright.sync_api import sync_playwright

    program = shutil.which("chromium") or shutil.which("google-chrome")
    if program is None:
        raise BenchError("No Chromium: leave this figure out.")
    addresses = pages(catalog.component)
    found = {}
    with serving(config, port), sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        browser.new_page().goto(f"http://127.0.0.1:{port}{BEFORE}")
        time.sleep(BROWSER_START)
        for name in INTERACTIVE:
            first = [_visit(browser, port, cookie, addresses[name][0]) for _ in range(VISITS)]
            later = [
                _visit(browser, port, cookie, addresses[name][0], BEFORE) for _ in range(VISITS)
            ]
            found[name] = {"next": statistics.median(later), "first": statistics.median(first)}
        browser.close()
    return found


def _visit(browser: Any, port: int, cookie: str, path: str, before: str = "") -> float:
    context = browser.new_context(base_url=f"http://127.0.0.1:{port}")
    context.add_cookies([{"name": COOKIE, "value": cookie, "url": f"http://127.0.0.1:{port}"}])
    page = context.new_page()
    page.add_init_script(WATCH)
    session = context.new_cdp_session(page)
    if before:
        page.goto(before)
        page.wait_for_timeout(QUIET_MILLISECONDS)
        session.send("Network.clearBrowserCache")
    session.send("Emulation.setCPUThrottlingRate", {"rate": THROTTLE})
    page.goto(path)
    page.wait_for_timeout(QUIET_MILLISECONDS)
    taken = float(page.evaluate(READ))
    context.close()
    return taken
