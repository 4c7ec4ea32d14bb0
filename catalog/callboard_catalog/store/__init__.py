"""Writing the catalog's tables: only what differs, in batches."""
