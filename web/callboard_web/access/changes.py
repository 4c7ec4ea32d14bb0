"""Making, changing and removing roles and bindings in pages, with a way back."""

import asyncio
import json
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from callboard.access import Change, FormError
from callboard.access.service import CHANGE
from callboard.errors import InputError
from callboard.i18n import Translator
from callboard_web.access import consequences
from callboard_web.access.drawing import binding_page, role_page
from callboard_web.access.forms import (
    binding_data,
    binding_form,
    faults_of_binding,
    faults_of_role,
    role_data,
    role_form,
)
from callboard_web.access.keeping import (
    keep_change,
    refuse_lockout,
    tell,
    try_change,
    undo_fields,
    version_of,
)
from callboard_web.access.subjects import Directory
from callboard_web.access.views import text_of
from callboard_web.forms import Form, read_form
from callboard_web.portal import HIGHEST, Portal, number_of, portal_of
from callboard_web.routing import guarded

_: Final = Translator("callboard")


# Bindings


def new_binding(request: Request) -> Response:
    """Show the form for giving a role."""
    portal = portal_of(request)
    given = {"role": text_of(request, "role"), "effect": "allow"}
    form = Form.of({name: value for name, value in given.items() if value})
    return binding_page(portal, request, form, 0)


def edit_binding(request: Request) -> Response:
    """Show the form of a binding that was made in pages."""
    portal = portal_of(request)
    stored = portal.runtime.services.access.store.binding(number_of(request))
    form = binding_form(stored.settings, stored.version)
    return binding_page(portal, request, form, stored.number)


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
            return binding_page(portal, request, form, number, status=422)
    if form["act"] == "add" and more:
        return binding_page(portal, request, form, number, names=names, added=True)
    try:
        settings = access.store.binding_settings(binding_data(form, names))
    except FormError as error:
        form.faults.update(faults_of_binding(error, names))
        return binding_page(portal, request, form, number, names=names, status=422)
    change = Change(settings=settings, was=number or None)
    if form["act"] in ("add", "try"):
        return try_change(portal, request, form, change, names)

    def keep() -> tuple[str, Mapping[str, str]]:
        if number:
            before = access.store.binding(number)
            kept = access.store.change_binding(number, version_of(form), settings)
            return "binding", undo_fields(kept.number, kept.version, before.settings)
        added = access.store.add_binding(settings)
        return "binding", undo_fields(added.number, added.version, None)

    if settings.effect == "deny" and not form.confirmed:
        return portal.confirm(
            request, form, title=_("Forbid it?"),
            text=consequences.binding_begins(access, directory, settings),
            verb=_("Forbid it"), quiet=_("Leave it as it is"), back="/access/bindings",
        )  # fmt: skip
    told = _("Saved. %(what)s", what=consequences.binding_begins(access, directory, settings))
    return keep_change(portal, request, form, change, keep, told, "/access/bindings", names)


async def remove_binding(request: Request) -> Response:
    """Remove a binding, once it was asked about."""
    form = await read_form(request)
    return await asyncio.to_thread(_remove_binding, portal_of(request), request, form)


def _remove_binding(portal: Portal, request: Request, form: Form) -> Response:
    access = portal.runtime.services.access
    stored = access.store.binding(number_of(request))
    told = consequences.binding_ends(access, Directory(portal), stored.settings)
    change = Change(settings=None, was=stored.number)
    refuse_lockout(portal, request, change)
    if not form.confirmed:
        return portal.confirm(
            request, form, title=_("Remove this binding?"), text=told, verb=_("Remove"),
            back=f"/access/bindings/{stored.number}",
        )  # fmt: skip
    access.store.remove_binding(stored.number, version_of(form))
    response = RedirectResponse("/access/bindings", 303)
    tell(portal, request, response, _("Removed. %(what)s", what=told),
          {"what": "binding", **undo_fields(0, 0, stored.settings)})  # fmt: skip
    return response


# Roles


def new_role(request: Request) -> Response:
    """Show the form for making a role."""
    return role_page(portal_of(request), request, Form({}), "")


def edit_role(request: Request) -> Response:
    """Show the form of a role that was made in pages."""
    portal = portal_of(request)
    stored = portal.runtime.services.access.store.role(text_of(request, "name"))
    return role_page(portal, request, role_form(stored.settings, stored.version), stored.name)


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
        return role_page(portal, request, form, name, status=422)
    change = Change(settings=settings, was=name or None)
    if form["act"] == "try":
        return try_change(portal, request, form, change, [])
    if not name and settings.name in access.policy.roles:
        form.faults["name"] = _("There is a role of this name already. Choose another one.")
        return role_page(portal, request, form, name, status=422)

    def keep() -> tuple[str, Mapping[str, str]]:
        if name:
            before = access.store.role(name)
            kept = access.store.change_role(name, version_of(form), settings)
            return "role", undo_fields(name, kept.version, before.settings)
        added = access.store.add_role(settings)
        return "role", undo_fields(added.name, added.version, None)

    back = f"/access/role?name={quote(settings.name, safe='')}"
    told = _("The role %(role)s was saved.", role=settings.title or settings.name)
    return keep_change(portal, request, form, change, keep, told, back, [])


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
    access.store.remove_role(stored.name, version_of(form))
    response = RedirectResponse("/access", 303)
    tell(portal, request, response, _("The role %(role)s was removed.", role=title),
          {"what": "role", **undo_fields("", 0, stored.settings)})  # fmt: skip
    return response


# The way back


async def undo(request: Request) -> Response:
    """Take back the last change: `before` is what was, nothing for something that was added."""
    form = await read_form(request)
    return await asyncio.to_thread(_undo_change, portal_of(request), request, form)


def _undo_change(portal: Portal, request: Request, form: Form) -> Response:
    store = portal.runtime.services.access.store
    name, version, before = form["name"], version_of(form), form["before"]
    data = _read_json(before)
    if form["what"] == "role":
        role = store.role_settings(data) if before else None
        refuse_lockout(portal, request, Change(settings=role, was=name or None))
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
        refuse_lockout(portal, request, Change(settings=binding, was=number or None))
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
