"""Times and durations as the cluster writes them."""

import re
from datetime import UTC, datetime
from typing import Final

_UNITS: Final = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001, "us": 1e-6, "µs": 1e-6, "ns": 1e-9}
_PART: Final = re.compile(r"(\d+(?:\.\d+)?)(h|ms|m|us|µs|ns|s)")


def stamp(moment: datetime) -> str:
    """Give a time in whole seconds, as in `metadata.creationTimestamp`."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def precise(moment: datetime) -> str:
    """Give a time in milliseconds, as the entrypoint of a step reports its start."""
    text = moment.astimezone(UTC).isoformat(timespec="milliseconds")
    return text.replace("+00:00", "Z")


def parsed(text: str) -> datetime:
    """Read a time. Raises `ValueError`."""
    return datetime.fromisoformat(text).astimezone(UTC)


def seconds(duration: str) -> float:
    """Read a duration of Go such as `1h0m0s`; what cannot be read is 0, which means no limit."""
    return sum(float(number) * _UNITS[unit] for number, unit in _PART.findall(duration))
