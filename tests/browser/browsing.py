"""What the tests in Chromium share: a server, a browser, and a walk over every page there is.

The walk follows links from the home page and keeps a few pages of each route, so a new page takes
part as soon as something leads to it; what nothing leads to is found in the application's routes.
"""

import os
import re
import shutil
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from html import unescape
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urljoin, urlsplit

import pytest
import uvicorn
import yaml
from fastapi import FastAPI
from playwright.sync_api import Browser, BrowserContext, Page, Playwright, expect, sync_playwright
from starlette.routing import Match, Route
from starlette.testclient import TestClient

from callboard.testing import absent
from callboard_web.app import create_app
from callboard_web.demo import build_organisation, demo_configuration
from callboard_web.runtime import Runtime

ARGUMENTS = (
    "--no-sandbox",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
)
NOT_PAGES = re.compile(r"/(static|api|hooks|metrics|healthz|readyz|live|favicon\.ico)\b")
# A machine that does much besides takes its time; what is wrong is found all the same.
PATIENCE = 20_000
expect.set_options(timeout=PATIENCE)

EXPECTED = re.compile(r"404 \(Not Found\)|^htmx:(sendAbort|sendError|afterRequest), ")
"""What the console tells of without a fault: a page that answers 404 on purpose, and a request that
ends because its page is left. One that fails is told of by other words besides."""

MOST_QUERIES = 4
MOST_PAGES = 150

STATES = (
    "/catalog?q=zzz-nothing",
    "/catalog?kind=all&tag=java&q=order",
    "/search?q=order",
    "/search?q=zzz-nothing",
    "/search",
    "/problems?kind=rejected",
    "/jobs?state=failed",
    "/me/access?permission=catalog.entity.refresh&entity=order-service",
    "/access/explain?subject=anonymous&permission=catalog.entity.refresh",
    "/access/explain?subject=zzz",
    "/nope",
    "/catalog/default/component/nope",
)
"""Addresses of states that no link leads to: nothing found, not there, filtered to nothing."""


@contextmanager
def served(runtime: Runtime) -> Iterator[str]:
    """Serve a portal on a free port of this machine and give its address."""
    with served_app(create_app(runtime)) as address:
        yield address


@contextmanager
def served_app(app: FastAPI) -> Iterator[str]:
    configuration = uvicorn.Config(
        app, port=0, log_level="critical", timeout_graceful_shutdown=1, ws="none"
    )
    server = uvicorn.Server(configuration)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    deadline = time.monotonic() + 60
    while not server.started and time.monotonic() < deadline:
        time.sleep(0.01)
    port = server.servers[0].sockets[0].getsockname()[1]
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        thread.join(10)


def chromium() -> str:
    """Find the system's Chromium; its absence skips a test, and fails one in CI."""
    found = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
    if not found:
        absent("No Chromium: install the package chromium, or name one in CHROMIUM.")
    return found


def start_browser(playwright: Playwright) -> Browser:
    return playwright.chromium.launch(executable_path=chromium(), args=list(ARGUMENTS))


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Start the system's Chromium."""
    with sync_playwright() as playwright:
        started = start_browser(playwright)
        yield started
        started.close()


@pytest.fixture(scope="module")
def address(portal_runtime: Runtime) -> Iterator[str]:
    """Serve the sample portal on a free port."""
    with served(portal_runtime) as found:
        yield found


@contextmanager
def demo_portal(folder: Path, *, signs_in: bool = False) -> Iterator[Runtime]:
    """Give the portal of `callboard demo` with every plugin that is installed, all read.

    Everyone may do everything without signing in, unless it `signs_in` its people as the demo does.
    """
    repositories = folder / "repositories"
    folder.mkdir(parents=True, exist_ok=True)
    build_organisation(repositories, now=datetime.now(UTC).replace(microsecond=0))
    config = folder / "callboard.yaml"
    text = demo_configuration(repositories, "sqlite:///callboard.sqlite3", 8000)
    settings = yaml.safe_load(text)
    if not signs_in:
        settings |= {"access": {"anonymous": "administrator"}, "sessions": {"demo": False}}
    config.write_text(yaml.safe_dump(settings, allow_unicode=True), encoding="utf-8")
    runtime = Runtime.open(config, {})
    runtime.upgrade()
    runtime.start(worker=False, serve=True)
    try:
        for source in runtime.catalog.sources():
            runtime.jobs.submit(None, "catalog", "refresh", {"source": source.name})
        for _ in range(4):  # what is read asks for more to be read
            runtime.jobs.run_once()
        yield runtime
    finally:
        runtime.stop()


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Runtime]:
    """Give the demo's portal, once for all tests that only look at it."""
    with demo_portal(tmp_path_factory.mktemp("demo")) as runtime:
        yield runtime


@pytest.fixture(scope="module")
def demo_address(demo: Runtime) -> Iterator[str]:
    """Serve the demo on a free port."""
    with served(demo) as found:
        yield found


@pytest.fixture(scope="session")
def demo_paths(demo: Runtime) -> list[str]:
    """Give the addresses of the demo's pages."""
    return paths_of(demo)


def paths_of(runtime: Runtime, *, states: bool = True) -> list[str]:
    """Give addresses that stand for every page and state of a portal."""
    app = create_app(runtime)
    found = [path for path, status in walked(app) if status == 200]
    return [*found, *STATES] if states else found


def walked(app: FastAPI) -> Iterator[tuple[str, int]]:
    """Follow links from the home page; give a page of each kind with the status it answers."""
    client = TestClient(app, raise_server_exceptions=False)
    plain = [route.path for route in app.routes if isinstance(route, Route)
             and "{" not in route.path and "GET" in (route.methods or ())]  # fmt: skip
    waiting = ["/", *(path for path in plain if not NOT_PAGES.match(path))]
    seen: set[str] = set()
    queries: Counter[str] = Counter()
    found = 0
    while waiting and found < MOST_PAGES:
        path = waiting.pop(0)
        kind, query = _kind_of(app, path)
        if not kind or f"{kind} {query}" in seen or (query and queries[kind] >= MOST_QUERIES):
            continue
        response = client.get(path, headers={"accept": "text/html"}, follow_redirects=False)
        if "<html" not in response.text:
            continue
        seen.add(f"{kind} {query}")
        queries[kind] += bool(query)
        found += 1
        yield path, response.status_code
        waiting += _links(path, response.text)


def _links(path: str, page: str) -> list[str]:
    found = re.findall(r"<a\b[^>]*?\shref=\"([^\"#]+)", page)
    urls = [urlsplit(urljoin(f"http://testserver{path}", unescape(link))) for link in found]
    return [
        f"{url.path}?{url.query}" if url.query else url.path
        for url in urls
        if url.netloc == "testserver" and not NOT_PAGES.match(url.path)
    ]


def _kind_of(app: FastAPI, path: str) -> tuple[str, str]:
    """Give what a page is an example of: its route, with an entity's kind and tab; its filters."""
    url = urlsplit(path)
    scope = {"type": "http", "method": "GET", "path": url.path, "root_path": "", "headers": []}
    for route in app.routes:
        match, child = route.matches(scope)
        if match is Match.FULL and isinstance(route, Route):
            parts = child.get("path_params", {})
            told = [str(parts[name]) for name in ("kind", "tab") if name in parts]
            below = "below" if str(parts.get("rest", "")) else ""
            query = ",".join(sorted({name for name, _ in parse_qsl(url.query)}))
            return " ".join([route.path, *told, below]), query
    return "", ""


class Visit:
    """A browser window that notes what must not happen."""

    def __init__(self, browser: Browser, address: str, **options: Any) -> None:
        self.address = address
        cookies: Mapping[str, str] = options.pop("cookies", {})
        self.context: BrowserContext = browser.new_context(base_url=address, **options)
        self.context.add_cookies(
            [
                {"name": f"callboard_{name}", "value": value, "url": address}
                for name, value in cookies.items()
            ]
        )
        self.faults: list[str] = []
        self.page: Page = self.context.new_page()
        self.page.set_default_timeout(PATIENCE)
        self.page.on("pageerror", lambda error: self._fault(f"error: {error}"))
        self.page.on("console", self._console)
        self.page.on("request", self._request)
        self.page.on("dialog", self._dialog)

    def _fault(self, text: str) -> None:
        self.faults.append(f"{self.page.url.removeprefix(self.address)}: {text}")

    def _console(self, message: Any) -> None:
        if message.type in ("error", "warning") and not EXPECTED.search(message.text):
            self._fault(f"console: {message.text}")

    def _request(self, request: Any) -> None:
        if not request.url.startswith((self.address, "data:")):
            self._fault(f"foreign request: {request.url}")

    def _dialog(self, dialog: Any) -> None:
        self._fault(f"dialog: {dialog.message}")
        dialog.dismiss()


@contextmanager
def visiting(browser: Browser, address: str, **options: Any) -> Iterator[Visit]:
    """Open a window for the time of the block."""
    visit = Visit(browser, address, **options)
    try:
        yield visit
    finally:
        visit.context.close()
