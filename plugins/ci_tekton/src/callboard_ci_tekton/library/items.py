"""The files of the library: read once, with what the settings put into them."""

import hashlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

import orjson
import yaml

from callboard.kubernetes import Resource
from callboard_ci_tekton.acts.preparing import PIPELINES
from callboard_ci_tekton.library.settings import IMAGES, REGISTRY, LibrarySettings
from callboard_ci_tekton.runs.values import items, mapping, text

VERSION: Final = "1.0.0"
"""Of all files together: any change of a file that is released raises it."""

ACCOUNT: Final = "callboard-build"
VERSION_NOTE: Final = "callboard.io/library-version"
DIGEST_NOTE: Final = "callboard.io/library-digest"

TASKS: Final = Resource("tekton.dev", "v1", "tasks", "Task")
ACCOUNTS: Final = Resource("", "v1", "serviceaccounts", "ServiceAccount")
RESOURCES: Final[Mapping[str, Resource]] = {
    resource.kind: resource for resource in (ACCOUNTS, TASKS, PIPELINES)
}
"""By kind, in the order in which they are installed."""

_FILES: Final = Path(__file__).parent / "files"
_LANGUAGES: Final = {"java": "Java", "go": "Go", "python": "Python", "node": "Node"}


@dataclass(frozen=True, slots=True)
class Parameter:
    """A parameter or a result: `default` is None where there is none."""

    name: str
    kind: str
    description: str
    default: Any = None
    choices: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Workspace:
    """A workspace; `optional` where a run may leave it out."""

    name: str
    description: str
    optional: bool


@dataclass(frozen=True, slots=True)
class Item:
    """An object of the library. `text` is its file, `needs` are the names of what it uses."""

    name: str
    kind: str
    title: str
    description: str
    text: str
    body: Mapping[str, Any]
    digest: str
    needs: tuple[str, ...]

    @property
    def resource(self) -> Resource:
        """What it is to a cluster."""
        return RESOURCES[self.kind]

    @property
    def parameters(self) -> tuple[Parameter, ...]:
        """What it can be told."""
        return tuple(_parameter(each) for each in items(mapping(self.body, "spec"), "params"))

    @property
    def results(self) -> tuple[Parameter, ...]:
        """What it tells."""
        return tuple(_parameter(each) for each in items(mapping(self.body, "spec"), "results"))

    @property
    def workspaces(self) -> tuple[Workspace, ...]:
        """What it is given to read and write."""
        return tuple(
            Workspace(text(each, "name"), text(each, "description"), each.get("optional") is True)
            for each in items(mapping(self.body, "spec"), "workspaces")
        )


def load_items(settings: LibrarySettings) -> Mapping[str, Item]:
    """Give all objects by their names: pipelines, then tasks, then the service account."""
    return _loaded(settings.registry, tuple(sorted(settings.images.items())))


@lru_cache(maxsize=4)
def _loaded(registry: str, images: tuple[tuple[str, str], ...]) -> Mapping[str, Item]:
    found = [_item(source) for source in _sources(registry, dict(images))]
    order = list(RESOURCES)[::-1]
    found.sort(key=lambda item: order.index(item.kind))
    return {item.name: item for item in found}


def _sources(registry: str, images: Mapping[str, str]) -> Iterator[str]:
    for path in sorted(_FILES.glob("*.yaml")):
        source = re.sub(r"^#: .*\n", "", path.read_text(encoding="utf-8"), flags=re.MULTILINE)
        source = source.replace(f"default: {REGISTRY}\n", f"default: {registry}\n")
        for tool, image in images.items():
            source = source.replace(f"default: {IMAGES[tool]}\n", f"default: {image}\n")
        if "LANGUAGE" not in source:
            yield source
            continue
        for language, title in _LANGUAGES.items():
            yield source.replace("LANGUAGE", language).replace("TITLE", title)


def _item(source: str) -> Item:
    body = yaml.load(source, Loader=yaml.CSafeLoader)
    shown = {key: value for key, value in body.items() if key != "metadata"}
    name = body["metadata"]["name"]
    told = orjson.dumps({**shown, "name": name}, option=orjson.OPT_SORT_KEYS)
    digest = f"sha256:{hashlib.sha256(told).hexdigest()}"
    notes = f'    {VERSION_NOTE}: "{VERSION}"\n    {DIGEST_NOTE}: {digest}\n'
    source = source.replace("\n  annotations:\n", f"\n  annotations:\n{notes}", 1)
    annotations = body["metadata"]["annotations"]
    annotations.update({VERSION_NOTE: VERSION, DIGEST_NOTE: digest})
    description = text(mapping(body, "spec"), "description") or text(
        annotations, "callboard.io/description"
    )
    return Item(
        name,
        body["kind"],
        text(annotations, "tekton.dev/displayName") or name,
        description,
        source,
        body,
        digest,
        tuple(_needs(body)),
    )


def _needs(body: Mapping[str, Any]) -> Iterator[str]:
    if body["kind"] != "Pipeline":
        return
    yield ACCOUNT
    tasks = [*items(mapping(body, "spec"), "tasks"), *items(mapping(body, "spec"), "finally")]
    yield from dict.fromkeys(task["taskRef"]["name"] for task in tasks)


def _parameter(given: Mapping[str, Any]) -> Parameter:
    return Parameter(
        text(given, "name"),
        text(given, "type") or "string",
        text(given, "description"),
        given.get("default"),
        tuple(map(str, given.get("enum") or ())),
    )


def with_needs(found: Mapping[str, Item], item: Item) -> list[Item]:
    """Give an object after all it needs, in the order in which they are installed."""
    kinds = list(RESOURCES)
    wanted = [found[name] for name in item.needs] + [item]
    return sorted(wanted, key=lambda each: kinds.index(each.kind))
