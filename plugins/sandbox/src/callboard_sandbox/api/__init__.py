"""The API server: what is kept, and the wire."""
