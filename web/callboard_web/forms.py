"""What people send by forms: read once, kept for showing again, asked about where it destroys."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Final
from urllib.parse import parse_qs

from starlette.requests import Request

from callboard.i18n import Text
from callboard_web import csrf

CONFIRMED: Final = "confirmed"
"""The field that says that the question was answered with yes."""


class Form(Mapping[str, str]):
    """What was sent, without the token. `faults` gathers what is wrong, by the field's name.

    Example::

        form = await read_form(request)
        if not form["title"]:
            form.faults["title"] = _("Write a title.")
        if form.faults:
            return portal.page(request, "edit.html", {"form": form}, status=422)
    """

    def __init__(self, values: Mapping[str, Sequence[str]]) -> None:
        self._values = {name: tuple(given) for name, given in values.items() if given}
        self.faults: dict[str, Text] = {}

    @classmethod
    def of(cls, values: Mapping[str, str]) -> "Form":
        """Make the form that something is first shown in, with its values as they are."""
        return cls({name: (value,) for name, value in values.items()})

    def __getitem__(self, name: str) -> str:
        """Give a field's first value without space around it; empty where it was not sent."""
        values = self._values.get(name)
        return values[0].strip() if values else ""

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __contains__(self, name: object) -> bool:
        return name in self._values

    def all(self, name: str) -> tuple[str, ...]:
        """Give every value of a field, such as the boxes that are checked."""
        return self._values.get(name, ())

    def pairs(self) -> list[tuple[str, str]]:
        """Give all fields as they came, for sending them once more."""
        return [(name, value) for name, values in self._values.items() for value in values]

    @property
    def confirmed(self) -> bool:
        """Whether the sender has said yes to the question of `Portal.confirm`."""
        return CONFIRMED in self._values


async def read_form(request: Request) -> Form:
    """Read a form in `application/x-www-form-urlencoded`; its size was checked with its token."""
    text = (await request.body()).decode("utf-8", "replace")
    values = parse_qs(text, keep_blank_values=True)
    values.pop(csrf.FIELD, None)
    return Form(values)
