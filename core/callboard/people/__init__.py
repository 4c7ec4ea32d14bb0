"""People and groups that are found elsewhere, as the User and Group entities of one source.

A plugin reads a directory into `FoundPeople`; `settle` gives each of them a name the catalog can
have, which stays theirs, and refuses a reading that lost too many; `documents` writes the entities.
"""

from callboard.people.documents import documents
from callboard.people.model import FoundGroup, FoundPeople, FoundUser, clean, web_address
from callboard.people.names import entity_name
from callboard.people.settle import Rules, identity_columns, settle

__all__ = [
    "FoundGroup", "FoundPeople", "FoundUser", "Rules", "clean", "documents", "entity_name",
    "identity_columns", "settle", "web_address",
]  # fmt: skip
