"""What may who do: roles, bindings, and decisions that can be explained."""

from callboard.access.model import (
    ALL,
    NONE,
    Binding,
    Decision,
    Effect,
    EntityFilter,
    Policy,
    Reason,
    Role,
)
from callboard.access.service import Access
from callboard.access.settings import AccessSettings

__all__ = [
    "ALL", "NONE", "Access", "AccessSettings", "Binding", "Decision", "Effect", "EntityFilter",
    "Policy", "Reason", "Role",
]  # fmt: skip
