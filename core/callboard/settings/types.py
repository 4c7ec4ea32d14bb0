"""Types of settings that people write with a unit: `30s`, `10MiB`."""

import re
from datetime import timedelta
from typing import Annotated, Any, Final

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, PlainSerializer

DURATION_WORDS: Final = "a duration such as 30s, 5m, 2h or 1d"
SIZE_WORDS: Final = "a size such as 512KiB or 10MiB"

_DURATION: Final = re.compile(r"([0-9]{1,15}(?:\.[0-9]{1,6})?)(ms|s|m|h|d)")
_UNITS: Final = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86400}
_LONGEST: Final = timedelta(days=36525)

_SIZE: Final = re.compile(r"([0-9]{1,18}(?:\.[0-9]{1,6})?) ?(B|kB|MB|GB|TB|KiB|MiB|GiB|TiB)?")
_BYTES: Final[dict[str, int]] = {
    "B": 1,
    **{f"{prefix}B": 1000**power for power, prefix in enumerate("kMGT", 1)},
    **{f"{prefix}iB": 1024**power for power, prefix in enumerate("KMGT", 1)},
}
_LARGEST: Final = 2**63 - 1


class SettingsModel(BaseModel):
    """A section of the settings or a part of one; unknown keys are faults, values are fixed."""

    model_config = ConfigDict(extra="forbid", frozen=True)


def matching(pattern: str, expected: str) -> AfterValidator:
    """Demand that a text matches a pattern as a whole; `expected` says so in people's words."""
    compiled = re.compile(pattern)

    def check(text: str) -> str:
        if not compiled.fullmatch(text):
            raise ValueError(f"expected {expected}")
        return text

    return AfterValidator(check)


def parse_duration(value: Any) -> timedelta:
    """Read `30s`, `500ms`, `5m`, `2h` or `1d`; raises `ValueError`."""
    if isinstance(value, timedelta):
        return value
    match = _DURATION.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        raise ValueError(f"expected {DURATION_WORDS}")
    seconds = float(match[1]) * _UNITS[match[2]]
    if seconds > _LONGEST.total_seconds():
        raise ValueError(f"expected at most {format_duration(_LONGEST)}")
    return timedelta(seconds=seconds)


def format_duration(value: timedelta) -> str:
    """Write a duration in the largest unit that leaves no fraction: `90s`, `2h`."""
    milliseconds = round(value.total_seconds() * 1000)
    for unit, seconds in reversed(_UNITS.items()):
        count, rest = divmod(milliseconds, round(seconds * 1000))
        if count and not rest:
            return f"{count}{unit}"
    return "0s" if not milliseconds else f"{milliseconds}ms"


def parse_size(value: Any) -> int:
    """Read `512KiB`, `10MiB`, `2GB` or a plain number of bytes; raises `ValueError`."""
    text = str(value) if isinstance(value, int) and not isinstance(value, bool) else value
    match = _SIZE.fullmatch(text) if isinstance(text, str) else None
    if match is None:
        raise ValueError(f"expected {SIZE_WORDS}")
    count = float(match[1]) * _BYTES[match[2] or "B"]
    if count > _LARGEST:
        raise ValueError("expected a size below 8388608TiB")
    return int(count)


def format_size(value: int) -> str:
    """Write a number of bytes in the largest binary unit that leaves no fraction: `10MiB`."""
    for prefix, power in (("T", 4), ("G", 3), ("M", 2), ("K", 1)):
        count, rest = divmod(value, 1024**power)
        if count and not rest:
            return f"{count}{prefix}iB"
    return f"{value}B"


Duration = Annotated[
    timedelta,
    BeforeValidator(parse_duration),
    PlainSerializer(format_duration, return_type=str, when_used="json"),
]
"""A length of time, written with a unit: milliseconds `ms`, `s`, `m`, `h` or days `d`."""

Size = Annotated[
    int,
    BeforeValidator(parse_size),
    PlainSerializer(format_size, return_type=str, when_used="json"),
]
"""A number of bytes, written plainly or with a unit: `KiB`, `MiB`, `GiB`, or `kB`, `MB`, `GB`."""
