"""The catalog as it was."""

import sqlalchemy as sa
from alembic import op

from callboard.database import UtcDateTime

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add what tells which entities were there at a time.

    What was written before lacks a part of it, so the past is exact from the newest change on.
    """
    op.add_column("entity_version", sa.Column("created", UtcDateTime(), nullable=True))
    op.add_column(
        "entity_version",
        sa.Column("owner", sa.String(length=255), nullable=False, server_default=""),
    )
    op.add_column(
        "entity_version",
        sa.Column("hash", sa.String(length=40), nullable=False, server_default=""),
    )
    op.add_column("entity_version", sa.Column("gap", UtcDateTime(), nullable=True))
    op.add_column("catalog_state", sa.Column("exact_from", UtcDateTime(), nullable=True))
    op.execute(
        "UPDATE entity_version SET created = "
        "(SELECT created_at FROM entity WHERE entity.uid = entity_version.uid) "
        "WHERE before IS NOT NULL"
    )
    op.execute("UPDATE catalog_state SET exact_from = (SELECT max(at) FROM entity_version)")
    op.drop_index("ix_entity_version_at", "entity_version")
    op.create_index("ix_entity_version_at", "entity_version", ["at", "ref", "id"])
