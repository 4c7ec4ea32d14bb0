"""The audit log: every change made by a person or a token, and by the system on their behalf."""

from callboard.audit.log import AuditEntry, Result, entries, record
from callboard.audit.values import hidden

__all__ = ["AuditEntry", "Result", "entries", "hidden", "record"]
