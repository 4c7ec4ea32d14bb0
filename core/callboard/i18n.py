"""Messages that are translated when they are shown, not when they are written."""

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Message:
    """A text for people with the gettext domain its translation is found in.

    `arguments` fill the named `%(name)s` places after translation. `str()` gives English.
    """

    domain: str
    text: str
    context: str = ""
    plural: str = ""
    number: int = 1
    arguments: tuple[tuple[str, Any], ...] = field(default=())

    def __str__(self) -> str:
        text = self.plural if self.plural and self.number != 1 else self.text
        return text % dict(self.arguments) if self.arguments else text


Text = str | Message
"""A text for people: a `Message`, or a plain string that is shown as it is in every language."""


class Translator:
    """Marks the texts of one gettext domain: `_ = Translator("callboard_hello")`."""

    def __init__(self, domain: str) -> None:
        self.domain = domain

    def __call__(self, text: str, /, **arguments: Any) -> Message:
        """Mark one text; keyword arguments fill its `%(name)s` places."""
        return Message(self.domain, text, arguments=tuple(arguments.items()))

    def context(self, context: str, text: str, /, **arguments: Any) -> Message:
        """Mark a text that means different things in different places."""
        return Message(self.domain, text, context=context, arguments=tuple(arguments.items()))

    def plural(self, text: str, plural: str, number: int, /, **arguments: Any) -> Message:
        """Mark a text with a number; `%(number)s` is filled with it."""
        filled = (("number", number), *arguments.items())
        return Message(self.domain, text, plural=plural, number=number, arguments=filled)
