"""Jinja, with the reader's language and the domain of the template that is being drawn."""

import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import datetime, timedelta
from functools import lru_cache
from pathlib import Path
from typing import Any, ClassVar, Final

from jinja2 import (
    BytecodeCache,
    ChoiceLoader,
    Environment,
    FileSystemLoader,
    PrefixLoader,
    StrictUndefined,
    Template,
)
from markupsafe import Markup, escape

from callboard.contributions import Fragment
from callboard.entities import EntityRef
from callboard.i18n import Text
from callboard_web import csrf, formats
from callboard_web.assets import Assets
from callboard_web.cells import Cells
from callboard_web.preferences import Reader
from callboard_web.translations import (
    HOST_DOMAIN,
    SOURCE_LANGUAGE,
    Translations,
    TranslationStore,
)
from callboard_web.words import Words

TEMPLATES: Final = Path(__file__).parent / "templates"

MOST_ICONS: Final = 500
"""Icons that are kept as they were written; names that plugins make up must not fill memory."""

_reader: ContextVar[Reader] = ContextVar("reader")
_domain: ContextVar[str] = ContextVar("domain", default=HOST_DOMAIN)
"""Whose texts are drawn: a plugin's while one of its templates is, else the host's own."""

_token: ContextVar[str] = ContextVar("token", default="")


@contextmanager
def read_by(reader: Reader) -> Iterator[None]:
    """Draw for this reader inside the block: macros have no context to tell them."""
    token = _reader.set(reader)
    try:
        yield
    finally:
        _reader.reset(token)


def _filled(text: str, given: Mapping[str, Any]) -> Markup:
    if not given and "%" not in text:
        return Markup(text)  # noqa: S704 - translations are written as markup
    return Markup(text) % given  # noqa: S704


class Renderer:
    """Draws templates of the host and of plugins, compiled once and kept.

    `directories` are the plugins' (`callboard_templates`); a plugin's templates are found as
    `<plugin>/<file>.html` only, so none can take the place of another's.
    """

    shared: ClassVar[BytecodeCache | None] = None
    """What keeps compiled templates beyond one portal: a process of tests starts hundreds."""

    def __init__(
        self,
        translations: TranslationStore,
        directories: Mapping[str, Path],
        assets: Assets,
        words: Words,
        allows: Callable[[str, EntityRef | None], bool],
    ) -> None:
        self.translations = translations
        self._assets = assets
        self._icons: dict[tuple[str, str], Markup] = {}
        plugins = {name: FileSystemLoader(path / name) for name, path in directories.items()}
        self._environment = Environment(
            loader=ChoiceLoader([FileSystemLoader(TEMPLATES), PrefixLoader(plugins)]),
            autoescape=True,
            auto_reload=False,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            cache_size=1000,
            bytecode_cache=self.shared,
            extensions=["jinja2.ext.i18n", "jinja2.ext.do"],
        )
        self._environment.policies["ext.i18n.trimmed"] = True
        self._install_texts()
        self._install_formats(words)
        self._environment.globals["allows"] = allows
        self._compiled = lru_cache(maxsize=256)(self._compile)

    def page(self, template: str, reader: Reader, context: Mapping[str, Any]) -> str:
        """Draw one of the host's templates."""
        with read_by(reader):
            return self._environment.get_template(template).render(context, reader=reader)

    def fragment(self, plugin: str, fragment: Fragment, reader: Reader, token: str = "") -> Markup:
        """Draw what a plugin gave. Raises whatever its template raises.

        `token` is what its forms bring along, see `callboard_web.csrf`.
        """
        if bool(fragment.template) == bool(fragment.source):
            raise ValueError("A Fragment needs either a template or a source.")
        template = (
            self._environment.get_template(self._own(plugin, fragment.template))
            if fragment.template
            else self._compiled(plugin, fragment.source)
        )
        given, domain = _token.set(token), _domain.set(plugin)
        try:
            with read_by(reader):
                content = template.render(fragment.context)
        finally:
            _domain.reset(domain)
            _token.reset(given)
        return self._needed(plugin, fragment) + Markup(content)  # noqa: S704 - drawn with autoescape

    def _needed(self, plugin: str, fragment: Fragment) -> Markup:
        """Give the tags that load what a fragment needs; raises for files that are not there."""
        tags = Markup()
        for name in fragment.styles:
            tags += Markup('<link rel="stylesheet" href="{}">').format(self._static(plugin, name))
        for name in fragment.scripts:
            address = self._static(plugin, name)
            tags += Markup('<script type="module" src="{}"></script>').format(address)
        return tags

    def _static(self, plugin: str, name: str) -> str:
        if not name.startswith(f"{plugin}/"):
            raise ValueError(f"The file must be named {plugin}/…, not {name!r}.")
        return self._assets.url(name)

    def text(self, text: Text, reader: Reader) -> str:
        """Give a text in the reader's language."""
        return self.translations.text(reader.locale, text)

    def said_to_reader(self, text: Text) -> str:
        """Give a text in the language of the reader of what is being drawn."""
        return self.text(text, _reader.get())

    def _own(self, plugin: str, template: str) -> str:
        if not template.startswith(f"{plugin}/"):
            raise ValueError(f"The template must be named {plugin}/….html, not {template!r}.")
        return template

    def _compile(self, plugin: str, source: str) -> Template:
        code = self._environment.compile(source, name=f"{plugin}/source", filename="<source>")
        return Template.from_code(self._environment, code, self._environment.make_globals(None))

    def _texts(self) -> Translations:
        return self.translations.translations(_reader.get().locale, _domain.get())

    def _install_texts(self) -> None:
        """Give templates `_`, `ngettext` and so on, as Jinja's "newstyle" functions are.

        Those of Jinja take the context, which is copied for each call within a block or a loop.
        """

        def gettext(text: str, /, **given: Any) -> Markup:
            return _filled(self._texts().gettext(text), given)

        def ngettext(text: str, plural: str, number: int, /, **given: Any) -> Markup:
            return _filled(self._texts().ngettext(text, plural, number), {"num": number, **given})

        def pgettext(where: str, text: str, /, **given: Any) -> Markup:
            return _filled(self._texts().pgettext(where, text), {"context": where, **given})

        def npgettext(where: str, text: str, plural: str, number: int, /, **given: Any) -> Markup:
            found = self._texts().npgettext(where, text, plural, number)
            return _filled(found, {"context": where, "num": number, **given})

        self._environment.newstyle_gettext = True  # type: ignore[attr-defined]
        self._environment.globals.update(
            _=gettext, gettext=gettext, ngettext=ngettext, pgettext=pgettext, npgettext=npgettext
        )

    def _install_formats(self, words: Words) -> None:
        filters: dict[str, Callable[..., Any]] = {
            "t": self.said_to_reader,
            "said": self.said,
            "age": self.age,
            "ago": self.ago,
            "exact": lambda at: formats.exact(at, _reader.get()),
            "day": lambda at: formats.day(at, _reader.get()),
            "number": lambda value: formats.number(value, _reader.get()),
            "duration": self.duration,
            "safe_url": formats.safe_url,
            "initials": formats.initials,
            "marked": formats.marked,
        }
        self._environment.filters.update(filters)
        cells = Cells(self, words)
        self._environment.globals.update(
            asset=self._assets.url,
            icon=self.icon,
            mark=self.mark,
            status=self.status,
            pill=self.pill,
            words=words,
            entity_url=formats.entity_url,
            form_token=form_token,
            kind_icon=words.icon,
            list_cells=cells.row,
            plugin_cell=cells.plugin,
        )

    # Marks. They are plain functions because a list calls them hundreds of times.

    def icon(self, name: str, classes: str = "i") -> Markup:
        """Give an icon of the sprite; it says nothing to a screen reader."""
        key = (name, classes)
        made = self._icons.get(key)
        if made is None:
            made = Markup('<svg class="{}" aria-hidden="true"><use href="{}#{}"/></svg>').format(
                classes, self._assets.url("icons.svg"), name
            )
            if len(self._icons) < MOST_ICONS:
                self._icons[key] = made
        return made

    def mark(self, status: str) -> Markup:
        """Give the mark of a status alone; a word must stand beside it."""
        colour, shape = formats.STATUS_MARKS.get(status, formats.STATUS_MARKS["unknown"])
        spin = " spin" if status == "run" else ""
        return self.icon(shape, f"ic {colour}{spin}")

    def status(self, status: str, words: str) -> Markup:
        """Give a status in text: the mark carries the colour, the word the meaning."""
        colour, shape = formats.STATUS_MARKS.get(status, formats.STATUS_MARKS["unknown"])
        icon = self.icon(shape, "i spin" if status == "run" else "i")
        return Markup(f'<span class="st {colour}">{icon}{escape(words)}</span>')  # noqa: S704

    def pill(self, status: str, words: str, detail: str) -> Markup:
        """Give a status beside a title."""
        colour, shape = formats.STATUS_MARKS.get(status, formats.STATUS_MARKS["unknown"])
        icon = self.icon(shape, "i spin" if status == "run" else "i")
        return Markup('<span class="pill {}" title="{}">{}{}</span>').format(
            colour, detail, icon, words
        )

    def said(self, text: Text) -> Markup:
        """Give what a program said: translated where it can be, else marked as English."""
        if isinstance(text, str) and _reader.get().language != SOURCE_LANGUAGE:
            return Markup('<span lang="en">{}</span>').format(text) if text else Markup()
        return escape(self.text(text, _reader.get()))

    # Times

    def age(self, at: datetime | None) -> Markup:
        """Give an age without words around it, such as `42 min`; the date beyond a week."""
        return self._time(at, _AGES, formats.date)

    def ago(self, at: datetime | None) -> Markup:
        """Give an age in words, such as `42 min ago`; the date and time beyond a week."""
        return self._time(at, _AGOS, formats.exact)

    def _time(
        self,
        at: datetime | None,
        words: Mapping[str, str],
        beyond: Callable[[datetime, Reader], str],
    ) -> Markup:
        if at is None:
            return Markup("–")
        reader = _reader.get()
        parts = formats.age_parts(at, reader.now)
        if parts is None:
            return formats.time_tag(at, reader, beyond(at, reader))
        text = self.translations.translations(reader.locale).pgettext("age", words[parts[0]])
        return formats.time_tag(at, reader, text % {"number": parts[1]})

    def duration(self, length: float | timedelta | None) -> str:
        """Give a length of time, such as `84 ms`, `2.4 s` or `3 min`."""
        if length is None:
            return "–"
        seconds = length.total_seconds() if isinstance(length, timedelta) else length
        _, divisor, digits, words = next(rule for rule in _DURATIONS if seconds < rule[0])
        value = formats.number(round(seconds / divisor, digits), _reader.get())
        texts = self.translations.translations(_reader.get().locale)
        return texts.pgettext("duration", words) % {"number": value}


def form_token() -> Markup:
    """Give the field that a plugin's form must have, so that no other site can send it."""
    field = Markup('<input type="hidden" name="{}" value="{}">')
    return field.format(csrf.FIELD, _token.get())


def pgettext(context: str, text: str) -> str:
    """Mark a text for extraction; it is translated where it is used."""
    return text


_AGES: Final = {
    "now": pgettext("age", "now"),
    "min": pgettext("age", "%(number)d min"),
    "h": pgettext("age", "%(number)d h"),
    "d": pgettext("age", "%(number)d d"),
}
_AGOS: Final = {
    "now": pgettext("age", "just now"),
    "min": pgettext("age", "%(number)d min ago"),
    "h": pgettext("age", "%(number)d h ago"),
    "d": pgettext("age", "%(number)d d ago"),
}
_DURATIONS: Final[tuple[tuple[float, float, int | None, str], ...]] = (
    (1.0, 0.001, None, pgettext("duration", "%(number)s ms")),
    (60.0, 1.0, 1, pgettext("duration", "%(number)s s")),
    (3600.0, 60.0, None, pgettext("duration", "%(number)s min")),
    (172800.0, 3600.0, None, pgettext("duration", "%(number)s h")),
    (math.inf, 86400.0, None, pgettext("duration", "%(number)s d")),
)
