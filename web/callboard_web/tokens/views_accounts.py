"""Service accounts: a list, one of them with its tokens, making, changing and closing them."""

from typing import Any, Final

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from callboard.entities import EntityRef
from callboard.errors import ConflictError, InputError, NotAllowedError
from callboard.i18n import Translator
from callboard_web.forms import Form
from callboard_web.portal import Crumb, Portal, portal_of
from callboard_web.routing import guarded
from callboard_web.tokens.accounts import LONGEST_PURPOSE, PERMISSION, PREFIX
from callboard_web.tokens.machines import machines_of
from callboard_web.tokens.places import place_of
from callboard_web.tokens.service import MAKE, READ
from callboard_web.tokens.views import listed, posted

_: Final = Translator("callboard")

CRUMB: Final = Crumb(_("Service accounts"), "/service-accounts")


def index(request: Request) -> Response:
    """List the accounts one manages, or all of them for those who may see them."""
    portal = portal_of(request)
    sees_all = portal.allows(request, PERMISSION) or portal.allows(request, READ)
    mine = portal.subject(request).mine
    found = machines_of(request).accounts.all(None if sees_all else mine)
    context = {
        "accounts": found,
        "owners": _titles(portal, [item.owner for item in found if item.owner]),
        "mine": mine,
        "sees_all": sees_all,
        "may_make": bool(_owners(portal, request)) or portal.allows(request, PERMISSION),
        "crumbs": (Crumb(_("Service accounts")),),
    }
    return portal.page(request, "tokens/accounts.html", context)


def show(request: Request) -> Response:
    """Show one account with its tokens and where its bindings come from."""
    portal, place = portal_of(request), place_of(request, reading=True)
    account = place.account
    assert account is not None
    rules = [
        rule.name
        for rule in machines_of(request).settings.workloads
        if rule.service == account.name
    ]
    bindings = [
        item
        for item in portal.runtime.services.access.policy.bindings
        if account.bound_as in item.subjects
    ]
    context = {
        **listed(request, place),
        "account": account,
        "owners": _titles(portal, [account.owner] if account.owner else []),
        "rules": rules,
        "bindings": bindings,
        "crumbs": (CRUMB, Crumb(account.name)),
    }
    return portal.page(request, "tokens/account.html", context)


def new(request: Request) -> Response:
    """Show the empty form."""
    return _form(request, Form.of({"owner": _first_owner(request)}), None)


def edit(request: Request) -> Response:
    """Show purpose and owner, to be changed."""
    account = place_of(request).account
    assert account is not None
    sent = Form.of({"purpose": account.purpose, "owner": str(account.owner or "")})
    return _form(request, sent, account.name)


def _make(request: Request, sent: Form) -> Response:
    portal = portal_of(request)
    name, owner = sent["name"], _owner(portal, request, sent)
    if not portal.allows(request, PERMISSION) and _is_bound(portal, request, name):
        sent.faults["name"] = _(
            "Bindings or rules use this name already, so an administrator must make the account."
        )
    if not sent.faults:
        try:
            machines_of(request).accounts.make(name, sent["purpose"], owner)
        except (InputError, ConflictError) as error:
            sent.faults["name"] = error.message
    if sent.faults:
        return _form(request, sent, None, 422)
    response = RedirectResponse(f"/service-accounts/{name}", 303)
    portal.flash(request, response, _("The service account %(name)s is made.", name=name))
    return response


def _change(request: Request, sent: Form) -> Response:
    portal, place = portal_of(request), place_of(request)
    account = place.account
    assert account is not None
    owner = _owner(portal, request, sent)
    if sent.faults:
        return _form(request, sent, account.name, 422)
    machines_of(request).accounts.change(account.name, sent["purpose"], owner)
    response = RedirectResponse(place.path, 303)
    portal.flash(request, response, _("Saved."))
    return response


def _close(request: Request, sent: Form) -> Response:
    portal, place = portal_of(request), place_of(request)
    account = place.account
    assert account is not None
    if not sent.confirmed:
        return portal.confirm(
            request, sent,
            title=_("Close %(name)s?", name=account.name),
            text=_("All its tokens, and jobs that come in by it, are refused from now on. "
                   "It can be opened again."),
            verb=_("Close the account"), back=place.path,
        )  # fmt: skip
    machines_of(request).accounts.close(account.name)
    response = RedirectResponse(place.path, 303)
    told = _("The service account %(name)s is closed.", name=account.name)
    portal.flash(request, response, told, undo=f"{place.path}/open")
    return response


def _open(request: Request, sent: Form) -> Response:
    portal, place = portal_of(request), place_of(request)
    account = place.account
    assert account is not None
    machines_of(request).accounts.open_again(account.name)
    response = RedirectResponse(place.path, 303)
    told = _("The service account %(name)s is open again.", name=account.name)
    portal.flash(request, response, told)
    return response


def _form(request: Request, sent: Form, name: str | None, status: int = 200) -> Response:
    portal = portal_of(request)
    owners = _owners(portal, request)
    may_write = portal.allows(request, PERMISSION)
    if not owners and not may_write:
        raise NotAllowedError(
            _("Service accounts are made by members of the group that is to own them."),
            hint=_("You are in no group of the catalog; ask an administrator."),
        )
    title = _("Change the service account") if name else _("New service account")
    between = (Crumb(name, f"/service-accounts/{name}"),) if name else ()
    context = {
        "form": sent,
        "name": name,
        "owners": _titles(portal, owners),
        "may_write": may_write,
        "longest": LONGEST_PURPOSE,
        "title": title,
        "crumbs": (CRUMB, *between, Crumb(title)),
    }
    return portal.page(request, "tokens/account_form.html", context, status=status)


def _first_owner(request: Request) -> str:
    owners = _owners(portal_of(request), request)
    return str(owners[0]) if owners else ""


def _owners(portal: Portal, request: Request) -> list[EntityRef]:
    """Give the groups of the one who asks."""
    return [ref for ref in portal.subject(request).mine if ref.kind == "group"]


def _owner(portal: Portal, request: Request, sent: Form) -> EntityRef | None:
    """Read the owner: a group of one's own, or for administrators any group, or none."""
    may_write = portal.allows(request, PERMISSION)
    if not sent["owner"]:
        if not may_write:
            sent.faults["owner"] = _("Choose the group that owns it.")
        return None
    try:
        ref = EntityRef.parse(sent["owner"], default_kind="group")
    except InputError as error:
        sent.faults["owner"] = error.message
        return None
    allowed = ref in _owners(portal, request) or (
        may_write and ref.kind == "group" and portal.runtime.catalog.get(ref) is not None
    )
    if not allowed:
        sent.faults["owner"] = (
            _("There is no such group in the catalog.")
            if may_write
            else _("Choose a group that you are in.")
        )
    return ref


def _is_bound(portal: Portal, request: Request, name: str) -> bool:
    """Say whether somebody has given this name anything before the account is there."""
    bound = PREFIX + name
    policy = portal.runtime.services.access.policy
    rules = machines_of(request).settings.workloads
    return any(bound in item.subjects for item in policy.bindings) or any(
        rule.service == name for rule in rules
    )


def _titles(portal: Portal, refs: list[EntityRef]) -> dict[EntityRef, Any]:
    """Give titles of groups; what is not in the catalog is named by its reference."""
    known = portal.runtime.catalog.get_many(refs)
    return {ref: known[ref].title if ref in known else str(ref) for ref in refs}


ROUTES = [
    guarded("/service-accounts", index, MAKE),
    guarded("/service-accounts/new", new, MAKE),
    guarded("/service-accounts/new", posted(_make), MAKE, methods=["POST"]),
    guarded("/service-accounts/{account}", show, MAKE),
    guarded("/service-accounts/{account}/edit", edit, MAKE),
    guarded("/service-accounts/{account}/edit", posted(_change), MAKE, methods=["POST"]),
    guarded("/service-accounts/{account}/close", posted(_close), MAKE, methods=["POST"]),
    guarded("/service-accounts/{account}/open", posted(_open), MAKE, methods=["POST"]),
]
