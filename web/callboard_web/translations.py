"""Translations, read from `.po` files when a language is first asked for."""

import threading
from collections.abc import Mapping
from functools import partial
from gettext import c2py
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from callboard.i18n import Message, Text

if TYPE_CHECKING:
    from babel.messages.catalog import Catalog

HOST_DOMAIN: Final = "callboard"
HOST_DIRECTORY: Final = Path(__file__).parent / "locales"
SOURCE_LANGUAGE: Final = "en"
RELATIONS: Final = "callboard.relations"
"""The domain of the names of relations, for which each portal has titles of its own."""


class Translations:
    """One domain in one language. What is not translated is given in English."""

    def __init__(self, catalog: "Catalog | None") -> None:
        self._texts: dict[tuple[str, str], tuple[str, ...]] = {}
        self._plural = _english_plural
        if catalog is None:
            return
        self._plural = partial(_plural_of, c2py(catalog.plural_expr))
        for message in catalog:
            given = message.string
            texts = (
                (given,) if isinstance(given, str) else tuple(text or "" for text in given or ())
            )
            if message.id and texts and all(texts) and not message.fuzzy:
                key = message.id if isinstance(message.id, str) else message.id[0]
                self._texts[(message.context or "", key)] = texts

    def gettext(self, text: str) -> str:
        return self.pgettext("", text)

    def pgettext(self, context: str, text: str) -> str:
        found = self._texts.get((context, text))
        return found[0] if found else text

    def ngettext(self, text: str, plural: str, number: int) -> str:
        return self.npgettext("", text, plural, number)

    def npgettext(self, context: str, text: str, plural: str, number: int) -> str:
        found = self._texts.get((context, text))
        if not found:
            return text if number == 1 else plural
        return found[min(self._plural(number), len(found) - 1)]


def _english_plural(number: int) -> int:
    return int(number != 1)


def _plural_of(function: Any, number: int) -> int:
    return int(function(number))


def _own(locale: str, text: Message) -> str:
    """Give the translation that a text brought along."""
    wanted = locale.replace("_", "-").lower()
    given = {language.lower(): words for language, words in text.translations}
    return given.get(wanted) or given.get(wanted.partition("-")[0]) or text.text


class TranslationStore:
    """Finds the translations of a domain: a plugin's name, or the host's own.

    `directories` are those of the plugins, each with one `<locale>.po` for each language.
    `relations` are the titles of relations that kinds of plugins and of the site have, by name.
    """

    def __init__(self, directories: Mapping[str, Path]) -> None:
        self._directories = dict(directories)
        self.relations: Mapping[str, Text] = {}
        self._loaded: dict[tuple[str, Path], Translations] = {}
        self._lock = threading.Lock()

    def translations(self, locale: str, domain: str = HOST_DOMAIN) -> Translations:
        """Give the translations of a domain into a locale such as `zh_CN`."""
        directory = self.directory(domain)
        found = self._loaded.get((locale, directory))
        return found or self._load(locale, directory)

    def directory(self, domain: str) -> Path:
        """Give where a domain's catalogs are; `callboard_x` means the plugin `x` as well."""
        for name in (domain, domain.removeprefix("callboard_")):
            if name in self._directories:
                return self._directories[name]
        return HOST_DIRECTORY

    def text(self, locale: str, text: Text) -> str:
        """Give a text in a language, its places filled in. A plain string stays as it is."""
        if isinstance(text, str):
            return text
        if text.translations:
            return _own(locale, text)
        if text.domain == RELATIONS:
            return self.text(locale, self.relations.get(text.text, text.text))
        translations = self.translations(locale, text.domain)
        if text.plural:
            found = translations.npgettext(text.context, text.text, text.plural, text.number)
        else:
            found = translations.pgettext(text.context, text.text)
        if not text.arguments:
            return found
        return found % {name: self._argument(locale, value) for name, value in text.arguments}

    def _argument(self, locale: str, value: Any) -> Any:
        return self.text(locale, value) if isinstance(value, Message) else value

    def _load(self, locale: str, directory: Path) -> Translations:
        with self._lock:
            found = self._loaded.get((locale, directory))
            if found is None:
                found = Translations(_read(directory / f"{locale}.po", locale))
                self._loaded[(locale, directory)] = found
            return found


def _read(path: Path, locale: str) -> "Catalog | None":
    if locale == SOURCE_LANGUAGE or not path.is_file():
        return None
    from babel.messages.pofile import read_po

    with path.open("rb") as file:
        return read_po(file, locale=locale)
