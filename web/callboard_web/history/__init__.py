"""The history of an entity: what changed, in words and line by line, when and by whom."""
