"""The page of one run: what it did, what stopped it, and what was different the last time."""
