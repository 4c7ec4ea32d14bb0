"""What is written to standard error: text or JSON, with the request's id, without secrets."""

import json
import logging
from collections.abc import Iterator
from contextvars import copy_context
from datetime import datetime, timedelta

import pytest

from callboard.logs import REQUEST_ID, set_up_logging
from callboard.settings import LogSettings

log = logging.getLogger("callboard.somewhere")


@pytest.fixture(autouse=True)
def _kept() -> Iterator[None]:
    """Leave logging as it was: it is one for the process."""
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)


def fail() -> None:
    try:
        raise ValueError("password=geheim12 and h7Qz-1")
    except ValueError:
        log.exception("It failed with %s", "h7Qz-1")


def test_text_is_one_line_and_the_traceback(capsys: pytest.CaptureFixture[str]) -> None:
    set_up_logging(LogSettings(), ["h7Qz-1"])
    log.info("Token of %s: h7Qz-1", "me")
    fail()
    first, second, *rest = capsys.readouterr().err.splitlines()
    at, words = first.split(" ", 1)
    assert words == "INFO callboard.somewhere: Token of me: ***"
    assert datetime.fromisoformat(at).utcoffset() == timedelta(0)
    assert second.endswith("ERROR callboard.somewhere: It failed with ***")
    assert rest[0] == "Traceback (most recent call last):"
    assert rest[-1] == "ValueError: password=*** and ***"


def test_commands_write_no_traceback(capsys: pytest.CaptureFixture[str]) -> None:
    set_up_logging(LogSettings(), ["h7Qz-1"], tracebacks=False)
    fail()
    [line] = capsys.readouterr().err.splitlines()
    assert line.endswith("It failed with ***")


def test_json_is_one_object_a_record(capsys: pytest.CaptureFixture[str]) -> None:
    set_up_logging(LogSettings(format="json"), ["h7Qz-1"])
    log.warning("支付 h7Qz-1\nsecond line")
    fail()
    said = capsys.readouterr().err
    assert "h7Qz-1" not in said
    assert "geheim12" not in said
    first, second = map(json.loads, said.splitlines())
    at = datetime.fromisoformat(first.pop("at"))
    assert at.utcoffset() == timedelta(0)
    assert first == {
        "level": "warning",
        "logger": "callboard.somewhere",
        "message": "支付 ***\nsecond line",
    }
    assert second["error"].splitlines()[-1] == "ValueError: password=*** and ***"


@pytest.mark.parametrize("form", ["text", "json"])
def test_the_request_is_named(capsys: pytest.CaptureFixture[str], form: str) -> None:
    set_up_logging(LogSettings.model_validate({"format": form}))

    def answer() -> None:
        REQUEST_ID.set("0a1b")
        log.info("Answered.")

    copy_context().run(answer)
    log.info("Outside.")
    first, second = capsys.readouterr().err.splitlines()
    if form == "json":
        assert json.loads(first)["request"] == "0a1b"
        assert "request" not in json.loads(second)
    else:
        assert first.endswith("INFO callboard.somewhere [0a1b]: Answered.")
        assert second.endswith("INFO callboard.somewhere: Outside.")


def test_the_level_is_kept(capsys: pytest.CaptureFixture[str]) -> None:
    set_up_logging(LogSettings(level="warning"))
    log.info("Not this.")
    log.warning("This.")
    assert "Not this" not in (said := capsys.readouterr().err)
    assert "This." in said


def test_talkative_libraries_are_heard_at_level_debug_only(
    capsys: pytest.CaptureFixture[str],
) -> None:
    set_up_logging(LogSettings())
    logging.getLogger("huey").info("A step.")
    logging.getLogger("huey").warning("A fault.")
    assert "A step." not in (said := capsys.readouterr().err)
    assert "A fault." in said
    set_up_logging(LogSettings(level="debug"))
    logging.getLogger("huey").info("A step.")
    assert "A step." in capsys.readouterr().err
    set_up_logging(LogSettings())
