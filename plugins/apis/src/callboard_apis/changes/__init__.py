"""What changed between two definitions, and what that means to those who use the API."""

from typing import Any

from callboard.i18n import Translator
from callboard_apis.changes.change import LEVELS, Change, Level, count
from callboard_apis.documents import DocumentFaultError, read_document
from callboard_apis.shapes import Format

__all__ = ["LEVELS", "Change", "Level", "compare", "count"]

_ = Translator("apis")


def compare(format_: Format, old: str, new: str) -> list[Change] | None:
    """Give the changes from `old` to `new`; None for a format that is compared as text only.

    Raises `DocumentFaultError` where one of them cannot be read.
    """
    try:
        return _compare(format_, old, new)
    except RecursionError as error:
        raise DocumentFaultError(_("It is nested too deeply.")) from error


def _compare(format_: Format, old: str, new: str) -> list[Change] | None:
    if format_ == "openapi":
        from callboard_apis.changes.openapi import compare_openapi

        return compare_openapi(_read(old), _read(new)).sorted()
    if format_ == "asyncapi":
        from callboard_apis.changes.asyncapi import compare_asyncapi

        return compare_asyncapi(_read(old), _read(new)).sorted()
    if format_ == "graphql":
        from callboard_apis.changes.graphql import compare_graphql

        return compare_graphql(old, new).sorted()
    if format_ == "protobuf":
        from callboard_apis.changes.protobuf import compare_protobuf

        return compare_protobuf(old, new).sorted()
    return None


def _read(text: str) -> dict[str, Any]:
    value = read_document(text)
    if not isinstance(value, dict):
        raise DocumentFaultError(_("It is no object; expected one with openapi or asyncapi."), 1)
    return value
