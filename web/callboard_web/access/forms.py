"""Roles and bindings as forms: what is filled in, and what is wrong with it."""

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from callboard.access import BindingSettings, FormError, RoleSettings
from callboard.i18n import Text, Translator
from callboard_web.forms import Form

_: Final = Translator("callboard")

ON_FIELDS: Final[Sequence[tuple[str, Text, str]]] = (
    ("kind", _("Kinds"), "component, api"),
    ("type", _("Types"), "service"),
    ("owner", _("Owners"), "payments"),
    ("system", _("Systems"), "checkout"),
    ("domain", _("Domains"), "trade"),
    ("tag", _("Tags"), "pci"),
    ("environment", _("Environments"), "production"),
    ("namespace", _("Namespaces"), "default"),
    ("entity", _("Single entities"), "order-service"),
)
"""The fields of a selector, in the order of the form: name, title, an example."""

ON_NAMES: Final = (*(name for name, _title, _like in ON_FIELDS), "owned")

_APART: Final = re.compile(r"[,，、\n]")
_REFERENCES: Final = ("owner", "system", "domain", "entity")


def several(text: str) -> list[str]:
    """Give what stands between commas."""
    return [part.strip() for part in _APART.split(text) if part.strip()]


def binding_form(settings: BindingSettings, version: int) -> Form:
    """Give the form that a binding is changed in."""
    on = settings.on
    values: dict[str, Sequence[str]] = {
        "role": (settings.role,),
        "to": settings.to,
        "effect": (settings.effect,),
        "note": (settings.note,),
        "version": (str(version),),
    }
    values |= {f"on-{name}": (", ".join(getattr(on, name)),) for name, _title, _like in ON_FIELDS}
    if on.owned:
        values["on-owned"] = ("on",)
    return Form(values)


def binding_data(form: Form, names: Sequence[str]) -> dict[str, Any]:
    """Give what was filled in as settings are read: `names` are those it is for."""
    on: dict[str, Any] = {
        name: values for name, _title, _like in ON_FIELDS if (values := several(form[f"on-{name}"]))
    }
    if "on-owned" in form:
        on["owned"] = True
    return {
        "role": form["role"],
        "to": list(names),
        "on": on,
        "effect": form["effect"] or "allow",
        "note": form["note"],
    }


def faults_of_binding(error: FormError, names: Sequence[str]) -> dict[str, Text]:
    """Give what is wrong with a binding, by the name of the form's field."""
    found: dict[str, Text] = {}
    for field, said in error.faults.items():
        if field == "role":
            found["role"] = _("Choose a role.")
        elif field == "to":
            found["more"] = _("Write who it is for.") if not names else _BAD_NAME
        elif field.startswith("on."):
            name = field.removeprefix("on.")
            known = name in _REFERENCES
            found[f"on-{name}"] = (
                _BAD_REFERENCE if known else _("Write at most 120 characters each.")
            )
        elif field == "note":
            found["note"] = _("Write at most %(number)s characters.", number=2000)
        else:
            found[field] = said
    return found


_BAD_NAME: Final = _("One of these is no name of a person, team or machine.")
_BAD_REFERENCE: Final = _("Write names or references, such as payments or group:default/payments.")


def role_form(settings: RoleSettings, version: int) -> Form:
    """Give the form that a role is changed in."""
    return Form(
        {
            "name": (settings.name,),
            "title": (settings.title,),
            "description": (settings.description,),
            "includes": settings.includes,
            "permission": settings.permissions,
            "patterns": (", ".join(item for item in settings.permissions if is_pattern(item)),),
            "version": (str(version),),
        }
    )


def is_pattern(name: str) -> bool:
    """Say whether this names permissions by a pattern, such as `catalog.*`."""
    return any(mark in name for mark in "*?[")


def role_data(form: Form, name: str) -> Mapping[str, Any]:
    """Give what was filled in as settings are read; `name` is that of a role there is."""
    return {
        "name": name or form["name"],
        "title": form["title"],
        "description": form["description"],
        "includes": list(form.all("includes")),
        "permissions": [
            *(item for item in form.all("permission") if not is_pattern(item)),
            *several(form["patterns"]),
        ],
    }


def faults_of_role(error: FormError) -> dict[str, Text]:
    """Give what is wrong with a role, by the name of the form's field."""
    said: Mapping[str, Text] = {
        "name": _("Write a name of at most 80 characters, without commas."),
        "title": _("Write at most %(number)s characters.", number=200),
        "description": _("Write at most %(number)s characters.", number=2000),
        "includes": _("Choose roles of the list."),
    }
    return {
        field if field in said else "patterns": said.get(
            field, _("Choose permissions, or write patterns such as catalog.*.")
        )
        for field in error.faults
    }
