"""The catalog's tables and its text indexes."""

import sqlalchemy as sa
from alembic import op

from callboard.database import Json, TranslatedText, UtcDateTime

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the tables."""
    op.create_table(
        "catalog_state",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("generation", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_catalog_state")),
    )
    op.create_table(
        "field_key",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_field_key")),
        sa.UniqueConstraint("name", name=op.f("uq_field_key_name")),
    )
    op.create_table(
        "search_document",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("source", sa.String(length=120), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("path", sa.Text(), nullable=False),
        sa.Column("ref", sa.String(length=255), nullable=False),
        sa.Column("hash", sa.String(length=40), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_search_document")),
        sa.UniqueConstraint("source", "key", name=op.f("uq_search_document_source_key")),
    )
    op.create_table(
        "source",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("name", sa.String(length=120), nullable=False),
        sa.Column("type", sa.String(length=40), nullable=False),
        sa.Column("title", TranslatedText(), nullable=False),
        sa.Column("address", sa.Text(), nullable=False),
        sa.Column("every", sa.Float(), nullable=False),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.Column("fingerprint", sa.String(length=64), nullable=False),
        sa.Column("head", sa.Text(), nullable=False),
        sa.Column("last_read_at", UtcDateTime(), nullable=True),
        sa.Column("last_success_at", UtcDateTime(), nullable=True),
        sa.Column("failing_since", UtcDateTime(), nullable=True),
        sa.Column("error", TranslatedText(), nullable=False),
        sa.Column("hint", TranslatedText(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_source")),
        sa.UniqueConstraint("name", name=op.f("uq_source_name")),
    )
    op.create_table(
        "source_file",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column(
            "source_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.Column("path", sa.Text(), nullable=False),
        sa.Column("blob", sa.Text(), nullable=False),
        sa.Column("remote", sa.Boolean(), nullable=False),
        sa.Column("targets", Json(), nullable=True),
        sa.Column("reads", Json(), nullable=True),
        sa.ForeignKeyConstraint(
            ["source_id"], ["source.id"], name=op.f("fk_source_file_source_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_source_file")),
        sa.UniqueConstraint("source_id", "path", name=op.f("uq_source_file_source_id_path")),
    )
    op.create_table(
        "claim",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("ref", sa.String(length=255), nullable=False),
        sa.Column(
            "source_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.Column("file_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("line", sa.Integer(), nullable=False),
        sa.Column("document", sa.LargeBinary(), nullable=False),
        sa.Column("pairs", Json(), nullable=False),
        sa.Column("hash", sa.String(length=40), nullable=False),
        sa.Column("since", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["file_id"], ["source_file.id"], name=op.f("fk_claim_file_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["source_id"], ["source.id"], name=op.f("fk_claim_source_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_claim")),
    )
    op.create_index(op.f("ix_claim_file_id"), "claim", ["file_id"], unique=False)
    op.create_index(op.f("ix_claim_ref"), "claim", ["ref"], unique=False)
    op.create_table(
        "entity",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("ref", sa.String(length=255), nullable=False),
        sa.Column("uid", sa.String(length=36), nullable=False),
        sa.Column("kind", sa.String(length=63), nullable=False),
        sa.Column("name", sa.String(length=63), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("lifecycle", sa.Text(), nullable=False),
        sa.Column("owner", sa.String(length=255), nullable=False),
        sa.Column("system", sa.String(length=255), nullable=False),
        sa.Column("domain", sa.String(length=255), nullable=False),
        sa.Column("document", sa.LargeBinary(), nullable=False),
        sa.Column("hash", sa.String(length=40), nullable=False),
        sa.Column(
            "source_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.Column("file_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("line", sa.Integer(), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("updated_at", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(["file_id"], ["source_file.id"], name=op.f("fk_entity_file_id")),
        sa.ForeignKeyConstraint(["source_id"], ["source.id"], name=op.f("fk_entity_source_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_entity")),
        sa.UniqueConstraint("ref", name=op.f("uq_entity_ref")),
        sa.UniqueConstraint("uid", name=op.f("uq_entity_uid")),
    )
    op.create_index(op.f("ix_entity_file_id"), "entity", ["file_id"], unique=False)
    op.create_index("ix_entity_kind_lifecycle", "entity", ["kind", "lifecycle"], unique=False)
    op.create_index("ix_entity_name", "entity", ["name", "id"], unique=False)
    op.create_index("ix_entity_kind_name", "entity", ["kind", "name", "id"], unique=False)
    op.create_index("ix_entity_kind_owner", "entity", ["kind", "owner"], unique=False)
    op.create_index("ix_entity_kind_system", "entity", ["kind", "system"], unique=False)
    op.create_index("ix_entity_kind_type", "entity", ["kind", "type"], unique=False)
    op.create_index("ix_entity_source_kind", "entity", ["source_id", "kind"], unique=False)
    op.create_index("ix_entity_updated", "entity", ["updated_at", "id"], unique=False)
    op.create_table(
        "rejected",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column(
            "source_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.Column("file_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("line", sa.Integer(), nullable=False),
        sa.Column("severity", sa.String(length=10), nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("message", TranslatedText(), nullable=False),
        sa.Column("ref", sa.String(length=255), nullable=False),
        sa.Column("owner", sa.String(length=255), nullable=False),
        sa.Column("since", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["file_id"], ["source_file.id"], name=op.f("fk_rejected_file_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["source_id"], ["source.id"], name=op.f("fk_rejected_source_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_rejected")),
    )
    op.create_index(op.f("ix_rejected_file_id"), "rejected", ["file_id"], unique=False)
    op.create_index(op.f("ix_rejected_ref"), "rejected", ["ref"], unique=False)
    op.create_table(
        "entity_field",
        sa.Column("key_id", sa.Integer(), nullable=False),
        sa.Column("value", sa.String(length=200), nullable=False),
        sa.Column(
            "entity_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.ForeignKeyConstraint(
            ["entity_id"], ["entity.id"], name=op.f("fk_entity_field_entity_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["key_id"], ["field_key.id"], name=op.f("fk_entity_field_key_id")),
    )
    op.create_index("ix_entity_field_entity", "entity_field", ["entity_id"], unique=False)
    op.create_index(
        "ix_entity_field_key_value", "entity_field", ["key_id", "value", "entity_id"], unique=False
    )
    op.create_table(
        "relation",
        sa.Column(
            "origin_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.Column("source_ref", sa.String(length=255), nullable=False),
        sa.Column("type", sa.String(length=63), nullable=False),
        sa.Column("target_ref", sa.String(length=255), nullable=False),
        sa.Column("reverse", sa.String(length=63), nullable=False),
        sa.ForeignKeyConstraint(
            ["origin_id"], ["entity.id"], name=op.f("fk_relation_origin_id"), ondelete="CASCADE"
        ),
    )
    op.create_index("ix_relation_origin", "relation", ["origin_id"], unique=False)
    op.create_index("ix_relation_source", "relation", ["source_ref"], unique=False)
    op.create_index("ix_relation_target", "relation", ["target_ref"], unique=False)
    op.execute("INSERT INTO catalog_state (id, generation) VALUES (1, 0)")
    if op.get_bind().dialect.name == "sqlite":
        for name in ("entity_text", "search_document_text"):
            op.execute(
                f"CREATE VIRTUAL TABLE {name} USING fts5("
                "title, facts, body, tokenize='ascii', detail=column)"
            )
        return
    for name in ("entity_text", "search_document_text"):
        op.execute(f"CREATE TABLE {name} (rowid BIGINT PRIMARY KEY, words TSVECTOR NOT NULL)")
        op.execute(f"CREATE INDEX ix_{name}_words ON {name} USING GIN (words)")
