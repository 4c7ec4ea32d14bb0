"""Entities that a person or program deleted: they stay away whatever source gives them."""

from callboard_catalog.deletions.model import Deleted, Restored
from callboard_catalog.deletions.service import Deletions

__all__ = ["Deleted", "Deletions", "Restored"]
