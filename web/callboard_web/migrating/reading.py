"""Reads `app-config.yaml` files as Backstage does: includes, references, several files in one.

Variables are not looked up: `${NAME}` and `$env: NAME` become references of `callboard.yaml`, so
that no secret is ever read. Source of the rules: Backstage, "Writing configuration files".
"""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import yaml

from callboard.errors import InputError

LARGEST: Final = 2 * 2**20
DEEPEST: Final = 30

_REFERENCE: Final = re.compile(r"\$\$\{|\$\{\s*([A-Za-z_][A-Za-z0-9_]*)\s*(?::-([^}]*))?\}")


def read_files(paths: Sequence[Path]) -> dict[str, Any]:
    """Give what the files say together: of a key in several, the last one holds.

    Mappings are joined, lists and plain values replaced. Raises `InputError` for a file that
    cannot be read or is no mapping.
    """
    merged: dict[str, Any] = {}
    for path in paths:
        value = _Reader(path.parent).read(path)
        if value is not None and not isinstance(value, dict):
            raise InputError(f"{path} is no mapping; expected keys such as app: and catalog:.")
        merged = _merge(merged, value or {})
    return merged


def _merge(first: Any, second: Any) -> Any:
    if not isinstance(first, dict) or not isinstance(second, dict):
        return second
    joined = dict(first)
    for key, value in second.items():
        if value is not None:
            joined[key] = _merge(joined[key], value) if key in joined else value
    return joined


class _Reader:
    def __init__(self, base: Path) -> None:
        self.base = base

    def read(self, path: Path, depth: int = 0) -> Any:
        try:
            text = path.read_bytes()[: LARGEST + 1]
            if len(text) > LARGEST:
                raise InputError(f"{path} is larger than {LARGEST} bytes.")
            value = yaml.safe_load(text)
        except OSError as error:
            raise InputError(f"{path} cannot be read: {error.strerror}.") from error
        except (yaml.YAMLError, RecursionError, ValueError) as error:
            # What stands in the file is not repeated: it may be a secret.
            mark = getattr(error, "problem_mark", None)
            line = f", line {mark.line + 1}" if mark else ""
            raise InputError(f"{path}{line} is no YAML.") from error
        return _Reader(path.parent).resolve(value, depth)

    def resolve(self, value: Any, depth: int) -> Any:
        if depth > DEEPEST:
            raise InputError(f"The settings nest, or include each other, over {DEEPEST} deep.")
        if isinstance(value, list):
            return [self.resolve(item, depth + 1) for item in value]
        if isinstance(value, str):
            return _REFERENCE.sub(_replaced, value)
        if not isinstance(value, dict):
            return value
        if len(value) == 1:
            ((key, argument),) = value.items()
            if key in ("$env", "$file", "$include"):
                return self._of_reference(key, str(argument), depth)
        return {str(key): self.resolve(item, depth + 1) for key, item in value.items()}

    def _of_reference(self, key: str, argument: str, depth: int) -> Any:
        if key == "$env":
            return f"${{env:{argument}}}"
        if key == "$file":
            return f"${{file:{(self.base / argument).resolve()}}}"
        name, _sign, place = argument.partition("#")
        value = self.read(self.base / name, depth + 1)
        for part in place.strip("/").replace("/", ".").split(".") if place else ():
            value = value.get(part) if isinstance(value, Mapping) else None
        return value


def _replaced(match: re.Match[str]) -> str:
    if match[1] is None:
        return "$${"
    # A default is for those who set nothing, which the reference of a secret never is.
    return match[2] if match[2] else f"${{env:{match[1]}}}"
