"""Parsing in another process gives what parsing here gives, whatever happens to the process."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from callboard.database import Database
from callboard.errors import NotFoundError
from callboard_catalog.descriptors import BUILT_IN_KINDS, KindRegistry, Limits, Origin
from callboard_catalog.ingest import apart
from callboard_catalog.ingest.apart import Apart, File, Here
from callboard_catalog.ingest.parse import ParsedFile, Parser
from callboard_catalog.testing import CatalogSite, descriptor

FILES: list[File] = [
    ("good.yaml", "1", descriptor("good", labels={"tier": "one"}).encode()),
    (
        "two.yaml",
        "2",
        f"{descriptor('a')}---\n{descriptor('b', spec={'dependsOn': ['x y']})}".encode(),
    ),
    ("kind.yaml", "3", b"kind: Nothing\napiVersion: x/v1\nmetadata: {name: n}\n"),
    ("broken.yaml", "4", b"a: [1\n"),
    ("bytes.yaml", "5", b"\xff\xfe\x00"),
    ("text.yaml", "6", descriptor("text", description={"$text": "./note.txt"}).encode()),
    (
        "sign.yaml",
        "0",
        descriptor("sign", description={"$text": "./note.txt"}).replace("$", "\\u0024").encode(),
    ),
    ("lost.yaml", "7", descriptor("lost", description={"$text": "./none.txt"}).encode()),
    ("place.yaml", "8", descriptor("place", "Location", spec={"targets": ["./a.yaml"]}).encode()),
    ("empty.yaml", "9", b""),
]


def read(base: str, path: str) -> bytes:
    if path != "note.txt":
        raise NotFoundError(f"There is no file {path}.")
    return b"a note"


def make_parser() -> Parser:
    return Parser(
        registry=KindRegistry(BUILT_IN_KINDS),
        limits=Limits(),
        origin_of=lambda path: Origin(location=f"file:/{path}", view_url=f"https://git/{path}"),
        read=read,
        blob_of=lambda path: f"blob of {path}",
    )


class Noting(Parser):
    """Notes which files it parses."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.parsed: list[str] = []

    def parse(self, path: str, blob: str, data: bytes) -> ParsedFile:
        self.parsed.append(path)
        return super().parse(path, blob, data)


@pytest.fixture
def place() -> Iterator[Apart]:
    made = Apart(make_parser())
    yield made
    made.close()


def expected() -> list[ParsedFile]:
    return list(Here(make_parser()).begin(FILES)())


def test_it_gives_the_same(place: Apart) -> None:
    lots = [place.begin(FILES) for _ in range(3)]
    for lot in lots:
        assert repr(lot()) == repr(expected())


def test_only_files_with_placeholders_are_parsed_here(place: Apart) -> None:
    parser = place.parser = Noting(**vars(place.parser))
    place.begin(FILES)()
    assert parser.parsed == ["text.yaml", "sign.yaml", "lost.yaml"]


def test_the_same_without_the_process() -> None:
    before = set(psutil.Process().children())
    place = Apart(make_parser())
    place.begin(FILES)()
    [child] = set(psutil.Process().children()) - before
    child.kill()
    assert repr(place.begin(FILES)()) == repr(expected())
    place.close()


def test_the_process_ends_with_its_work() -> None:
    before = set(psutil.Process().children())
    made = Apart(make_parser())
    [child] = set(psutil.Process().children()) - before
    made.begin(FILES)
    made.close()
    assert not child.is_running()


PROGRAM = """
import sys, time, psutil
sys.path.insert(0, sys.argv[1])
from test_parsing_apart import Apart, FILES, make_parser
made = Apart(make_parser())
made.begin(FILES)()
print(psutil.Process().children()[0].pid, flush=True)
time.sleep(600)
"""


def test_the_process_ends_with_the_one_that_began_it() -> None:
    here = str(Path(__file__).parent)
    owner = subprocess.Popen([sys.executable, "-c", PROGRAM, here], stdout=subprocess.PIPE)
    assert owner.stdout is not None
    with owner.stdout:
        number = int(owner.stdout.readline())
    os.kill(owner.pid, signal.SIGKILL)
    owner.wait()
    end = time.monotonic() + 60
    while psutil.pid_exists(number) and psutil.Process(number).status() != "zombie":
        assert time.monotonic() < end
        time.sleep(0.05)


def test_a_source_is_read_the_same(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(apart, "FEWEST", 1)
    monkeypatch.setattr(apart, "_cores", lambda: [0, 1])
    folder = tmp_path / "catalog"
    folder.mkdir()
    for number in range(450):
        (folder / f"{number}.yaml").write_text(descriptor(f"c{number}"))
    (folder / "bad.yaml").write_text("kind: [")
    source = {"name": "main", "type": "folder", "path": str(folder), "paths": ["*.yaml"]}
    site = CatalogSite(database, tmp_path, sources=[source])
    result = site.read()
    assert len(result.changes.created) == 450
    assert result.changes.rejected == 1
    assert site.read().unchanged
