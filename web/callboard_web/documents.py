"""Documents of entities as text: YAML and JSON as people write them, and their lines."""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

import yaml

from callboard.entities import Entity

_FIRST: Final = ("name", "namespace", "title", "description")
_MADE_HERE: Final = ("uid", "etag")


def raw_document(entity: Entity) -> dict[str, Any]:
    """Give an entity as it is served, with its relations at the end."""
    relations = [
        {"type": relation.type, "targetRef": str(relation.target)} for relation in entity.relations
    ]
    return {**_ordered(entity.document), "relations": relations}


def raw_json(entity: Entity) -> str:
    """Give an entity with its relations as JSON."""
    return json.dumps(raw_document(entity), ensure_ascii=False, indent=2)


def raw_yaml(entity: Entity) -> str:
    """Give an entity with its relations as YAML."""
    return as_yaml(raw_document(entity))


def written_yaml(document: Mapping[str, Any]) -> str:
    """Give what a person wrote of a document, without what the catalog sets, as YAML."""
    metadata = document.get("metadata") or {}
    kept = {name: value for name, value in metadata.items() if name not in _MADE_HERE}
    return as_yaml(_ordered({**document, "metadata": kept}))


def as_yaml(document: Mapping[str, Any]) -> str:
    """Write YAML in the order of the document."""
    return str(
        yaml.dump(dict(document), Dumper=_Dumper, allow_unicode=True, sort_keys=False, width=100)
    )


def _ordered(document: Mapping[str, Any]) -> dict[str, Any]:
    """Put first what people write first; the catalog keeps keys in alphabetical order."""
    metadata = document.get("metadata") or {}
    first = {name: metadata[name] for name in _FIRST if name in metadata}
    head = {name: document[name] for name in ("apiVersion", "kind") if name in document}
    head["metadata"] = {**first, **metadata}
    return head | {name: value for name, value in document.items() if name not in head}


class _Dumper(yaml.CSafeDumper):
    """Writes texts of several lines as blocks, as people write them."""


def _represent_text(dumper: yaml.CSafeDumper, text: str) -> yaml.ScalarNode:
    style = "|" if "\n" in text else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _represent_text)


@dataclass(frozen=True, slots=True)
class Line:
    """A line in three parts: what stands before its key, the key, and the rest."""

    before: str
    key: str
    rest: str


_YAML_KEY: Final = re.compile(
    r"([ ]*(?:- )*)([^\s:#\[{'\"&*!|>%@`-][^:]*|'[^']*'|\"[^\"]*\")(:(?: .*)?)"
)
_JSON_KEY: Final = re.compile(r"(\s*)(\"(?:[^\"\\]|\\.)*\")(:.*)")
_BLOCK: Final = re.compile(r":? ?[|>][-+0-9]*")


def yaml_lines(text: str) -> Iterator[Line]:
    """Give the lines of YAML as `as_yaml` writes it, with their keys; blocks of text have none."""
    block: int | None = None
    for line in text.splitlines():
        indent = len(line) - len(line.lstrip(" "))
        if block is not None and (indent > block or not line.strip()):
            yield Line(line, "", "")
            continue
        block = None
        match = _YAML_KEY.fullmatch(line)
        if match is None:
            if _BLOCK.fullmatch(line.strip().removeprefix("-").strip()):
                block = indent
            yield Line(line, "", "")
            continue
        if _BLOCK.fullmatch(match[3]):
            block = len(match[1]) if "-" in match[1] else indent
        yield Line(match[1], match[2], match[3])


def json_lines(text: str) -> Iterator[Line]:
    """Give the lines of indented JSON with their keys."""
    for line in text.splitlines():
        match = _JSON_KEY.fullmatch(line)
        yield Line(match[1], match[2], match[3]) if match else Line(line, "", "")
