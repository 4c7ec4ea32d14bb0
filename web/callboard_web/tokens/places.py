"""Whose tokens a page is about, and whether the one who asks may manage them."""

from dataclasses import dataclass

from starlette.requests import Request

from callboard.errors import NotAllowedError, NotSignedInError
from callboard.i18n import Text, Translator
from callboard.identity import Permission
from callboard_web.portal import Crumb, Portal, portal_of
from callboard_web.sessions.model import LOCAL
from callboard_web.tokens import accounts
from callboard_web.tokens.accounts import ServiceAccount
from callboard_web.tokens.machines import machines_of
from callboard_web.tokens.scopes import is_for_tokens
from callboard_web.tokens.service import MAKE, READ, Owner, Token

_ = Translator("callboard")


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """The tokens of one owner: where they are listed, and who may manage them."""

    owner: Owner
    path: str
    crumbs: tuple[Crumb, ...]
    account: ServiceAccount | None = None
    refusal: Text = ""
    may_manage: bool = True

    @property
    def may_make(self) -> bool:
        """Whether the one who asks may make tokens here."""
        return not self.refusal

    def require_may_make(self) -> None:
        """Raise `NotAllowedError` where they may not."""
        if self.refusal:
            raise NotAllowedError(self.refusal)

    def has(self, token: Token) -> bool:
        """Say whether a token is one of these."""
        if self.account is not None:
            return token.service_account_id == self.account.id
        theirs = token.account_id == self.owner.account or token.owner == self.owner.name
        return theirs and token.service_account_id is None


def place_of(request: Request, *, reading: bool = False) -> Place:
    """Give the place of a request: of the service account in its path, else of who asks.

    Raises `NotSignedInError`, and `NotAllowedError` for accounts that others manage; `reading`,
    those who may see the tokens of everyone are let in.
    """
    name = request.path_params.get("account", "")
    return _of_account(request, name, reading) if name else _mine(request)


def _mine(request: Request) -> Place:
    portal = portal_of(request)
    session = portal.sessions.current(request)
    if session is None:
        raise NotSignedInError(_("Sign in to see this."))
    refusal: Text = ""
    if not machines_of(request).settings.people:
        refusal = _("People make no tokens in this portal; ask for a service account.")
    elif session.method == LOCAL:
        refusal = _("The local administrator has no tokens.")
    return Place(
        owner=Owner(name=str(session.principal), account=session.account),
        path="/me/tokens",
        crumbs=(Crumb(_("You"), "/me"), Crumb(_("My tokens"), "/me/tokens")),
        refusal=refusal,
    )


def _of_account(request: Request, name: str, reading: bool) -> Place:
    portal = portal_of(request)
    found = machines_of(request).accounts.get(name)
    refusal = _("The service account is closed.") if found.closed_at else ""
    if not may_manage(portal, request, found):
        refusal = _("The service account %(name)s is managed by others.", name=name)
        if not reading or not portal.allows(request, READ):
            raise NotAllowedError(
                refusal, hint=_("Members of the group that owns it and administrators can.")
            )
    path = f"/service-accounts/{found.name}"
    return Place(
        owner=Owner(name=found.bound_as, service_account=found.id),
        path=path,
        crumbs=(Crumb(_("Service accounts"), "/service-accounts"), Crumb(found.name, path)),
        account=found,
        refusal=refusal,
        may_manage=may_manage(portal, request, found),
    )


def may_manage(portal: Portal, request: Request, account: ServiceAccount) -> bool:
    """Say whether the one who asks manages an account."""
    if portal.allows(request, accounts.PERMISSION):
        return True
    mine = portal.subject(request).mine
    return account.owner in mine and portal.allows(request, MAKE)


def offered(portal: Portal, request: Request, place: Place) -> list[Permission]:
    """Give the permissions a new token may be given: of a person, those they have somewhere."""
    access = portal.runtime.services.access
    subject = portal.subject(request)
    found = []
    for item in access.permissions.values():
        if not is_for_tokens(item.name):
            continue
        has = place.account is not None or (
            access.decide(subject, item.name).allowed
            if item.about == "portal"
            else access.anywhere(subject, item.name)
        )
        if has:
            found.append(item)
    return found
