"""Measures Callboard: `make bench`, or `python bench/run.py --help`."""

import argparse
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import figures as measure
import live
import portal
import report
from processes import BenchError, postgres, postgres_programs

ROOT = Path(__file__).parents[1]
FIGURES = ("start", "ingest", "change", "pages", "memory", "portal", "live", "audit", "questions",
           "visibility", "api", "sources", "clusters", "runs")  # fmt: skip
READERS = 1_000
SIZES = (1_000, 10_000, 50_000, 100_000)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--figures", nargs="+", choices=FIGURES, default=FIGURES)
    parser.add_argument("--sizes", nargs="+", type=int, default=SIZES, help="numbers of entities")
    parser.add_argument(
        "--databases", nargs="+", choices=("sqlite", "postgresql"),
        default=("sqlite", "postgresql"),
    )  # fmt: skip
    parser.add_argument(
        "--generator", type=Path, default=ROOT.parent / "shared/bench/gen_catalog.py",
        help="the script that writes a catalog: SCRIPT DIRECTORY --entities N",
    )  # fmt: skip
    parser.add_argument("--output", type=Path, default=ROOT / "var/bench.json")
    parser.add_argument(
        "--page", type=Path, default=ROOT / "docs/benchmarks.md", help="the page with the tables"
    )
    parser.add_argument(
        "--processes", type=int, default=1, help="processes of the portal, for the API"
    )
    parser.add_argument(
        "--quick", action="store_true", help="of the API, 10,000 entities for a second each"
    )
    return parser.parse_args()


def measure_all(bench: measure.Bench, chosen: argparse.Namespace) -> dict[str, Any]:
    """Take the chosen figures one after the other, telling each on the terminal."""
    found = questioned(bench, chosen) | watched(bench, chosen) | piped(bench, chosen)
    pairs = [(size, database) for database in chosen.databases for size in chosen.sizes]
    if "start" in chosen.figures:
        found["start"] = told("start", measure.start(bench))
    if "ingest" in chosen.figures:
        found["ingest"] = [told("ingest", measure.ingest(bench, *pair)) for pair in pairs]
    if "change" in chosen.figures:
        found["change"] = told("change", measure.change(bench, nearest(chosen.sizes, 10_000)))
    if "pages" in chosen.figures:
        found["pages"] = [told("pages", measure.pages(bench, *pair)) for pair in pairs]
    if "memory" in chosen.figures:
        found["memory"] = [told("memory", measure.memory(bench, size)) for size in chosen.sizes]
    if "live" in chosen.figures:
        with bench.folder("live", "sqlite") as (folder, url):
            found["live"] = told("live", live.open_pages(folder, url, READERS))
    if "audit" in chosen.figures:
        size = nearest(chosen.sizes, 1_000)
        found["audit"] = [
            told("audit", measure.audit_log(bench, size, item)) for item in chosen.databases
        ]
    if "portal" in chosen.figures:
        with portal.plugins_installed():
            found["portal"] = [told("portal", measure.whole_portal(bench, *pair)) for pair in pairs]
    if "visibility" in chosen.figures:
        size = max(chosen.sizes)
        found["visibility"] = [
            told("visibility", measure.seen(bench, size, item)) for item in chosen.databases
        ]
    if "api" in chosen.figures:
        sizes = [size for size in chosen.sizes if size >= 10_000] or [max(chosen.sizes)]
        sizes = sizes[:1] if chosen.quick else sizes
        found["api"] = [
            measure.asked(
                bench, size, item,
                seconds=1 if chosen.quick or size > 50_000 else 2, processes=chosen.processes,
            )
            for item in chosen.databases
            for size in sizes
        ]  # fmt: skip
    if "sources" in chosen.figures:
        database = chosen.databases[-1]
        found["sources"] = [
            told("sources", measure.many_repositories(bench, database, by_server=by_server))
            for by_server in (False, True)
        ]
    return found


def questioned(bench: measure.Bench, chosen: argparse.Namespace) -> dict[str, Any]:
    if "questions" not in chosen.figures:
        return {}
    size = max(chosen.sizes)
    return {"questions": [measure.each_question(bench, size, item) for item in chosen.databases]}


def watched(bench: measure.Bench, chosen: argparse.Namespace) -> dict[str, Any]:
    if "clusters" not in chosen.figures:
        return {}
    found = [told("clusters", measure.watched(bench, item)) for item in chosen.databases]
    return {"clusters": found}


def piped(bench: measure.Bench, chosen: argparse.Namespace) -> dict[str, Any]:
    if "runs" not in chosen.figures:
        return {}
    return {"runs": [told("runs", measure.piped(bench, item)) for item in chosen.databases]}


def nearest(sizes: Sequence[int], wanted: int) -> int:
    return min(sizes, key=lambda size: abs(size - wanted))


def told(name: str, figure: measure.Figure) -> measure.Figure:
    print(name, figure, flush=True)
    return figure


def main() -> None:
    chosen = arguments()
    if not chosen.generator.is_file():
        raise SystemExit(f"There is no {chosen.generator}: name the script by --generator.")
    programs = postgres_programs() if "postgresql" in chosen.databases else None
    if programs is None and "postgresql" in chosen.databases:
        raise SystemExit("No PostgreSQL programs were found: leave it out by --databases sqlite.")
    with ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="callboard-")))
        server = stack.enter_context(postgres(programs)) if programs else None
        before = measure.load()
        found = measure_all(measure.Bench(directory, chosen.generator, server), chosen)
    found |= {"machine": report.machine(programs), "load": [before, measure.load()]}
    report.save(found, chosen.output)
    report.write(found, chosen.page)
    print(f"Wrote {chosen.output} and {chosen.page}.")


if __name__ == "__main__":
    try:
        main()
    except BenchError as error:
        raise SystemExit(str(error)) from None
