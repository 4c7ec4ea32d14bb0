"""What plugins add to the demo: each prepares its part and gives settings for it."""

import logging
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import yaml

from callboard.contributions import DemoContext, DemoPart
from callboard.host import Host
from callboard.plugins import Contributed

log = logging.getLogger(__name__)


def with_parts(
    text: str, parts: Iterable[Contributed[DemoPart]], folder: Path, context: DemoContext
) -> str:
    """Give a `callboard.yaml` with the settings of all parts laid over it, in their order.

    Each part gets a folder of its own below `folder`. One that fails is left out, and logged.
    """
    settings = yaml.safe_load(text)
    for part in parts:
        own = folder / part.plugin
        try:
            own.mkdir(parents=True, exist_ok=True)
            added = part.value.prepare(_in_folder(context, own))
        except Exception:
            log.exception("The part %s is left out of the demo.", part.key)
            continue
        settings = merged(settings, added)
    return yaml.safe_dump(settings, allow_unicode=True, sort_keys=False)


def fill_parts(
    parts: Iterable[Contributed[DemoPart]],
    folder: Path,
    context: DemoContext,
    host_for: Callable[[str], Host],
) -> None:
    """Let parts write into the tables, each on its own; one that fails is logged."""
    for part in parts:
        if part.value.fill is None:
            continue
        try:
            part.value.fill(_in_folder(context, folder / part.plugin), host_for(part.plugin))
        except Exception:
            log.exception("The part %s of the demo could not be filled.", part.key)


def _in_folder(context: DemoContext, folder: Path) -> DemoContext:
    return DemoContext(
        folder=folder,
        repositories=context.repositories,
        made_at=context.made_at,
        now=context.now,
    )


def merged(below: Any, above: Any) -> Any:
    """Lay settings over others: sections are merged, lists put together, else `above` counts."""
    if isinstance(below, Mapping) and isinstance(above, Mapping):
        both = {key: merged(below[key], above[key]) for key in below.keys() & above.keys()}
        return {**below, **above, **both}
    if isinstance(below, list) and isinstance(above, list):
        return [*below, *above]
    return above
