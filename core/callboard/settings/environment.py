"""Settings from the environment: `CALLBOARD_DATABASE__URL` sets `database.url`."""

import re
from collections.abc import Collection, Mapping
from pathlib import Path
from types import NoneType
from typing import Any, Final, Literal, get_origin

from pydantic import SecretBytes, SecretStr

from callboard.errors import SettingsFault
from callboard.settings.document import read_document
from callboard.settings.keys import KeyPath, key_text, nearest
from callboard.settings.schema import Layout, members

PREFIX: Final = "CALLBOARD_"
SEPARATOR: Final = "__"
CONTROL_VARIABLES: Final = frozenset({"CALLBOARD_CONFIG", "CALLBOARD_PLUGINS"})
"""Read elsewhere: the path of the settings file, and the names of the plugins to load."""

_TEXTS: Final = {str, Path, SecretStr, SecretBytes}

# Kubernetes sets these in every container beside a Service whose name begins with `callboard`.
_SERVICE_LINK: Final = re.compile(
    r"CALLBOARD_(?:\w+_)?(?:SERVICE_HOST|SERVICE_PORT(?:_\w+)?|PORT_\d+_(?:TCP|UDP|SCTP)(?:_\w+)?)"
)
_SERVICE_ADDRESS: Final = re.compile(r"(?:tcp|udp|sctp)://[^/@]+")


class Overrides:
    """The settings found in an environment: `values` by their place, `variables` by the same."""

    def __init__(self, environ: Mapping[str, str], layout: Layout, ignore: Collection[str]) -> None:
        self.values: dict[KeyPath, Any] = {}
        self.variables: dict[KeyPath, str] = {}
        self.faults: list[SettingsFault] = []
        for name in sorted(environ):
            if not name.startswith(PREFIX) or name in CONTROL_VARIABLES or name in ignore:
                continue
            path = _path_of(name, layout)
            if path:
                self.values[path] = _value(environ[name], layout.at(path))
                self.variables[path] = name
            elif not _is_service_link(name, environ[name]):
                self.faults.append(_unknown(name, layout))

    def variable(self, path: KeyPath) -> str:
        """Give the variable that sets this place or one above it, or nothing."""
        found = [self.variables.get(path[:length], "") for length in range(len(path), 0, -1)]
        return next(filter(None, found), "")

    def apply(self, data: dict[str, Any]) -> None:
        """Put every value in its place, over what the file says."""
        for path, value in self.values.items():
            below = data
            for part in path[:-1]:
                inner = below.get(str(part))
                if not isinstance(inner, dict):
                    inner = below[str(part)] = {}
                below = inner
            below[str(path[-1])] = value


def variable_name(path: KeyPath) -> str:
    """Give the environment variable that sets this place."""
    return PREFIX + SEPARATOR.join(_upper(str(part)) for part in path)


def _upper(key: str) -> str:
    return re.sub(r"\W", "_", key).upper()


def _path_of(name: str, layout: Layout) -> KeyPath:
    parts = name.removeprefix(PREFIX).split(SEPARATOR)
    path: KeyPath = ()
    for part in parts:
        keys = layout.keys(path)
        if keys:
            found = next((key for key in keys if _upper(key) == part.upper()), "")
        else:
            found = part.lower()
        path = (*path, found)
        if not found or not (len(path) == 1 or layout.at(path)):
            return ()
    return path if len(path) > 1 else ()


def _value(text: str, annotations: list[Any]) -> Any:
    """Read a variable as its setting takes it: plain text, or else YAML such as `5` or `[a, b]`."""
    kinds = {kind for annotation in annotations for kind in members(annotation)}
    document = read_document(text.encode(errors="surrogateescape"), "")
    if document.faults or isinstance(document.value, str):
        return text
    if document.value is None:
        return None if NoneType in kinds else text
    takes_text = kinds & _TEXTS or any(get_origin(kind) is Literal for kind in kinds)
    return text if takes_text else document.value


def _is_service_link(name: str, value: str) -> bool:
    if SEPARATOR in name:
        return False
    if _SERVICE_LINK.fullmatch(name):
        return True
    return name.endswith("_PORT") and bool(_SERVICE_ADDRESS.fullmatch(value))


def _unknown(name: str, layout: Layout) -> SettingsFault:
    known = {variable_name(path): path for path in layout.leaves()}
    short = {other.removeprefix(PREFIX): other for other in (*known, *CONTROL_VARIABLES)}
    best = short.get(nearest(name.removeprefix(PREFIX), short), "")
    message = f"The environment variable {name} matches no setting"
    if best in known:
        message += f"; did you mean {best}, which sets {key_text(known[best])}?"
    elif best:
        message += f"; did you mean {best}?"
    else:
        message += ". Remove it, or write CALLBOARD_SECTION__KEY."
    return SettingsFault("environment", 0, name, message)
