"""The plugin's table: which name each entry of a directory has in the catalog."""

from typing import Final

from sqlalchemy import Index, MetaData, Table

from callboard.people import identity_columns

metadata: Final = MetaData()

identity: Final = Table(
    "people_ldap_identity",
    metadata,
    *identity_columns(),
    Index("uq_people_ldap_identity", "source", "kind", "name", unique=True),
)
"""People and groups of the last good reading of each server, by their unique id there."""
