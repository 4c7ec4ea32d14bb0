"""The plugin's table."""

from sqlalchemy import Column, MetaData, String, Table

from callboard.database import UtcDateTime

metadata = MetaData()

duty = Table(
    "oncall_duty",
    metadata,
    Column("team", String(250), primary_key=True),
    Column("person", String(200), nullable=False),
    Column("since", UtcDateTime, nullable=False),
)
