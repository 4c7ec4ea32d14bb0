"""The settings once they are read: typed sections, and a view without secrets."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel

from callboard.errors import SettingsFault
from callboard.redaction import MASK, redact
from callboard.settings.keys import KeyPath, key_text

Model = TypeVar("Model", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class ShownSetting:
    """One setting as a page may show it.

    `source` is `default`, `<file>:<line>` or `environment <VARIABLE>`. A secret's `value` is `***`,
    or the text with the reference it came from.
    """

    value: Any
    source: str


class Settings:
    """The settings of this process. `file` is where they were read from, or None."""

    def __init__(
        self,
        file: Path | None,
        sections: Mapping[str, BaseModel],
        plugins: Mapping[str, BaseModel],
        *,
        secrets: tuple[str, ...],
        source: Callable[[KeyPath], str],
        shown: Callable[[KeyPath, Any], Any],
    ) -> None:
        self.file = file
        self._sections = sections
        self._plugins = plugins
        self._secrets = secrets
        self._source = source
        self._shown = shown

    def section(self, model: type[Model]) -> Model:
        """Give the section read with this model; raises `LookupError` for one that was not read."""
        for section in self._sections.values():
            if type(section) is model:
                return section
        raise LookupError(f"The settings were read without {model.__name__}.")

    def plugin(self, name: str) -> BaseModel | None:
        """Give the settings of a plugin; None when it declared none."""
        return self._plugins.get(name)

    def place(self, *path: str | int) -> str:
        """Say where a setting is written, as in `ShownSetting.source`."""
        return self._source(path)

    def fault(self, path: KeyPath, message: str) -> SettingsFault:
        """Give a fault found after reading, at the line of the setting or of what it is part of."""
        key = key_text(path)
        places = (self._source(path[:length]) for length in range(len(path), 0, -1))
        place = next((found for found in places if found != "default"), "")
        file, _, line = place.rpartition(":")
        if not line.isdecimal():
            file, line = place, "0"
        return SettingsFault(file, int(line), key, f"{key}: {message}.")

    def secrets(self) -> tuple[str, ...]:
        """Give every secret value, for `callboard.redaction`; never for people's eyes.

        They are those from references, of settings that are secret by their type, and passwords
        in URLs. What is shorter than four characters is left out: it would blank ordinary text.
        """
        return self._secrets

    def redacted(self) -> dict[str, Any]:
        """Give all settings without secrets: nested dicts and lists with `ShownSetting` leaves."""
        result = {
            key: self._show(_dump(section), (key,)) for key, section in self._sections.items()
        }
        if self._plugins and "plugins" in result:
            result["plugins"]["settings"] = {
                name: self._show(_dump(section), ("plugins", "settings", name))
                for name, section in self._plugins.items()
            }
        return result

    def _show(self, value: Any, path: KeyPath) -> Any:
        if isinstance(value, dict) and value:
            return {key: self._show(item, (*path, key)) for key, item in value.items()}
        if isinstance(value, list) and value:
            return [self._show(item, (*path, index)) for index, item in enumerate(value)]
        return ShownSetting(self._shown(path, value), self._source(path))


def _dump(section: BaseModel) -> dict[str, Any]:
    return section.model_dump(mode="json", by_alias=True, fallback=str)


def hide(value: Any, *, written: str | None, is_secret: bool, secrets: tuple[str, ...]) -> Any:
    """Give a value as it may be shown; `written` is its text with references, where it has any."""
    if written is not None:
        return redact(written, secrets)
    if is_secret:
        return MASK if value else value
    return redact(value, secrets) if isinstance(value, str) else value
