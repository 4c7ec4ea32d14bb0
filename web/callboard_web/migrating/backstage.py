"""`callboard.yaml` from a Backstage app-config."""

import re
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import urlsplit

from callboard.redaction import redact
from callboard_web.migrating import organisations, people, sources
from callboard_web.migrating.values import listed, mapping, text_of
from callboard_web.migrating.writing import Draft

_PORT: Final = re.compile(r"[0-9]{1,5}")

LEFT: Final[Mapping[str, str]] = {
    "techdocs": "documentation is read from the repositories themselves, without a build; see "
    "docs/user/docs.md.",
    "scaffolder": "there are no templates yet.",
    "kubernetes": "clusters belong to plugins.",
    "proxy": "there is no proxy for other systems; plugins read them in jobs.",
    "search": "search needs no settings.",
    "events": "webhooks are settings of plugins; see the page Deliveries.",
    "reading": "",
    "permission": "",
    "costInsights": "there is no such plugin.",
    "dynamicPlugins": "plugins are installed with pip.",
}
"""What is said of the top-level keys that have no counterpart."""

KNOWN: Final = frozenset(("app", "organization", "backend", "integrations", "catalog", "auth"))


def converted(given: Mapping[str, Any], plugin: str = "", directory: str = "") -> str:
    """Give the settings that say the same, as YAML with comments; no secret is in them.

    `plugin` names the one that discovers repositories, `directory` the one that reads LDAP
    directories, if one is installed.
    """
    draft = Draft(plugin, directory)
    backend = mapping(given.get("backend"))
    _portal(draft, given, backend)
    _database(draft, mapping(backend.get("database")))
    integrations, catalog = mapping(given.get("integrations")), mapping(given.get("catalog"))
    sources.catalog(draft, catalog, integrations)
    organisations.people(draft, mapping(catalog.get("providers")), integrations)
    people.sign_in(draft, mapping(given.get("auth")), _organisations(catalog))
    people.machines(draft, mapping(backend.get("auth")))
    _reading(draft, backend)
    _permission(draft, given)
    for key in given:
        if key not in KNOWN:
            said = LEFT.get(key, "it belongs to a plugin; nothing of it is taken over.")
            if said:
                draft.leave(f"{key}: {said}")
    return draft.text()


def _portal(draft: Draft, given: Mapping[str, Any], backend: Mapping[str, Any]) -> None:
    app = mapping(given.get("app"))
    draft.put(text_of(app.get("title"))[:80], "portal", "title")
    organisation = text_of(mapping(given.get("organization")).get("name"))
    draft.put(organisation[:120], "portal", "organisation")
    base = text_of(app.get("baseUrl")).rstrip("/")
    draft.put(base, "portal", "base_url")
    listen = _listen(backend.get("listen"))
    draft.put(listen, "portal", "listen")
    address = text_of(backend.get("baseUrl")).rstrip("/")
    if address and address != base:
        draft.leave(
            f"backend.baseUrl: pages and API have one address here. Clients ask "
            f"{base or '<portal.base_url>'}/api/catalog instead of {redact(address)}/api/catalog."
        )


def _listen(value: Any) -> str:
    """Give the address to listen on; nothing where it is not plain."""
    if isinstance(value, Mapping):
        host, port = text_of(value.get("host")) or "0.0.0.0", text_of(value.get("port"))  # noqa: S104 - what Backstage does
    else:
        host, _colon, port = text_of(value).rpartition(":")
        host = host or "0.0.0.0"  # noqa: S104 - what Backstage does
    if not _PORT.fullmatch(port) or "$" in host or host == "*":
        return ""
    return f"[{host}]:{port}" if ":" in host and not host.startswith("[") else f"{host}:{port}"


def _database(draft: Draft, given: Mapping[str, Any]) -> None:
    client = text_of(given.get("client"))
    if client.startswith("pg"):
        draft.put(_postgresql(draft, given.get("connection")), "database", "url")
        draft.note(
            "An empty database of its own, not one of Backstage's. A password with characters "
            "such as @ or / is percent-encoded in a URL.",
            "database",
        )
    elif client:
        draft.leave(f"backend.database: {client} is replaced by SQLite, which needs no settings.")


def _postgresql(draft: Draft, connection: Any) -> str:
    about = ("database",)
    if not isinstance(connection, Mapping):
        text = text_of(connection)
        if "://" not in text:
            return "${env:DATABASE_URL}"
        parts = urlsplit(text)
        place = parts.netloc.rpartition("@")[2]
        user = parts.netloc.rpartition("@")[0].partition(":")[0]
        secret = draft.secret(parts.password, "POSTGRES_PASSWORD", *about)
        login = f"{user}:{secret}@" if secret else f"{user}@" if user else ""
        return f"postgresql://{login}{place}/callboard"
    user = text_of(connection.get("user"))
    secret = draft.secret(connection.get("password"), "POSTGRES_PASSWORD", *about)
    login = f"{user}:{secret}@" if secret else f"{user}@" if user else ""
    host, port = text_of(connection.get("host")) or "localhost", text_of(connection.get("port"))
    secure = "?sslmode=require" if connection.get("ssl") else ""
    return f"postgresql://{login}{host}{f':{port}' if port else ''}/callboard{secure}"


def _organisations(catalog: Mapping[str, Any]) -> list[str]:
    """Give the organisations on GitHub that the catalog knows, for those who may sign in."""
    found: dict[str, None] = {}
    providers = mapping(catalog.get("providers"))
    for _, entry in sources.named(mapping(providers.get("github"))):
        found[text_of(entry.get("organization"))] = None
    for item in organisations.entries_of(providers.get("githubOrg")):
        for name in listed(item.get("orgs")):
            found[text_of(name)] = None
    return [name for name in found if name]


def _reading(draft: Draft, backend: Mapping[str, Any]) -> None:
    """Carry over the hosts that may be asked."""
    hosts = [
        text_of(mapping(item).get("host")).partition(":")[0]
        for item in listed(mapping(backend.get("reading")).get("allow"))
    ]
    draft.put(sorted({host for host in hosts if host}), "http", "allow_hosts")


def _permission(draft: Draft, given: Mapping[str, Any]) -> None:
    if mapping(given.get("permission")).get("enabled") is True:
        draft.leave("permission: the policy was code. Roles and who has them are settings here, "
                    "under access, or are written on the page Access.")  # fmt: skip
    else:
        draft.leave("permission: it was off, and everyone who signed in could do everything. Here "
                    "everyone who signs in sees the catalog; give roles under access.")  # fmt: skip
