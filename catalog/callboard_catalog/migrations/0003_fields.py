"""What filters, orders and facets look at: every field, with the case of its author."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

FIELD = sa.String(200).with_variant(sa.String(200, "C"), "postgresql")


def upgrade() -> None:
    """Change the tables; entities of before are indexed anew by the job that does so for search."""
    with op.batch_alter_table("field_key") as batch:
        batch.add_column(sa.Column("form", sa.SmallInteger(), nullable=False, server_default="0"))
        batch.drop_constraint(op.f("uq_field_key_name"), type_="unique")
        batch.create_unique_constraint(op.f("uq_field_key_name_form"), ["name", "form"])
    # Tags decide who may see an entity: they stay what they are until they are indexed anew.
    op.execute("UPDATE field_key SET form = 1 WHERE name = 'metadata.tags'")
    op.drop_index("ix_entity_field_key_value", "entity_field")
    op.add_column("entity_field", sa.Column("written", FIELD, nullable=True))
    if op.get_bind().dialect.name == "postgresql":
        op.execute('ALTER TABLE entity_field ALTER COLUMN value TYPE VARCHAR(200) COLLATE "C"')
        for column in ("ref", "uid"):
            name = op.f(f"uq_entity_{column}")
            op.drop_constraint(name, "entity")
            op.execute(f"ALTER TABLE entity ADD CONSTRAINT {name} UNIQUE ({column}) INCLUDE (id)")
    columns = ["key_id", "value", "entity_id", "written"]
    op.create_index("ix_entity_field_key_value", "entity_field", columns)
    op.create_index("ix_relation_type", "relation", ["type", "reverse"])
