"""`kill -9` in the middle of a push: it did nothing, and the same push does all of it."""

import subprocess
import sys
import time
from pathlib import Path

import pytest
from sqlalchemy import func, select

from callboard.database import Database
from callboard_catalog import models
from callboard_catalog.pushing import Push, read_entities
from callboard_catalog.pushing.service import Asker
from callboard_catalog.testing import CatalogSite, descriptor

pytestmark = pytest.mark.slow  # runs whole processes

PUSHER = """
import sys, time
from pathlib import Path
import orjson
from callboard.database import Database
from callboard_catalog.ingest import write
from callboard_catalog.pushing import service
from callboard_catalog.store.entities import EntityRows
from callboard_catalog.pushing import Push, read_entities
from callboard_catalog.testing import CatalogSite, descriptor

url, folder, step, notes = sys.argv[1:]
owner, name = {
    "flush": (EntityRows, "flush"), "tell": (write._Batch, "_tell"),
    "push": (service._Work, "_tell"),
}[step]
original = getattr(owner, name)

def stopping(*arguments, **named):
    original(*arguments, **named)
    Path(notes).write_text("in the middle")
    time.sleep(600)

setattr(owner, name, stopping)
given = read_entities([orjson.loads(descriptor(f"c{at}")) for at in range(20)])
site = CatalogSite(Database(url), Path(folder))
site.engine.pusher.push(
    Push(source="ci", mode="full", documents=given), service.Asker(by="t", owner="t")
)
"""


@pytest.mark.parametrize("step", ["flush", "tell", "push"])
def test_a_killed_push_did_nothing(database: Database, tmp_path: Path, step: str) -> None:
    import orjson

    notes = tmp_path / "notes"
    url = database.url.render_as_string(hide_password=False)
    script = tmp_path / "pusher.py"
    script.write_text(PUSHER)
    process = subprocess.Popen([sys.executable, str(script), url, str(tmp_path), step, str(notes)])
    try:
        deadline = time.monotonic() + 60
        while not notes.exists():
            assert process.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.02)
    finally:
        process.kill()
        process.wait()
    site = CatalogSite(database, tmp_path)
    with database.read() as connection:
        for table in (models.source, models.source_file, models.entity, models.pushed_source):
            assert connection.scalar(select(func.count()).select_from(table)) == 0
    given = read_entities([orjson.loads(descriptor(f"c{at}")) for at in range(20)])
    push = Push(source="ci", mode="full", documents=given)
    asker = Asker(by="t", owner="t")
    assert site.engine.pusher.push(push, asker).counts == {"created": 20}
    assert site.engine.pusher.push(push, asker).counts == {"unchanged": 20}
