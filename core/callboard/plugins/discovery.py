"""Finds installed plugins by their entry points, without importing any."""

import importlib.metadata
import logging
import re
from collections.abc import Iterator
from importlib.metadata import Distribution, EntryPoint

from packaging.utils import canonicalize_name

from callboard.plugins.records import ENTRY_POINT_GROUP, PluginRecord

log = logging.getLogger(__name__)

_NAME = re.compile(r"^name:[ \t]*(\S+)", re.IGNORECASE | re.MULTILINE)

Found = tuple[PluginRecord, EntryPoint]


def find_plugins() -> list[Found]:
    """Give the plugins of every distribution, in the order of their names.

    A distribution whose metadata cannot be read is logged and left out: it costs no other.
    """
    found = [item for distribution in _distributions() for item in _plugins_of(distribution)]
    return sorted(found, key=lambda item: (item[0].name, item[0].distribution))


def _distributions() -> Iterator[Distribution]:
    """Give each distribution once: the first on the path is the one that is imported."""
    seen = set()
    for distribution in importlib.metadata.distributions():
        try:
            name = canonicalize_name(_name_of(distribution))
        except Exception:
            # A folder without metadata, left behind by an installer.
            log.debug("A distribution without a name is left out.", exc_info=True)
            continue
        if name not in seen:
            seen.add(name)
            yield distribution


def _name_of(distribution: Distribution) -> str:
    """Give its name without parsing all its metadata, of which every start reads some hundred."""
    text = distribution.read_text("METADATA") or distribution.read_text("PKG-INFO") or ""
    found = _NAME.search(text.partition("\n\n")[0])
    return found[1] if found else distribution.name


def _plugins_of(distribution: Distribution) -> list[Found]:
    try:
        text = distribution.read_text("entry_points.txt")
        if not text or ENTRY_POINT_GROUP not in text:
            return []
        entries = distribution.entry_points.select(group=ENTRY_POINT_GROUP)
        return [(_record(entry.name, distribution), entry) for entry in entries]
    except Exception as error:
        name = distribution.name
        log.error("The entry points of %s cannot be read: %s.", name, error)
        return []


def _record(name: str, distribution: Distribution) -> PluginRecord:
    return PluginRecord(
        name=name,
        distribution=distribution.name,
        version=distribution.version,
        summary=str(distribution.metadata.json.get("summary", "")),
    )
