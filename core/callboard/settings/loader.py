"""Reads `callboard.yaml` and the environment into typed settings; tells every fault at once."""

import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final
from urllib.parse import unquote

from pydantic import BaseModel, ValidationError

from callboard.errors import SettingsError, SettingsFault
from callboard.redaction import redact
from callboard.settings.document import MAXIMUM_BYTES, Document, read_document
from callboard.settings.environment import PREFIX, Overrides
from callboard.settings.keys import KeyPath, key_text
from callboard.settings.messages import Explainer, unknown_key
from callboard.settings.references import References, referenced_names
from callboard.settings.schema import Layout
from callboard.settings.types import SettingsModel
from callboard.settings.values import Settings, hide

SHORTEST_SECRET: Final = 4
PLUGINS: Final = ("plugins", "settings")

_PASSWORDS: Final = (
    re.compile(r"[a-z][a-z0-9+.-]{0,30}://[^/\s?#@:]{0,200}:([^\s/?#]{1,2000})@", re.IGNORECASE),
    re.compile(r"[?&]password=([^&\s#]+)", re.IGNORECASE),
)


class NoSettings(SettingsModel):
    """The model of a plugin that has no settings."""


def load_settings(
    path: Path | None,
    environ: Mapping[str, str],
    sections: Mapping[str, type[BaseModel]],
    *,
    plugin_sections: Mapping[str, type[BaseModel] | None] | None = None,
) -> Settings:
    """Read the settings from a file (or none) with the environment over it.

    `plugin_sections` has the model of every known plugin: `NoSettings` for one without settings,
    None for one that was not loaded, whose settings are left alone. Without it nothing below
    `plugins.settings` is checked, as is needed before plugins are loaded. Raises `SettingsError`
    with all faults, in the order of the file.
    """
    layout = Layout(sections, plugin_sections or {})
    loading = _Loading(path, environ, layout)
    plugins = {} if plugin_sections is None else loading.plugins()
    found = {key: loading.section(model, (key,)) for key, model in sections.items()}
    loading.raise_faults()
    return Settings(
        path,
        {key: section for key, section in found.items() if section is not None},
        plugins,
        secrets=loading.secrets,
        source=loading.source,
        shown=loading.shown,
    )


def _read_file(path: Path | None) -> Document:
    if path is None:
        return Document()
    reason = "there is no such file"
    try:
        if path.is_file():
            with path.open("rb") as file:
                return read_document(file.read(MAXIMUM_BYTES + 1), str(path))
        if path.exists():
            reason = "it is not a file"
    except OSError as error:
        reason = os.strerror(error.errno) if error.errno else "it is out of reach"
    message = f"The settings file cannot be read: {reason}."
    return Document(faults=(SettingsFault(str(path), 0, "", message),))


class _Loading:
    """One reading of the settings: what is there, where it comes from, what is wrong with it."""

    def __init__(self, path: Path | None, environ: Mapping[str, str], layout: Layout) -> None:
        self.file = str(path) if path is not None else ""
        self.layout = layout
        self.document = _read_file(path)
        self.faults = list(self.document.faults)
        self.overrides = Overrides(environ, layout, _referenced(self.document.value, environ))
        self.faults += self.overrides.faults
        data = self._sections_of(self.document.value)
        self.overrides.apply(data)
        self.references = References(environ)
        self.data = self.references.fill(data)
        self.secrets = self._secrets()
        self._note_references()

    def _sections_of(self, value: Any) -> dict[str, Any]:
        if value is None:
            return {}
        if not isinstance(value, dict):
            message = "The file is not a mapping; expected sections such as database: or catalog:."
            self._fault((), message)
            return {}
        for key in value:
            if key not in self.layout.sections:
                self._fault((key,), unknown_key((key,), list(self.layout.sections)))
        return {key: item for key, item in value.items() if key in self.layout.sections}

    def _note_references(self) -> None:
        for path, message in self.references.faults.items():
            unused = path[:2] == PLUGINS and self.layout.plugin_sections.get(str(path[2])) is None
            if not unused:
                self._fault(path, f"{key_text(path)} {message}")

    def plugins(self) -> dict[str, BaseModel]:
        """Read the section of every plugin that has a model."""
        given = self._given(PLUGINS)
        for name in given if isinstance(given, dict) else ():
            if name not in self.layout.plugin_sections:
                path = (*PLUGINS, name)
                known = list(self.layout.plugin_sections)
                self._fault(path, unknown_key(path, known, "an installed plugin"))
        models = self.layout.plugin_sections.items()
        found = {
            name: self.section(model, (*PLUGINS, name))
            for name, model in models
            if model is not None
        }
        return {
            name: settings
            for name, settings in found.items()
            if settings is not None and type(settings) is not NoSettings
        }

    def _given(self, path: KeyPath) -> Any:
        """Give what is set at a place; an empty mapping for nothing."""
        value: Any = self.data
        for part in path:
            value = value.get(part) if isinstance(value, dict) else None
        return {} if value is None else value

    def section(self, model: type[BaseModel], base: KeyPath) -> BaseModel | None:
        """Read one section; what is wrong with it is noted."""
        try:
            return model.model_validate(self._given(base), extra="forbid")
        except ValidationError as error:
            explainer = Explainer(
                self.layout, self.data, secrets=self.secrets, is_secret=self.is_secret
            )
            sentences = explainer.explain(error.errors(include_url=False), base)
        except Exception as error:
            # A validator of a plugin's model may raise anything.
            reason = redact(f"{type(error).__name__}: {error}"[:200], self.secrets)
            sentences = {base: f"{key_text(base)} cannot be checked by its own model: {reason}"}
        for path, sentence in sentences.items():
            if path not in self.references.faults and path not in self.document.unread:
                self._fault(path, sentence)
        return None

    def _secrets(self) -> tuple[str, ...]:
        in_urls = (
            password
            for text in _texts(self.data)
            for pattern in _PASSWORDS
            for found in pattern.findall(text)
            for password in (found, unquote(found))
        )
        typed = (text for _, text in self.layout.secrets(self.data))
        found = {*self.references.secrets, *in_urls, *typed}
        return tuple(sorted(secret for secret in found if len(secret) >= SHORTEST_SECRET))

    def is_secret(self, path: KeyPath) -> bool:
        """Tell whether a value may not be shown."""
        return path in self.references.written or self.layout.is_secret(path)

    def source(self, path: KeyPath) -> str:
        """Tell where a value comes from."""
        variable = self.overrides.variable(path)
        if variable:
            return f"environment {variable}"
        line = self.document.lines.get(path)
        return f"{self.file}:{line}" if line else "default"

    def shown(self, path: KeyPath, value: Any) -> Any:
        """Give a value as people may see it."""
        written = self.references.written.get(path)
        return hide(value, written=written, is_secret=self.is_secret(path), secrets=self.secrets)

    def _fault(self, path: KeyPath, message: str) -> None:
        key = key_text(path)
        variable = self.overrides.variable(path)
        if variable:
            self.faults.append(SettingsFault(f"environment {variable}", 0, key, message))
            return
        lines = (self.document.lines.get(path[:length]) for length in range(len(path), 0, -1))
        line = next(filter(None, lines), 0)
        self.faults.append(SettingsFault(self.file, line, key, message))

    def raise_faults(self) -> None:
        """Raise `SettingsError` if anything is wrong."""
        if not self.faults:
            return
        faults = sorted(self.faults, key=lambda fault: (fault.file != self.file, fault.line))
        count = "one fault" if len(faults) == 1 else f"{len(faults)} faults"
        listed = "\n".join(f"  {fault}" for fault in faults)
        raise SettingsError(f"The settings have {count}:\n{listed}", faults=faults)


def _referenced(value: Any, environ: Mapping[str, str]) -> set[str]:
    """Give the variables that settings refer to: those are no settings themselves."""
    overrides = (text for name, text in environ.items() if name.startswith(PREFIX))
    texts = (*_texts(value), *overrides)
    return {name for text in texts for name in referenced_names(text)}


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        for item in value:
            yield from _texts(item)
    elif isinstance(value, str):
        yield value
