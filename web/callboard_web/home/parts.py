"""What the home page adds: the problems of what a person owns, and ways to arrange it."""

from typing import Final

from callboard import contributions as c
from callboard.i18n import Translator
from callboard_web.home import problems
from callboard_web.parts import Part

_: Final = Translator("callboard")

PART: Final = Part(
    waiting=(c.Waiting(name="problems", title=_("Problems"), read=problems.waiting),),
    acts=(
        c.Act(
            name="arrange", title=_("Arrange the home page"), path="/me/home", icon="cols",
            words=_("order hide show sections cards"), order=115,
        ),
    ),
)  # fmt: skip
