"""Puts the parts for machines together, one set for each portal."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from starlette.requests import HTTPConnection

from callboard.settings import HttpSettings
from callboard_web.tokens.accounts import ServiceAccounts
from callboard_web.tokens.credential import BearerCredential
from callboard_web.tokens.keys import Http
from callboard_web.tokens.limits import Buckets
from callboard_web.tokens.metrics import BearerRequests
from callboard_web.tokens.service import Tokens
from callboard_web.tokens.settings import TokensSettings
from callboard_web.tokens.workloads import Workloads

if TYPE_CHECKING:
    from callboard_web.runtime import Runtime
    from callboard_web.sessions.service import Sessions


@dataclass(frozen=True, slots=True)
class Machines:
    """Tokens, service accounts, and how requests with a token are let in and counted."""

    settings: TokensSettings
    tokens: Tokens
    accounts: ServiceAccounts
    credential: BearerCredential
    buckets: Buckets
    metrics: BearerRequests

    @classmethod
    def of(cls, runtime: "Runtime", sessions: "Sessions") -> Self:
        """Put the parts together."""
        settings = runtime.settings.section(TokensSettings)
        http = runtime.settings.section(HttpSettings)
        tokens = Tokens(runtime.database, settings, runtime.now)
        shared = Http(runtime.base, tuple(http.allow_hosts), http.ca_bundle, http.proxy)
        metrics = BearerRequests()
        credential = BearerCredential(
            runtime.database,
            tokens,
            sessions,
            Workloads(settings.workloads, shared, runtime.now),
            lambda: runtime.services.access,
            metrics,
        )
        accounts = ServiceAccounts(runtime.database, runtime.now)
        return cls(settings, tokens, accounts, credential, Buckets(runtime.now), metrics)


def machines_of(connection: HTTPConnection) -> Machines:
    """Give the parts for machines of the portal that is asked."""
    machines: Machines = connection.app.state.machines
    return machines
