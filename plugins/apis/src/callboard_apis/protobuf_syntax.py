"""A reader of Protocol Buffers source: proto2, proto3 and editions.

Source: protobuf.dev/reference/protobuf (language specifications). It reads what people look for
in an interface: names, types, numbers, comments and deprecation. Options are kept as text.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from callboard.i18n import Translator
from callboard_apis.documents import DocumentFaultError

_ = Translator("apis")

MOST_TOKENS: Final = 1_000_000
DEEPEST: Final = 60
_TOKEN: Final = re.compile(
    r"""(?P<space>\s+)|(?P<line>//[^\n]*)|(?P<block>/\*.*?\*/)
    |(?P<string>"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*')
    |(?P<word>[A-Za-z_][\w.]*|\.[A-Za-z_][\w.]*)|(?P<number>[0-9][\w.+]*)|(?P<mark>[^\s\w])""",
    re.VERBOSE | re.DOTALL,
)
_LABELS: Final = ("optional", "required", "repeated")


@dataclass(frozen=True, slots=True)
class Token:
    text: str
    kind: str
    line: int
    comment: str = ""


@dataclass(slots=True)
class Field:
    name: str
    type: str
    number: str
    label: str = ""
    oneof: str = ""
    options: dict[str, str] = field(default_factory=dict)
    comment: str = ""
    line: int = 0

    @property
    def deprecated(self) -> bool:
        return self.options.get("deprecated") == "true"


@dataclass(slots=True)
class Message:
    """`name` is whole, without the package: `Order.Item`."""

    name: str
    fields: list[Field] = field(default_factory=list)
    reserved: list[str] = field(default_factory=list)
    options: dict[str, str] = field(default_factory=dict)
    comment: str = ""
    line: int = 0
    extends: bool = False


@dataclass(slots=True)
class Enum:
    name: str
    values: list[Field] = field(default_factory=list)
    reserved: list[str] = field(default_factory=list)
    options: dict[str, str] = field(default_factory=dict)
    comment: str = ""
    line: int = 0


@dataclass(slots=True)
class Rpc:
    name: str
    request: str
    response: str
    request_streams: bool = False
    response_streams: bool = False
    options: dict[str, str] = field(default_factory=dict)
    comment: str = ""
    line: int = 0


@dataclass(slots=True)
class Service:
    name: str
    rpcs: list[Rpc] = field(default_factory=list)
    options: dict[str, str] = field(default_factory=dict)
    comment: str = ""
    line: int = 0


@dataclass(slots=True)
class ProtoFile:
    syntax: str = "proto2"
    package: str = ""
    comment: str = ""
    imports: list[str] = field(default_factory=list)
    options: dict[str, str] = field(default_factory=dict)
    services: list[Service] = field(default_factory=list)
    messages: list[Message] = field(default_factory=list)
    enums: list[Enum] = field(default_factory=list)


def parse_protobuf(text: str) -> ProtoFile:
    """Give what a file declares; raises `DocumentFaultError` with the line."""
    return _Parser(text).file()


def _tokens(text: str) -> Iterator[Token]:
    """Give tokens, each with the comment that stands right above it."""
    line = 1
    comment: list[str] = []
    for number, match in enumerate(_TOKEN.finditer(text)):
        if number > MOST_TOKENS:
            raise DocumentFaultError(_("It is too long."), line)
        kind, value = str(match.lastgroup), match[0]
        if kind == "space":
            if value.count("\n") > 1:
                comment = []
        elif kind in ("line", "block"):
            comment.append(_comment_text(value))
        else:
            yield Token(value, kind, line, "\n".join(comment))
            comment = []
        line += value.count("\n")
    yield Token("", "end", line)


def _comment_text(text: str) -> str:
    if text.startswith("//"):
        return text.lstrip("/").removeprefix(" ").rstrip()
    lines = (line.strip().removeprefix("*").removeprefix(" ") for line in text[2:-2].split("\n"))
    return "\n".join(lines).strip("* \n")


class _Parser:
    def __init__(self, text: str) -> None:
        self.tokens = _tokens(text)
        self.token = next(self.tokens)
        self.found = ProtoFile()

    # Tokens

    def take(self, expected: str = "") -> Token:
        token = self.token
        if (expected and token.text != expected) or token.kind == "end":
            raise self.unexpected(expected)
        self.token = next(self.tokens)
        return token

    def unexpected(self, expected: str = "") -> DocumentFaultError:
        seen = self.token.text[:40] or "the end"
        if expected:
            message = _("Expected %(expected)s, found %(seen)s.", expected=expected, seen=seen)
        else:
            message = _("Found %(seen)s, which does not belong here.", seen=seen)
        return DocumentFaultError(message, self.token.line)

    def accept(self, text: str) -> bool:
        if self.token.text != text:
            return False
        self.take()
        return True

    def name(self) -> str:
        if self.token.kind != "word":
            raise self.unexpected("a name")
        return self.take().text

    def text(self) -> str:
        if self.token.kind != "string":
            raise self.unexpected("a text")
        parts = []
        while self.token.kind == "string":
            parts.append(self.take().text[1:-1])
        return "".join(parts)

    # The file

    def file(self) -> ProtoFile:
        while self.token.kind != "end":
            first = self.token
            word = first.text
            if word == ";":
                self.take()
            elif word in ("syntax", "edition"):
                self.found.comment = first.comment
                self.take()
                self.take("=")
                self.found.syntax = self.text()
                self.take(";")
            elif word == "package":
                self.found.comment = self.found.comment or first.comment
                self.take()
                self.found.package = self.name()
                self.take(";")
            elif word == "import":
                self.take()
                if self.token.kind == "word":
                    self.take()
                self.found.imports.append(self.text())
                self.take(";")
            else:
                self.declaration("", 0)
        return self.found

    def declaration(self, within: str, depth: int) -> None:
        """Read a message, enum, service, extension or option."""
        if depth > DEEPEST:
            raise DocumentFaultError(_("It is nested too deeply."), self.token.line)
        word = self.token.text
        if word == "option":
            options = self.found.options
            self.option(options)
        elif word == "message":
            self.message(within, depth)
        elif word == "enum":
            self.enum(within)
        elif word == "service" and not within:
            self.service()
        elif word == "extend":
            self.extension(within, depth)
        elif word in ("export", "local"):
            self.take()
            self.declaration(within, depth)
        else:
            raise self.unexpected()

    def option(self, options: dict[str, str]) -> None:
        self.take("option")
        name = self.option_name()
        self.take("=")
        options[name] = self.constant()
        self.take(";")

    def option_name(self) -> str:
        parts = []
        while self.token.text not in ("=", ";", "]", ",", ":") and self.token.kind != "end":
            parts.append(self.take().text)
        return "".join(parts)

    def constant(self) -> str:
        """Read the value of an option as text; aggregates are skipped as a whole."""
        if self.token.kind == "string":
            return self.text()
        if self.token.text in ("{", "["):
            self.skip()
            return "{…}"
        sign = self.take().text if self.token.text in ("-", "+") else ""
        return sign + self.take().text

    def skip(self) -> None:
        """Read past a bracketed part, whatever is in it."""
        depth = 0
        while True:
            text = self.take().text
            depth += (text in ("{", "[", "(")) - (text in ("}", "]", ")"))
            if depth <= 0:
                return

    def options(self) -> dict[str, str]:
        found: dict[str, str] = {}
        if not self.accept("["):
            return found
        while not self.accept("]"):
            name = self.option_name()
            self.take("=")
            found[name] = self.constant()
            self.accept(",")
        return found

    # Messages

    def message(self, within: str, depth: int) -> None:
        first = self.take()
        found = Message(within + self.name(), comment=first.comment, line=first.line)
        self.found.messages.append(found)
        self.message_body(found, depth)

    def extension(self, within: str, depth: int) -> None:
        first = self.take()
        found = Message(self.name(), comment=first.comment, line=first.line, extends=True)
        self.found.messages.append(found)
        self.message_body(found, depth)

    def message_body(self, found: Message, depth: int) -> None:
        if depth > DEEPEST:
            raise DocumentFaultError(_("It is nested too deeply."), self.token.line)
        self.take("{")
        while not self.accept("}"):
            word = self.token.text
            if word == ";":
                self.take()
            elif word == "option":
                self.option(found.options)
            elif word == "reserved":
                found.reserved += self.ranges()
            elif word == "extensions":
                self.ranges()
            elif word == "oneof":
                self.oneof(found, depth)
            elif word in ("message", "enum", "extend", "export", "local"):
                self.nested(found, depth)
            else:
                found.fields.append(self.field(found, "", depth))

    def nested(self, found: Message, depth: int) -> None:
        self.declaration(f"{found.name}.", depth + 1)

    def ranges(self) -> list[str]:
        self.take()
        found, current = [], ""
        while not self.accept(";"):
            if self.token.text == "[":
                self.skip()
            elif self.accept(","):
                found.append(current)
                current = ""
            else:
                text = self.take().text.strip("\"'")
                current = f"{current} {text}".strip()
        return [*found, current] if current else found

    def oneof(self, found: Message, depth: int) -> None:
        self.take()
        name = self.name()
        self.take("{")
        while not self.accept("}"):
            if self.token.text == ";":
                self.take()
            elif self.token.text == "option":
                self.option({})
            else:
                found.fields.append(self.field(found, name, depth))

    def field(self, message: Message, oneof: str, depth: int) -> Field:
        first = self.token
        label = self.take().text if first.text in _LABELS else ""
        if self.token.text == "group":
            return self.group(message, label, oneof, depth)
        kind = self.type()
        found = Field(self.name(), kind, "", label, oneof, {}, first.comment, first.line)
        self.take("=")
        found.number = self.take().text
        found.options = self.options()
        self.take(";")
        return found

    def type(self) -> str:
        name = self.name()
        if name != "map" or not self.accept("<"):
            return name.lstrip(".")
        key = self.name()
        self.take(",")
        value = self.name().lstrip(".")
        self.take(">")
        return f"map<{key}, {value}>"

    def group(self, message: Message, label: str, oneof: str, depth: int) -> Field:
        first = self.take()
        name = self.name()
        self.take("=")
        number = self.take().text
        options = self.options()
        inner = Message(f"{message.name}.{name}", comment=first.comment, line=first.line)
        self.found.messages.append(inner)
        self.message_body(inner, depth + 1)
        return Field(name.lower(), inner.name, number, label, oneof, options, "", first.line)

    def enum(self, within: str) -> None:
        first = self.take()
        found = Enum(within + self.name(), comment=first.comment, line=first.line)
        self.found.enums.append(found)
        self.take("{")
        while not self.accept("}"):
            token = self.token
            if token.text == ";":
                self.take()
            elif token.text == "option":
                self.option(found.options)
            elif token.text == "reserved":
                found.reserved += self.ranges()
            else:
                value = Field(self.name(), "", "", comment=token.comment, line=token.line)
                self.take("=")
                value.number = self.constant()
                value.options = self.options()
                self.take(";")
                found.values.append(value)

    # Services

    def service(self) -> None:
        first = self.take()
        found = Service(self.name(), comment=first.comment, line=first.line)
        self.found.services.append(found)
        self.take("{")
        while not self.accept("}"):
            if self.token.text == ";":
                self.take()
            elif self.token.text == "option":
                self.option(found.options)
            else:
                found.rpcs.append(self.rpc())

    def rpc(self) -> Rpc:
        first = self.take("rpc")
        found = Rpc(self.name(), "", "", comment=first.comment, line=first.line)
        found.request, found.request_streams = self.side()
        self.take("returns")
        found.response, found.response_streams = self.side()
        if self.accept("{"):
            while not self.accept("}"):
                if self.token.text == "option":
                    self.option(found.options)
                else:
                    self.take(";")
        else:
            self.take(";")
        return found

    def side(self) -> tuple[str, bool]:
        self.take("(")
        name = self.name()
        streams = name == "stream" and self.token.text != ")"
        if streams:
            name = self.name()
        self.take(")")
        return name.lstrip("."), streams
