"""Times as the API writes them (RFC 3339, in UTC)."""

from datetime import UTC, datetime


def stamp(at: datetime) -> str:
    """Write a time with whole seconds, as in `metadata.creationTimestamp`."""
    return f"{at.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"


def stamp_of_nanoseconds(at: int) -> str:
    """Write a time since 1970 with nanoseconds, as before the lines of logs."""
    seconds, rest = divmod(at, 1_000_000_000)
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}.{rest:09d}Z"


def nanoseconds_of_stamp(text: str) -> int:
    """Read a time of RFC 3339 into nanoseconds since 1970. Raises `ValueError`."""
    whole, dot, rest = text.partition(".")
    digits = ""
    if dot:
        digits = "".join(character for character in rest if character.isdigit())
        zone = rest.lstrip("0123456789")
        digits = rest[: len(rest) - len(zone)]
        whole += zone
    at = datetime.fromisoformat(whole)
    if at.tzinfo is None:
        raise ValueError(text)
    return int(at.timestamp()) * 1_000_000_000 + int(digits[:9].ljust(9, "0") or 0)
