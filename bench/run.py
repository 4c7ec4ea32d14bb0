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
FIGURES = ("start", "ingest", "change", "pages", "memory", "portal", "live", "audit",
           "visibility")  # fmt: skip
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
    return parser.parse_args()


def measure_all(bench: measure.Bench, chosen: argparse.Namespace) -> dict[str, Any]:
    """Take the chosen figures one after the other, telling each on the terminal."""
    found: dict[str, Any] = {}
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
    return found


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
