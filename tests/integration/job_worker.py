"""A worker process for `test_jobs_kill.py`: DATABASE_URL QUEUE_FILE NOTES as arguments.

Its job writes ten rows in one transaction. In the first attempt it stops in the middle of it,
writes a file to say so, and waits to be killed.
"""

import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

from sqlalchemy import Column, Integer, MetaData, Table, insert

from callboard.contributions import Job, JobContext
from callboard.database import Database
from callboard.host import Host
from callboard.jobs import Jobs
from callboard.plugins import Contributed
from callboard.settings import JobsSettings

ROWS = 10
metadata = MetaData()
effect = Table("effect", metadata, Column("row", Integer), Column("attempt", Integer))


def make_jobs(url: str, queue_file: str, notes: Path) -> Jobs:
    database = Database(url)

    def work(context: JobContext) -> None:
        with context.host.write() as connection:
            for row in range(ROWS):
                connection.execute(insert(effect).values(row=row, attempt=context.attempt))
                if row == ROWS // 2 and context.attempt == 1:
                    notes.write_text("in the middle")
                    time.sleep(600)

    host: Any = SimpleNamespace(read=database.read, write=database.write)
    settings = JobsSettings(
        queue_file=Path(queue_file),
        lease=timedelta(seconds=2),
        poll_interval=timedelta(seconds=0.2),
    )
    given = Contributed("hello", Job(name="work", title="Work", run=work))
    return Jobs(database, [given], lambda _: cast(Host, host), settings, lambda: datetime.now(UTC))


def main() -> None:
    url, queue_file, notes = sys.argv[1:]
    make_jobs(url, queue_file, Path(notes)).start_worker()
    time.sleep(600)


if __name__ == "__main__":
    main()
