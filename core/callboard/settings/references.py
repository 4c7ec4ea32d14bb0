"""Secrets by reference: `${env:NAME}` and `${file:/run/secrets/name}` within any text.

`$${` stands for a plain `${`.
"""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from callboard.settings.keys import KeyPath

MAXIMUM_SECRET_BYTES: Final = 64 * 1024

_REFERENCE: Final = re.compile(r"\$\$\{|\$\{([^}]*)\}?")
_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def referenced_names(text: str) -> set[str]:
    """Give the environment variables that a text refers to."""
    found = (match[1] or "" for match in _REFERENCE.finditer(text))
    return {name.removeprefix("env:") for name in found if name.startswith("env:")}


class UnusableReferenceError(Exception):
    """A reference that leads nowhere; the message names it and holds no secret."""


@dataclass(slots=True)
class References:
    """What was found while references were filled in.

    `secrets` are the values they gave, `written` the texts with references by their place,
    `faults` what is wrong by place.
    """

    environ: Mapping[str, str]
    secrets: set[str] = field(default_factory=set)
    written: dict[KeyPath, str] = field(default_factory=dict)
    faults: dict[KeyPath, str] = field(default_factory=dict)

    def fill(self, value: Any, path: KeyPath = ()) -> Any:
        """Give the value with every reference in it replaced by what it stands for."""
        if isinstance(value, dict):
            return {key: self.fill(item, (*path, key)) for key, item in value.items()}
        if isinstance(value, list):
            return [self.fill(item, (*path, index)) for index, item in enumerate(value)]
        if not isinstance(value, str) or "${" not in value:
            return value
        try:
            return _REFERENCE.sub(lambda match: self._replace(match, path, value), value)
        except UnusableReferenceError as error:
            self.faults[path] = str(error)
            return value

    def _replace(self, match: re.Match[str], path: KeyPath, written: str) -> str:
        if match[0] == "$${":
            return "${"
        self.written[path] = written
        scheme, _, name = match[1].partition(":")
        if scheme == "env" and _NAME.fullmatch(name) and match[0].endswith("}"):
            secret = self.environ.get(name, "")
            if not secret:
                raise UnusableReferenceError(
                    f"refers to ${{env:{name}}}, but that environment variable is not set or empty."
                )
        elif scheme == "file" and name.startswith("/") and match[0].endswith("}"):
            secret = _read_secret(name)
        else:
            # What stands between the braces is not shown: it may be a secret put there by mistake.
            raise UnusableReferenceError(
                "has a reference that cannot be read; expected ${env:NAME} or "
                "${file:/run/secrets/name}, or $${ for a plain ${."
            )
        self.secrets.add(secret)
        return secret


def _read_secret(name: str) -> str:
    reference = f"${{file:{name}}}"
    try:
        if not Path(name).is_file():
            raise UnusableReferenceError(f"refers to {reference}, but there is no such file.")
        with Path(name).open("rb") as file:
            data = file.read(MAXIMUM_SECRET_BYTES + 1)
        secret = data.decode().removesuffix("\n").removesuffix("\r")
    except OSError as error:
        reason = os.strerror(error.errno) if error.errno else "it cannot be read"
        raise UnusableReferenceError(
            f"refers to {reference}, which cannot be read: {reason}."
        ) from None
    except UnicodeDecodeError:
        raise UnusableReferenceError(f"refers to {reference}, which is not UTF-8 text.") from None
    if len(data) > MAXIMUM_SECRET_BYTES:
        raise UnusableReferenceError(f"refers to {reference}, which is larger than 64 KiB.")
    if not secret:
        raise UnusableReferenceError(f"refers to {reference}, which is empty.")
    return secret
