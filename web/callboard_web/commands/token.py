"""`callboard token`."""

import getpass
import os
from datetime import timedelta
from typing import Annotated, Any

import typer
from pydantic import ValidationError

from callboard.access.settings import SelectorSettings
from callboard.errors import InputError, NotAllowedError
from callboard.identity import Principal
from callboard_web.commands.common import running, table
from callboard_web.runtime import Runtime
from callboard_web.tokens.accounts import ServiceAccount, ServiceAccounts
from callboard_web.tokens.scopes import unknown
from callboard_web.tokens.service import Owner, Tokens, Wish
from callboard_web.tokens.settings import TokensSettings
from callboard_web.tokens.words import FIELDS, STATES

app = typer.Typer(no_args_is_help=True, help="Tokens: of service accounts, and ending any.")


@app.command()
def make(
    account: Annotated[str, typer.Argument(help="Service account; made if there is none.")],
    name: Annotated[str, typer.Option(help="What uses the token.")],
    permission: Annotated[
        list[str], typer.Option(help="What it may do, by name or pattern; repeatable.")
    ],
    on: Annotated[
        list[str] | None,
        typer.Option(help="With which entities: system=checkout, tag=pci; repeatable."),
    ] = None,
    days: Annotated[int, typer.Option(min=0, help="How long it is good; 0: default_age.")] = 0,
    rate: Annotated[int, typer.Option(min=0, help="Requests a minute; 0: tokens.rate.")] = 0,
    purpose: Annotated[str, typer.Option(help="What it is for.")] = "",
) -> None:
    """Make a token of a service account. It is printed once, alone on standard output."""
    with running() as runtime:
        tokens = _tokens(runtime)
        declared = runtime.services.access.permissions
        wrong = unknown(permission, declared)
        if wrong:
            raise InputError(
                f"No token can have the permission {wrong[0]!r}.",
                hint="Tokens make no tokens and change no access; see docs/operator/machines.md.",
            )
        wish = Wish(
            name=name,
            purpose=purpose,
            permissions=permission,
            selector=_selector(on or []),
            expires_at=runtime.now()
            + (timedelta(days=days) if days else tokens.settings.default_age),
            rate=rate or None,
        )
        found = _account(ServiceAccounts(runtime.database, runtime.now), account, purpose)
        owner = Owner(name=found.bound_as, service_account=found.id)
        text = tokens.make(owner, wish, on_behalf_of=_operator())
    typer.echo(text)


@app.command("list")
def list_tokens(
    owner: Annotated[str, typer.Option(help="A part of the owner's name.")] = "",
    limit: Annotated[int, typer.Option(min=1, max=500, help="Rows.")] = 50,
) -> None:
    """List tokens, the newest first; never their secrets."""
    with running() as runtime:
        tokens = _tokens(runtime)
        found = tokens.search(owner=owner, limit=limit)
        now = runtime.now()
    rows = [
        (
            str(token.id),
            token.name,
            token.owner,
            str(STATES[token.state(now)][1]),
            f"{token.expires_at:%Y-%m-%d}",
            f"{token.last_used_at:%Y-%m-%d %H:%M}" if token.last_used_at else "never",
        )
        for token in found
    ]
    table(rows, ("number", "name", "owner", "state", "good until", "last used"))


@app.command()
def revoke(
    number: Annotated[int, typer.Argument(min=1, help="Its number, as `list` shows it.")],
) -> None:
    """End a token at once, in every process."""
    with running() as runtime:
        ended = _tokens(runtime).revoke(number, on_behalf_of=_operator())
    typer.echo(f"The token {number} is revoked." if ended else "It was revoked before.")


def _tokens(runtime: Runtime) -> Tokens:
    settings = runtime.settings.section(TokensSettings)
    return Tokens(runtime.database, settings, runtime.now)


def _account(accounts: ServiceAccounts, name: str, purpose: str) -> ServiceAccount:
    found = accounts.find(name)
    if found is None:
        accounts.make(name, purpose, None, on_behalf_of=_operator())
        found = accounts.get(name)
    if found.closed_at:
        raise NotAllowedError(
            f"The service account {name} is closed.", hint="Open it on its page in the portal."
        )
    return found


def _selector(given: list[str]) -> SelectorSettings:
    found: dict[str, Any] = {}
    for item in given:
        key, _, value = item.partition("=")
        if key not in FIELDS or not value:
            raise InputError(
                f"--on {item!r} cannot be read.",
                hint=f"Expected one of {', '.join(FIELDS)}, as KEY=VALUE.",
            )
        found.setdefault(key, []).append(value)
    try:
        return SelectorSettings.model_validate(found)
    except ValidationError as error:
        raise InputError(f"--on cannot be read: {error.errors()[0]['msg']}.") from error


def _operator() -> Principal:
    """Name who works at the machine, as the system knows them, for the audit log."""
    try:
        user = getpass.getuser()
    except (OSError, KeyError):
        user = str(os.getuid())
    return Principal(kind="system", name=f"operator {user}")
