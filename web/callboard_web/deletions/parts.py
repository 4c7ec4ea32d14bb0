"""What deletions add to the palette."""

from typing import Final

from callboard.contributions import Act
from callboard.i18n import Translator
from callboard_web.parts import Part

_: Final = Translator("callboard")

PART: Final = Part(
    acts=(
        Act(
            name="deleted", title=_("See deleted entities"), path="/deleted", icon="undo",
            words=_("undo restore removed trash bring back"), permission="catalog.entity.delete",
        ),
    ),
)  # fmt: skip
