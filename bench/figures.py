"""The figures, one function for each. Every one starts real processes and checks what they did."""

import os
import re
import shutil
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import api
import audit
import clusters
import httpx
import pipelines
import portal
import questions
import repositories
import visibility
from catalogs import Generated, as_repository, configure, generate, git, observing
from processes import BenchError, Portal, Postgres, free_port, run, serving

STARTS = 5
REQUESTS = 300
WARM_UP = 20
VISIBLE_SECONDS = 600
CHANGES = 5

Figure = dict[str, Any]


@dataclass(frozen=True)
class Bench:
    """Where the measurements work, and with what."""

    directory: Path
    generator: Path
    postgres: Postgres | None

    def catalog(self, entities: int) -> Generated:
        """Give a generated catalog; it is written once for each size."""
        directory = self.directory / f"catalog-{entities}"
        if (directory / "manifest.json").exists():
            shutil.rmtree(directory)
        return generate(self.generator, directory, entities)

    @contextmanager
    def folder(self, name: str, database: str) -> Iterator[tuple[Path, str]]:
        """Give an empty folder and the URL of an empty database; both are removed in the end."""
        directory = self.directory / name
        directory.mkdir()
        url = f"sqlite:///{directory / 'callboard.sqlite3'}"
        if database == "postgresql":
            if self.postgres is None:
                raise BenchError("There is no PostgreSQL server.")
            url = self.postgres.create("bench")
        try:
            yield directory, url
        finally:
            shutil.rmtree(directory, ignore_errors=True)


def start(bench: Bench) -> Figure:
    """Start-up of an empty portal whose tables are there: the median of several starts."""
    seconds, memory = [], []
    with bench.folder("start", "sqlite") as (directory, url):
        port = free_port()
        config = configure(directory, database=url, port=port, catalog=None)
        run(config, "db", "upgrade")
        for _ in range(STARTS):
            with serving(config, port) as portal:
                seconds.append(portal.ready_seconds)
                _get(portal.client, "/")
                memory.append(portal.megabytes)
    return {"seconds": statistics.median(seconds), "megabytes": statistics.median(memory)}


def ingest(bench: Bench, entities: int, database: str) -> Figure:
    """Read a catalog into an empty database by a command, then again with nothing changed.

    The seconds count from the start of the process to its end; `reading_seconds` is what the
    command says of itself, without the start of the process.
    """
    catalog = bench.catalog(entities)
    with bench.folder(f"ingest-{database}-{entities}", database) as (directory, url):
        config = configure(directory, database=url, port=free_port(), catalog=catalog)
        run(config, "db", "upgrade")
        first = run(config, "catalog", "refresh")
        with observing(url) as observer:
            observer.check(catalog)
            before = observer.writes()
            again = run(config, "catalog", "refresh")
            _settle(database)
            writes = observer.writes() - before
    return {
        "entities": entities,
        "database": database,
        "seconds": first.seconds,
        "reading_seconds": _seconds_told(first.output),
        "cpu_seconds": first.cpu_seconds,
        "peak_megabytes": first.peak_megabytes,
        "unchanged_seconds": again.seconds,
        "unchanged_reading_seconds": _seconds_told(again.output),
        "unchanged_writes": writes,
    }


def _settle(database: str) -> None:
    """Let PostgreSQL publish its counters, which a process may hold back for a second."""
    if database == "postgresql":
        time.sleep(1.5)


def _seconds_told(output: str) -> float | None:
    """Give the last `… s` of a command's output."""
    found = re.findall(r"(\d+(?:\.\d+)?) ?s(?:econds?)?\b", output)
    return float(found[-1]) if found else None


def memory(bench: Bench, entities: int) -> Figure:
    """Memory of a portal that read the catalog by itself, after pages were asked of it."""
    catalog = bench.catalog(entities)
    with bench.folder(f"memory-{entities}", "sqlite") as (directory, url):
        port = free_port()
        config = configure(directory, database=url, port=port, catalog=catalog)
        run(config, "db", "upgrade")
        with serving(config, port) as portal, observing(url) as observer:
            _wait(lambda: observer.entities() == entities, f"{entities} entities")
            visible = portal.age
            observer.check(catalog)
            for path in ("/", "/catalog", _entity(catalog.component)):
                for _ in range(10):
                    _get(portal.client, path)
            return {
                "entities": entities,
                "visible_seconds": visible,
                "megabytes": portal.megabytes,
            }


def pages(bench: Bench, entities: int, database: str) -> Figure:
    """Server time of pages, in milliseconds, over one connection that is kept open."""
    catalog = bench.catalog(entities)
    with bench.folder(f"pages-{database}-{entities}", database) as (directory, url):
        port = free_port()
        config = configure(directory, database=url, port=port, catalog=catalog)
        run(config, "db", "upgrade")
        run(config, "catalog", "refresh")
        with serving(config, port) as portal:
            found = _get(portal.client, "/search", q=catalog.component).text
            if catalog.component not in found.partition("<main")[2]:
                raise BenchError(f"Search does not find {catalog.component}.")
            return {
                "entities": entities,
                "database": database,
                "catalog": _latency(portal.client, "/catalog"),
                "entity": _latency(portal.client, _entity(catalog.component)),
            }


def whole_portal(bench: Bench, entities: int, database: str) -> Figure:
    """Every page of the portal beside the sample organisation; see `portal.measure`."""
    catalog = bench.catalog(entities)
    with bench.folder(f"portal-{database}-{entities}", database) as (directory, url):
        port = free_port()
        config = portal.configure(directory, database=url, port=port, catalog=catalog)
        return {"database": database, **portal.measure(config, port, catalog)}


def audit_log(bench: Bench, entities: int, database: str) -> Figure:
    """Entries of the audit log a second, and a page beside them; see `audit.measure`."""
    catalog = bench.catalog(entities)
    with bench.folder(f"audit-{database}", database) as (directory, url):
        port = free_port()
        config = configure(directory, database=url, port=port, catalog=catalog)
        run(config, "db", "upgrade")
        run(config, "catalog", "refresh")
        return {"database": database, **audit.measure(config, url, port)}


def seen(bench: Bench, entities: int, database: str) -> Figure:
    """Pages for one who sees everything and for one of many bindings; see `visibility.measure`."""
    catalog = bench.catalog(entities)
    with bench.folder(f"visibility-{database}", database) as (directory, url):
        config = configure(directory, database=url, port=free_port(), catalog=catalog)
        return {"database": database, **visibility.measure(config, catalog)}


def each_question(bench: Bench, entities: int, database: str) -> Figure:
    """What each sort of question costs; see `questions.measure`."""
    catalog = bench.catalog(entities)
    with bench.folder(f"questions-{database}", database) as (directory, url):
        config = configure(directory, database=url, port=free_port(), catalog=catalog)
        found = {"database": database, **questions.measure(config, catalog)}
    print(questions.table(found), flush=True)
    return found


def asked(bench: Bench, entities: int, database: str, *, seconds: float, processes: int) -> Figure:
    """The catalog's API under load; see `api.measure`."""
    catalog = bench.catalog(entities)
    with bench.folder(f"api-{database}-{entities}", database) as (directory, url):
        port = free_port()
        config = configure(directory, database=url, port=port, catalog=catalog)
        run(config, "db", "upgrade")
        read = run(config, "catalog", "refresh")
        postgres = bench.postgres if database == "postgresql" else None
        found = api.measure(config, port, catalog, postgres, seconds=seconds, processes=processes)
        found["floors"] = api.floors(config, catalog, seconds)
    return {"database": database, "ingest_seconds": read.seconds, **found}


def many_repositories(bench: Bench, database: str, *, by_server: bool) -> Figure:
    """A thousand repositories with nothing changed; see `repositories.measure`."""
    with bench.folder(f"repositories-{database}-{by_server}", database) as (directory, url):
        found = repositories.measure(directory, url, by_server=by_server)
        return {"database": database, **found}


def _latency(client: httpx.Client, path: str) -> Figure:
    for _ in range(WARM_UP):
        _get(client, path)
    taken = []
    for _ in range(REQUESTS):
        begin = time.perf_counter()
        response = _get(client, path)
        outside = (time.perf_counter() - begin) * 1000
        taken.append((_server_milliseconds(response), outside))
    server = [inside for inside, _ in taken if inside is not None]
    measured = server if len(server) == REQUESTS else [outside for _, outside in taken]
    cuts = statistics.quantiles(measured, n=100)
    return {
        "p50": cuts[49],
        "p95": cuts[94],
        "bytes": len(response.content),
        "by": "Server-Timing" if measured is server else "client",
    }


def _server_milliseconds(response: httpx.Response) -> float | None:
    total = re.search(r"\btotal;(?:[^,]*;)?dur=([\d.]+)", response.headers.get("server-timing", ""))
    return float(total[1]) if total else None


def change(bench: Bench, entities: int) -> Figure:
    """One changed file of a Git source: from asking for a refresh to seeing it on its page."""
    catalog = bench.catalog(entities)
    as_repository(catalog)
    with bench.folder("change", "sqlite") as (directory, url):
        port = free_port()
        config = configure(directory, database=url, port=port, catalog=catalog, kind="git")
        run(config, "db", "upgrade")
        with serving(config, port) as portal, observing(url) as observer:
            _wait(lambda: observer.entities() == entities, f"{entities} entities")
            _wait(lambda: _is_idle(portal), "an idle portal")
            seconds = [_change_once(portal, catalog, number) for number in range(CHANGES)]
    return {"entities": entities, "seconds": statistics.median(seconds), "all": seconds}


def _is_idle(portal: Portal) -> bool:
    return bool(portal.process.cpu_percent(interval=0.5) < 10)


def _change_once(portal: Portal, catalog: Generated, number: int) -> float:
    title = f"Changed title {number}"
    path = catalog.directory / "repos" / catalog.component / "catalog-info.yaml"
    text, found = re.subn(
        r"(?m)^  title: .*$", f"  title: {title}", path.read_text("utf-8"), count=1
    )
    if not found:
        raise BenchError(f"{path} has no title.")
    path.write_text(text, "utf-8")
    git(catalog.directory, "commit", "--quiet", "--all", "--message=Change a title")
    ask = _refresh_request(portal.client)
    begin = time.perf_counter()
    ask()
    _wait(lambda: title in _get(portal.client, _entity(catalog.component)).text, title, step=0.01)
    return time.perf_counter() - begin


class _RefreshForm(HTMLParser):
    """Finds the form of a page that asks for a refresh, with its hidden fields."""

    def __init__(self) -> None:
        super().__init__()
        self.action = ""
        self.fields: dict[str, str] = {}
        self._inside = False

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attributes}
        if tag == "form":
            self._inside = not self.action and "refresh" in values.get("action", "")
            if self._inside:
                self.action = values["action"]
        elif tag == "input" and self._inside and values.get("name"):
            self.fields[values["name"]] = values.get("value", "")


def _refresh_request(client: httpx.Client) -> Callable[[], None]:
    """Do as a person does: open the source's page, and press its button to read it again."""
    page = _get(client, "/sources/generated")
    form = _RefreshForm()
    form.feed(page.text)
    if not form.action:
        raise BenchError("The source's page has no form that refreshes it.")

    def ask() -> None:
        response = client.post(
            form.action, data=form.fields, headers={"Origin": str(client.base_url).rstrip("/")},
            follow_redirects=False,
        )  # fmt: skip
        if response.status_code >= 400:
            raise BenchError(f"{form.action} answered {response.status_code}: {response.text}")

    return ask


def _entity(component: str) -> str:
    return f"/catalog/default/component/{component}"


def _get(client: httpx.Client, path: str, **query: str) -> httpx.Response:
    response = client.get(path, params=query)
    if response.status_code != 200:
        raise BenchError(f"{path} answered {response.status_code}: {response.text[:2000]}")
    return response


def _wait(
    is_done: Callable[[], bool], what: str, *, limit: float = VISIBLE_SECONDS, step: float = 0.05
) -> None:
    deadline = time.monotonic() + limit
    while not is_done():
        if time.monotonic() > deadline:
            raise BenchError(f"Waited {limit:.0f} s in vain for {what}.")
        time.sleep(step)


def load() -> float:
    """Give the load of the machine over the last minute: others' work spoils figures."""
    return os.getloadavg()[0]


def watched(bench: Bench, database: str) -> Figure:
    """Watches of clusters; see `clusters.measure`."""
    with bench.folder(f"clusters-{database}", database) as (directory, url):
        return clusters.measure(directory, url, database)


def piped(bench: Bench, database: str) -> Figure:
    """Runs of pipelines and their logs; see `pipelines.measure`."""
    with bench.folder(f"runs-{database}", database) as (directory, url):
        return pipelines.measure(directory, url, database)
