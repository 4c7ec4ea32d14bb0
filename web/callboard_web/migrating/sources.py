"""`catalog` and `integrations` of an app-config: sources, hosts, what is discovered on them."""

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final
from urllib.parse import urlsplit

from callboard.redaction import redact
from callboard_catalog.sources.hosts import repository_page
from callboard_web.migrating.values import duration, glob_of, listed, mapping, text_of
from callboard_web.migrating.writing import Draft, Path

SOURCES: Final = ("catalog", "sources")
USUAL: Final = {"github": "github.com", "gitlab": "gitlab.com", "gitea": "gitea.com"}
USERS: Final = {"github": "x-access-token", "gitlab": "oauth2"}
PEOPLE: Final = frozenset(("githubOrg", "ldapOrg", "microsoftGraphOrg", "keycloakOrg"))
"""Providers of users and groups: see `organisations`."""


def catalog(draft: Draft, given: Mapping[str, Any], integrations: Mapping[str, Any]) -> None:
    """Carry over where descriptors come from."""
    _hosts(draft, integrations)
    for item in listed(given.get("locations")):
        _location(draft, mapping(item))
    _providers(draft, mapping(given.get("providers")), integrations)
    _rules(draft, given)
    for key, said in _LEFT.items():
        if key in given:
            draft.leave(f"catalog.{key}: {said}")


_LEFT: Final = {
    "processingInterval": "each source has a schedule of its own; nothing is processed in between.",
    "orphanStrategy": "what no source holds any more leaves the catalog, always.",
    "orphanProviderStrategy": "what a source gave leaves with it, always.",
    "readonly": "who may register locations is a permission: catalog.location.create.",
    "import": "what people see when they register a location is not configured.",
    "stitchingStrategy": "there is no stitching.",
    "processors": "plugins bring processors of their own with their own settings.",
}


def _rules(draft: Draft, given: Mapping[str, Any]) -> None:
    allowed = [
        kind for rule in listed(given.get("rules")) for kind in listed(mapping(rule).get("allow"))
    ]
    if allowed:
        kinds = ", ".join(text_of(kind) for kind in allowed)
        draft.leave(
            f"catalog.rules allowed {kinds}. Callboard takes every kind from every source: name "
            "only sources that you trust with Users and Groups; who owns what decides who may do "
            "what."
        )


# Places


def _location(draft: Draft, item: Mapping[str, Any]) -> None:
    kind, target = text_of(item.get("type")), text_of(item.get("target"))
    if kind == "file" and target:
        _folder(draft, target)
    elif kind == "url" and target:
        _url(draft, target)
    else:
        draft.leave(f"catalog.locations: {kind or 'a location'} {redact(target)} is not read here.")
    if item.get("rules") or item.get("allow"):
        draft.leave(f"catalog.locations: the rules of {redact(target)} have no counterpart.")


def _folder(draft: Draft, target: str) -> None:
    parts = target.replace("\\", "/").split("/")
    first = next((at for at, part in enumerate(parts) if re.search(r"[*?\[]", part)), None)
    split = len(parts) - 1 if first is None else first
    folder = "/".join(parts[:split]) or ("/" if target.startswith("/") else ".")
    note = ""
    if not folder.startswith("/"):
        note = "A relative path begins at this file; in Backstage it began at packages/backend."
    name = draft.unused(parts[split - 1] if split and parts[split - 1] not in ("..", ".")
                        else parts[-1], SOURCES)  # fmt: skip
    pattern = "/".join(parts[split:])
    source = {"name": name, "type": "folder", "path": folder, "paths": [pattern]}
    draft.add(source, *SOURCES, note=note)


def _url(draft: Draft, target: str) -> None:
    page = repository_page(target)
    if page is None:
        parts = urlsplit(target)
        if parts.username or parts.password:
            draft.leave(f"catalog.locations: {redact(target)} holds a password and is left out.")
            return
        name = draft.unused(target.partition("://")[2], SOURCES)
        draft.add({"name": name, "type": "url", "url": target}, *SOURCES)
        return
    branch, path = next(iter(page.readings()))
    branch = "" if branch == "HEAD" else branch
    for known in draft.items(*SOURCES):
        if known.get("url") == page.repository and known.get("branch", "") == branch:
            known["paths"].append(path)
            return
    name = draft.unused(urlsplit(page.repository).path.strip("/").removesuffix(".git"), SOURCES)
    draft.add(
        {"name": name, "type": "git", "url": page.repository, "branch": branch, "paths": [path]},
        *SOURCES,
    )


# Hosts


def _hosts(draft: Draft, integrations: Mapping[str, Any]) -> None:
    for kind, entries in integrations.items():
        for entry in listed(entries):
            _credential(draft, kind, mapping(entry))


def _credential(draft: Draft, kind: str, entry: Mapping[str, Any]) -> None:
    host = text_of(entry.get("host")) or {**USUAL, "bitbucketCloud": "bitbucket.org"}.get(kind, "")
    if kind not in (*USUAL, "bitbucketCloud", "bitbucketServer", "azure", "gerrit") or not host:
        draft.leave(f"integrations.{kind}: files there are not read.")
        return
    if entry.get("apps"):
        draft.leave(
            f"integrations.{kind}: {host} uses a GitHub App. Callboard takes a token: make one "
            "that may read what the app may, and give it in git.credentials and to the plugin that "
            "discovers repositories."
        )
    secret = next((entry[key] for key in ("token", "appPassword", "password") if entry.get(key)),
                  None)  # fmt: skip
    if secret is None:
        allowed = draft.settings.setdefault("git", {}).setdefault("allow_hosts", [])
        allowed.append(host)
        return
    at = ("git", "credentials", len(draft.items("git", "credentials")))
    draft.add(
        {
            "host": host,
            "username": text_of(entry.get("username")) or USERS.get(kind, ""),
            "token": draft.secret(secret, _variable(host), *at),
        },
        "git",
        "credentials",
    )


def _variable(host: str) -> str:
    return re.sub(r"[^A-Z0-9]+", "_", host.upper()).strip("_") + "_TOKEN"


# Discovery


def _providers(draft: Draft, providers: Mapping[str, Any], integrations: Mapping[str, Any]) -> None:
    for kind, entries in providers.items():
        if kind in PEOPLE:
            continue
        if kind not in USUAL:
            draft.leave(f"catalog.providers.{kind}: nothing is discovered there.")
        else:
            if not draft.plugin:
                draft.leave(
                    f"catalog.providers.{kind}: a plugin discovers repositories, and none is "
                    "installed: pip install callboard-scm-hosts, and convert it again."
                )
                continue
            for name, entry in named(mapping(entries)):
                _discover(draft, kind, name, entry, integrations)


def named(entries: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Give the entries of a provider: it may be one, or several by their ids."""
    if entries and all(isinstance(value, Mapping) for value in entries.values()):
        yield from entries.items()
    elif entries:
        yield "", entries


def _discover(
    draft: Draft,
    kind: str,
    name: str,
    entry: Mapping[str, Any],
    integrations: Mapping[str, Any],
) -> None:
    host = text_of(entry.get("host")) or USUAL[kind]
    filters = mapping(entry.get("filters"))
    scope = text_of(entry.get("group") or entry.get("organization"))
    topics = mapping(filters.get("topic"))
    path = text_of(entry.get("catalogPath") or entry.get("entityFilename")).lstrip("/")
    at = draft.add(
        {
            "name": draft.unused(name or scope or kind, draft.discover),
            "host": host_name(draft, kind, host, integrations),
            "group" if kind == "gitlab" else "organisation": scope,
            "topics": [text_of(item) for item in listed(topics.get("include"))],
            "exclude": [text_of(item) for item in listed(entry.get("excludeRepos"))],
            "archived": bool(entry.get("includeArchivedRepos")) or None,
            "forks": _forks(kind, entry, filters),
            "branch": text_of(filters.get("branch") or entry.get("branch")),
            "paths": [path] if path else None,
            "every": duration(mapping(entry.get("schedule")).get("frequency")),
        },
        *draft.discover,
    )
    _pattern(draft, at, text_of(filters.get("repository") or entry.get("projectPattern")), scope)
    if topics.get("exclude"):
        draft.note("filters.topic.exclude has no counterpart: leave repositories out by name, "
                   "with `exclude`.", *at)  # fmt: skip


def _forks(kind: str, entry: Mapping[str, Any], filters: Mapping[str, Any]) -> bool | None:
    """Say whether forks are read; None for what is usual here, that they are not."""
    if kind == "gitlab":
        return None if entry.get("skipForkedRepos") else True
    return None if filters.get("allowForks") is False else True


def _pattern(draft: Draft, at: tuple[str | int, ...], regex: str, scope: str) -> None:
    """Turn a regular expression for names into a pattern, or say that it must be done by hand."""
    if not regex or regex in (".*", "^.*$", "[\\s\\S]*"):
        return
    pattern = glob_of(regex)
    if pattern is None:
        draft.note(f"Only repositories that match the expression {regex} were read: say so with "
                   "patterns in `include`.", *at)  # fmt: skip
        return
    whole = pattern if "/" in pattern or not scope else f"{scope}/{pattern}"
    draft.items(*draft.discover)[int(at[-1])]["include"] = [whole]


def host_name(draft: Draft, kind: str, host: str, integrations: Mapping[str, Any]) -> str:
    """Give the name of a host with repositories; it is added when it is first needed."""
    for known in draft.items(*draft.hosts):
        if urlsplit(known["url"]).netloc == host:
            return str(known["name"])
    entries = [mapping(item) for item in listed(integrations.get(kind))]
    entry = next((item for item in entries if text_of(item.get("host")) == host), {})
    name = draft.unused(host, draft.hosts)
    at: Path = (*draft.hosts, len(draft.items(*draft.hosts)))
    token = draft.secret(entry.get("token") or entry.get("password"), _variable(host), *at)
    draft.add({"name": name, "type": kind, "url": f"https://{host}", "token": token}, *draft.hosts)
    if not token:
        draft.note("Without a token only what is public is found.", *at)
    return name
