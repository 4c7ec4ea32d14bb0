"""Words for what definitions say in codes."""

from html import escape
from typing import Final

from callboard.i18n import Text, Translator

_ = Translator("apis")

GROUPS: Final[dict[str, Text]] = {
    "": _("Operations"),
    ":webhooks": _("Webhooks"),
    ":schemas": _("Schemas"),
    ":channels": _("Channels"),
    ":messages": _("Messages"),
    ":types": _("Types"),
    ":interfaces": _("Interfaces"),
    ":unions": _("Unions"),
    ":enums": _("Enumerations"),
    ":inputs": _("Inputs"),
    ":scalars": _("Scalars"),
    ":directives": _("Directives"),
    ":query": _("Queries"),
    ":mutation": _("Mutations"),
    ":subscription": _("Subscriptions"),
}

SECTIONS: Final[dict[str, Text]] = {
    "parameters": _("Parameters"),
    "request": _("Request"),
    "responses": _("Responses"),
    "callbacks": _("Callbacks"),
    "channel": _("Channel"),
    "messages": _("Messages"),
    "messages_of": _("Messages"),
    "reply": _("Reply"),
    "payload": _("Payload"),
    "bindings": _("Bindings"),
    "arguments": _("Arguments"),
    "result": _("Result"),
    "fields": _("Fields"),
    "values": _("Values"),
    "implements": _("Implements"),
    "members": _("Members"),
    "places": _("Where it may stand"),
    "rpc_request": _("Request"),
    "rpc_response": _("Response"),
    "reserved": _("Reserved"),
}

CONSTRAINTS: Final[dict[str, Text]] = {
    "multipleOf": _("multiple of"),
    "minimum": _("at least"),
    "maximum": _("at most"),
    "exclusiveMinimum": _("above"),
    "exclusiveMaximum": _("below"),
    "minLength": _("length at least"),
    "maxLength": _("length at most"),
    "pattern": _("pattern"),
    "minItems": _("items at least"),
    "maxItems": _("items at most"),
    "uniqueItems": _("no item twice"),
    "minProperties": _("properties at least"),
    "maxProperties": _("properties at most"),
    "const": _("always"),
    "contentEncoding": _("encoding"),
    "contentMediaType": _("media type"),
    "closed": _("no other properties"),
    "discriminator": _("told apart by"),
}

MARKS: Final[dict[str, Text]] = {
    "oneOf": _("one of"),
    "anyOf": _("any of"),
    "not": _("not"),
    "argument": _("argument"),
}

ENDS: Final[dict[str, Text]] = {
    "recursive": _("contains itself"),
    "more": _("more on its own page"),
    "remote": _("in another file, which is not fetched"),
    "missing": _("not found in this text"),
}

LEVELS: Final[dict[str, Text]] = {
    "breaking": _("breaking"),
    "warning": _("look at it"),
    "ok": _("compatible"),
}

STATUS: Final = {"breaking": "bad", "warning": "warn", "ok": "ok"}

FORMATS: Final[dict[str, str]] = {
    "openapi": "OpenAPI",
    "asyncapi": "AsyncAPI",
    "graphql": "GraphQL",
    "protobuf": "Protocol Buffers",
}


def constraint(code: str) -> Text:
    """Give the words for a constraint; `items.` marks those of the items of a list."""
    name = code.removeprefix("items.")
    return CONSTRAINTS.get(name, name)


def repeats(summary: str, html: str) -> bool:
    """Whether a description, as HTML, begins with what the summary says."""
    return html.startswith(f"<p>{escape(summary.rstrip('…'))}")
