"""AsyncAPI 2 and 3 in one form: operations, channels and messages.

Sources: AsyncAPI Specification 2.6.0 and 3.0.0. In version 2 `publish` is what others may send to
the application, which version 3 calls `receive`; `subscribe` is what it sends.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from callboard_apis.references import References
from callboard_apis.shapes import as_dict, as_list, as_text

_ACTIONS: Final = {"publish": "receive", "subscribe": "send"}


@dataclass(frozen=True, slots=True)
class Channel:
    name: str
    address: str
    source: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Message:
    name: str
    source: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Operation:
    """`action` is send or receive, seen from the application."""

    action: str
    name: str
    channel: Channel
    source: dict[str, Any]
    messages: tuple[Message, ...]
    reply: tuple[Message, ...] = field(default=())


class AsyncApi:
    """A document with what is needed to read it."""

    def __init__(self, document: dict[str, Any]) -> None:
        self.document = document
        self.references = References(document)
        self.dialect = as_text(document.get("asyncapi"))
        self.old = self.dialect.startswith(("1.", "2."))
        self.info = as_dict(document.get("info"))

    def channels(self) -> Iterator[Channel]:
        """Give every channel."""
        for name, given in as_dict(self.document.get("channels")).items():
            source = self.references.follow(given)
            address = name if self.old else as_text(source.get("address")) or name
            yield Channel(name, address, source)

    def operations(self) -> Iterator[Operation]:
        """Give every operation in the order it is written."""
        if self.old:
            yield from self._old_operations()
            return
        channels = {id(channel.source): channel for channel in self.channels()}
        for name, given in as_dict(self.document.get("operations")).items():
            source = self.references.follow(given)
            at = self.references.follow(source.get("channel"))
            channel = channels.get(id(at), Channel("", "", at))
            listed = source.get("messages")
            if not isinstance(listed, list):
                listed = list(as_dict(at.get("messages")).values())
                names = list(as_dict(at.get("messages")))
            else:
                names = [self.references.name(item) for item in listed]
            messages = tuple(
                self.message(item, label) for item, label in zip(listed, names, strict=True)
            )
            reply = self.references.follow(source.get("reply"))
            replies = tuple(self.message(item) for item in as_list(reply.get("messages")))
            action = as_text(source.get("action"))
            yield Operation(action, name, channel, source, messages, replies)

    def _old_operations(self) -> Iterator[Operation]:
        for channel in self.channels():
            for word, action in _ACTIONS.items():
                source = channel.source.get(word)
                if isinstance(source, dict):
                    given = source.get("message")
                    several = as_list(as_dict(given).get("oneOf"))
                    messages = tuple(self.message(item) for item in several or [given] if item)
                    name = as_text(source.get("operationId"))
                    yield Operation(action, name, channel, source, messages)

    def message(self, given: Any, label: str = "") -> Message:
        """Give a message with its traits put in."""
        source = dict(self.references.follow(given))
        for trait in as_list(source.get("traits")):
            source = {**self.references.follow(trait), **source}
        name = as_text(source.get("name")) or label or self.references.name(given)
        return Message(name or as_text(source.get("title")), source)

    def messages(self) -> Iterator[Message]:
        """Give every message once: the shared ones, then those of operations."""
        seen: set[str] = set()
        shared = as_dict(as_dict(self.document.get("components")).get("messages"))
        found = [self.message(given, name) for name, given in shared.items()]
        for operation in self.operations():
            found += [*operation.messages, *operation.reply]
        for message in found:
            if message.name and message.name not in seen:
                seen.add(message.name)
                yield message

    def payload(self, message: Message) -> Any:
        """Give the schema of a message's payload; None where it is of another schema language."""
        payload = message.source.get("payload")
        if isinstance(payload, dict) and "schemaFormat" in payload and "schema" in payload:
            return payload["schema"] if _is_json_schema(payload["schemaFormat"]) else None
        return payload if _is_json_schema(message.source.get("schemaFormat", "")) else None

    def schemas(self) -> Iterator[tuple[str, str, Any]]:
        """Give each named schema with the reference it is known by."""
        named = as_dict(as_dict(self.document.get("components")).get("schemas"))
        for name, schema in named.items():
            escaped = name.replace("~", "~0").replace("/", "~1")
            yield name, f"#/components/schemas/{escaped}", schema


def _is_json_schema(name: Any) -> bool:
    text = as_text(name).lower()
    return not text or "asyncapi" in text or "schema+" in text or "openapi" in text
