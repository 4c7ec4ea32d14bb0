"""Signing in with providers, from the first request to the person in the catalog."""

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import delete
from sqlalchemy.dialects import postgresql, sqlite

from callboard import events
from callboard.audit import record
from callboard.entities import EntityRef
from callboard.errors import NotFoundError
from callboard.hosting import Services
from callboard.i18n import Text, Translator
from callboard.identity import ANONYMOUS, acting_for
from callboard.settings import HttpSettings
from callboard_catalog.service import CatalogService
from callboard_web.sessions import Method, SignedIn
from callboard_web.sign_in import attempts, pending
from callboard_web.sign_in.claimed_groups import ClaimedGroups
from callboard_web.sign_in.claims import proven_email, shown, title_of
from callboard_web.sign_in.faults import SignInFailedError
from callboard_web.sign_in.models import logout_token
from callboard_web.sign_in.people import MADE, CatalogPeople, ClaimedUsers
from callboard_web.sign_in.resolver import (
    Resolution,
    check,
    resolve,
    unknown_people,
)
from callboard_web.sign_in.settings import ProviderSettings, SignInSettings
from callboard_web.sign_in.words import said_of

if TYPE_CHECKING:
    from callboard.http import HttpClient
    from callboard_web.sign_in.client import Client, Grant

_: Final = Translator("callboard")

TIMEOUT: Final = timedelta(seconds=10)
MOST_BYTES: Final = 1024 * 1024
MOST_REQUESTS: Final = 6_000
"""Requests to a provider in a minute: thousands of people are checked every ten minutes."""

LONGEST_HINT: Final = 4_000
"""Characters of an ID token that goes back to its provider in an address at sign-out."""

LONGEST_NEXT: Final = 2_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Identified:
    """Somebody who proved who they are, and the page that was wanted."""

    signed_in: SignedIn
    resolution: Resolution
    claims: Mapping[str, Any]
    next: str = "/"


class SignIn:
    """All providers of one portal. What they say about themselves is kept in memory."""

    def __init__(self, services: Services) -> None:
        self.services = services
        self.database = services.database
        self.now = services.clock
        self.settings = services.settings.section(SignInSettings)
        self._clients: dict[str, tuple[Client, HttpClient]] = {}
        self._lock = threading.Lock()

    @property
    def catalog(self) -> CatalogService:
        catalog = self.services.catalog
        assert isinstance(catalog, CatalogService)
        return catalog

    def methods(self) -> list[Method]:
        """Give the providers as the page of sign-in lists them."""
        return [
            Method(
                name=item.name,
                title=item.called,
                path=f"/sign-in/with/{item.name}",
                icon=item.icon,
                note=item.host,
            )
            for item in self.settings.providers
        ]

    def provider(self, name: str) -> ProviderSettings:
        """Give a provider by its name; raises `NotFoundError`."""
        found = self.settings.provider(name)
        if found is None:
            raise NotFoundError(
                _("There is no such way to sign in."), hint=_("Choose one on the page of sign-in.")
            )
        return found

    def client(self, provider: ProviderSettings) -> "Client":
        """Give what talks to a provider."""
        from callboard_web.sign_in.client import OpenIdClient
        from callboard_web.sign_in.discovery import Discovery
        from callboard_web.sign_in.github import GitHubClient

        with self._lock:
            if provider.name not in self._clients:
                http = self._http(provider)
                made: Client = (
                    GitHubClient(provider, http)
                    if provider.type == "github"
                    else OpenIdClient(Discovery(provider, http, self.now), http)
                )
                self._clients[provider.name] = (made, http)
            return self._clients[provider.name][0]

    def _http(self, provider: ProviderSettings) -> "HttpClient":
        from callboard.http import HttpClient

        chosen = self.services.settings.section(HttpSettings)
        bundle = chosen.ca_bundle
        return HttpClient(
            timeout=TIMEOUT.total_seconds(),
            retries=1,
            maximum_bytes=MOST_BYTES,
            budget_limit=MOST_REQUESTS,
            allow_hosts=[*chosen.allow_hosts, *provider.hosts],
            allow_private=chosen.allow_private,
            ca_bundle=None if bundle is None else self.services.base / bundle,
            proxy=chosen.proxy,
        )

    def close(self) -> None:
        """Close all connections to providers."""
        with self._lock:
            for _client, http in self._clients.values():
                http.close()
            self._clients.clear()

    # Begin and end of a sign-in

    def begin(
        self, provider: ProviderSettings, browser: str, wanted: str, redirect_uri: str
    ) -> str:
        """Give the provider's address to send a browser to. Raises `SignInFailedError`."""
        begun = pending.fresh()
        target = self.client(provider).address(begun, redirect_uri)
        with self.database.write() as connection:
            pending.keep(
                connection, begun, browser, provider.name, wanted[:LONGEST_NEXT], self.now()
            )
        return target

    def take(self, provider: ProviderSettings, state: str, browser: str) -> pending.Taken:
        """Give what this browser began, once. Raises `pending.UnknownStateError`."""
        now = self.now()
        # In a transaction of its own: a state is used up whatever comes after.
        with self.database.write() as connection:
            try:
                return pending.take(connection, state, browser, provider.name, now)
            except SignInFailedError as error:
                failed = error
        raise failed

    def complete(
        self,
        provider: ProviderSettings,
        taken: pending.Taken,
        answer: Mapping[str, str],
        redirect_uri: str,
    ) -> Identified:
        """Give who somebody is, by the provider's answer to what was begun.

        Raises `SignInFailedError`.
        """
        client = self.client(provider)
        client.check_origin(answer)
        if error := answer.get("error"):
            raise SignInFailedError("refused", _("It says %(error)s.", error=error[:100]))
        code = answer.get("code", "")
        if not code:
            raise SignInFailedError("refused", _("There is no code."))
        grant = client.exchange(code, taken.begun, redirect_uri)
        return self.identify(provider, grant, wanted=taken.next)

    def identify(
        self, provider: ProviderSettings, grant: "Grant", *, wanted: str = "/"
    ) -> Identified:
        """Find the person in the catalog, or make them. Raises `SignInFailedError`."""
        claims = grant.claims
        subject = f"{self.client(provider).issuer}|{claims['sub']}"
        # The portal itself looks, not the one who has not signed in yet.
        with acting_for(None):
            resolution = self.resolve(provider, claims, subject)
            check(resolution, claims)
            made = self._made_groups(resolution)
            groups = tuple(dict.fromkeys((*resolution.refs, *made)))
            user, changed = self._settle(provider, subject, claims, resolution, groups)
            # Where the provider left groups out, nobody leaves one.
            if self.settings.make_groups and not resolution.groups_left_out:
                kept = ClaimedGroups(self.database)
                changed |= kept.settle(provider.name, subject, made, user, self.now())
            if changed and self.services.jobs is not None:
                self.services.jobs.submit(None, "catalog", "refresh", {"source": MADE}, MADE)
        signed_in = SignedIn(
            method=provider.name,
            subject=subject,
            title=title_of(claims, provider.username_claim),
            email=proven_email(claims, trusted=provider.trust_email),
            user=user,
            groups=groups,
            names=resolution.names,
            claims=shown(claims),
            rule=rule_words(resolution, user),
            refresh_token=grant.refresh_token,
            id_token=grant.id_token,
            provider_session=grant.session,
        )
        return Identified(signed_in=signed_in, resolution=resolution, claims=claims, next=wanted)

    def resolve(
        self, provider: ProviderSettings, claims: Mapping[str, Any], subject: str
    ) -> Resolution:
        """Say who claims stand for; nothing is changed."""
        people = CatalogPeople(self.database, self.catalog, provider.name)
        return resolve(claims, self.settings, provider, people, subject)

    def _settle(
        self,
        provider: ProviderSettings,
        subject: str,
        claims: Mapping[str, Any],
        resolution: Resolution,
        groups: Sequence[EntityRef],
    ) -> tuple[EntityRef | None, bool]:
        if resolution.user is None and unknown_people(self.settings, provider) != "make":
            return None, False
        return ClaimedUsers(self.database, self.catalog).settle(
            provider, subject, claims, groups, resolution.user,
            trusted=self.settings.trusts_usernames(provider), now=self.now(),
        )  # fmt: skip

    def _made_groups(self, resolution: Resolution) -> Mapping[EntityRef, str]:
        """Give the Groups that claims make, by the setting; else none."""
        if not self.settings.make_groups:
            return {}
        return ClaimedGroups(self.database).wanted(resolution.groups)

    # What is kept for administrators

    def succeeded(self, provider: ProviderSettings, found: Identified) -> int:
        """Keep how somebody got in; give its number."""
        given = found.signed_in
        with self.database.write() as connection:
            return attempts.add(
                connection, at=self.now(), provider=provider.name, subject=given.subject,
                title=given.title, ref=str(given.user or ""), claims=found.claims,
                resolution=found.resolution, reason=given.rule,
            )  # fmt: skip

    def failed(self, provider: ProviderSettings, error: SignInFailedError) -> int:
        """Keep and audit why somebody did not get in; give its number, which they are shown."""
        claims = error.claims
        subject = str(claims.get("sub", ""))[:255] if claims else ""
        now = self.now()
        told = {"method": provider.name, "reason": error.fault}
        with self.database.write() as connection:
            number = attempts.add(
                connection, at=now, provider=provider.name, fault=error.fault,
                reason=error.detail, subject=subject,
                title=title_of(claims, provider.username_claim) if claims else "",
                claims=claims, resolution=error.resolution,
            )  # fmt: skip
            record(
                connection, "portal.session.start", f"sign-in:{number}", actor=ANONYMOUS,
                after=told, result="denied", at=now,
            )  # fmt: skip
            events.publish(
                connection, "portal.session.failed", f"sign-in:{number}", told, actor=ANONYMOUS,
                at=now,
            )  # fmt: skip
        return number

    # Sign-out by the provider

    def obey(self, provider: ProviderSettings, token: str) -> tuple[str, str]:
        """Check a logout token; give the subject of the account and the provider's session.

        Raises `SignInFailedError`, also for one that was obeyed before.
        """
        from callboard_web.sign_in.client import OpenIdClient
        from callboard_web.sign_in.verification import LOGOUT_AGE, check_logout_token

        client = self.client(provider)
        if not isinstance(client, OpenIdClient):
            raise SignInFailedError("token")
        claims = check_logout_token(client.discovery, token)
        now = self.now()
        lasts = LOGOUT_AGE + 2 * provider.clock_skew
        row = {"key": pending.digest(f"{provider.name} {claims['jti']}"), "expires_at": now + lasts}
        with self.database.write() as connection:
            connection.execute(delete(logout_token).where(logout_token.c.expires_at <= now))
            dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
            new = connection.execute(
                dialect.insert(logout_token)
                .values(row)
                .on_conflict_do_nothing()
                .returning(logout_token.c.key)
            ).one_or_none()
        if new is None:
            raise SignInFailedError("token", _("It was used before."))
        subject, session = claims.get("sub"), claims.get("sid")
        return (
            f"{client.issuer}|{subject}" if isinstance(subject, str) and subject else "",
            session if isinstance(session, str) else "",
        )

    def sign_out_address(self, method: str, id_token: str, back: str) -> str:
        """Give where somebody signs out at the provider as well; empty where that cannot be."""
        provider = self.settings.provider(method)
        if provider is None:
            return ""
        hint = id_token if len(id_token) <= LONGEST_HINT else ""
        try:
            return self.client(provider).sign_out_address(hint, back)
        except SignInFailedError:
            return ""  # they are signed out here, whatever the provider does


def rule_words(resolution: Resolution, user: EntityRef | None) -> Text:
    """Say what found the User."""
    if resolution.matched is not None:
        return said_of(resolution.matched.plain())
    if user is not None:
        return _("Nobody fitted: the User was made from claims.")
    return _("Nobody fitted: there is an account without a User.")
