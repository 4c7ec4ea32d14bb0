"""Reads what was sent: entities as JSON values, or YAML of several documents."""

from collections.abc import Sequence
from typing import Any

from callboard_catalog.descriptors import Limits, read_documents
from callboard_catalog.pushing.model import PushedDocument


def read_entities(values: Sequence[Any]) -> list[PushedDocument]:
    """Give the documents of a list of JSON values."""
    return [PushedDocument(index, value) for index, value in enumerate(values)]


def read_yaml(data: bytes, limits: Limits) -> list[PushedDocument]:
    """Give the documents of a YAML stream. One that cannot be read has a fault and hides none."""
    return [
        PushedDocument(item.index, item.value, item.line, item.fault)
        for item in read_documents(data, limits=limits)
        if not item.empty
    ]
