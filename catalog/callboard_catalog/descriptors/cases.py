"""Finds keys of one object that differ only in case: filters, which know no case, mix them up."""

from typing import Any, Final

from callboard.i18n import Translator
from callboard_catalog.descriptors.faults import Fault, Path, path_text

_ = Translator("callboard")


_LOOKED_AT: Final = (("metadata", "labels"), ("metadata", "annotations"))
"""The rules of these say so themselves."""


def case_faults(value: Any, path: Path = ()) -> list[Fault]:
    """Give a fault for each key that another one of its object is like but for the case.

    Source of the rule: the Backstage catalog, which does not index such entities.
    """
    faults: list[Fault] = []
    if isinstance(value, dict) and path not in _LOOKED_AT:
        if len({key.lower() for key in value}) < len(value):
            faults += _faults(value, path)
        for key, item in value.items():
            if isinstance(item, dict | list):
                faults += case_faults(item, (*path, key))
    elif isinstance(value, list):
        for position, item in enumerate(value):
            if isinstance(item, dict | list):
                faults += case_faults(item, (*path, position))
    return faults


def _faults(found: dict[str, Any], path: Path) -> list[Fault]:
    known: dict[str, str] = {}
    faults = []
    for key in found:
        first = known.setdefault(key.lower(), key)
        if first != key:
            message = _(
                "%(path)s and %(other)s differ only in case; keep one of them",
                path=path_text((*path, key)),
                other=path_text((*path, first)),
            )
            faults.append(Fault("same-key", (*path, key), message))
    return faults
