"""Errors of pages, told in the reader's language."""

from collections.abc import Sequence

from callboard.errors import NotAllowedError, NotFoundError
from callboard.i18n import Text, Translator
from callboard_catalog.search import SearchHit

_ = Translator("callboard")


class PageNotFoundError(NotFoundError):
    """There is no such thing. Logs and the API get the English text."""

    def __init__(self, text: Text, hint: Text = "") -> None:
        super().__init__(str(text), hint=str(hint))
        self.text = text
        self.hint_text = hint


class EntityNotFoundError(PageNotFoundError):
    """There is no such entity; `suggestions` are what may have been meant."""

    def __init__(self, name: str, suggestions: Sequence[SearchHit]) -> None:
        super().__init__(
            _("It may have been renamed or taken out of its source, or the address is mistyped.")
        )
        self.headline = _("There is no entity named %(name)s", name=name)
        self.suggestions = suggestions
        self.query = name


class ForgedRequestError(NotAllowedError):
    """An unsafe request that no page of this portal has sent."""

    def __init__(self, text: Text, hint: Text) -> None:
        super().__init__(str(text), hint=str(hint))
        self.text = text
        self.hint_text = hint
