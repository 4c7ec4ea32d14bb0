"""Reads the text of a definition, whatever it is, and gives it as it is shown.

Nothing is raised for what a text may hold: what cannot be understood is shown as text, and why.
"""

import logging
import re
from typing import Any, Final

from callboard.i18n import Text, Translator
from callboard_apis.documents import LARGEST, DocumentFaultError, read_document
from callboard_apis.shapes import MOST_ITEMS, Definition, Fault, Format

_ = Translator("apis")

log = logging.getLogger(__name__)

VERSION: Final = 1
"""Raised with every change of what preparing gives, so that all is prepared anew."""

_BY_TYPE: Final[dict[str, Format]] = {
    "openapi": "openapi", "swagger": "openapi", "rest": "openapi", "asyncapi": "asyncapi",
    "graphql": "graphql", "grpc": "protobuf", "protobuf": "protobuf", "proto": "protobuf",
}  # fmt: skip
# Nothing here runs on over lines: a text of blank lines would be gone through once for each.
_PROTO: Final = re.compile(
    r"^[ \t]*(?:(?:syntax|edition)[ \t]*=|(?:message|service)[ \t]+\w+\s{0,20}\{)", re.M
)
_GRAPHQL: Final = re.compile(r"^[ \t]*(?:type|input|interface|schema)\b[^:;={]{0,300}\{", re.M)
_STRUCTURED: Final = re.compile(r"""["']?(openapi|swagger|asyncapi)["']?\s*:""")


def format_of(type_: str, text: str) -> Format:
    """Say what a text is: by the entity's type, and by its looks where that says nothing."""
    known = _BY_TYPE.get(type_.strip().lower())
    start = text[:20_000]
    found = _STRUCTURED.search(start)
    if known in ("openapi", "asyncapi", None) and found:
        return "asyncapi" if found[1] == "asyncapi" else "openapi"
    if known is not None:
        return known
    if type_.strip().lower() in ("", "api", "rpc", "unknown"):
        if _PROTO.search(start):
            return "protobuf"
        if _GRAPHQL.search(start):
            return "graphql"
    return "text"


def prepare(type_: str, text: str) -> Definition:
    """Give a definition as it is shown; one of an unknown kind has no items."""
    chosen = format_of(type_, text)
    if len(text) > LARGEST:
        message = _("It is larger than %(limit)s MiB.", limit=LARGEST // 2**20)
        return Definition(chosen, head=_empty(), faults=[Fault(message)])
    try:
        made = _drawn(chosen, text)
    except DocumentFaultError as fault:
        return Definition(chosen, head=_empty(), faults=[Fault(fault.message, fault.line)])
    except RecursionError:
        return Definition(chosen, head=_empty(), faults=[Fault(_("It is nested too deeply."))])
    except Exception as error:
        log.exception("A definition of the format %s could not be drawn.", chosen)
        reason: Text = _("It could not be drawn (%(name)s).", name=type(error).__name__)
        return Definition(chosen, head=_empty(), faults=[Fault(reason)])
    del made.items[MOST_ITEMS:]
    return made


def _empty() -> dict[str, Any]:
    return {"description": "", "servers": [], "security": [], "groups": []}


def _drawn(chosen: Format, text: str) -> Definition:
    if chosen == "protobuf":
        from callboard_apis.protobuf import draw_protobuf

        return draw_protobuf(text)
    if chosen == "graphql":
        from callboard_apis.graphql_types import draw_graphql

        return draw_graphql(text)
    if chosen == "text":
        return Definition("text", head=_empty())
    document = read_document(text)
    if not isinstance(document, dict):
        raise DocumentFaultError(_("It is no object; expected one with openapi or asyncapi."), 1)
    if chosen == "openapi" and ("openapi" in document or "swagger" in document):
        from callboard_apis.openapi import draw_openapi

        return draw_openapi(document, text)
    if chosen == "asyncapi" and "asyncapi" in document:
        from callboard_apis.asyncapi import draw_asyncapi

        return draw_asyncapi(document, text)
    raise DocumentFaultError(
        _("It says neither openapi nor swagger nor asyncapi, so its version is not known."), 1
    )
