"""Carrying settings of other portals over: what they say, in the words of `callboard.yaml`."""
