"""Where policies come from, and how each place fares."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Literal

from callboard.access.model import PolicyFault
from callboard.i18n import Text, Translator

if TYPE_CHECKING:
    from callboard.access.service import Access

_ = Translator("callboard")


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicySource:
    """A place with roles and bindings.

    `revision` is the one that is in force, empty where there are none. `state` is `waiting` for
    one that was never read: until then everything is refused but to administrators of the
    settings; `failing` for one whose last good state is in force; `off` for one that the settings
    do not use. `counted` are roles and bindings.
    """

    name: str
    kind: Literal["built-in", "settings", "git", "folder", "pages"]
    title: Text
    state: Literal["ok", "waiting", "failing", "off"]
    revision: str = ""
    read_at: datetime | None = None
    succeeded_at: datetime | None = None
    failing_since: datetime | None = None
    error: Text = ""
    roles: int = 0
    bindings: int = 0
    faults: tuple[PolicyFault, ...] = ()


def list_sources(access: "Access") -> Sequence[PolicySource]:
    """Give all sources, those first whose roles have precedence."""
    return []
