"""Tells owners of tokens that end soon: on their home page, and by an event for all who listen."""

from callboard.contributions import JobContext, PageContext, WaitingItem
from callboard.host import Host
from callboard.i18n import Translator
from callboard.identity import asking
from callboard.plugin_host import PluginHost
from callboard_web.tokens.accounts import PREFIX, ServiceAccounts
from callboard_web.tokens.service import Token, Tokens
from callboard_web.tokens.settings import TokensSettings

_ = Translator("callboard")


def waiting(context: PageContext) -> list[WaitingItem]:
    """Give tokens of the reader, and of accounts their groups own, that end soon or just did."""
    subject = asking()
    if subject is None or subject.principal.kind != "person":
        return []
    tokens = _tokens(context.host)
    names = {str(subject.principal): "/me/tokens"}
    if subject.mine:
        accounts = ServiceAccounts(tokens.database, tokens.now).all(subject.mine)
        names |= {
            item.bound_as: f"/service-accounts/{item.name}"
            for item in accounts
            if not item.closed_at
        }
    return [_item(item, names[item.owner], tokens) for item in tokens.ending(list(names))]


def _item(token: Token, path: str, tokens: Tokens) -> WaitingItem:
    ended = token.expires_at <= tokens.now()
    owner = token.owner.removeprefix(PREFIX) if token.owner.startswith(PREFIX) else ""
    return WaitingItem(
        status="bad" if ended else "warn",
        title=_("The token %(name)s ended", name=token.name)
        if ended
        else _("The token %(name)s ends soon", name=token.name),
        why=_("It is of the service account %(name)s.", name=owner) if owner else "",
        path=path,
        verb=_("Rotate"),
        at=token.expires_at if ended else None,
    )


def announce(context: JobContext) -> None:
    """Publish an event for each token that ends soon, once."""
    _tokens(context.host).announce()


def _tokens(host: Host) -> Tokens:
    if not isinstance(host, PluginHost):
        raise TypeError("Tokens need the host's own services.")
    services = host.services
    return Tokens(services.database, services.settings.section(TokensSettings), services.clock)
