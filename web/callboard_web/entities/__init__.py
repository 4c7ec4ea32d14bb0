"""The page of an entity: its header, its cards and where they stand."""
