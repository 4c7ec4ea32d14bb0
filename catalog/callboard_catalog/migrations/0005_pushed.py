"""Sources that are pushed, entities that were deleted, and problems with the time they began."""

import sqlalchemy as sa
from alembic import op

from callboard.database.types import UtcDateTime

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

_KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Add the tables, and fill in the relations that lead nowhere now."""
    _problems()
    op.create_table(
        "pushed_source",
        sa.Column("source_id", _KEY, nullable=False),
        sa.Column("owner", sa.String(length=300), nullable=False),
        sa.Column("pushed_by", sa.String(length=300), nullable=False),
        sa.Column("pushed_at", UtcDateTime(), nullable=False),
        sa.Column("mode", sa.String(length=10), nullable=False),
        sa.ForeignKeyConstraint(
            ["source_id"], ["source.id"], name=op.f("fk_pushed_source_source_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("source_id", name=op.f("pk_pushed_source")),
    )  # fmt: skip
    op.create_table(
        "deletion",
        sa.Column("id", _KEY, nullable=False),
        sa.Column("ref", sa.String(length=255), nullable=False),
        sa.Column("uid", sa.String(length=36), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("source", sa.String(length=120), nullable=False),
        sa.Column("path", sa.Text(), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.Column("actor", sa.String(length=300), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_deletion")),
        sa.UniqueConstraint("ref", name=op.f("uq_deletion_ref")),
        sa.UniqueConstraint("uid", name=op.f("uq_deletion_uid")),
    )
    op.create_index(op.f("ix_deletion_at"), "deletion", ["at"])


def _problems() -> None:
    op.create_table(
        "dangling",
        sa.Column("origin_id", _KEY, nullable=False),
        sa.Column("type", sa.String(length=63), nullable=False),
        sa.Column("other", sa.String(length=255), nullable=False),
        sa.Column("since", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["origin_id"], ["entity.id"], name=op.f("fk_dangling_origin_id"), ondelete="CASCADE"
        ),
        sa.UniqueConstraint(
            "origin_id", "type", "other", name=op.f("uq_dangling_origin_id_type_other")
        ),
    )
    op.create_index(op.f("ix_dangling_other"), "dangling", ["other"])
    op.create_table(
        "stale",
        sa.Column("entity_id", _KEY, nullable=False),
        sa.Column("since", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["entity_id"], ["entity.id"], name=op.f("fk_stale_entity_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("entity_id", name=op.f("pk_stale")),
    )
    for mine, kind, other in (
        ("source_ref", "type", "target_ref"),
        ("target_ref", "reverse", "source_ref"),
    ):
        op.execute(
            "INSERT INTO dangling (origin_id, type, other, since) "
            f"SELECT DISTINCT entity.id, relation.{kind}, relation.{other}, entity.updated_at "
            "FROM relation JOIN entity ON entity.id = relation.origin_id "
            f"WHERE relation.{mine} = entity.ref AND relation.{other} <> entity.ref "
            "AND NOT EXISTS (SELECT 1 FROM entity AS there "
            f"WHERE there.ref = relation.{other}) "
            "AND NOT EXISTS (SELECT 1 FROM dangling AS known WHERE known.origin_id = entity.id "
            f"AND known.type = relation.{kind} AND known.other = relation.{other})"
        )
