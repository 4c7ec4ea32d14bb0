"""What a person finds in the palette about themselves."""

from typing import Final

from callboard.contributions import Act
from callboard.i18n import Translator
from callboard_web.parts import Part

_: Final = Translator("callboard")

PART: Final = Part(
    acts=(
        Act(
            name="me", title=_("Open your page"), path="/me", icon="user",
            words=_("me profile account teams"),
        ),
        Act(
            name="my-problems", title=_("See the problems I own"), path="/me/problems", icon="flag",
            words=_("problems mine rejected conflict digest mended new"),
        ),
        Act(
            name="preferences", title=_("Change language, theme and time zone"),
            path="/me#preferences", icon="set", words=_("settings dark light density shortcuts"),
        ),
    ),
)  # fmt: skip
