"""Errors of pages that know more than a message."""

from collections.abc import Sequence

from callboard.errors import NotFoundError
from callboard.i18n import Translator
from callboard_catalog.search import SearchHit

_ = Translator("callboard")


class EntityNotFoundError(NotFoundError):
    """There is no such entity; `suggestions` are what may have been meant."""

    def __init__(self, name: str, suggestions: Sequence[SearchHit]) -> None:
        super().__init__(
            _("There is no entity named %(name)s", name=name),
            hint=_(
                "It may have been renamed or taken out of its source, or the address is mistyped."
            ),
        )
        self.suggestions = suggestions
        self.query = name
