"""Asks providers again for signed-in people: their groups change, and some leave."""

import logging
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from callboard.host import Host
from callboard.hosting import Services
from callboard.plugin_host import PluginHost
from callboard.settings import Settings
from callboard_web.personal import Personal
from callboard_web.personal.secrets import shared_secret
from callboard_web.sessions import SessionsSettings
from callboard_web.sessions.model import DueSession
from callboard_web.sessions.service import Sessions
from callboard_web.settings import PortalSettings
from callboard_web.sign_in import attempts
from callboard_web.sign_in.faults import RefusedGrantError, SignInFailedError
from callboard_web.sign_in.models import pending
from callboard_web.sign_in.service import SignIn
from callboard_web.sign_in.settings import ProviderSettings

log = logging.getLogger(__name__)

MOST: Final = 1_000
"""Sessions of a provider that are checked in one run."""

AT_ONCE: Final = 8
MOST_UNANSWERED: Final = 3
"""After so many questions without an answer, a provider is left alone until the next run."""


def check_again(host: Host) -> None:
    """Check every session that is due; forget sign-ins that are too old to be looked at."""
    assert isinstance(host, PluginHost)
    sign_in = SignIn(host.services)
    try:
        if sign_in.settings.providers:
            sessions = sessions_of(host.services)
            for provider in sign_in.settings.providers:
                check_provider(sign_in, sessions, provider)
        now = host.now()
        with host.write() as connection:
            attempts.forget(connection, now - sign_in.settings.keep)
            connection.execute(pending.delete().where(pending.c.expires_at <= now))
    finally:
        sign_in.close()


def sessions_of(services: Services) -> Sessions:
    """Give the sessions of the portal to a process that may not serve pages."""
    settings: Settings = services.settings
    portal = settings.section(PortalSettings)
    secret = portal.cookie_secret
    key = (
        secret.get_secret_value()
        if secret
        else shared_secret(services.database, "cookies", services.clock())
    )
    catalog = SignIn(services).catalog
    return Sessions(
        services.database,
        Personal(services.database, catalog, services.clock),
        settings.section(SessionsSettings),
        services.clock,
        secret=key,
        base_url=portal.base_url,
        visitor=lambda connection: "",
    )


def check_provider(sign_in: SignIn, sessions: Sessions, provider: ProviderSettings) -> None:
    """Check the sessions of one provider that are due."""
    now = sign_in.now()
    patience = now - sign_in.settings.recheck_patience
    unanswered: list[int] = []

    def look(due: DueSession) -> None:
        silent = len(unanswered) >= MOST_UNANSWERED
        if silent or not _check(sign_in, sessions, provider, due):
            unanswered.append(due.session)
            if due.checked_at < patience:
                _end(sessions, provider, due, "unreachable")

    found = sessions.due_for_check(provider.name, now - sign_in.settings.recheck, limit=MOST)
    with ThreadPoolExecutor(AT_ONCE) as pool:
        for _done in pool.map(look, found):
            pass  # so that what is raised is raised here


def _check(
    sign_in: SignIn, sessions: Sessions, provider: ProviderSettings, due: DueSession
) -> bool:
    """Check one session; say whether the provider answered."""
    issuer = sign_in.client(provider).issuer
    subject = due.subject.removeprefix(f"{issuer}|")
    try:
        grant = sign_in.client(provider).refresh(due.refresh_token, subject)
        found = sign_in.identify(provider, grant)
    except RefusedGrantError as error:
        _end(sessions, provider, due, error.fault)
    except SignInFailedError as error:
        if error.fault in ("unreachable", "discovery", "exchange"):
            log.warning("Provider %s: %s %s", provider.name, error.message, error.detail)
            return False
        sign_in.failed(provider, error)
        _end(sessions, provider, due, error.fault)
    else:
        sessions.update(due.account, found.signed_in, session=due.session)
    return True


def _end(sessions: Sessions, provider: ProviderSettings, due: DueSession, fault: str) -> None:
    log.info("Session %s of %s ended: %s", due.session, provider.name, fault)
    sessions.end(due.session, "provider")
