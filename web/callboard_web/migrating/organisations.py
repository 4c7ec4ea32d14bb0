"""Users and groups of an app-config: GitHub, GitLab and LDAP become settings, others are told."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final
from urllib.parse import urlsplit

from callboard_web.migrating.sources import host_name, named
from callboard_web.migrating.values import duration, listed, mapping, text_of
from callboard_web.migrating.writing import Draft, Path, plain_name

_ELSEWHERE: Final = {
    "microsoftGraphOrg": "Microsoft Graph is not asked. Let people come by signing in: a provider "
    "of type oidc for your tenant, with sign_in.make_groups for its groups; or from Active "
    "Directory by LDAP.",
    "keycloakOrg": "Keycloak is not asked. Let people come by signing in with it, with "
    "sign_in.make_groups for its groups; or from the directory behind it by LDAP.",
}
_MATCHES_ALL: Final = ("", ".*", "^.*$", "[\\s\\S]*")
_SCOPES: Final = {"sub": "subtree", "one": "one", "base": "base"}
_LEAST_SECONDS: Final = 60
_GUIDE: Final = "see docs/operator/people.md."


def people(draft: Draft, providers: Mapping[str, Any], integrations: Mapping[str, Any]) -> None:
    """Carry over where users and groups come from."""
    for name, entry in named(mapping(providers.get("gitlab"))):
        if entry.get("orgEnabled"):
            _gitlab(draft, name, entry, integrations)
    for item in entries_of(providers.get("githubOrg")):
        _github(draft, item, integrations)
    for name, entry in _by_name(providers.get("ldapOrg")):
        _directory(draft, name, entry)
    for kind, said in _ELSEWHERE.items():
        if kind in providers:
            draft.leave(f"catalog.providers.{kind}: {said}")


def entries_of(value: Any) -> list[Mapping[str, Any]]:
    """Give the entries of a provider: one, a list of them, or several by their ids."""
    if isinstance(value, list):
        return [mapping(item) for item in value]
    return [{"id": name, **entry} if name else entry for name, entry in named(mapping(value))]


def _by_name(value: Any) -> Iterator[tuple[str, Mapping[str, Any]]]:
    # A single one is no mapping of mappings although all its values may be some.
    given = mapping(value)
    if "target" in given:
        yield "", given
    elif isinstance(value, list):
        yield from (("", mapping(item)) for item in value)
    else:
        yield from ((str(name), mapping(entry)) for name, entry in given.items())


# Hosts of repositories


def _is_there(draft: Draft, kind: str) -> bool:
    if not draft.plugin:
        draft.leave(
            f"catalog.providers.{kind}: a plugin reads people and groups of hosts, and none is "
            "installed: pip install callboard-scm-hosts, and convert it again."
        )
    return bool(draft.plugin)


def _every(entry: Mapping[str, Any]) -> str:
    schedule = entry.get("schedule")
    given = schedule.get("frequency") if isinstance(schedule, Mapping) else schedule
    return duration(given, _LEAST_SECONDS)


def _add(draft: Draft, item: Mapping[str, Any], entry: Mapping[str, Any]) -> Path:
    every = _every(entry)
    return draft.add({**item, "every": every}, *draft.people)


def _gitlab(
    draft: Draft, name: str, entry: Mapping[str, Any], integrations: Mapping[str, Any]
) -> None:
    if not _is_there(draft, "gitlab, orgEnabled"):
        return
    host = text_of(entry.get("host")) or "gitlab.com"
    group = text_of(entry.get("group")).strip("/")
    relations = {text_of(item).upper() for item in listed(entry.get("relations"))}
    inherited = bool(entry.get("allowInherited")) or bool(relations & {"INHERITED", "DESCENDANTS"})
    at = _add(
        draft,
        {
            "name": draft.unused(f"{name or group or host}-people", draft.discover, draft.people),
            "host": host_name(draft, "gitlab", host, integrations),
            "group": group,
            # As there, the path of a group begins below the one that is read.
            "group_name": "{below}" if group else "",
            "inherited": inherited or None,
        },
        entry,
    )
    for key in ("groupPattern", "userPattern"):
        if text_of(entry.get(key)) not in _MATCHES_ALL:
            draft.note(
                f"{key} {text_of(entry[key])} has no counterpart: all of them are read.", *at
            )
    if not group:
        draft.note("People who are members of no group are left out.", *at)


def _github(draft: Draft, entry: Mapping[str, Any], integrations: Mapping[str, Any]) -> None:
    if not _is_there(draft, "githubOrg"):
        return
    host = urlsplit(text_of(entry.get("githubUrl"))).netloc or "github.com"
    organisations = [name for item in listed(entry.get("orgs")) if (name := text_of(item))]
    if not organisations:
        draft.leave("catalog.providers.githubOrg without orgs read every organisation of a GitHub "
                    f"App: name each under {'.'.join(draft.people)}.")  # fmt: skip
    several = len(organisations) > 1 and not entry.get("alwaysUseDefaultNamespace")
    for organisation in organisations:
        at = _add(
            draft,
            {
                "name": draft.unused(f"{organisation}-people", draft.discover, draft.people),
                "host": host_name(draft, "github", host, integrations),
                "organisation": organisation,
                "namespace": plain_name(organisation) if several else "",
            },
            entry,
        )
        if several:
            draft.note("Users are in the namespace of their organisation, as its teams are; in "
                       "Backstage they were in default.", *at)  # fmt: skip
        elif len(organisations) > 1 and organisation == organisations[-1]:
            draft.note("Who is in several organisations belongs to the one that is read first, and "
                       "is listed as a conflict of the others.", *at)  # fmt: skip


# Directories


def _directory(draft: Draft, name: str, entry: Mapping[str, Any]) -> None:
    if not draft.directory:
        draft.leave("catalog.providers.ldapOrg: a plugin reads directories, and none is installed: "
                    f"{_GUIDE}")  # fmt: skip
        return
    servers = ("plugins", "settings", draft.directory, "servers")
    at: Path = (*servers, len(draft.items(*servers)))
    slug = draft.unused(name or "ldap", servers)
    users = [mapping(item) for item in listed(entry.get("users") or entry.get("user"))]
    groups = [mapping(item) for item in listed(entry.get("groups") or entry.get("group"))]
    bind, url = mapping(entry.get("bind")), text_of(entry.get("target"))
    if not users or not url:
        draft.leave(f"catalog.providers.ldapOrg {name}: it names no users or no target; {_GUIDE}")
        return
    who = text_of(bind.get("dn"))
    # Both or neither: a name without a secret signs nobody in.
    variable = f"LDAP_{slug.upper().replace('-', '_')}_PASSWORD"
    secret = draft.secret(bind.get("secret"), variable, *at) if who else ""
    if who and not secret:
        draft.note(f"bind has no secret: put it into {variable}.", *at)
        secret = f"${{env:{variable}}}"
    draft.add(
        {
            "name": slug,
            "url": url,
            "start_tls": True if url.startswith("ldap://") else None,
            "bind_dn": who,
            "password": secret,
            "id": _identity(entry, users),
            "users": _users(draft, at, users),
            "groups": _groups(draft, at, groups) if groups else None,
            "every": _every(entry),
        },
        *servers,
    )
    _warn(draft, at, entry, url, [*users, *groups])


def _warn(
    draft: Draft,
    at: Path,
    entry: Mapping[str, Any],
    url: str,
    searches: Sequence[Mapping[str, Any]],
) -> None:
    if not url.startswith("ldaps://"):
        draft.note("Backstage sent the password unencrypted. start_tls: true encrypts it; take it "
                   "out where url begins with ldaps://.", *at)  # fmt: skip
    tls = mapping(entry.get("tls"))
    if tls.get("rejectUnauthorized") is False:
        draft.note("Certificates are always checked: give the authority's as ca.", *at)
    if tls.get("keys") or tls.get("certs"):
        draft.note("There are no certificates of clients: the account is that of bind_dn.", *at)
    if any(search.get("set") for search in searches):
        draft.note("`set` has no counterpart: values that all entities get are left out.", *at)


def _identity(entry: Mapping[str, Any], users: Sequence[Mapping[str, Any]]) -> str:
    """Give the attribute that never changes; Backstage asks the server what it is."""
    given = text_of(mapping(entry.get("vendor")).get("uuidAttributeName"))
    if given:
        return given
    said = " ".join(
        f"{mapping(user.get('map'))} {mapping(user.get('options')).get('filter')}" for user in users
    ).lower()
    return "objectGUID" if "samaccountname" in said or "objectcategory" in said else ""


def _users(draft: Draft, at: Path, given: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    used = mapping(given[0].get("map"))
    names = {
        "name": text_of(used.get("name")) or "uid",
        "title": text_of(used.get("displayName")) or "cn",
        "email": text_of(used.get("email")) or "mail",
        "picture": text_of(used.get("picture")),
    }
    return {
        **_search(draft, at, "users", given),
        "member_of": text_of(used.get("memberOf")) or "memberOf",
        "map": {key: value for key, value in names.items() if value},
    }


def _groups(draft: Draft, at: Path, given: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    used = mapping(given[0].get("map"))
    return {
        **_search(draft, at, "groups", given),
        "members": text_of(used.get("members")) or "member",
        "map": {
            "name": text_of(used.get("name")) or "cn",
            "title": text_of(used.get("displayName")) or "cn",
            "description": text_of(used.get("description")) or "description",
            "type": text_of(used.get("type")) or "groupType",
            "email": text_of(used.get("email")) or "mail",
        },
    }


def _search(
    draft: Draft, at: Path, what: str, given: Sequence[Mapping[str, Any]]
) -> dict[str, Any]:
    """Give base, filter and scope; several searches become one that finds what they find."""
    bases = list(dict.fromkeys(text_of(item.get("dn")) for item in given))
    options = [mapping(item.get("options")) for item in given]
    filters = list(dict.fromkeys(_filter(item.get("filter")) for item in options))
    # Backstage looks at one level where nothing else is said.
    scopes = {_SCOPES.get(text_of(item.get("scope")), "one") for item in options}
    base, scope = bases[0], scopes.pop() if len(scopes) == 1 else "subtree"
    if len(bases) > 1:
        base, scope = _common(bases), "subtree"
        note = f"Backstage looked for {what} below {'; '.join(bases)}: narrow the filter, or give "
        draft.note(f"{note}each a server of its own.", *at)
        if not base:
            base = bases[0]
    if len({repr(item.get("map")) for item in given}) > 1:
        draft.note(f"The searches of {what} had maps of their own: only the first is here.", *at)
    written = filters[0] if len(filters) == 1 else f"(|{''.join(filters)})"
    return {"base": base, "filter": written, "scope": scope}


def _filter(value: Any) -> str:
    text = " ".join(text_of(value).split())
    if not text:
        return "(objectClass=*)"
    return text if text.startswith(("(", "$")) else f"({text})"


def _common(bases: Sequence[str]) -> str:
    """Give the entry that all bases are below, empty where there is none."""
    parts = [[part.strip() for part in base.split(",")][::-1] for base in bases]
    same = []
    for level in zip(*parts, strict=False):
        if len({part.lower() for part in level}) > 1:
            break
        same.append(level[0])
    return ",".join(reversed(same))
