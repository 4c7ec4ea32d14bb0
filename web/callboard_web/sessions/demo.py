"""Signing in as a person of the catalog without a password: on one's own machine only."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from ipaddress import ip_address
from typing import TYPE_CHECKING, Final

from starlette.requests import HTTPConnection

from callboard.access import Policy
from callboard.entities import Entity, EntityRef
from callboard.errors import NotAllowedError
from callboard.i18n import Text, Translator
from callboard.identity import CLIENT_ADDRESS, EVERYTHING, acting_for
from callboard_catalog.query import ListRequest
from callboard_web.sessions.cookie import is_loopback_name
from callboard_web.sessions.model import DEMO, SignedIn

if TYPE_CHECKING:
    from callboard_web.portal import Portal

_: Final = Translator("callboard")

MOST_PEOPLE: Final = 200
ROLES: Final = ("administrator", "maintainer", "security", "auditor", "developer")
"""The greatest first: a person is offered by the first of these that they have."""

ORDER: Final = ("developer", "maintainer", "security", "auditor", "administrator")
TELLS: Final[dict[str, Text]] = {
    "developer": _("Sees everything, acts on what their teams own"),
    "maintainer": _("Acts on everything; looks after sources and jobs"),
    "security": _("Sees everything, and what is for security"),
    "auditor": _("Sees everything, reads the audit log and the settings"),
    "administrator": _("May do everything"),
}
_FORWARDED: Final = ("forwarded", "x-forwarded-for", "x-forwarded-host", "x-real-ip", "via")


@dataclass(frozen=True, slots=True)
class DemoPerson:
    """Somebody to sign in as; `role` is the greatest they have."""

    ref: EntityRef
    title: str
    teams: tuple[str, ...]
    role: str


def is_offered(portal: "Portal", connection: HTTPConnection) -> bool:
    """Say whether one may sign in so here: the portal listens on this machine only, and the
    request comes from it, by its own name, through no proxy that says so.
    """
    runtime = portal.runtime
    peer = connection.client.host if connection.client else ""
    hosts = (runtime.listener or runtime.portal.host, peer, CLIENT_ADDRESS.get())
    return (
        portal.sessions.settings.demo
        and all(map(_is_loopback, hosts))
        and is_loopback_name(connection)
        and not any(name in connection.headers for name in _FORWARDED)
    )


def require_offered(portal: "Portal", connection: HTTPConnection) -> None:
    """Raise `NotAllowedError` where it is not."""
    if not is_offered(portal, connection):
        raise NotAllowedError(
            _("Signing in without a password works on the machine of the demo only."),
            hint=_("Open http://127.0.0.1 with the port of the demo, on that machine."),
        )


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ip_address(host.partition("%")[0]).is_loopback
    except ValueError:
        return False


def people(portal: "Portal") -> Sequence[DemoPerson]:
    """Give the people of the catalog with their greatest role, by name."""
    asked = ListRequest(kinds=("user",), sort="title", limit=MOST_PEOPLE)
    with acting_for(None):  # who is to choose has not signed in and may see nothing yet
        found = portal.runtime.catalog.list(asked).entities
        teams = {ref for entity in found for ref in entity.related("memberOf")}
        known = portal.runtime.catalog.get_many(teams)
        return [_person(portal, entity, known) for entity in found]


def _person(portal: "Portal", entity: Entity, teams: Mapping[EntityRef, Entity]) -> DemoPerson:
    mine = portal.personal.mine(entity.ref)
    titles = tuple(teams[ref].title for ref in entity.related("memberOf") if ref in teams)
    role = _role(portal.runtime.services.access.policy, frozenset(map(str, mine)))
    return DemoPerson(entity.ref, entity.title, titles, role)


def _role(policy: Policy, names: frozenset[str]) -> str:
    held = {
        binding.role
        for binding in policy.bindings
        if binding.effect == "allow"
        and binding.on == EVERYTHING
        and not names.isdisjoint(binding.subjects)
    }
    return next((role for role in ROLES if role in held), "developer")


def signed_in(portal: "Portal", text: str) -> SignedIn:
    """Give a person of the catalog as if a provider had; raises `NotAllowedError` for others."""
    ref = EntityRef.parse(text, default_kind="user")
    with acting_for(None):
        found = portal.runtime.catalog.get(ref)
    if found is None or ref.kind != "user":
        raise NotAllowedError(
            _("There is no person %(name)s in the catalog.", name=ref.name),
            hint=_("Choose one of the list."),
        )
    return SignedIn(method=DEMO, subject=str(ref), title=found.title, user=ref)
