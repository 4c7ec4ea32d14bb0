"""The settings of signing in with providers."""

import re
from collections.abc import Mapping
from datetime import timedelta
from typing import Annotated, Final, Literal, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, SecretStr, field_validator, model_validator

from callboard.settings.types import Duration, SettingsModel, matching
from callboard_web.sign_in.presets import PRESETS, ProviderType

ALGORITHMS: Final = frozenset(
    (
        "RS256", "RS384", "RS512", "PS256", "PS384", "PS512",
        "ES256", "ES384", "ES512", "EdDSA",
    )
)  # fmt: skip
"""Signatures that can be checked with a provider's public key. `none` and those with a shared
secret (HS256) are never taken: anyone who knows the client could forge them."""

RULES: Final = ("annotation", "email", "username", "sub")
FIXED: Final = frozenset(
    (
        "client_id", "client_secret", "code_challenge", "code_challenge_method", "nonce",
        "redirect_uri", "request", "request_uri", "response_mode", "response_type", "scope",
        "state", "max_age",
    )
)  # fmt: skip
"""Parameters that the flow itself sets."""

LOOPBACK: Final = frozenset(("localhost", "127.0.0.1", "::1"))

Rule = Literal["annotation", "email", "username", "sub"]
SlugName = Annotated[
    str, matching(r"[a-z0-9][a-z0-9-]{0,39}", "a name of lower-case letters, digits and hyphens")
]


def _web_address(text: str) -> str:
    """Accept https, and http on this machine only: codes and tokens travel there."""
    if not text.isascii() or not text.isprintable() or re.search(r"[ \\\"<>]", text):
        raise ValueError("expected an address in plain characters")
    parts = urlsplit(text)
    plain = parts.scheme == "http" and parts.hostname in LOOPBACK
    if not (plain or parts.scheme == "https") or not parts.hostname or parts.fragment:
        raise ValueError("expected an https:// address; http:// only on this machine")
    if parts.username or parts.password:
        raise ValueError("expected an address without a user name or password")
    return text


def _pattern(text: str) -> str:
    try:
        re.compile(text)
    except re.error as error:
        raise ValueError(f"expected a regular expression; {error}") from None
    return text


WebUrl = Annotated[str, AfterValidator(_web_address)]


class GroupRule(SettingsModel):
    """Which Group a provider's group stands for. Exactly one of `name`, `matches`, `below`."""

    name: str = Field(default="", max_length=300, description="The provider's name, exactly.")
    matches: Annotated[str, AfterValidator(_pattern)] = Field(
        default="",
        max_length=500,
        description="A regular expression for the whole name; named parts may stand in `group`.",
    )
    below: str = Field(
        default="",
        max_length=300,
        description="A path, such as `/acme`: the parts of the name below it are joined by hyphens "
        "(`/acme/payments/core` is `group:default/payments-core`). `/` takes every name.",
    )
    group: str = Field(
        default="",
        max_length=300,
        description="The Group, such as `group:default/platform`. With `matches` its parts are "
        "filled in (`group:default/{team}`), with `below` it is `group:default/{path}` by default.",
    )

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if sum(map(bool, (self.name, self.matches, self.below))) != 1:
            raise ValueError("expected one of name, matches and below")
        if not self.group and not self.below:
            raise ValueError("expected group, such as group:default/platform")
        names = re.compile(self.matches).groupindex if self.matches else {"path"}
        wanted = set(re.findall(r"\{(\w*)\}", self.group))
        if unknown := sorted(wanted - set(names)):
            raise ValueError(f"group has {{{unknown[0]}}}, which nothing fills in")
        return self


class ProviderSettings(SettingsModel):
    """One provider: where it is, who the portal is there, and what its claims mean."""

    name: SlugName = Field(description="Part of addresses, such as `company`. Keep it for good.")
    title: str = Field(
        default="",
        max_length=80,
        description="What people read on the button; the name without it.",
    )
    type: ProviderType = Field(
        default="oidc",
        description="`oidc` for any OpenID Connect provider; the others are the same with fitting "
        "defaults, but for `github`, which speaks OAuth 2.",
    )
    issuer: WebUrl = Field(
        default="",
        description="The issuer exactly as the provider writes it. For `github` the address of the "
        "server, `https://github.com` by default.",
        validate_default=False,
    )
    client_id: str = Field(min_length=1, max_length=300, description="The portal's name there.")
    client_secret: SecretStr | None = Field(
        default=None, description="Its secret, as a reference. A public client has none."
    )
    client_authentication: Literal["auto", "client_secret_basic", "client_secret_post", "none"] = (
        Field(
            default="auto",
            description="How the secret is sent; `auto` does as the provider says it can.",
        )
    )
    scopes: tuple[str, ...] | None = Field(
        default=None,
        description="What is asked for; by default `openid profile email` and what the type needs. "
        "`offline_access` asks for a refresh token, by which groups are checked again.",
    )
    groups_claim: str | None = Field(
        default=None,
        max_length=200,
        description="The claim with the groups, with dots between its parts, such as "
        "`realm_access.roles`; `groups` by default.",
    )
    username_claim: str = Field(
        default="preferred_username", max_length=200, description="The claim with the user name."
    )
    annotations: dict[str, str] | None = Field(
        default=None,
        description="Annotations of User entities and the claim each is equal to, such as "
        "`keycloak.org/id: sub`; by default those of the type.",
    )
    resolve: tuple[Rule, ...] | None = Field(
        default=None,
        description="How the User is found, in this order, instead of `sign_in.resolve`.",
    )
    groups: tuple[GroupRule, ...] | None = Field(
        default=None, description="Rules for this provider's groups, instead of `sign_in.groups`."
    )
    trust_email: bool = Field(
        default=False,
        description="Takes e-mail addresses as proven although `email_verified` does not say so. "
        "For providers where people cannot set their address themselves.",
    )
    trust_usernames: bool | None = Field(
        default=None,
        description="Lets user names and `sub` stand for names of User entities. By default only "
        "those of the first provider do: at another one, someone else may have the same name.",
    )
    allowed_domains: tuple[str, ...] = Field(
        default=(), description="Only people with a proven address in one of these domains get in."
    )
    allowed_groups: tuple[str, ...] = Field(
        default=(), description="Only people in one of these groups of the provider get in."
    )
    unknown_people: Literal["make", "account", "refuse"] | None = Field(
        default=None,
        description="What happens where no User is found: one is made from claims, the account "
        "alone does, or nobody gets in. Instead of `sign_in.unknown_people`.",
    )
    algorithms: tuple[str, ...] = Field(
        default=("RS256", "PS256", "ES256", "ES384", "EdDSA"),
        min_length=1,
        description="Signatures of ID tokens that are taken; only those with a public key.",
    )
    clock_skew: Duration = Field(
        default=timedelta(seconds=60),
        ge=timedelta(0),
        le=timedelta(minutes=5),
        description="How far the clocks of both may differ.",
    )
    max_age: Duration | None = Field(
        default=None, description="How long ago a person may have proven themselves there at most."
    )
    parameters: dict[str, str] = Field(
        default={},
        description="Further parameters of the request, such as `prompt` or `acr_values`.",
    )
    discovery: bool = Field(
        default=True,
        description="Reads the endpoints from `<issuer>/.well-known/openid-configuration`. Where "
        "it is off, all that are needed must be given.",
    )
    authorization_endpoint: WebUrl | None = Field(
        default=None, description="Instead of the discovered one."
    )
    token_endpoint: WebUrl | None = Field(
        default=None, description="Instead of the discovered one."
    )
    jwks_uri: WebUrl | None = Field(default=None, description="Instead of the discovered one.")
    userinfo_endpoint: WebUrl | None = Field(
        default=None, description="Instead of the discovered one."
    )
    end_session_endpoint: WebUrl | None = Field(
        default=None, description="Instead of the discovered one."
    )
    icon: str = Field(default="lock", max_length=40, description="An icon of the portal's own.")

    @field_validator("algorithms")
    @classmethod
    def _public_key_only(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for name in value:
            if name not in ALGORITHMS:
                raise ValueError(f"expected algorithms among {', '.join(sorted(ALGORITHMS))}")
        return value

    @field_validator("parameters")
    @classmethod
    def _leaves_the_flow_alone(cls, value: dict[str, str]) -> dict[str, str]:
        if taken := sorted(FIXED & {key.lower() for key in value}):
            raise ValueError(f"expected no {taken[0]}, which the portal sets itself")
        return value

    @model_validator(mode="after")
    def _is_whole(self) -> Self:
        if self.type != "github":
            if not self.issuer:
                raise ValueError("expected issuer, such as https://login.example.com")
            needed = (self.authorization_endpoint, self.token_endpoint, self.jwks_uri)
            if not self.discovery and not all(needed):
                raise ValueError(
                    "expected authorization_endpoint, token_endpoint and jwks_uri where discovery "
                    "is off"
                )
        elif self.client_secret is None:
            raise ValueError("expected client_secret, which GitHub demands")
        elif self.host == "github.com" and not (self.allowed_groups or self.allowed_domains):
            raise ValueError(
                "expected allowed_groups with your organisation: everybody has an account there"
            )
        return self

    @property
    def where(self) -> str:
        """The issuer, or the server."""
        return self.issuer or PRESETS[self.type].issuer

    @property
    def host(self) -> str:
        """The host people see while they sign in."""
        return urlsplit(self.where).hostname or ""

    @property
    def called(self) -> str:
        """What people read."""
        return self.title or self.name

    @property
    def asked_scopes(self) -> tuple[str, ...]:
        """The scopes that are asked for; `openid` is always among those of OpenID Connect."""
        scopes = PRESETS[self.type].scopes if self.scopes is None else self.scopes
        return scopes if self.type == "github" or "openid" in scopes else ("openid", *scopes)

    @property
    def group_path(self) -> str:
        """The claim with the groups."""
        return PRESETS[self.type].groups_claim if self.groups_claim is None else self.groups_claim

    @property
    def linked(self) -> Mapping[str, str]:
        """Annotations of Users, and the claim each is equal to."""
        return PRESETS[self.type].annotations if self.annotations is None else self.annotations

    @property
    def hosts(self) -> frozenset[str]:
        """The hosts an operator has named here, which may therefore be asked."""
        named = (
            self.where, self.authorization_endpoint, self.token_endpoint, self.jwks_uri,
            self.userinfo_endpoint, self.end_session_endpoint,
        )  # fmt: skip
        return frozenset(host for url in named if url and (host := urlsplit(url).hostname))


class SignInSettings(SettingsModel):
    """Providers by which people sign in, and who they are in the catalog."""

    providers: tuple[ProviderSettings, ...] = Field(
        default=(), max_length=20, description="Where people sign in; several at once."
    )
    resolve: tuple[Rule, ...] = Field(
        default=RULES,
        description="How the User of a person is found: by annotation, by proven e-mail address, "
        "by user name, or by `sub` as the User's name; the first that finds one counts.",
    )
    groups: tuple[GroupRule, ...] = Field(
        default=(GroupRule(below="/"),),
        max_length=200,
        description="Which Groups the provider's groups stand for; the first rule that leads to a "
        "Group of the catalog counts.",
    )
    unknown_people: Literal["make", "account", "refuse"] = Field(
        default="make",
        description="What happens where no User is found: one is made from claims, the account "
        "alone does, or nobody gets in.",
    )
    make_groups: bool = Field(
        default=False,
        description="Makes a Group of each of a provider's groups that rules lead to and the "
        "catalog does not have, with the people who signed in as members.",
    )
    recheck: Duration = Field(
        default=timedelta(minutes=10),
        ge=timedelta(minutes=1),
        le=timedelta(days=1),
        description="How often a provider is asked again for signed-in people and their groups.",
    )
    recheck_patience: Duration = Field(
        default=timedelta(hours=1),
        ge=timedelta(minutes=5),
        description="How long a provider may fail to answer before sessions end that could not be "
        "checked.",
    )
    keep: Duration = Field(
        default=timedelta(days=30),
        ge=timedelta(hours=1),
        description="How long sign-ins stay on the page of sign-ins.",
    )

    @model_validator(mode="after")
    def _names_differ(self) -> Self:
        names = [provider.name for provider in self.providers]
        taken = {"demo", "local"} & set(names)
        if taken or len(set(names)) < len(names):
            raise ValueError("expected a different name for each provider, none of demo and local")
        return self

    @property
    def makes_people(self) -> bool:
        """Whether there is a provider whose unknown people become Users."""
        chosen = [item.unknown_people or self.unknown_people for item in self.providers]
        return "make" in chosen

    def trusts_usernames(self, provider: ProviderSettings) -> bool:
        """Say whether a provider's user names are names of User entities."""
        if provider.trust_usernames is None:
            return self.providers[0].name == provider.name
        return provider.trust_usernames

    def provider(self, name: str) -> ProviderSettings | None:
        """Give a provider by its name."""
        return next((item for item in self.providers if item.name == name), None)
