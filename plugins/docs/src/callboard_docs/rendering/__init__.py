"""Markdown to HTML that is safe to show: each page by itself, links left to be filled in later."""
