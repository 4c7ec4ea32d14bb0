"""Who acts, and the names of what may be done."""

from dataclasses import dataclass
from typing import Final, Literal

from callboard.entities import EntityRef
from callboard.i18n import Text


@dataclass(frozen=True, slots=True, kw_only=True)
class Principal:
    """The one who asks: a person, a token, the system itself, or nobody known."""

    kind: Literal["person", "token", "system", "anonymous"]
    name: str
    entity: EntityRef | None = None

    def __str__(self) -> str:
        return f"{self.kind}:{self.name}"


ANONYMOUS: Final = Principal(kind="anonymous", name="anonymous")
SYSTEM: Final = Principal(kind="system", name="callboard")


@dataclass(frozen=True, slots=True, kw_only=True)
class Permission:
    """A named right, such as `catalog.source.refresh`.

    Names are `<area>.<object>.<verb>`; a plugin's begin with its own name.
    """

    name: str
    title: Text
    description: Text = ""
