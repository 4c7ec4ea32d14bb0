"""What each sort of question costs: of the API, of pages, asked the first time and again.

Every question is asked of a portal in this process, after the catalog has changed and was read
ahead (`first`), and again with nothing changed (`again`); no answer is kept as it was sent. Also by
itself: `python bench/questions.py --help`.
"""

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import sqlalchemy
import yaml
from catalogs import Generated, configure, generate
from question_list import Question, questions
from rows import fill
from sqlalchemy import event, text
from starlette.testclient import TestClient

from callboard_web.app import create_app
from callboard_web.runtime import Runtime

ROWS: Final = 100_000
"""Looks, deliveries and audit entries beside the catalog."""

TIMES: Final = 3
WORTH_TELLING: Final = 30
"""Milliseconds."""

Figure = dict[str, Any]


class Statements:
    """Counts the statements of a database, and the time from sending one to its first row."""

    def __init__(self, engine: sqlalchemy.Engine) -> None:
        self.number, self.seconds, self._begun = 0, 0.0, 0.0
        event.listen(engine, "before_cursor_execute", self._before)
        event.listen(engine, "after_cursor_execute", self._after)

    def _before(self, *rest: Any) -> None:
        self._begun = time.perf_counter()

    def _after(self, *rest: Any) -> None:
        self.number += 1
        self.seconds += time.perf_counter() - self._begun


@contextmanager
def opened(config: Path) -> Iterator[Runtime]:
    settings = yaml.safe_load(config.read_text("utf-8"))
    settings["portal"]["kept_answers"] = 0
    settings["usage"] = {"enabled": True}
    config.write_text(yaml.safe_dump(settings), "utf-8")
    runtime = Runtime.open(config, {"CALLBOARD_PLUGINS": ""})
    try:
        runtime.upgrade()
        runtime.start(worker=False, serve=False)
        yield runtime
    finally:
        runtime.stop()


def values_of(runtime: Runtime) -> Mapping[str, str]:
    """Read what questions name."""
    with runtime.database.read() as connection:

        def one(statement: str) -> str:
            return str(connection.scalar(text(statement)))

        common = "FROM entity WHERE kind = 'component' AND {0} <> '' GROUP BY {0}"
        usual = "SELECT {0} " + common + " ORDER BY count(*) DESC, {0} LIMIT 1"
        names = connection.scalars(
            text("SELECT name FROM entity WHERE kind = 'component' ORDER BY uid LIMIT 1000")
        )
        first = "SELECT {} FROM entity WHERE kind = 'component' ORDER BY id LIMIT 1"
        return {
            "owner": one(usual.format("owner")),
            "system": one(usual.format("system")),
            "domain": one("SELECT ref FROM entity WHERE kind = 'domain' ORDER BY ref LIMIT 1"),
            "ref": one(first.format("ref")),
            "uid": one(first.format("uid")),
            "names": " ".join(names),
        }


def measure(config: Path, catalog: Generated, chosen: str = "") -> Figure:
    """Give milliseconds of each question, the dearest first; `chosen` is a part of their names."""
    with opened(config) as runtime:
        if not runtime.catalog.counts():
            for source in runtime.engine.sources:
                runtime.engine.read(source)
        fill(runtime.database, ROWS)
        runtime.warmer.stop()
        client = TestClient(create_app(runtime))
        statements = Statements(runtime.database.engine)
        found = {
            name: _asked(runtime, client, statements, question)
            for name, question in questions(catalog, values_of(runtime)).items()
            if chosen in name
        }
    ordered = sorted(found.items(), key=lambda item: -item[1]["first"]["cpu"])
    return {"entities": catalog.entities, "questions": dict(ordered)}


def _asked(
    runtime: Runtime, client: TestClient, statements: Statements, question: Question
) -> Figure:
    more = question.more(client)
    question.ask(client, more)  # what a process makes once, as templates, is no part of it
    first, again = [], []
    for _ in range(TIMES):
        with runtime.database.write() as connection:
            connection.execute(text("UPDATE catalog_state SET generation = generation + 1"))
        runtime.warmer.warm()
        servers = _servers(runtime)
        first.append(_once(client, statements, servers, question, more))
        again.append(_once(client, statements, servers, question, more))
    return {
        way: {
            **{name: statistics.median(item[name] for item in taken) for name in taken[0]},
            "slowest": max(item["wall"] for item in taken),
        }
        for way, taken in (("first", first), ("again", again))
    }


def _once(
    client: TestClient,
    statements: Statements,
    servers: Sequence[Path],
    question: Question,
    more: Mapping[str, str],
) -> Figure:
    before, database = (statements.number, statements.seconds), _seconds(servers)
    wall, own = time.perf_counter(), time.process_time()
    response = question.ask(client, more)
    own, wall = time.process_time() - own, time.perf_counter() - wall
    if response.status_code != 200:
        raise SystemExit(f"{question}: {response.status_code}\n{response.text[:500]}")
    theirs = _seconds(servers) - database
    return {
        "cpu": (own + theirs) * 1000,
        "database": theirs * 1000,
        "wall": wall * 1000,
        "statements": statements.number - before[0],
        "waited": (statements.seconds - before[1]) * 1000,
        "bytes": len(response.content),
    }


def _servers(runtime: Runtime) -> list[Path]:
    """Give where Linux tells the time of the servers that PostgreSQL has for this process."""
    if runtime.database.dialect == "sqlite":
        return []
    with runtime.database.read() as connection:
        pids = connection.scalars(text("SELECT pid FROM pg_stat_activity WHERE state IS NOT NULL"))
        return [Path(f"/proc/{pid}/schedstat") for pid in pids]


def _seconds(servers: Sequence[Path]) -> float:
    return sum(int(path.read_text().split()[0]) for path in servers if path.exists()) / 1e9


def tables(figures: Mapping[str, Any]) -> Iterator[str]:
    """Write the questions that take more than `WORTH_TELLING` as tables of a page."""
    for figure in figures.get("questions", []):
        rows = [
            f"| {name.replace('|', ' ')} | {_told(item['first'])} | {_told(item['again'])} |"
            for name, item in figure["questions"].items()
            if max(item["first"]["cpu"], item["again"]["cpu"]) > WORTH_TELLING
        ]
        number = len(figure["questions"])
        head = (
            f"{figure['database']}, {figure['entities']:,} entities: of {number} questions "
            f"those above {WORTH_TELLING} ms of processor | first after a change: "
            "processor (database); slowest | again"
        )
        yield "\n".join([f"| {head} |", "|---|---|---|", *rows, ""])


def _told(taken: Figure) -> str:
    database = f" ({taken['database']:.0f})" if taken["database"] else ""
    return f"{taken['cpu']:.0f}{database}; {taken['slowest']:.0f} ms"


def table(figure: Figure, most: float = 0.0) -> str:
    """Write the questions that take more than so many milliseconds."""
    lines = [f"{'first':>7} {'again':>7} {'waited':>7} {'stm':>4}  question"]
    for name, item in figure["questions"].items():
        first, again = item["first"], item["again"]
        if max(first["cpu"], again["cpu"]) >= most:
            lines.append(
                f"{first['cpu']:7.1f} {again['cpu']:7.1f} {first['waited']:7.1f} "
                f"{first['statements']:4.0f}  {name}"
            )
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--entities", type=int, default=100_000)
    parser.add_argument("--database", help="URL; without it a SQLite file")
    parser.add_argument("--folder", type=Path, help="kept, and used again as it is")
    parser.add_argument("--only", default="", help="a part of the names of what is asked")
    parser.add_argument("--most", type=float, default=0.0, help="milliseconds that are no matter")
    root = Path(__file__).parents[1]
    parser.add_argument(
        "--generator", type=Path, default=root.parent / "shared/bench/gen_catalog.py"
    )
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="callboard-") as temporary:
        folder = chosen.folder or Path(temporary)
        folder.mkdir(exist_ok=True, parents=True)
        place = folder / "catalog"
        if (place / "manifest.json").exists():
            catalog = Generated(place, json.loads((place / "manifest.json").read_bytes()))
        else:
            catalog = generate(chosen.generator, place, chosen.entities)
        database = chosen.database or f"sqlite:///{folder / 'callboard.sqlite3'}"
        config = configure(folder, database=database, port=0, catalog=catalog)
        print(table(measure(config, catalog, chosen.only), chosen.most))


if __name__ == "__main__":
    main()
