"""The catalog's API under load, beside what it can cost at least.

Questions are those of the rig that measures Backstage. They are asked of a portal that keeps its
answers (`kept`), and of one that makes each anew (`fresh`).
"""

import json
import os
import shutil
import statistics
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

import httpx
import psutil
import yaml
from catalogs import Generated, observing
from processes import BenchError, Portal, Postgres, free_port, megabytes, serving

Figure = dict[str, Any]

CONNECTIONS: Final = (1, 8)
SCRIPT: Final = Path(__file__).with_name("requests.lua")
ENTITIES: Final = "/api/catalog/entities"
ALL: Final = "all entities"
LONGER: Final = 4
WANTED: Final[Mapping[str, tuple[float, int]]] = {
    "by-query, 20 components": (2, 1_500),
    "the same by name": (2, 1_500),
    "by kind and owner": (1.5, 1_800),
    "full text": (3, 900),
    "by-name": (0.6, 2_700),
    "facet of type": (2.5, 1_200),
    ALL: (50, 25),
}
"""At 10,000 entities: milliseconds at most (p50, one connection), requests a second at least."""

PAGES: Final = ("/catalog", "/catalog?kind=all&sort=updated&order=desc", "/search?q=order")
STREAMS: Final = 4


def questions(catalog: Generated) -> dict[str, list[str]]:
    """Give the addresses of each question; several ones are asked in turn."""
    listed = f"{ENTITIES}/by-query?limit=20&filter=kind=component"
    owners = [quote(f"group:default/{name}", safe="") for name in catalog.manifest["sample_owners"]]
    fields = "fullTextFilterFields=metadata.name,metadata.title"
    return {
        "by-query, 20 components": [listed],
        "the same by name": [f"{listed}&orderField=metadata.name,asc"],
        "by kind and owner": [f"{listed},spec.owner={owner}" for owner in owners],
        "full text": [
            f"{listed}&fullTextFilterTerm={term}&{fields}"
            for term in catalog.manifest["search_terms"]
        ],
        "by-name": [
            f"{ENTITIES}/by-name/component/default/{name}"
            for name in catalog.manifest["sample_components"]
        ],
        "facet of type": ["/api/catalog/entity-facets?facet=spec.type&filter=kind=component"],
        ALL: [ENTITIES],
    }


def measure(
    config: Path,
    port: int,
    catalog: Generated,
    postgres: Postgres | None,
    *,
    seconds: float,
    processes: int,
) -> Figure:
    """Give every question of one catalog, kept and fresh, by a portal of its own for each."""
    found: Figure = {"entities": catalog.entities, "processes": processes}
    found |= {"questions": {}, "memory": {}}
    for way in ("kept", "fresh"):
        _set(config, kept_answers="64MiB" if way == "kept" else "0", processes=processes)
        with serving(config, port) as portal:
            _settle(portal)
            for name, paths in questions(catalog).items():
                # So few are answered in a second that a short time would miss most of them.
                long = LONGER if name == ALL else 1
                figure = _question(portal, port, paths, postgres, long * seconds)
                found["questions"].setdefault(name, {})[way] = figure
                _tell(catalog, way, name, figure)
            found["memory"][way] = portal.megabytes
            if way == "fresh":
                found["streams"] = _streams(portal, port)
                found["pages"] = {path: _times(portal.client, path, 40) for path in PAGES}
    return found


def _set(config: Path, **portal: Any) -> None:
    settings = yaml.safe_load(config.read_text("utf-8"))
    settings["portal"] |= portal
    config.write_text(yaml.safe_dump(settings), "utf-8")


def _settle(portal: Portal) -> None:
    """Wait until what a start asks for is done."""
    deadline = time.monotonic() + 60
    while portal.process.cpu_percent(interval=0.5) > 10 and time.monotonic() < deadline:
        pass


def _question(
    portal: Portal, port: int, paths: Sequence[str], postgres: Postgres | None, seconds: float
) -> Figure:
    response = portal.client.get(paths[0])
    if response.status_code != 200:
        raise BenchError(f"{paths[0]} answered {response.status_code}: {response.text[:500]}")
    _wrk(port, paths, 8, min(seconds, 1))
    found: Figure = {"bytes": len(response.content)}
    for connections in CONNECTIONS:
        before = _processor(portal.process), _of_postgres(postgres)
        figure = _wrk(port, paths, connections, seconds)
        after = _processor(portal.process), _of_postgres(postgres)
        asked = max(figure["requests"], 1)
        figure["rate"] = figure["requests"] / figure["seconds"]
        figure["cpu"] = (after[0] - before[0]) / asked * 1e6
        figure["database_cpu"] = (after[1] - before[1]) / asked * 1e6
        if figure["bad"]:
            raise BenchError(f"{paths[0]}: {figure['bad']} requests went wrong.")
        found[str(connections)] = figure
    return found


def _wrk(port: int, paths: Sequence[str], connections: int, seconds: float) -> Figure:
    program = shutil.which("wrk")
    if program is None:
        raise BenchError("There is no wrk, which asks: install it (Debian: apt install wrk).")
    listed = Path(os.environ.get("TMPDIR", "/tmp")) / f"callboard-requests-{os.getpid()}"
    listed.write_text("\n".join(paths) + "\n", "utf-8")
    try:
        done = subprocess.run(
            [program, "-t1", f"-c{connections}", f"-d{max(1, round(seconds))}s", "--latency",
             "--timeout", "30s", "-s", SCRIPT, f"http://127.0.0.1:{port}"],
            env={**os.environ, "REQUESTS": str(listed)}, capture_output=True, text=True,
            timeout=seconds + 60, check=False,
        )  # fmt: skip
    finally:
        listed.unlink()
    _, there, told = done.stdout.partition("FOUND ")
    if not there:
        raise BenchError(f"wrk failed: {done.stdout}{done.stderr}")
    found: Figure = json.loads(told.splitlines()[0])
    return found


def _processor(process: psutil.Process) -> float:
    """Give the processor's seconds of a process and all below it."""
    total = 0.0
    for item in (process, *process.children(recursive=True)):
        try:
            times = item.cpu_times()
        except psutil.NoSuchProcess:
            continue
        total += times.user + times.system
    return total


def _of_postgres(postgres: Postgres | None) -> float:
    if postgres is None:
        return 0.0
    number = int((postgres.directory / "data/postmaster.pid").read_text().splitlines()[0])
    return _processor(psutil.Process(number))


def _times(client: httpx.Client, path: str, requests: int) -> Figure:
    taken = []
    for _ in range(requests):
        begin = time.perf_counter()
        response = client.get(path)
        taken.append((time.perf_counter() - begin) * 1000)
        if response.status_code != 200:
            raise BenchError(f"{path} answered {response.status_code}.")
    cuts = statistics.quantiles(taken, n=100)
    return {"p50": cuts[49], "p95": cuts[94]}


def _streams(portal: Portal, port: int) -> Figure:
    """Let several clients read everything at once, and watch the memory of the portal."""

    def read(_: int) -> int:
        with httpx.stream(
            "GET", f"http://127.0.0.1:{port}{ENTITIES}", timeout=120, trust_env=False
        ) as response:
            return sum(len(piece) for piece in response.iter_raw())

    before = peak = portal.megabytes
    begin = time.perf_counter()
    with ThreadPoolExecutor(STREAMS) as pool:
        futures = [pool.submit(read, number) for number in range(STREAMS)]
        while not all(future.done() for future in futures):
            peak = max(peak, megabytes(portal.process))
            time.sleep(0.02)
    sizes = [future.result() for future in futures]
    return {
        "streams": STREAMS, "bytes": sizes[0], "before": before, "peak": peak,
        "seconds": time.perf_counter() - begin,
    }  # fmt: skip


def _tell(catalog: Generated, way: str, name: str, figure: Figure) -> None:
    one, many = figure["1"], figure["8"]
    print(
        f"  {catalog.entities:>7,} {way:5} {name:26} {one['p50']:8.2f} / {one['p95']:8.2f} ms "
        f"{many['rate']:9,.0f}/s {many['cpu']:8.0f} + {many['database_cpu']:.0f} µs",
        flush=True,
    )


# What it costs at least


def floors(config: Path, catalog: Generated, seconds: float) -> Figure:
    """Give what a bare server answers, one indexed read takes, and parsing alone takes."""
    return {
        "hello": _hello(seconds),
        "read": _read(config, catalog),
        "yaml": _yaml(catalog),
    }


_HELLO: Final = """
import sys
import uvicorn

BODY = b"x" * 1700

async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        while True:
            message = await receive()
            await send({"type": f"{message['type']}.complete"})
            if message["type"] == "lifespan.shutdown":
                return
    head = [(b"content-type", b"application/json"), (b"content-length", b"1700")]
    await send({"type": "http.response.start", "status": 200, "headers": head})
    await send({"type": "http.response.body", "body": BODY})

uvicorn.run(app, port=int(sys.argv[1]), loop="uvloop", http="httptools", log_level="error",
            access_log=False)
"""


def _hello(seconds: float) -> Figure:
    port = free_port()
    process = psutil.Popen([sys.executable, "-c", textwrap.dedent(_HELLO), str(port)])
    try:
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            try:
                httpx.get(f"http://127.0.0.1:{port}/", trust_env=False)
                break
            except httpx.TransportError:
                time.sleep(0.05)
        found = {str(number): _wrk(port, ["/"], number, seconds) for number in CONNECTIONS}
    finally:
        process.terminate()
        process.wait(10)
    return {
        number: {"p50": item["p50"], "rate": item["requests"] / item["seconds"]}
        for number, item in found.items()
    }


def _read(config: Path, catalog: Generated) -> float:
    """Give the microseconds of reading one document by its reference, as a driver does it."""
    url = yaml.safe_load(config.read_text("utf-8"))["database"]["url"]
    refs = [f"component:default/{name}" for name in catalog.manifest["sample_components"]]
    with observing(url) as observer:
        connection: Any = observer.driver
        mark = "?" if url.startswith("sqlite") else "%s"
        statement = f"SELECT document FROM entity WHERE ref = {mark}"
        begin = time.perf_counter()
        for number in range(2_000):
            connection.execute(statement, (refs[number % len(refs)],)).fetchone()
        return (time.perf_counter() - begin) / 2_000 * 1e6


def _yaml(catalog: Generated) -> float:
    """Give the seconds libyaml takes for all files of the catalog, with nothing made of them."""
    loader = yaml.CSafeLoader
    begin = time.perf_counter()
    for path in sorted(catalog.directory.glob("repos/**/*.yaml")):
        for _ in yaml.compose_all(path.read_bytes(), loader):
            pass
    return time.perf_counter() - begin


# Tables


def tables(figures: Mapping[str, Any]) -> Iterator[str]:
    """Give the page's part about the API."""
    for item in figures.get("api", []):
        yield _questions_table(item)


def _questions_table(item: Mapping[str, Any]) -> str:
    names = {"sqlite": "SQLite", "postgresql": "PostgreSQL"}
    rows = []
    for name, ways in item["questions"].items():
        most, least = WANTED[name]
        wanted = f"{most:g} ms; {least:,}" if item["entities"] == 10_000 else "-"
        row = [name, wanted]
        for way in ("kept", "fresh"):
            one, many = ways[way]["1"], ways[way]["8"]
            row += [
                f"{one['p50']:.2f} / {one['p95']:.2f} ms; {many['rate']:,.0f}",
                f"{many['cpu']:,.0f} + {many['database_cpu']:,.0f} µs",
            ]
        rows.append(row)
    streams, floor = item["streams"], item["floors"]
    head = (
        "question | p50 at most; a second at least | kept: p50 / p95, one connection; a second, 8 |"
        " processor of portal + PostgreSQL | fresh: the same | processor"
    )
    size = streams["bytes"] / 1e6
    pages = (f"`{path}` {page['p95']:.0f} ms" for path, page in item["pages"].items())
    said = f"""
{streams["streams"]} clients that stream everything at once ({size:.0f} MB each):
{streams["seconds"]:.1f} s, memory {streams["before"]:.0f} to {streams["peak"]:.0f} MB.
Pages, p95: {", ".join(pages)}.

Floors: a bare uvicorn answers 1.7 kB in {floor["hello"]["1"]["p50"]:.2f} ms,
{floor["hello"]["8"]["rate"]:,.0f} a second; the driver reads one document by reference in
{floor["read"]:.0f} µs; libyaml alone reads all files in {floor["yaml"]:.1f} s
(ingestion: {item["ingest_seconds"]:.1f} s). Processes of the portal: {item["processes"]}.
"""
    title = f"### API at {item['entities']:,} entities, {names[item['database']]}\n\n"
    return title + _lines(head, rows) + said


def _lines(head: str, rows: Sequence[Sequence[str]]) -> str:
    columns = head.count("|") + 1
    lines = [f"| {head} |", "|" + "---|" * columns]
    return "\n".join([*lines, *(f"| {' | '.join(row)} |" for row in rows)]) + "\n"
