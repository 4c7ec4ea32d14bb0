"""Tables of the jobs: what is to be done, by whom, and what became of it."""

from typing import Final

from sqlalchemy import BigInteger, Column, Float, Index, Integer, String, Table, Text, text

from callboard.database import Json, UtcDateTime, metadata

_ONE_OF_A_KIND = ("plugin", "name", "key")

job_run: Final = Table(
    "job_run",
    metadata,
    Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True),
    Column("plugin", String(120), nullable=False),
    Column("name", String(120), nullable=False),
    Column("key", String(300), nullable=False),
    Column("payload", Json, nullable=False),
    Column("state", String(10), nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("not_before", UtcDateTime, nullable=False),
    Column("lease_owner", String(120)),
    Column("lease_until", UtcDateTime),
    Column("created_at", UtcDateTime, nullable=False),
    Column("started_at", UtcDateTime),
    Column("finished_at", UtcDateTime),
    Column("seconds", Float),
    Column("error", Text, nullable=False),
    Column("error_id", String(20), nullable=False),
    Column("progress_done", Integer, nullable=False),
    Column("progress_total", Integer, nullable=False),
    Column("progress_text", String(300), nullable=False),
    # These two make the database itself keep the promises of `Job`: one run of a job and key
    # waits, one is running, however many processes there are.
    *(
        Index(
            f"uq_job_run_{state}",
            *_ONE_OF_A_KIND,
            unique=True,
            sqlite_where=text(f"state = '{state}'"),
            postgresql_where=text(f"state = '{state}'"),
        )
        for state in ("waiting", "running")
    ),
    Index(
        "ix_job_run_due",
        "not_before",
        "id",
        sqlite_where=text("state = 'waiting'"),
        postgresql_where=text("state = 'waiting'"),
    ),
    Index("ix_job_run_state_id", "state", "id"),
    Index("ix_job_run_plugin_name_id", "plugin", "name", "id"),
    Index("ix_job_run_finished_at", "finished_at"),
    sqlite_autoincrement=True,
)

job_schedule: Final = Table(
    "job_schedule",
    metadata,
    Column("plugin", String(120), primary_key=True),
    Column("name", String(120), primary_key=True),
    Column("every_seconds", Float, nullable=False),
    Column("next_at", UtcDateTime, nullable=False, index=True),
)
