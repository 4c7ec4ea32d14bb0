"""What may who do: roles, bindings, and decisions that can be explained."""

from callboard.access.dry_run import Difference, Differences
from callboard.access.explaining import (
    FIELD_NAMES,
    Considered,
    ConsideredLimit,
    ConsideredVerdict,
    Explanation,
    Giver,
)
from callboard.access.model import (
    ALL,
    NONE,
    Binding,
    Decision,
    Effect,
    EntityFilter,
    Policy,
    PolicyFault,
    Reason,
    Role,
)
from callboard.access.service import Access, UnknownPermissionError
from callboard.access.settings import (
    AccessSettings,
    BindingSettings,
    RoleSettings,
    SelectorSettings,
)
from callboard.access.sources import PolicySource
from callboard.access.store import Change, FormError, PolicyStore, StoredBinding, StoredRole

__all__ = [
    "ALL", "FIELD_NAMES", "NONE", "Access", "AccessSettings", "Binding", "BindingSettings",
    "Change", "Considered", "ConsideredLimit", "ConsideredVerdict", "Decision", "Difference",
    "Differences", "Effect", "EntityFilter", "Explanation", "FormError", "Giver", "Policy",
    "PolicyFault", "PolicySource", "PolicyStore", "Reason", "Role", "RoleSettings",
    "SelectorSettings", "StoredBinding", "StoredRole", "UnknownPermissionError",
]  # fmt: skip
