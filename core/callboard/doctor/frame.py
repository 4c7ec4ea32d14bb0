"""Checks, their findings, and how those are shown."""

import textwrap
import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final, Literal

from callboard.errors import CallboardError
from callboard.redaction import redact

Outcome = Literal["ok", "warn", "bad"]

_MARKS: Final[dict[Outcome, str]] = {"ok": "ok", "warn": "warn", "bad": "BAD"}
_COLOURS: Final[dict[Outcome, str]] = {"ok": "32", "warn": "33", "bad": "31"}
_WIDTH: Final = 96
_INDENT: Final = " " * 6


@dataclass(frozen=True, slots=True)
class Finding:
    """What a check found: `detail` says what is there, `next_step` what to do, if anything."""

    status: Outcome
    title: str
    detail: str = ""
    next_step: str = ""


@dataclass(frozen=True, slots=True)
class Check:
    """One look at one thing. `run` may raise and may hang: both become findings."""

    name: str
    run: Callable[[], Iterable[Finding]]


def examine(
    checks: Iterable[Check],
    *,
    secrets: Sequence[str] = (),
    limit: timedelta = timedelta(seconds=20),
) -> list[Finding]:
    """Run the checks in their order, each for `limit` at most, and give all findings; never raises.

    Whatever a finding says is redacted of `secrets` and of what looks like one.
    """
    return [
        Finding(
            found.status,
            redact(found.title, secrets),
            redact(found.detail, secrets),
            redact(found.next_step, secrets),
        )
        for check in checks
        for found in _run(check, limit.total_seconds())
    ]


def _run(check: Check, seconds: float) -> list[Finding]:
    findings: list[Finding] = []

    def work() -> None:
        try:
            findings.extend(check.run())
        except CallboardError as error:
            findings.append(Finding("bad", check.name, str(error.message), str(error.hint)))
        except BaseException as error:
            reason = f"The check failed: {type(error).__name__}: {error}"
            findings.append(Finding("bad", check.name, reason))

    # A daemon: a check that hangs must not keep the process from ending.
    thread = threading.Thread(target=work, name=f"check {check.name}", daemon=True)
    thread.start()
    thread.join(seconds)
    if thread.is_alive():
        late = Finding("bad", check.name, f"The check did not finish within {seconds:g} s.")
        return [*findings, late]
    return findings


def exit_code(findings: Iterable[Finding]) -> int:
    """Give 1 when anything is bad, else 0."""
    return int(any(found.status == "bad" for found in findings))


def format_findings(findings: Sequence[Finding], *, colour: bool = False) -> str:
    """Write the findings for a terminal, a summary last; control characters are taken out."""
    lines = [line for found in findings for line in _lines(found, colour)]
    counts = {status: sum(found.status == status for found in findings) for status in _MARKS}
    lines.append(f"{counts['ok']} ok, {counts['warn']} to look at, {counts['bad']} bad")
    return "\n".join(lines)


def _lines(found: Finding, colour: bool) -> Iterable[str]:
    mark = _MARKS[found.status].ljust(4)
    mark = f"\x1b[{_COLOURS[found.status]}m{mark}\x1b[0m" if colour else mark
    yield f"{mark}  {_printable(found.title)}"
    for line in found.detail.splitlines():
        yield from _wrapped(line, _INDENT)
    if found.next_step:
        yield from _wrapped(f"-> {found.next_step}", _INDENT)


def _wrapped(line: str, indent: str) -> list[str]:
    # Paths and commands stay whole, so that they can be copied.
    return textwrap.wrap(
        _printable(line),
        _WIDTH,
        initial_indent=indent,
        subsequent_indent=indent,
        break_long_words=False,
        break_on_hyphens=False,
    )


def _printable(text: str) -> str:
    return "".join(character if character.isprintable() else " " for character in text)
