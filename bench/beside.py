"""Asks a real Backstage and this portal the same, one after the other, and prints both.

Needs the rig of `shared/bench/backstage-rig`, installed by its `up.sh`: the same data, load script
and kind of database for both. Usage: `python bench/beside.py RIG_FOLDER --entities 10000`.
"""

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any, Final

import yaml
from catalogs import Generated, configure
from processes import BenchError, free_port, postgres, postgres_programs, run, serving

ROOT: Final = Path(__file__).parents[1]
SCRIPTS: Final = ROOT.parent / "shared/bench/backstage-rig"
GENERATOR: Final = ROOT.parent / "shared/bench/gen_catalog.py"
LONGEST: Final = 3_600


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("rig", type=Path, help="the folder that up.sh was given")
    parser.add_argument("--entities", type=int, default=10_000)
    parser.add_argument("--duration", type=int, default=5, help="seconds for each measurement")
    parser.add_argument("--processes", type=int, default=1, help="processes of the portal")
    parser.add_argument("--only", choices=("ours", "theirs"), help="measure one of both")
    chosen = parser.parse_args()
    folder = chosen.rig / "data" / str(chosen.entities)
    if not (folder / "manifest.json").exists():
        folder.mkdir(parents=True, exist_ok=True)
        subprocess.run(
            [sys.executable, GENERATOR, folder, "--entities", str(chosen.entities)], check=True
        )
    manifest = json.loads((folder / "manifest.json").read_bytes())
    found = {}
    if chosen.only != "ours":
        found["Backstage"] = theirs(chosen)
    if chosen.only != "theirs":
        found["Callboard"] = ours(chosen, Generated(folder, manifest))
    show(found)


def theirs(chosen: argparse.Namespace) -> dict[str, Any]:
    """Let the rig start its Backstage on PostgreSQL, fill it, and ask it."""
    told = _bench(chosen, "--db", "pg", "--production", "--phases", "ingest,api")
    return dict(told["api"])


def ours(chosen: argparse.Namespace, catalog: Generated) -> dict[str, Any]:
    """Start a portal on PostgreSQL with the same files, and ask it by the same script."""
    programs = postgres_programs()
    if programs is None:
        raise BenchError("No PostgreSQL programs were found.")
    directory = Path(tempfile.mkdtemp(prefix="callboard-"))
    try:
        with postgres(programs) as server:
            port = free_port()
            url = server.create("bench")
            config = configure(directory, database=url, port=port, catalog=catalog)
            settings = yaml.safe_load(config.read_text("utf-8"))
            settings["portal"]["processes"] = chosen.processes
            config.write_text(yaml.safe_dump(settings), "utf-8")
            run(config, "db", "upgrade")
            run(config, "catalog", "refresh")
            with serving(config, port):
                only = "list20,list20_ordered,by_owner,fulltext,by_name,facets,all"
                address = f"http://127.0.0.1:{port}"
                told = _bench(chosen, "--phases", "api", "--base-url", address, "--only", only)
    finally:
        shutil.rmtree(directory, ignore_errors=True)
    return dict(told["api"])


def _bench(chosen: argparse.Namespace, *more: str) -> dict[str, Any]:
    python = chosen.rig / "venv/bin/python"
    done = subprocess.run(
        [python if python.exists() else sys.executable, SCRIPTS / "bench.py", chosen.rig,
         "--entities", str(chosen.entities), "--duration", str(chosen.duration), *more],
        stdout=subprocess.PIPE, text=True, timeout=LONGEST, check=True,
    )  # fmt: skip
    # What it measured is the last thing it prints: one object, on one line or on several.
    found: dict[str, Any] = json.loads(done.stdout[done.stdout.index("{") :])
    return found


def show(found: dict[str, dict[str, Any]]) -> None:
    """Print a line for each question: p50 and p95 of one connection, requests a second of eight."""
    names = list(dict.fromkeys(name for item in found.values() for name in item))
    for name in names:
        cells, rates = [], []
        for who, item in found.items():
            row = item.get(name)
            if not isinstance(row, dict) or "c1" not in row:
                continue
            one, many = row["c1"], row["c8"]
            rates.append(many["rps"])
            cells.append(
                f"{who} {one['p50_ms']:8.2f} / {one['p95_ms']:8.2f} ms {many['rps']:9,.0f}/s"
            )
        ratio = f"  x{rates[1] / rates[0]:.1f}" if len(rates) == 2 and rates[0] else ""
        if cells:
            print(f"{name:16} {' | '.join(cells)}{ratio}", flush=True)


if __name__ == "__main__":
    try:
        main()
    except BenchError as error:
        raise SystemExit(str(error)) from None
