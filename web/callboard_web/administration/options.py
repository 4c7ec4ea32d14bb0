"""The settings as a table: value, where it comes from, what it is for. Secrets stay hidden."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel

from callboard.i18n import Text, Translator
from callboard.settings import Settings, ShownSetting

_ = Translator("callboard")


@dataclass(frozen=True, slots=True)
class Option:
    """One setting. `source` is `default`, `<file>:<line>` or `environment <VARIABLE>`."""

    key: str
    value: str
    source: str
    description: Text

    @property
    def is_default(self) -> bool:
        return self.source == "default"


def sections(
    settings: Settings, models: Mapping[str, type[BaseModel]]
) -> list[tuple[str, list[Option]]]:
    """Give every section with its settings, in the order of the reference page."""
    found = []
    for name, section in settings.redacted().items():
        descriptions = {
            field.alias or key: field.description or ""
            for key, field in (models[name].model_fields if name in models else {}).items()
        }
        found.append((name, list(_options(section, name, descriptions))))
    return found


def _options(value: Any, key: str, descriptions: Mapping[str, str]) -> Iterator[Option]:
    if isinstance(value, dict):
        for name, item in value.items():
            yield from _options(item, f"{key}.{name}", descriptions)
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _options(item, f"{key}[{index}]", descriptions)
    elif isinstance(value, ShownSetting):
        first = key.split(".", 2)[1] if "." in key else ""
        text = descriptions.get(first.partition("[")[0], "")
        described = _(text) if text else ""
        yield Option(key, _written(value.value), value.source, described)


def _written(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
