"""`mkdocs.yml`, read for what it says and for nothing it could run."""

import re
from dataclasses import dataclass, field
from typing import Any, Final

import yaml

from callboard.i18n import Text, Translator

_ = Translator("docs")

LARGEST: Final = 512 * 1024
"""Bytes of a settings file that are read."""

NAMES: Final = ("mkdocs.yml", "mkdocs.yaml")


@dataclass(frozen=True, slots=True)
class Configuration:
    """The part of the settings that counts here; `nav` is as it was written, None without one."""

    site_name: str = ""
    docs_dir: str = "docs"
    nav: list[Any] | None = None
    notes: list[Text] = field(default_factory=list)


class _Loader(yaml.SafeLoader):
    """Reads plain values; a value with a tag of its own, such as `!!python/name`, becomes None.

    Merge keys are not followed: nested ones multiply without bound.
    """

    def flatten_mapping(self, node: yaml.MappingNode) -> None:
        return None


def _nothing(*_: object) -> None:
    return None


_Loader.add_multi_constructor("!", _nothing)
_Loader.add_multi_constructor("tag:yaml.org,2002:python/", _nothing)
_Loader.add_constructor("tag:yaml.org,2002:merge", lambda *_: "<<")
_Loader.add_constructor(None, _nothing)


def read_configuration(content: bytes) -> Configuration:
    """Read a settings file. What is wrong in it is told in `notes`, the rest holds."""
    loaded, notes = _load(content)
    if "INHERIT" in loaded:
        notes.append(_("INHERIT is not followed: only mkdocs.yml itself is read."))
    name = loaded.get("site_name")
    nav = loaded.get("nav")
    if nav is not None and not isinstance(nav, list):
        notes.append(_("nav in mkdocs.yml is no list; the folders give the order."))
        nav = None
    return Configuration(
        site_name=name.strip()[:200] if isinstance(name, str) else "",
        docs_dir=_folder(loaded.get("docs_dir"), notes),
        nav=nav,
        notes=notes,
    )


def _load(content: bytes) -> tuple[dict[str, Any], list[Text]]:
    if len(content) > LARGEST:
        return {}, [
            _("mkdocs.yml is larger than %(limit)s KiB and was not read.", limit=LARGEST // 1024)
        ]
    try:
        loaded = yaml.load(content.decode("utf-8-sig", "replace"), Loader=_Loader)  # noqa: S506
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        return {}, [_("mkdocs.yml is not valid YAML, line %(line)s; it was not read.", line=line)]
    except (yaml.YAMLError, RecursionError, ValueError, TypeError):
        return {}, [_("mkdocs.yml is not valid YAML; it was not read.")]
    if loaded is None:
        return {}, []
    if not isinstance(loaded, dict):
        return {}, [_("mkdocs.yml holds no settings; it was not read.")]
    return loaded, []


def _folder(value: object, notes: list[Text]) -> str:
    if value is None:
        return "docs"
    text = value.strip() if isinstance(value, str) else ""
    parts = [part for part in re.split(r"[/\\]", text) if part not in ("", ".")]
    if not text or ".." in parts or text.startswith("/"):
        notes.append(_("docs_dir in mkdocs.yml is no folder below it; docs is read."))
        return "docs"
    return "/".join(parts)
