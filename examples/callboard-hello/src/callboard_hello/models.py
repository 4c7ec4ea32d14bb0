"""The plugin's table. Its name begins with that of the plugin, so that no two plugins collide."""

from sqlalchemy import Column, MetaData, String, Table, Text

from callboard.database import UtcDateTime

# A MetaData of its own: the host's tables are not the plugin's business.
metadata = MetaData()

greeting = Table(
    "hello_greeting",
    metadata,
    # A reference has at most 250 characters.
    Column("ref", String(250), primary_key=True),
    Column("text", Text, nullable=False),
    Column("greeted_at", UtcDateTime, nullable=False),
)
