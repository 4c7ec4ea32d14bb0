"""A process for `test_catalog_kill.py`: DATABASE_URL FOLDER STEP NUMBER NOTES as arguments.

It reads the source `main` in small batches and, in the NUMBERth call of STEP, writes a file to say
so and waits to be killed: in the middle of a transaction, or between two.
"""

import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from callboard.database import Database
from callboard_catalog.ingest import refresh, write
from callboard_catalog.store.entities import EntityRows
from callboard_catalog.testing import CatalogSite

SOURCE = {"name": "main", "type": "folder", "path": "main", "paths": ["all.yaml", "files/*.yaml"]}
STEPS: dict[str, tuple[Any, str]] = {
    "flush": (EntityRows, "flush"),
    "tell": (write._Batch, "_tell"),
    "apply": (write.Writer, "apply"),
    "remove": (write.Writer, "remove"),
    "succeed": (refresh.Refresh, "_succeeded"),
}


def stop_at(step: str, number: int, notes: Path) -> None:
    owner, name = STEPS[step]
    original: Callable[..., Any] = getattr(owner, name)
    calls = 0

    def counting(*arguments: Any, **named: Any) -> Any:
        nonlocal calls
        calls += 1
        result = None if step in {"remove", "succeed"} else original(*arguments, **named)
        if calls == number:
            notes.write_text("in the middle")
            time.sleep(600)
        return original(*arguments, **named) if step in {"remove", "succeed"} else result

    setattr(owner, name, counting)


def main() -> None:
    url, folder, step, number, notes = sys.argv[1:]
    # Small batches, so that there are many places to be killed at.
    refresh.ENTITIES_AT_ONCE = 10  # type: ignore[misc]
    stop_at(step, int(number), Path(notes))
    CatalogSite(Database(url), Path(folder), sources=[SOURCE]).read()


if __name__ == "__main__":
    main()
