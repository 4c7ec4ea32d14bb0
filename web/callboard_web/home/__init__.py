"""The home page: what waits for a person, what is theirs, and what happened."""
