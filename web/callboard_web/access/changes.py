"""Making, changing and removing roles and bindings in pages, with a way back."""

import asyncio
import json
from collections.abc import Callable, Mapping
from typing import Any, Final
from urllib.parse import quote

from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from callboard.access import Access, BindingSettings, Change, FormError, RoleSettings
from callboard.access.service import CHANGE
from callboard.errors import CallboardError, ConflictError, InputError, NotFoundError
from callboard.i18n import Text, Translator
from callboard_web.access import consequences
from callboard_web.access.forms import (
    ON_FIELDS,
    ON_NAMES,
    binding_data,
    binding_form,
    faults_of_binding,
    faults_of_role,
    role_data,
    role_form,
)
from callboard_web.access.policies import shared
from callboard_web.access.service import areas_of
from callboard_web.access.subjects import Directory
from callboard_web.access.views import text_of
from callboard_web.access.words import area_of, title_of
from callboard_web.forms import Form, read_form
from callboard_web.portal import HIGHEST, Crumb, Portal, number_of, portal_of
from callboard_web.routing import guarded

_: Final = Translator("callboard")

MOST_UNDO: Final = 900
"""Characters of what was before that a message can carry; larger ones have no way back."""

Settings = BindingSettings | RoleSettings


# Bindings


def new_binding(request: Request) -> Response:
    """Show the form for giving a role."""
    portal = portal_of(request)
    given = {"role": text_of(request, "role"), "effect": "allow"}
    form = Form.of({name: value for name, value in given.items() if value})
    return _binding_page(portal, request, form, 0)


def edit_binding(request: Request) -> Response:
    """Show the form of a binding that was made in pages."""
    portal = portal_of(request)
    stored = portal.runtime.services.access.store.binding(number_of(request))
    form = binding_form(stored.settings, stored.version)
    return _binding_page(portal, request, form, stored.number)


async def save_binding(request: Request) -> Response:
    """Add, try or keep a binding; a forbidding one is asked about first."""
    form = await read_form(request)
    return await asyncio.to_thread(_save_binding, portal_of(request), request, form)


def _save_binding(portal: Portal, request: Request, form: Form) -> Response:
    access = portal.runtime.services.access
    number = number_of(request) if "number" in request.path_params else 0
    directory = Directory(portal)
    names = list(dict.fromkeys(form.all("to")))
    more = form["more"]
    if more:
        try:
            names = list(dict.fromkeys([*names, directory.find(more)]))
        except InputError as error:
            form.faults["more"] = error.message
            return _binding_page(portal, request, form, number, status=422)
    if form["act"] == "add" and more:
        return _binding_page(portal, request, form, number, names=names, added=True)
    try:
        settings = access.store.binding_settings(binding_data(form, names))
    except FormError as error:
        form.faults.update(faults_of_binding(error, names))
        return _binding_page(portal, request, form, number, names=names, status=422)
    change = Change(settings=settings, was=number or None)
    if form["act"] in ("add", "try"):
        return _tried(portal, request, form, change, names)

    def keep() -> tuple[str, Mapping[str, str]]:
        if number:
            before = access.store.binding(number)
            kept = access.store.change_binding(number, _version(form), settings)
            return "binding", _undo(kept.number, kept.version, before.settings)
        added = access.store.add_binding(settings)
        return "binding", _undo(added.number, added.version, None)

    if settings.effect == "deny" and not form.confirmed:
        return portal.confirm(
            request, form, title=_("Forbid it?"),
            text=consequences.binding_begins(access, directory, settings),
            verb=_("Forbid it"), quiet=_("Leave it as it is"), back="/access/bindings",
        )  # fmt: skip
    told = _("Saved. %(what)s", what=consequences.binding_begins(access, directory, settings))
    return _kept(portal, request, form, change, keep, told, "/access/bindings", names)


async def remove_binding(request: Request) -> Response:
    """Remove a binding, once it was asked about."""
    form = await read_form(request)
    return await asyncio.to_thread(_remove_binding, portal_of(request), request, form)


def _remove_binding(portal: Portal, request: Request, form: Form) -> Response:
    access = portal.runtime.services.access
    stored = access.store.binding(number_of(request))
    told = consequences.binding_ends(access, Directory(portal), stored.settings)
    change = Change(settings=None, was=stored.number)
    _refuse_lockout(portal, request, change)
    if not form.confirmed:
        return portal.confirm(
            request, form, title=_("Remove this binding?"), text=told, verb=_("Remove"),
            back=f"/access/bindings/{stored.number}",
        )  # fmt: skip
    access.store.remove_binding(stored.number, _version(form))
    response = RedirectResponse("/access/bindings", 303)
    _tell(portal, request, response, _("Removed. %(what)s", what=told),
          {"what": "binding", **_undo(0, 0, stored.settings)})  # fmt: skip
    return response


# Roles


def new_role(request: Request) -> Response:
    """Show the form for making a role."""
    return _role_page(portal_of(request), request, Form({}), "")


def edit_role(request: Request) -> Response:
    """Show the form of a role that was made in pages."""
    portal = portal_of(request)
    stored = portal.runtime.services.access.store.role(text_of(request, "name"))
    return _role_page(portal, request, role_form(stored.settings, stored.version), stored.name)


async def save_role(request: Request) -> Response:
    """Try or keep a role."""
    form = await read_form(request)
    return await asyncio.to_thread(_save_role, portal_of(request), request, form)


def _save_role(portal: Portal, request: Request, form: Form) -> Response:
    access = portal.runtime.services.access
    name = text_of(request, "name")
    try:
        settings = access.store.role_settings(role_data(form, name))
    except FormError as error:
        form.faults.update(faults_of_role(error))
        return _role_page(portal, request, form, name, status=422)
    change = Change(settings=settings, was=name or None)
    if form["act"] == "try":
        return _tried(portal, request, form, change, [])
    if not name and settings.name in access.policy.roles:
        form.faults["name"] = _("There is a role of this name already. Choose another one.")
        return _role_page(portal, request, form, name, status=422)

    def keep() -> tuple[str, Mapping[str, str]]:
        if name:
            before = access.store.role(name)
            kept = access.store.change_role(name, _version(form), settings)
            return "role", _undo(name, kept.version, before.settings)
        added = access.store.add_role(settings)
        return "role", _undo(added.name, added.version, None)

    back = f"/access/role?name={quote(settings.name, safe='')}"
    told = _("The role %(role)s was saved.", role=settings.title or settings.name)
    return _kept(portal, request, form, change, keep, told, back, [])


async def remove_role(request: Request) -> Response:
    """Remove a role that nobody has, once it was asked about."""
    form = await read_form(request)
    return await asyncio.to_thread(_remove_role, portal_of(request), request, form)


def _remove_role(portal: Portal, request: Request, form: Form) -> Response:
    access = portal.runtime.services.access
    stored = access.store.role(text_of(request, "name"))
    title = stored.settings.title or stored.name
    if not form.confirmed:
        return portal.confirm(
            request, form, title=_("Remove the role %(role)s?", role=title),
            text=_("Nobody can be given it any more. Bindings that give it must be removed first."),
            verb=_("Remove"), back=f"/access/role?name={quote(stored.name, safe='')}",
        )  # fmt: skip
    access.store.remove_role(stored.name, _version(form))
    response = RedirectResponse("/access", 303)
    _tell(portal, request, response, _("The role %(role)s was removed.", role=title),
          {"what": "role", **_undo("", 0, stored.settings)})  # fmt: skip
    return response


# The way back


async def undo(request: Request) -> Response:
    """Take back the last change: `before` is what was, nothing for something that was added."""
    form = await read_form(request)
    return await asyncio.to_thread(_undo_change, portal_of(request), request, form)


def _undo_change(portal: Portal, request: Request, form: Form) -> Response:
    store = portal.runtime.services.access.store
    name, version, before = form["name"], _version(form), form["before"]
    data = _read_json(before)
    if form["what"] == "role":
        role = store.role_settings(data) if before else None
        _refuse_lockout(portal, request, Change(settings=role, was=name or None))
        if role is None:
            store.remove_role(name, version)
        elif name:
            store.change_role(name, version, role)
        else:
            store.add_role(role)
        back = "/access"
    else:
        number = min(int(name), HIGHEST) if name.isascii() and name.isdigit() else 0
        binding = store.binding_settings(data) if before else None
        _refuse_lockout(portal, request, Change(settings=binding, was=number or None))
        if binding is None:
            store.remove_binding(number, version)
        elif number:
            store.change_binding(number, version, binding)
        else:
            store.add_binding(binding)
        back = "/access/bindings"
    response = RedirectResponse(back, 303)
    portal.flash(request, response, _("It is as it was before."))
    return response


def _read_json(text: str) -> Mapping[str, Any]:
    try:
        found = json.loads(text or "{}")
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise InputError(_("This cannot be taken back: what was before is not readable."))
    return found


def _undo(name: str | int, version: int, before: BaseModel | None) -> dict[str, str]:
    """Give what taking a change back needs; `name` is empty for something to be made again."""
    kept = before.model_dump_json(exclude_defaults=True) if before is not None else ""
    return {"name": str(name or ""), "version": str(version), "before": kept}


def _tell(
    portal: Portal, request: Request, response: Response, text: Text, fields: Mapping[str, str]
) -> None:
    fits = sum(len(name) + len(value) for name, value in fields.items()) < MOST_UNDO
    portal.flash(request, response, text, "/access/undo" if fits else "", fields if fits else {})


# Shared


def _version(form: Form) -> int:
    text = form["version"]
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else 0


def _lockout(portal: Portal, request: Request, change: Change) -> bool:
    """Say whether the one who asks could not change policies any more after a change."""
    access = portal.runtime.services.access
    subject = portal.subject(request)
    draft = access.store.draft(change)
    return access.would_allow(access.policy, subject, CHANGE) and not access.would_allow(
        draft, subject, CHANGE
    )


def _refuse_lockout(portal: Portal, request: Request, change: Change) -> None:
    if _lockout(portal, request, change):
        raise ConflictError(LOCKED_OUT, hint=_("Ask another administrator to do it."))


LOCKED_OUT: Final = _("After this you could not change roles and bindings yourself any more.")


def _kept(
    portal: Portal,
    request: Request,
    form: Form,
    change: Change,
    keep: Callable[[], tuple[str, Mapping[str, str]]],
    told: Text,
    back: str,
    names: list[str],
) -> Response:
    """Make a change, or give the form back with what hinders it."""
    if _lockout(portal, request, change):
        form.faults["role"] = LOCKED_OUT
        return _page_again(portal, request, form, change, names, 409)
    try:
        what, fields = keep()
    except (ConflictError, NotFoundError, FormError) as error:
        return _hindered(portal, request, form, change, names, error)
    response = RedirectResponse(back, 303)
    _tell(portal, request, response, told, {"what": what, **fields})
    return response


def _hindered(
    portal: Portal,
    request: Request,
    form: Form,
    change: Change,
    names: list[str],
    error: CallboardError,
) -> Response:
    """Give the form back after somebody else was faster, or with why it cannot be."""
    if isinstance(error, FormError):
        form.faults.update(error.faults)
        return _page_again(portal, request, form, change, names, 422)
    access = portal.runtime.services.access
    theirs = None
    if isinstance(error, NotFoundError):
        form.faults["role"] = _("Somebody has removed this meanwhile. Saving makes it anew.")
        form = _named(form, str(change.was))
        return _page_again(portal, request, form, Change(settings=change.settings), names, 409)
    if change.was is not None:
        theirs = _stored(access, change.was)
        if theirs.version == _version(form):
            theirs = None
    if theirs is None:
        form.faults["role"] = error.message
    return _page_again(portal, request, form, change, names, 409, theirs=theirs)


def _named(form: Form, name: str) -> Form:
    """Give the form with the name that a role had, which is not a field while it is changed."""
    kept = Form({**{field: form.all(field) for field in form}, "name": (name,)})
    kept.faults.update(form.faults)
    return kept


def _stored(access: Access, was: str | int) -> Any:
    return access.store.binding(was) if isinstance(was, int) else access.store.role(was)


def _tried(
    portal: Portal, request: Request, form: Form, change: Change, names: list[str]
) -> Response:
    access = portal.runtime.services.access
    found = consequences.preview(access, Directory(portal), change)
    if _lockout(portal, request, change):
        form.faults["role"] = LOCKED_OUT
    return _page_again(portal, request, form, change, names, 200, preview=found)


def _page_again(
    portal: Portal,
    request: Request,
    form: Form,
    change: Change,
    names: list[str],
    status: int,
    **more: Any,
) -> Response:
    if isinstance(change.settings, RoleSettings):
        return _role_page(portal, request, form, str(change.was or ""), status=status, **more)
    number = change.was if isinstance(change.was, int) else 0
    return _binding_page(portal, request, form, number, names=names, status=status, **more)


def _binding_page(
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


def _role_page(
    portal: Portal, request: Request, form: Form, name: str, *, status: int = 200, **more: Any
) -> Response:
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


ROUTES = [
    guarded("/access/bindings/new", new_binding, CHANGE),
    guarded("/access/bindings/new", save_binding, CHANGE, methods=["POST"]),
    guarded("/access/bindings/{number:int}", edit_binding, CHANGE),
    guarded("/access/bindings/{number:int}", save_binding, CHANGE, methods=["POST"]),
    guarded("/access/bindings/{number:int}/remove", remove_binding, CHANGE, methods=["POST"]),
    guarded("/access/roles/new", new_role, CHANGE),
    guarded("/access/roles/new", save_role, CHANGE, methods=["POST"]),
    guarded("/access/roles/edit", edit_role, CHANGE),
    guarded("/access/roles/edit", save_role, CHANGE, methods=["POST"]),
    guarded("/access/roles/remove", remove_role, CHANGE, methods=["POST"]),
    guarded("/access/undo", undo, CHANGE, methods=["POST"]),
]
