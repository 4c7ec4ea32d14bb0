"""The chain of the audit log, and where it is sent.

Triggers refuse what would change the log. They are a second wall: whoever may alter the schema may
drop them, and is found by the chain.
"""

import hashlib
import secrets

import sqlalchemy as sa
from alembic import op

from callboard.database import Json, UtcDateTime

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

REFUSED = "Entries of the audit log are neither changed nor removed: see docs/operator/audit.md"

# What retention may delete: it moves the horizon first, in the same transaction.
ENTRY_IS_KEPT = """NOT EXISTS (
    SELECT 1 FROM audit_seal JOIN audit_head ON audit_seal.position <= audit_head.horizon_position
    WHERE audit_seal.entry_id = OLD.id)"""
SEAL_IS_KEPT = """NOT EXISTS (
    SELECT 1 FROM audit_head WHERE OLD.position <= audit_head.horizon_position)"""
HEAD_IS_REWOUND = """NEW.position < OLD.position OR NEW.horizon_position < OLD.horizon_position
    OR NEW.chain <> OLD.chain OR NEW.id <> OLD.id"""

RULES = (
    ("audit_entry", "update", "1 = 1"),
    ("audit_entry", "delete", ENTRY_IS_KEPT),
    ("audit_seal", "update", "1 = 1"),
    ("audit_seal", "delete", SEAL_IS_KEPT),
    ("audit_head", "update", HEAD_IS_REWOUND),
    ("audit_head", "delete", "1 = 1"),
)
"""Table, statement, and the condition under which it is refused."""


def upgrade() -> None:
    """Create the tables, begin the chain, and put what was written before in its queue."""
    _tables()
    _indexes()
    chain = secrets.token_hex(16)
    head = sa.table(
        "audit_head",
        *(sa.column(name) for name in ("id", "chain", "position", "hash")),
        *(sa.column(name) for name in ("horizon_position", "horizon_hash")),
    )
    begin = hashlib.sha256(f"callboard-audit/1:{chain}".encode()).hexdigest()
    op.execute(
        sa.insert(head).values(
            id=1, chain=chain, position=0, hash=begin, horizon_position=0, horizon_hash=begin
        )
    )
    op.execute("INSERT INTO audit_unsealed (entry_id) SELECT id FROM audit_entry")
    if op.get_bind().dialect.name == "postgresql":
        _postgresql_triggers()
    else:
        _sqlite_triggers()


def _tables() -> None:
    op.create_table(
        "audit_unsealed",
        sa.Column("entry_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("entry_id", name=op.f("pk_audit_unsealed")),
    )
    op.create_table(
        "audit_seal",
        sa.Column("position", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("entry_id", sa.BigInteger(), nullable=False),
        sa.Column("fingerprint", sa.String(length=96), nullable=False),
        sa.Column("hash", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("position", name=op.f("pk_audit_seal")),
        sa.UniqueConstraint("entry_id", name=op.f("uq_audit_seal_entry_id")),
    )
    op.create_table(
        "audit_head",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("chain", sa.String(length=64), nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.Column("hash", sa.String(length=64), nullable=False),
        sa.Column("horizon_position", sa.BigInteger(), nullable=False),
        sa.Column("horizon_hash", sa.String(length=64), nullable=False),
        sa.Column("horizon_at", UtcDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit_head")),
    )
    op.create_table(
        "audit_destination",
        sa.Column("name", sa.String(length=63), nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.Column("delivered_at", UtcDateTime(), nullable=True),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("failing_since", UtcDateTime(), nullable=True),
        sa.Column("retry_at", UtcDateTime(), nullable=True),
        sa.Column("error", sa.String(length=500), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_audit_destination")),
    )
    op.create_table(
        "audit_noted",
        sa.Column("name", sa.String(length=40), nullable=False),
        sa.Column("value", Json(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_audit_noted")),
    )


def _indexes() -> None:
    op.drop_index("ix_audit_entry_actor_id", "audit_entry")
    op.drop_index("ix_audit_entry_subject_id", "audit_entry")
    for name in ("actor", "subject", "action"):
        op.create_index(f"ix_audit_entry_{name}_at", "audit_entry", [name, "at"])
    op.create_index(op.f("ix_audit_entry_request_id"), "audit_entry", ["request_id"])


def _sqlite_triggers() -> None:
    for table, statement, condition in RULES:
        op.execute(
            f"CREATE TRIGGER {table}_{statement} BEFORE {statement} ON {table} "
            f"WHEN {condition} BEGIN SELECT RAISE(ABORT, '{REFUSED}'); END"
        )


def _postgresql_triggers() -> None:
    for table, statement, condition in RULES:
        done = "OLD" if statement == "delete" else "NEW"
        op.execute(
            f"CREATE FUNCTION {table}_{statement}() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
            f"IF {condition} THEN RAISE EXCEPTION '{REFUSED}'; END IF; RETURN {done}; END $$"
        )
        op.execute(
            f"CREATE TRIGGER {table}_{statement} BEFORE {statement} ON {table} "
            f"FOR EACH ROW EXECUTE FUNCTION {table}_{statement}()"
        )
    op.execute(
        "CREATE FUNCTION audit_truncate() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
        f"RAISE EXCEPTION '{REFUSED}'; END $$"
    )
    for table in ("audit_entry", "audit_seal", "audit_head"):
        op.execute(
            f"CREATE TRIGGER {table}_truncate BEFORE TRUNCATE ON {table} "
            "FOR EACH STATEMENT EXECUTE FUNCTION audit_truncate()"
        )
