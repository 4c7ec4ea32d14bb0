"""Writes the figures as a table, beside what they should be and what Backstage takes."""

import json
import platform
import re
import sqlite3
import subprocess
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import api
import clusters
import pipelines
import psutil
import questions
import repositories

BEGIN = "<!-- figures: written by `make bench` -->"
END = "<!-- end of figures -->"


def machine(postgres: Path | None) -> dict[str, str]:
    """Describe the machine and the programs that count."""
    cores = f"{psutil.cpu_count(logical=False)} cores, {psutil.cpu_count()} threads"
    found = {
        "measured": datetime.now(UTC).strftime("%Y-%m-%d"),
        "processor": f"{_processor()}, {cores}",
        "memory": f"{psutil.virtual_memory().total / 2**30:.0f} GiB",
        "system": platform.platform(terse=True),
        "Python": platform.python_version(),
        "Callboard": version("callboard"),
        "SQLite": sqlite3.sqlite_version,
    }
    if postgres:
        found["PostgreSQL"] = _first_line([str(postgres / "postgres"), "--version"]).split()[2]
    return found


def _processor() -> str:
    information = Path("/proc/cpuinfo")
    if information.exists():
        name = re.search(r"model name\s*:\s*(.+)", information.read_text("utf-8"))
        if name:
            return name[1]
    return platform.processor() or platform.machine()


def _first_line(command: list[str]) -> str:
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def write(figures: Mapping[str, Any], page: Path) -> None:
    """Put the tables between the markers of the page; the words around them stay."""
    text = page.read_text("utf-8")
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    tables = [
        _machine_table(figures),
        _headline_table(figures),
        _growth_table(figures),
        *(_portal_table(item) for item in figures.get("portal", [])),
        *(_visibility_table(item) for item in figures.get("visibility", [])),
        *api.tables(figures),
        *questions.tables(figures),
        *repositories.tables(figures),
        *clusters.tables(figures),
        *pipelines.tables(figures),
    ]
    body = "\n".join(table for table in tables if table)
    page.write_text(f"{before}{BEGIN}\n\n{body}\n{END}{after}", "utf-8")


def save(figures: Mapping[str, Any], path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(figures, indent=2) + "\n", "utf-8")


def _table(head: str, rows: Iterable[Iterable[str]]) -> str:
    columns = head.count("|") + 1
    lines = [f"| {head} |", "|" + "---|" * columns]
    lines += [f"| {' | '.join(row)} |" for row in rows]
    return "\n".join(lines) + "\n"


def _machine_table(figures: Mapping[str, Any]) -> str:
    rows = [[name, value] for name, value in figures["machine"].items()]
    rows.append(["load while measuring", " to ".join(f"{load:.1f}" for load in figures["load"])])
    return _table("machine | ", rows)


def _headline_table(figures: Mapping[str, Any]) -> str:
    rows: list[list[str]] = []
    if start := figures.get("start"):
        ours = f"{start['seconds']:.2f} s, {start['megabytes']:.0f} MB"
        rows.append(["start to ready, empty", "1.2 s, 110 MB", ours, "1.8 s, 310-335 MB"])
    ingested = {(item["database"], item["entities"]): item for item in figures.get("ingest", [])}
    for key, limit, peer in (
        (("sqlite", 10_000), 4, "107 s"),
        (("postgresql", 10_000), 6, "72 s"),
        (("postgresql", 50_000), 30, "511 s"),
    ):
        if item := ingested.get(key):
            what = f"{key[1]:,} entities from files to visible, {_DATABASES[key[0]]}"
            ours = f"{item['seconds']:.1f} s" + _of_it_reading(item["reading_seconds"])
            rows.append([what, f"{limit} s", ours, peer])
    if item := ingested.get(("sqlite", 10_000)):
        ours = f"{item['unchanged_seconds']:.2f} s"
        ours += _of_it_reading(item["unchanged_reading_seconds"])
        ours += ", nothing written" if not item["unchanged_writes"] else ", written to"
        rows.append(["refresh with nothing changed, 10,000 entities", "1 s, no writes", ours,
                     "0.15 cores for ever"])  # fmt: skip
    if item := figures.get("change"):
        rows.append(["one changed file in a Git source to visible", "0.7 s",
                     f"{item['seconds']:.2f} s", "2 s (96 s unasked)"])  # fmt: skip
    for item in figures.get("pages", []):
        if (item["database"], item["entities"]) == ("sqlite", 10_000):
            rows += [_latency_row(f"{name} page at 10,000 entities, p50 / p95", item[name])
                     for name in ("catalog", "entity")]  # fmt: skip
    memory_limits = {10_000: ("160 MB", "666-965 MB"), 100_000: ("350 MB", "-")}
    for item in figures.get("memory", []):
        if item["entities"] in memory_limits:
            most, peer = memory_limits[item["entities"]]
            rows.append([f"memory after {item['entities']:,} entities", most,
                         f"{item['megabytes']:.0f} MB", peer])  # fmt: skip
    if item := figures.get("live"):
        grown = (item["megabytes"] - item["megabytes_before"]) * 1000 / item["readers"]
        rows += [
            [f"{item['readers']:,} open pages that listen, processor", "-",
             f"{item['idle_cores'] * 100:.1f}% of a core", "-"],
            ["memory for each of them", "-", f"{grown:.0f} kB", "-"],
            ["all of them hear of a change, after the first", "-",
             f"{item['to_all_seconds'] * 1000:.0f} ms", "-"],
        ]  # fmt: skip
    for item in figures.get("audit", []):
        on = _DATABASES[item["database"]]
        page = f"{item['page_beside']:.1f} for {item['page_alone']:.1f} ms"
        rows += [
            [f"audit entries a second, {item['writers']} writers, {on}", "500 at least",
             f"{item['entries_per_second']:,.0f}, sealed in {item['sealed_after_seconds']:.1f} s",
             "-"],
            [f"page beside {item['beside_entries_per_second']:,.0f} entries a second, p50, {on}",
             "5 % slower", f"{page} ({item['slower_percent']:+.1f} %)", "-"],
        ]  # fmt: skip
    return _table("what | at most | Callboard | Backstage", rows) if rows else ""


_DATABASES = {"sqlite": "SQLite", "postgresql": "PostgreSQL"}


def _of_it_reading(seconds: float | None) -> str:
    return "" if seconds is None else f" ({seconds:.2f} s without the start of the program)"


def _latency_row(what: str, figure: Mapping[str, Any]) -> list[str]:
    by = "" if figure["by"] == "Server-Timing" else " (seen by the client)"
    return [what, "12 / 30 ms", f"{figure['p50']:.1f} / {figure['p95']:.1f} ms{by}", "-"]


def _growth_table(figures: Mapping[str, Any]) -> str:
    memory = {item["entities"]: item for item in figures.get("memory", [])}
    pages = {(item["database"], item["entities"]): item for item in figures.get("pages", [])}
    rows = []
    for item in figures.get("ingest", []):
        key = (item["database"], item["entities"])
        page = pages.get(key)
        kept = memory.get(key[1]) if key[0] == "sqlite" else None
        rows.append([
            f"{item['entities']:,}", _DATABASES[item["database"]],
            f"{item['seconds']:.1f} s", f"{item['cpu_seconds']:.1f} s",
            f"{item['peak_megabytes']:.0f} MB", f"{item['unchanged_seconds']:.2f} s",
            "no" if not item["unchanged_writes"] else "yes",
            *(f"{page[name]['p50']:.1f} / {page[name]['p95']:.1f} ms" if page else "-"
              for name in ("catalog", "entity")),
            f"{kept['megabytes']:.0f} MB" if kept else "-",
        ])  # fmt: skip
    head = (
        "entities | database | files to visible | of it processor | most memory then | "
        "nothing changed | wrote then | catalog page p50 / p95 | entity page p50 / p95 | "
        "memory of the portal"
    )
    return _table(head, rows) if rows else ""


def _visibility_table(figure: Mapping[str, Any]) -> str:
    """Give what permissions to read cost, page by page."""
    rows = [
        [name, f"{item['without']:.1f} ms", f"{item['with']:.1f} ms", f"{item['ratio']:.2f}"]
        for name, item in figure["pages"].items()
    ]
    title = (
        f"### {figure['entities']:,} entities, {_DATABASES[figure['database']]}, seen by one with "
        f"{figure['bindings']:,} bindings ({figure['seen']:,} of them)\n\n"
    )
    head = "page | in the server p50, seeing everything | with bindings | 1.5 at most"
    return title + _table(head, rows)


def _portal_table(figure: Mapping[str, Any]) -> str:
    """Give every page of one size, with the time until it can be used where that was taken."""
    ready = figure["interactive"]
    rows = [
        [name, f"{item['p50']:.1f} / {item['p95']:.1f} ms", f"{item['bytes'] / 1024:.1f} KiB",
         str(item["queries"]),
         f"{ready[name]['next']:.0f} / {ready[name]['first']:.0f} ms" if name in ready else "-"]
        for name, item in figure["pages"].items()
    ]  # fmt: skip
    title = (
        f"### {figure['entities']:,} entities, {_DATABASES[figure['database']]}, with "
        f"{', '.join(figure['plugins'])} ({figure['megabytes']:.0f} MB)\n\n"
    )
    head = (
        "page | in the server p50 / p95 | sent | queries | "
        "usable after, slowed 4 times: next / first page"
    )
    return title + _table(head, rows)
