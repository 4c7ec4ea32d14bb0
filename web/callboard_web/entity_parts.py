"""The portal's own tabs of an entity."""

from typing import Final

from callboard.contributions import (
    EntityContext,
    EntityTab,
    Fragment,
)
from callboard.i18n import Translator
from callboard_web.parts import Part

_: Final = Translator("callboard")

RAW_LIMIT: Final = 400_000
"""Characters of a raw document that a page shows."""


def _definition(context: EntityContext) -> Fragment:
    text = str(context.entity.spec["definition"])
    return Fragment(
        template="portal/definition.html",
        context={
            "type": context.entity.type,
            "text": text[:RAW_LIMIT],
            "cut": len(text) > RAW_LIMIT,
        },
    )


TABS: Final = (
    EntityTab(
        name="definition", title=_("Definition"), render=_definition, order=10,
        applies=lambda entity: isinstance(entity.spec.get("definition"), str),
    ),
)  # fmt: skip
PART: Final = Part(entity_tabs=TABS)
