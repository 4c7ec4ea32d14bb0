"""The audit log: every change made by a person or a token, and by the system on their behalf."""

from callboard.audit.log import record
from callboard.audit.reading import AuditEntry, Question, Result, entries
from callboard.audit.values import Redacted, hidden

__all__ = ["AuditEntry", "Question", "Redacted", "Result", "entries", "hidden", "record"]
