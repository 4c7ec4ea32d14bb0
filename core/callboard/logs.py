"""What is written to standard error: lines for people, or JSON for collectors."""

import logging
from collections.abc import Sequence
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Final

import orjson

from callboard.redaction import RedactingFilter
from callboard.settings import LogSettings

REQUEST_ID: Final[ContextVar[str]] = ContextVar("request_id", default="")
"""The id of the request that is answered here, as in its `x-request-id` header."""

TALKATIVE: Final = ("huey", "uvicorn", "alembic", "git", "httpcore")
"""Libraries that tell of every step they take; heard at level debug only."""


class RequestFilter(logging.Filter):
    """Notes the request's id on records; it drops none."""

    def filter(self, record: logging.LogRecord) -> bool:
        record.request = REQUEST_ID.get()
        return True


class TextFormatter(logging.Formatter):
    """One line a record: time, level, logger, the request if there is one, message."""

    def __init__(self, *, tracebacks: bool = True) -> None:
        super().__init__()
        self._tracebacks = tracebacks

    def format(self, record: logging.LogRecord) -> str:
        request = getattr(record, "request", "")
        at = _moment(record).isoformat(timespec="milliseconds")
        head = f"{at} {record.levelname} {record.name}" + (f" [{request}]" if request else "")
        text = f"{head}: {record.getMessage()}"
        return f"{text}\n{record.exc_text}" if self._tracebacks and record.exc_text else text


class JsonFormatter(logging.Formatter):
    """One JSON object a record: `at`, `level`, `logger`, `message`, `request`, `error`."""

    def format(self, record: logging.LogRecord) -> str:
        fields = {
            "at": _moment(record).isoformat(),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            "request": getattr(record, "request", ""),
            "error": record.exc_text or "",
        }
        return orjson.dumps({key: value for key, value in fields.items() if value}).decode()


def set_up_logging(
    settings: LogSettings, secrets: Sequence[str] = (), *, tracebacks: bool = True
) -> None:
    """Log to standard error as the settings say, with secrets taken out of all that is written."""
    handler = logging.StreamHandler()
    as_json = settings.format == "json"
    handler.setFormatter(JsonFormatter() if as_json else TextFormatter(tracebacks=tracebacks))
    handler.addFilter(RequestFilter())
    handler.addFilter(RedactingFilter(tuple(secrets)))
    logging.basicConfig(level=settings.level.upper(), handlers=[handler], force=True)
    for name in TALKATIVE:
        level = logging.NOTSET if settings.level == "debug" else logging.WARNING
        logging.getLogger(name).setLevel(level)


def _moment(record: logging.LogRecord) -> datetime:
    return datetime.fromtimestamp(record.created, UTC)
