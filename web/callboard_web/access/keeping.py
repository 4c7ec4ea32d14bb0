"""How a change of roles or bindings is tried and kept, what hinders it, and its way back."""

from collections.abc import Callable, Mapping
from typing import Any, Final

from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from callboard.access import Access, Change, FormError, RoleSettings
from callboard.access.service import CHANGE
from callboard.errors import CallboardError, ConflictError, NotFoundError
from callboard.i18n import Text, Translator
from callboard_web.access import consequences
from callboard_web.access.drawing import binding_page, role_page
from callboard_web.access.subjects import Directory
from callboard_web.forms import Form
from callboard_web.portal import Portal

_: Final = Translator("callboard")

MOST_UNDO: Final = 900
"""Characters of what was before that a message can carry; larger ones have no way back."""

LOCKED_OUT: Final = _("After this you could not change roles and bindings yourself any more.")


def undo_fields(name: str | int, version: int, before: BaseModel | None) -> dict[str, str]:
    """Give what taking a change back needs; `name` is empty for something to be made again."""
    kept = before.model_dump_json(exclude_defaults=True) if before is not None else ""
    return {"name": str(name or ""), "version": str(version), "before": kept}


def tell(
    portal: Portal, request: Request, response: Response, text: Text, fields: Mapping[str, str]
) -> None:
    """Leave a message, with a button that takes the change back where it can carry what was."""
    fits = sum(len(name) + len(value) for name, value in fields.items()) < MOST_UNDO
    portal.flash(request, response, text, "/access/undo" if fits else "", fields if fits else {})


def version_of(form: Form) -> int:
    """Give the version that a form was made of, 0 without one."""
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


def refuse_lockout(portal: Portal, request: Request, change: Change) -> None:
    """Raise `ConflictError` for a change by which the one who asks would lock themselves out."""
    if _lockout(portal, request, change):
        raise ConflictError(LOCKED_OUT, hint=_("Ask another administrator to do it."))


def keep_change(
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
    tell(portal, request, response, told, {"what": what, **fields})
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
        if theirs.version == version_of(form):
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


def try_change(
    portal: Portal, request: Request, form: Form, change: Change, names: list[str]
) -> Response:
    """Give the form back with what the change would do."""
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
        return role_page(portal, request, form, str(change.was or ""), status=status, **more)
    number = change.was if isinstance(change.was, int) else 0
    return binding_page(portal, request, form, number, names=names, status=status, **more)
