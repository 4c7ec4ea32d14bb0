"""The REST API of the catalog, below `/api/catalog`."""
