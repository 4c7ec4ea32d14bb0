"""Real repositories and the examples of Backstage, ingested whole and judged one by one."""

import json
import os
import posixpath
import subprocess
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, cast

import httpx
import pytest
import yaml
from sqlalchemy import Table, select

from callboard.database import Database
from callboard.entities import EntityRef
from callboard.errors import NotAllowedError
from callboard.http import HttpClient, Response
from callboard.testing import absent
from callboard_catalog import models
from callboard_catalog.sources.addresses import Addresses
from callboard_catalog.testing import CatalogSite

pytestmark = [pytest.mark.corpus, pytest.mark.slow]  # every document there is
CORPUS = Path(__file__).parents[3] / "shared/fixtures/catalog"
Place = tuple[str, int]
"""A file, with the folder of its repository in front, and the position of a document in it."""


def load(path: str) -> Any:
    file = CORPUS / path
    if not file.exists():
        absent(f"the corpus of real descriptors is not at {CORPUS}")
    return json.loads(file.read_bytes())


def commit_all(source: Path, repository: Path) -> None:
    """Make a bare repository of one commit with every file of a folder."""
    files = sorted(path for path in source.rglob("*") if path.is_file())
    stream = bytearray(b"commit refs/heads/main\ncommitter a <a@example.com> 1 +0000\ndata 0\n")
    for file in files:
        content = file.read_bytes()
        name = json.dumps(file.relative_to(source).as_posix(), ensure_ascii=False)
        stream += f"M 100644 inline {name}\ndata {len(content)}\n".encode() + content + b"\n"
    git = ["git", "-c", "init.defaultBranch=main"]
    environment = {"PATH": os.environ["PATH"], "GIT_CONFIG_GLOBAL": os.devnull}
    subprocess.run([*git, "init", "-q", "--bare", str(repository)], check=True, env=environment)
    subprocess.run(
        [*git, "fast-import", "--quiet"], input=bytes(stream), check=True, cwd=repository,
        env=environment,
    )  # fmt: skip


class Reachable:
    """Every URL answers with an empty object."""

    def get(self, url: str, *, etag: str | None = None) -> Response:
        return Response(200, httpx.Headers(), b"{}", url)


def reachable() -> Addresses:
    """Give a way to read addresses by which every one is there, and none of a Git host."""

    def refuse(url: str) -> Any:
        raise NotAllowedError(url)

    client = cast(HttpClient, Reachable())
    return Addresses(
        http=lambda: client,
        open_repository=lambda url, depth: refuse(url),
        check_repository=refuse,
        maximum_bytes=2**20,
    )


@pytest.fixture(scope="module")
def repositories(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Give every repository of the corpus, as a bare one below one folder."""
    load("real/manifest.json")
    base = tmp_path_factory.mktemp("repositories")
    folders = [path for path in sorted((CORPUS / "real").iterdir()) if path.is_dir()]
    made = {folder.name: base / f"{number}.git" for number, folder in enumerate(folders)}
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda folder: commit_all(folder, made[folder.name]), folders))
    return made


@pytest.fixture
def real(
    database: Database, tmp_path: Path, repositories: dict[str, Path]
) -> tuple[CatalogSite, dict[str, str]]:
    """Give a catalog that has read them all, and the folder of each source."""
    paths: defaultdict[str, list[str]] = defaultdict(list)
    for file, facts in load("real/files.json").items():
        if facts["role"] in {"descriptor", "history"}:
            folder, _, path = file.partition("/")
            paths[folder].append(path.replace("${", "$${"))
    names = {f"s{number}": folder for number, folder in enumerate(repositories)}
    sources = [
        {"name": name, "type": "git", "url": str(repositories[folder]), "paths": paths[folder]}
        for name, folder in names.items()
    ]
    site = CatalogSite(
        database, tmp_path, sources=sources, local=next(iter(repositories.values())).parent
    )
    # URLs count as reachable in the manifest; no test asks another machine.
    site.engine.refresh.addresses = reachable()
    for name in names:
        assert site.engine.read(name).error == ""
    return site, names


def places(site: CatalogSite, table: Table, names: dict[str, str]) -> dict[Place, list[Any]]:
    source, file = models.source, models.source_file
    joined = table.join(source, source.c.id == table.c.source_id).join(
        file, file.c.id == table.c.file_id
    )
    statement = select(source.c.name.label("source"), file.c.path, *table.c).select_from(joined)
    found: defaultdict[Place, list[Any]] = defaultdict(list)
    with site.database.read() as connection:
        for row in connection.execute(statement):
            found[f"{names[row.source]}/{row.path}", row.position].append(row)
    return found


def test_every_document_of_real_repositories(
    real: tuple[CatalogSite, dict[str, str]],
) -> None:
    site, names = real
    served = places(site, models.entity, names)
    claims = places(site, models.claim, names)
    rejected = {
        place: errors
        for place, rows in places(site, models.rejected, names).items()
        if (errors := [row for row in rows if row.severity == "error"])
    }
    wrong, counted = [], {True: 0, False: 0, None: 0}
    manifest = load("real/manifest.json")
    for file, entries in manifest.items():
        lines = (CORPUS / "real" / file).read_bytes().count(b"\n") + 1
        for entry in entries:
            place = (file, entry["doc_index"])
            good = [*served.get(place, ()), *claims.get(place, ())]
            faults = rejected.get(place, [])
            counted[entry["valid"]] += 1
            if not agrees(entry, good, faults, lines):
                wrong.append(f"{place}: {good} {faults}, expected {entry}")
    assert not wrong, "\n".join(wrong)
    assert counted == {True: 1356, False: 314, None: 7}
    judged = {(file, entry["doc_index"]) for file in manifest for entry in manifest[file]}
    files = load("real/files.json")
    for place in {**served, **claims, **rejected}:
        # What else was read are files that Locations lead to, and URLs.
        assert place in judged or files.get(place[0], {}).get("role", "referenced") == "referenced"
    reading_again_changes_nothing(site, names)


def agrees(entry: dict[str, Any], good: list[Any], faults: list[Any], lines: int) -> bool:
    if entry["valid"] is None:
        return not good and not faults
    if not entry["valid"]:
        codes = {part.split(":")[0] for part in entry["reason"].split("; ")}
        return (
            not good
            and {fault.code for fault in faults} == codes
            and all(1 <= fault.line <= lines + 1 for fault in faults)
            and all(fault.message for fault in faults)
        )
    ref = EntityRef.of(entry["kind"], entry["namespace"] or "default", entry["name"])
    return not faults and [row.ref for row in good] == [str(ref)] and 1 <= good[0].line <= lines


def reading_again_changes_nothing(site: CatalogSite, names: dict[str, str]) -> None:
    generation = site.service.generation()
    for name in list(names)[:10]:
        assert site.engine.read(name).unchanged
    assert site.service.generation() == generation
    counts = site.service.problem_counts()
    assert counts["conflict"] > 100
    assert len(site.service.problems(kind="conflict", limit=10_000)) == counts["conflict"]
    assert sum(item.rejected for item in site.service.sources()) > 300
    assert site.service.search("petstore")


# The examples of Backstage

GROUP, USER, API, SYSTEM, DOMAIN = "group", "user", "api", "system", "domain"
OWNER = ("owner", "ownedBy", "ownerOf", GROUP)
IN_SYSTEM = ("system", "partOf", "hasPart", SYSTEM)
DEPENDS = (
    ("dependsOn", "dependsOn", "dependencyOf", None),
    ("dependencyOf", "dependencyOf", "dependsOn", None),
)
# Of the description of the format; not taken from the code under test.
RELATIONS: dict[str, tuple[tuple[str, str, str, str | None], ...]] = {
    "Component": (
        OWNER,
        IN_SYSTEM,
        *DEPENDS,
        ("subcomponentOf", "partOf", "hasPart", "component"),
        ("providesApis", "providesApi", "apiProvidedBy", API),
        ("consumesApis", "consumesApi", "apiConsumedBy", API),
    ),
    "API": (OWNER, IN_SYSTEM),
    "Resource": (OWNER, IN_SYSTEM, *DEPENDS),
    "System": (OWNER, ("domain", "partOf", "hasPart", DOMAIN)),
    "Domain": (OWNER, ("subdomainOf", "partOf", "hasPart", DOMAIN)),
    "Group": (
        ("parent", "childOf", "parentOf", GROUP),
        ("children", "parentOf", "childOf", GROUP),
        ("members", "hasMember", "memberOf", USER),
    ),
    "User": (("memberOf", "memberOf", "hasMember", GROUP),),
    "Location": (),
}
STARTS = ("all.yaml", "acme/org.yaml")


def full(text: str, kind: str | None, namespace: str) -> str:
    head, colon, rest = text.partition(":")
    if colon and "/" not in head:
        kind, text = head, rest
    first, slash, name = text.partition("/")
    assert kind is not None
    return f"{kind}:{first if slash else namespace}/{name or first}".lower()


def expected_examples(root: Path) -> tuple[dict[str, set[tuple[str, str]]], set[str], set[str]]:
    """Give relations by reference, in both directions; the references; the rejected paths."""
    manifest = load("backstage-examples/manifest.json")
    relations: defaultdict[str, set[tuple[str, str]]] = defaultdict(set)
    present, rejected, visited, pending = set(), set(), set(), list(STARTS)
    while pending:
        path = pending.pop()
        if path in visited or not (root / path).exists():
            continue
        visited.add(path)
        documents = list(yaml.load_all((root / path).read_text(), yaml.BaseLoader))
        for document, entry in zip(documents, manifest[path], strict=True):
            if not entry["valid"]:
                rejected.update([path] if entry["valid"] is False else [])
                continue
            metadata, spec = document["metadata"], document.get("spec") or {}
            namespace = metadata.get("namespace", "default")
            ref = full(metadata["name"], document["kind"], namespace)
            present.add(ref)
            targets = [spec.get("target"), *spec.get("targets", ())]
            if document["kind"] == "Location":
                folder = posixpath.dirname(path)
                pending += [posixpath.normpath(posixpath.join(folder, t)) for t in targets if t]
            for field, forward, backward, kind in RELATIONS[document["kind"]]:
                values = spec.get(field) or []
                for value in [values] if isinstance(values, str) else values:
                    target = full(value, kind, namespace)
                    relations[ref].add((forward, target))
                    relations[target].add((backward, ref))
    return dict(relations), present, rejected


def test_the_examples_of_backstage_with_their_relations(database: Database, tmp_path: Path) -> None:
    root = CORPUS / "backstage-examples"
    expected, present, rejected = expected_examples(root)
    commit_all(root, tmp_path / "examples.git")
    source = {"name": "e", "type": "git", "url": "", "paths": list(STARTS)}
    source["url"] = str(tmp_path / "examples.git")
    site = CatalogSite(database, tmp_path, sources=[source])
    site.engine.refresh.addresses = reachable()
    assert site.read().error == ""

    served = {str(item.ref): item for item in site.service.find(limit=1000)}
    assert served.keys() == present
    assert len(present) > 50
    found = {
        ref: {(item.type, str(item.target)) for item in entity.relations}
        for ref, entity in served.items()
        if entity.relations
    }
    assert found == {ref: items for ref, items in expected.items() if ref in present}
    missing = expected.keys() - present
    assert missing
    for ref in missing:
        related = site.service.related(EntityRef.parse(ref))
        assert {(item.type, str(item.ref)) for item in related} == expected[ref]
    dangling = {
        (str(item.ref), item.code, item.other) for item in site.service.problems(kind="dangling")
    }
    assert dangling == {
        (ref, kind, target)
        for ref, items in expected.items()
        for kind, target in items
        if ref in present and target not in present
    }
    problems = site.service.problems(kind="rejected", limit=1000)
    assert {item.path for item in problems if "://" not in item.path} == rejected
