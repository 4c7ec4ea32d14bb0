"""What changes outside of the portal: its settings and plugins, compared at each start."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, delete, insert, select

from callboard.audit.log import record
from callboard.audit.models import audit_noted
from callboard.audit.seal import locked_head
from callboard.audit.values import Redacted
from callboard.settings.values import ShownSetting

ACTION: Final = "portal.settings.change"


def note_settings(
    connection: Connection,
    settings: Mapping[str, Any],
    plugins: Mapping[str, str],
    *,
    role: str,
    at: datetime,
) -> None:
    """Compare settings, without secrets, and plugins with those last noted; record what differs.

    `settings` are `Settings.redacted()`, of which the defaults are left out; `plugins` are versions
    by name. Processes of one `role`, such as those that serve, are compared with each other.
    """
    # Of two that start together one waits here, and then finds that there is nothing to tell.
    locked_head(connection)
    versions = {f"plugins.loaded.{name}": version for name, version in plugins.items()}
    now = {**_given(settings), **versions}
    this = audit_noted.c.name == f"settings:{role}"
    before = connection.execute(select(audit_noted.c.value).where(this)).scalar()
    if before == now:
        return
    connection.execute(delete(audit_noted).where(this))
    connection.execute(insert(audit_noted).values(name=f"settings:{role}", value=now))
    changed = sorted(
        key
        for key in {*(before or {}), *now}
        if (before or {}).get(key, _MISSING) != now.get(key, _MISSING)
    )
    record(
        connection,
        ACTION,
        role,
        before=None if before is None else _only(before, changed),
        after=_only(now, changed),
        at=at,
    )


_MISSING: Final = object()


def _only(values: Mapping[str, Any], keys: list[str]) -> Redacted:
    return Redacted({key: values[key] for key in keys if key in values})


def _given(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Give what is not left to its default, by keys such as `catalog.sources[0].url`."""
    return {key: shown.value for key, shown in _flat(settings, "") if shown.source != "default"}


def _flat(value: Any, key: str) -> Iterator[tuple[str, ShownSetting]]:
    if isinstance(value, ShownSetting):
        yield key, value
    elif isinstance(value, Mapping):
        for name, item in value.items():
            yield from _flat(item, f"{key}.{name}" if key else str(name))
    else:
        for index, item in enumerate(value):
            yield from _flat(item, f"{key}[{index}]")
