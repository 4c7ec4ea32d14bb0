"""The lines of a file that a problem is about."""
