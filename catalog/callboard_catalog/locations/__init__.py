"""Locations that people and clients register: addresses of descriptors, read as a source."""
