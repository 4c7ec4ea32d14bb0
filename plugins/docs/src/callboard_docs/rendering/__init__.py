"""Markdown to HTML that is safe to show: each page by itself, links left to be filled in later."""

from typing import Final

VERSION: Final = "1"
"""Changes with what comes out: pages rendered by another version are rendered again."""
