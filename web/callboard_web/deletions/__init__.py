"""Deleting entities so that they stay deleted: the pages and what the API shares with them."""
