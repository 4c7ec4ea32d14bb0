"""Names of people and groups."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "people_ldap_identity",
        sa.Column("source", sa.String(60), primary_key=True),
        sa.Column("kind", sa.String(5), primary_key=True),
        sa.Column("remote_id", sa.String(200), primary_key=True),
        sa.Column("wanted", sa.String(63), nullable=False),
        sa.Column("name", sa.String(63), nullable=False),
    )
    op.create_index(
        "uq_people_ldap_identity",
        "people_ldap_identity",
        ["source", "kind", "name"],
        unique=True,
    )
