"""The pages of the catalog as it was at a past time."""
