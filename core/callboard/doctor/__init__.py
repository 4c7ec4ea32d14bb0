"""`callboard doctor`: looks at everything a portal needs and says what to do about it."""

from callboard.doctor.audit import audit_check
from callboard.doctor.database import database_check
from callboard.doctor.frame import (
    Check,
    Finding,
    Outcome,
    examine,
    exit_code,
    format_findings,
)
from callboard.doctor.machine import git_check, versions_check
from callboard.doctor.portal import (
    KnownPlugins,
    contributed_checks,
    plugins_check,
    settings_check,
)

__all__ = [
    "Check",
    "Finding",
    "KnownPlugins",
    "Outcome",
    "audit_check",
    "contributed_checks",
    "database_check",
    "examine",
    "exit_code",
    "format_findings",
    "git_check",
    "plugins_check",
    "settings_check",
    "versions_check",
]
