"""Stars: what a person wants to find again."""
