"""Rows that are written by the hundred thousand are not checked one by one."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

CONSTRAINTS = {
    "entity_field": ("fk_entity_field_entity_id", "fk_entity_field_key_id"),
    "relation": ("fk_relation_origin_id",),
}
COLUMNS = {
    "entity_field": (
        sa.Column("key_id", sa.Integer(), nullable=False),
        sa.Column("value", sa.String(200), nullable=False),
        sa.Column("entity_id", sa.Integer(), nullable=False),
        sa.Column("written", sa.String(200)),
    ),
    "relation": (
        sa.Column("origin_id", sa.Integer(), nullable=False),
        sa.Column("source_ref", sa.String(255), nullable=False),
        sa.Column("type", sa.String(63), nullable=False),
        sa.Column("target_ref", sa.String(255), nullable=False),
        sa.Column("reverse", sa.String(63), nullable=False),
    ),
}
INDEXES = (
    ("ix_entity_field_key_value", "entity_field", ["key_id", "value", "entity_id", "written"]),
    ("ix_entity_field_entity", "entity_field", ["entity_id"]),
    ("ix_relation_origin", "relation", ["origin_id"]),
    ("ix_relation_source", "relation", ["source_ref"]),
    ("ix_relation_target", "relation", ["target_ref"]),
    ("ix_relation_type", "relation", ["type", "reverse"]),
)


def upgrade() -> None:
    """Take the constraints away; what deletes an entity deletes its rows."""
    if op.get_bind().dialect.name == "postgresql":
        for table, names in CONSTRAINTS.items():
            for name in names:
                op.drop_constraint(name, table)
        return
    # SQLite only makes tables anew.
    for table, columns in COLUMNS.items():
        listed = ", ".join(column.name for column in columns)
        op.create_table(f"{table}_unchecked", *columns)
        op.execute(f"INSERT INTO {table}_unchecked ({listed}) SELECT {listed} FROM {table}")
        op.drop_table(table)
        op.rename_table(f"{table}_unchecked", table)
    for name, table, indexed in INDEXES:
        op.create_index(name, table, indexed)
