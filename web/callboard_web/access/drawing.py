"""The forms of a role and of a binding, as they are drawn."""

from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response

from callboard.i18n import Translator
from callboard_web.access.forms import ON_FIELDS, ON_NAMES
from callboard_web.access.policies import shared
from callboard_web.access.service import areas_of
from callboard_web.access.subjects import Directory
from callboard_web.access.words import area_of, title_of
from callboard_web.forms import Form
from callboard_web.portal import Crumb, Portal

_: Final = Translator("callboard")


def binding_page(
    portal: Portal,
    request: Request,
    form: Form,
    number: int,
    *,
    names: list[str] | None = None,
    added: bool = False,
    status: int = 200,
    **more: Any,
) -> Response:
    """Draw the form of a binding, a new one for 0; `names` are whom it is for, else the form's."""
    access = portal.runtime.services.access
    directory = Directory(portal)
    title = _("Binding %(number)s", number=number) if number else _("Give a role")
    context = {
        "form": form, "number": number, "title": title, "added": added, "preview": None,
        "theirs": None, "on_fields": ON_FIELDS,
        "on_open": any(form[f"on-{name}"] for name in ON_NAMES),
        "chosen": [directory.named(name) for name in (form.all("to") if names is None else names)],
        "typed": "" if names is not None and not form.faults.get("more") else form["more"],
        "matches": directory.suggest(form["more"]) if form.faults.get("more") else [],
        "suggested": directory.suggest(""),
        "roles": [("", "–"), *((item.name, item.title) for item in access.policy.roles.values())],
        "permission_title": lambda name: access.permissions[name].title,
        "crumbs": (Crumb(_("Access"), "/access"), Crumb(_("Bindings"), "/access/bindings"),
                   Crumb(title)),
        **shared(portal, request), **more,
    }  # fmt: skip
    return portal.page(request, "access/binding_form.html", context, status=status)


def role_page(
    portal: Portal, request: Request, form: Form, name: str, *, status: int = 200, **more: Any
) -> Response:
    """Draw the form of a role, of a new one without a name."""
    access = portal.runtime.services.access
    areas: dict[str, list[Any]] = {}
    for permission in sorted(access.permissions.values(), key=lambda item: item.name):
        areas.setdefault(area_of(permission.name), []).append(permission)
    title = title_of(access.policy.roles.get(name), name) if name else _("New role")
    context = {
        "form": form, "name": name, "title": title, "preview": None, "theirs": None,
        "areas": [(words, areas[area]) for area, words in areas_of(portal, areas)],
        "roles": [item for item in access.policy.roles.values() if item.name != name],
        "permission_title": lambda name: access.permissions[name].title,
        "crumbs": (Crumb(_("Access"), "/access"), Crumb(title)),
        **shared(portal, request), **more,
    }  # fmt: skip
    return portal.page(request, "access/role_form.html", context, status=status)
