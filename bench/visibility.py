"""What permissions to read cost: pages for one who sees everything, and for one of many bindings.

Both ask the same server, in turn, so that whatever else the machine does counts for both. Also by
itself: `python bench/visibility.py --help`.
"""

import argparse
import json
import random
import statistics
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import cycle, islice
from pathlib import Path
from typing import Any, Final

import sqlalchemy
import yaml
from catalogs import Generated, configure, generate
from starlette.requests import HTTPConnection
from starlette.testclient import TestClient

from callboard.entities import EntityRef
from callboard.identity import Principal, Subject
from callboard_web.app import create_app
from callboard_web.runtime import Runtime

BINDINGS: Final = 1_000
REQUESTS: Final = 40
WARM_UP: Final = 4
MOST: Final = 1.5
"""How many times as long a page may take as without bindings."""

SHARES: Final[Mapping[str, int]] = {
    "system": 380, "owner": 250, "domain": 40, "tag": 80, "namespace": 40, "type": 20,
    "kind and tag": 50, "entity": 60, "owned": 1, "deny system": 30, "deny tag": 9,
    "deny entity": 30, "deny kind and type": 10,
}  # fmt: skip
"""Bindings of each sort."""

Figure = dict[str, Any]


def bindings(values: Mapping[str, Sequence[str]], to: str) -> list[dict[str, Any]]:
    """Give a thousand bindings to one name, by what there is in the catalog."""
    dice = random.Random(5)
    found: list[dict[str, Any]] = []
    for sort, number in SHARES.items():
        fields = sort.removeprefix("deny ").split(" and ")
        for at in range(number):
            on: dict[str, Any] = {"owned": True}
            if fields != ["owned"]:
                on = {field: [_pick(dice, values[field], at)] for field in fields}
            effect = "deny" if sort.startswith("deny") else "allow"
            found.append({"role": "viewer", "to": [to], "on": on, "effect": effect})
    dice.shuffle(found)
    return found[:BINDINGS]


def _pick(dice: random.Random, values: Sequence[str], at: int) -> str:
    return values[at] if at < len(values) else dice.choice(values)


def values_of(config: Path) -> dict[str, list[str]]:
    """Read what bindings can be about, in the order of chance."""
    settings = yaml.safe_load(config.read_text("utf-8"))
    engine = sqlalchemy.create_engine(
        settings["database"]["url"].replace("postgresql://", "postgresql+psycopg://")
    )
    columns = {"system": "system", "owner": "owner", "type": "type", "kind": "kind"}
    with engine.connect() as connection:

        def read(statement: str) -> list[str]:
            return list(connection.scalars(sqlalchemy.text(statement)))

        found = {
            name: read(f"SELECT DISTINCT {column} FROM entity WHERE {column} NOT IN ('', '-')")
            for name, column in columns.items()
        }
        found["domain"] = read("SELECT ref FROM entity WHERE kind = 'domain'")
        found["entity"] = read("SELECT ref FROM entity WHERE kind = 'component' LIMIT 20000")
        found["tag"] = read(
            "SELECT DISTINCT value FROM entity_field WHERE key_id = "
            "(SELECT id FROM field_key WHERE name = 'metadata.tags' AND form = 1)"
        )
        refs = read("SELECT ref FROM entity")
    engine.dispose()
    found["namespace"] = sorted({EntityRef.parse(ref).namespace for ref in refs})
    # The namespace that nearly everything is in would make the others meaningless.
    counted = Counter(EntityRef.parse(ref).namespace for ref in refs)
    usual = counted.most_common(1)[0][0]
    found["namespace"] = [name for name in found["namespace"] if name != usual] or ["elsewhere"]
    dice = random.Random(6)
    for listed in found.values():
        listed.sort()
        dice.shuffle(listed)
    return found


def pages(values: Mapping[str, Sequence[str]], entity: str) -> Mapping[str, Sequence[str]]:
    """Give the addresses of each page; several ones are asked in turn."""
    owners = [f"/catalog?owner={ref}&type={kind}" for ref, kind in zip(
        islice(values["owner"], 60), cycle(values["type"]), strict=False)]  # fmt: skip
    return {
        "home": ["/"],
        "catalog": ["/catalog"],
        "catalog, all kinds by change": ["/catalog?kind=all&sort=updated&order=desc"],
        "catalog, by owner": ["/catalog?kind=all&sort=owner"],
        "catalog, a new filter each time": owners,
        "catalog, text": ["/catalog?kind=all&q=service"],
        "facet of owners": ["/catalog?kind=all&more=owner&find=a"],
        "entity": [entity],
        "entity, relations two deep": [f"{entity}/relations?depth=2"],
        "entity, history": [f"{entity}/history"],
        "search": ["/search?q=order", "/search?q=service+kind:component", "/search?q=payment"],
        "palette": [f"/search/palette?q={text}" for text in ("o", "or", "ord", "pay", "owner:p")],
        "teams": ["/teams"],
        "systems": ["/systems"],
        "ownership gaps": ["/ownership"],
        "activity": ["/activity"],
        "problems": ["/problems"],
        "problems, API": ["/api/catalog/problems"],
    }


@contextmanager
def portals(config: Path, given: Sequence[Mapping[str, Any]]) -> Iterator[dict[str, Runtime]]:
    """Open the portal twice: without bindings, and with them."""
    settings = yaml.safe_load(config.read_text("utf-8"))
    opened: dict[str, Runtime] = {}
    reader = {"name": "reader of sources", "permissions": ["catalog.source.read"]}
    try:
        for name, access in (
            ("without", {"defaults": True}),
            ("with", {"defaults": False, "roles": [reader], "bindings": [
                {"role": "reader of sources", "to": ["signed-in"]}, *given]}),
        ):  # fmt: skip
            changed = config.with_name(f"{name}.yaml")
            changed.write_text(yaml.safe_dump({**settings, "access": access}), "utf-8")
            runtime = opened[name] = Runtime.open(changed, {"CALLBOARD_PLUGINS": ""})
            runtime.upgrade()
            runtime.start(worker=False, serve=False)
        yield opened
    finally:
        for runtime in opened.values():
            runtime.stop()


def client_of(runtime: Runtime, subject: Subject) -> TestClient:
    """Give a browser of somebody."""

    def credential(connection: HTTPConnection) -> Subject | None:
        return subject

    app = create_app(runtime)
    app.state.portal.credentials.insert(0, credential)
    return TestClient(app)


def measure(config: Path, catalog: Generated) -> Figure:
    """Read the catalog, then time each page for both, in turn."""
    _read(config)
    values = values_of(config)
    name = "group:default/the-bench"
    mine = (EntityRef.parse(name), *map(EntityRef.parse, values["owner"][:3]))
    subject = Subject(principal=Principal(kind="person", name="bench"), mine=mine)
    with portals(config, bindings(values, name)) as opened:
        clients = {name: client_of(runtime, subject) for name, runtime in opened.items()}
        runtime = opened["with"]
        chosen = runtime.services.access.filter(subject)
        entity, seen = _seen_entity(runtime, subject)
        found = {page: _compare(clients, paths) for page, paths in pages(values, entity).items()}
        first = _first(clients, opened)
    return {
        "entities": catalog.entities,
        "bindings": BINDINGS,
        "selectors": [len(chosen.allow), len(chosen.deny)],
        "seen": seen,
        "after a change": first,
        "pages": found,
        "worst": max(figure["ratio"] for figure in found.values()),
    }


def _read(config: Path) -> None:
    runtime = Runtime.open(config, {"CALLBOARD_PLUGINS": ""})
    try:
        runtime.upgrade()
        runtime.start(worker=False, serve=False)
        for source in runtime.engine.sources:
            runtime.engine.read(source)
    finally:
        runtime.stop()


def _seen_entity(runtime: Runtime, subject: Subject) -> tuple[str, int]:
    from callboard.identity import acting_for

    with acting_for(subject):
        counts = runtime.catalog.counts()
        some = runtime.catalog.find(kind="component", limit=1)
    return some[0].ref.path(), sum(counts.values())


def _compare(clients: Mapping[str, TestClient], paths: Sequence[str]) -> Figure:
    taken: dict[str, list[float]] = {name: [] for name in clients}
    for at, path in enumerate(islice(cycle(paths), WARM_UP + REQUESTS)):
        for name, client in clients.items():
            milliseconds = _ask(client, path)
            if at >= WARM_UP:
                taken[name].append(milliseconds)
    medians = {name: statistics.median(values) for name, values in taken.items()}
    return {**medians, "ratio": medians["with"] / medians["without"]}


def _first(clients: Mapping[str, TestClient], opened: Mapping[str, Runtime]) -> Figure:
    """Give what the first page takes after the catalog has changed and was read ahead."""
    taken: dict[str, list[float]] = {name: [] for name in clients}
    for _ in range(5):
        with opened["without"].database.write() as connection:
            statement = "UPDATE catalog_state SET generation = generation + 1"
            connection.execute(sqlalchemy.text(statement))
        for name, client in clients.items():
            opened[name].warmer.warm()
            taken[name].append(_ask(client, "/catalog"))
    return {name: statistics.median(values) for name, values in taken.items()}


def _ask(client: TestClient, path: str) -> float:
    response = client.get(path)
    if response.status_code != 200:
        raise SystemExit(f"{path}: {response.status_code}\n{response.text[:500]}")
    timing = response.headers["server-timing"]
    return float(timing.partition("total;dur=")[2].partition(",")[0])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--entities", type=int, default=100_000)
    parser.add_argument("--database", help="URL; without it a SQLite file")
    parser.add_argument("--folder", type=Path, help="kept, and used again as it is")
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
        print(json.dumps(measure(config, catalog), indent=1))


if __name__ == "__main__":
    main()
