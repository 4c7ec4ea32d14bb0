"""`auth` and `backend.auth` of an app-config: providers to sign in with, and who else gets in."""

from collections.abc import Callable, Mapping
from typing import Any, Final

from callboard_web.migrating.values import listed, mapping, text_of
from callboard_web.migrating.writing import Draft

PROVIDERS: Final = ("sign_in", "providers")
CONFIGURATION: Final = "/.well-known/openid-configuration"
RESOLVERS: Final = {
    "usernameMatchingUserEntityName": "username",
    "preferredUsernameMatchingUserEntityName": "username",
    "emailMatchingUserEntityProfileEmail": "email",
    "userIdMatchingUserEntityAnnotation": "annotation",
    "emailMatchingUserEntityAnnotation": "annotation",
    "subClaimMatchingKeycloakUserId": "annotation",
}


def sign_in(draft: Draft, given: Mapping[str, Any], organisations: list[str]) -> None:
    """Carry over the providers people sign in with."""
    environment = text_of(given.get("environment")) or "development"
    for name, entry in mapping(given.get("providers")).items():
        settings = _of_environment(mapping(entry), environment)
        make = _KINDS.get(name)
        if name == "guest":
            draft.leave(
                "auth.providers.guest: who has not signed in may see nothing; access.anonymous: "
                "viewer lets everyone see the portal."
            )
        elif make is None:
            draft.leave(f"auth.providers.{name}: there is no such provider. Any that speaks OpenID "
                        "Connect is one of type oidc.")  # fmt: skip
        else:
            _provider(draft, name, settings, make(settings), organisations)
    if mapping(given.get("session")).get("secret"):
        draft.leave("auth.session.secret: the portal makes a key of its own.")


def _of_environment(entry: Mapping[str, Any], environment: str) -> Mapping[str, Any]:
    """Give the settings of a provider for the environment, or of the only one it has."""
    if environment in entry:
        return mapping(entry[environment])
    nested = [value for value in entry.values() if isinstance(value, Mapping)]
    return nested[0] if len(nested) == 1 and "clientId" not in entry else entry


def _provider(
    draft: Draft,
    name: str,
    settings: Mapping[str, Any],
    found: Mapping[str, Any],
    organisations: list[str],
) -> None:
    if found["type"] != "github" and not found.get("issuer"):
        draft.leave(f"auth.providers.{name}: its address is not in app-config; see sign_in.")
        return
    if found["type"] == "github" and not found.get("issuer") and not organisations:
        draft.leave(
            "auth.providers.github: everybody has an account at github.com. Give sign_in.providers "
            "one of type github with allowed_groups, the organisations that may sign in."
        )
        return
    at = (*PROVIDERS, len(draft.items(*PROVIDERS)))
    slug = draft.unused(name, PROVIDERS)
    rules, unknown = _rules(settings)
    draft.add(
        {
            "name": slug,
            **found,
            "client_id": text_of(settings.get("clientId")) or f"${{env:{slug.upper()}_CLIENT_ID}}",
            "client_secret": draft.secret(
                settings.get("clientSecret"),
                f"{slug.upper().replace('-', '_')}_CLIENT_SECRET",
                *at,
            ),
            "resolve": rules,
            "allowed_groups": organisations if found["type"] == "github" else None,
        },
        *PROVIDERS,
        note=f"Register the address <portal.base_url>/sign-in/callback/{slug} at the provider.",
    )
    for resolver in unknown:
        draft.note(f"The resolver {resolver} has no counterpart.", *at)


def _rules(settings: Mapping[str, Any]) -> tuple[list[str], list[str]]:
    """Give the rules by which Users are found, and the resolvers that have none."""
    rules, unknown = [], []
    for item in listed(mapping(settings.get("signIn")).get("resolvers")):
        name = text_of(mapping(item).get("resolver"))
        rule = RESOLVERS.get(name)
        if rule is None and "Annotation" in name:
            rule = "annotation"
        if rule is None:
            unknown.append(name)
        elif rule not in rules:
            rules.append(rule)
    return rules, unknown


def _oidc(settings: Mapping[str, Any]) -> Mapping[str, Any]:
    address = text_of(settings.get("metadataUrl")).removesuffix(CONFIGURATION)
    return {"type": "keycloak" if "/realms/" in address else "oidc", "issuer": address}


def _github(settings: Mapping[str, Any]) -> Mapping[str, Any]:
    return {"type": "github", "issuer": text_of(settings.get("enterpriseInstanceUrl"))}


def _gitlab(settings: Mapping[str, Any]) -> Mapping[str, Any]:
    return {
        "type": "gitlab",
        "issuer": text_of(settings.get("audience")).rstrip("/") or "https://gitlab.com",
    }


def _microsoft(settings: Mapping[str, Any]) -> Mapping[str, Any]:
    tenant = text_of(settings.get("tenantId"))
    issuer = f"https://login.microsoftonline.com/{tenant}/v2.0" if tenant else ""
    return {"type": "oidc", "issuer": issuer}


def _okta(settings: Mapping[str, Any]) -> Mapping[str, Any]:
    base, server = text_of(settings.get("audience")).rstrip("/"), settings.get("authServerId")
    return {"type": "oidc", "issuer": f"{base}/oauth2/{server}" if base and server else base}


def _auth0(settings: Mapping[str, Any]) -> Mapping[str, Any]:
    domain = text_of(settings.get("domain"))
    return {"type": "oidc", "issuer": f"https://{domain}/" if domain else ""}


_KINDS: Final[Mapping[str, Callable[[Mapping[str, Any]], Mapping[str, Any]]]] = {
    "oidc": _oidc,
    "github": _github,
    "gitlab": _gitlab,
    "microsoft": _microsoft,
    "okta": _okta,
    "auth0": _auth0,
    "google": lambda settings: {"type": "oidc", "issuer": "https://accounts.google.com"},
}


def machines(draft: Draft, given: Mapping[str, Any]) -> None:
    """Say how those get in who brought a token of the settings."""
    for entry in listed(given.get("externalAccess")):
        item, options = mapping(entry), mapping(mapping(entry).get("options"))
        kind = text_of(item.get("type"))
        subject = text_of(options.get("subject")) or "it"
        if kind in ("static", "legacy"):
            draft.leave(
                f"backend.auth.externalAccess: {subject} had a token in the settings. Make a "
                "service account and a token for it in the portal; a secret is shown once and "
                "never kept in settings."
            )
        elif kind == "jwks":
            draft.leave(
                f"backend.auth.externalAccess: tokens of {text_of(options.get('issuer'))} are let "
                "in by a rule in tokens.workloads, with the claims they must have."
            )
        else:
            draft.leave(f"backend.auth.externalAccess: {kind or 'an entry'} has no counterpart.")
    if given.get("keys"):
        draft.leave("backend.auth.keys: signed tokens of that form are not taken; make tokens.")
    if given.get("dangerouslyDisableDefaultAuthPolicy"):
        draft.leave(
            "backend.auth.dangerouslyDisableDefaultAuthPolicy let everyone in; access.anonymous "
            "says here what those may do who have not signed in."
        )
