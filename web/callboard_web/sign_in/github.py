"""GitHub, which speaks OAuth 2 without OpenID Connect: claims are put together from its API.

Source: docs.github.com, "Authorizing OAuth apps" and the REST API of users, organisations, teams.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from authlib.oauth2.rfc6749.parameters import prepare_grant_uri
from authlib.oauth2.rfc7636 import create_s256_code_challenge

from callboard.errors import CallboardError, reason_of
from callboard.i18n import Translator
from callboard_web.sign_in.begun import Begun
from callboard_web.sign_in.client import Grant, ask_for_tokens, check_issuer
from callboard_web.sign_in.faults import RefusedGrantError, SignInFailedError
from callboard_web.sign_in.settings import ProviderSettings

if TYPE_CHECKING:
    from callboard.http import HttpClient

_: Final = Translator("callboard")

VERSION: Final = "2022-11-28"
PAGE: Final = 100
MOST_PAGES: Final = 20
ACCESS: Final = "access:"
"""Marks an access token that is kept in place of a refresh token: those of OAuth apps last."""


class GitHubClient:
    """GitHub, or a GitHub Enterprise Server."""

    def __init__(self, provider: ProviderSettings, http: "HttpClient") -> None:
        self.provider = provider
        self.http = http
        self.server = provider.where.rstrip("/")
        self.issuer = self.server
        public = urlsplit(self.server).hostname == "github.com"
        self.api = "https://api.github.com" if public else f"{self.server}/api/v3"

    def address(self, begun: Begun, redirect_uri: str) -> str:
        return str(
            prepare_grant_uri(
                self.provider.authorization_endpoint or f"{self.server}/login/oauth/authorize",
                self.provider.client_id,
                "code",
                redirect_uri=redirect_uri,
                scope=" ".join(self.provider.asked_scopes),
                state=begun.state,
                code_challenge=create_s256_code_challenge(begun.verifier),
                code_challenge_method="S256",
                **self.provider.parameters,
            )
        )

    def check_origin(self, parameters: Mapping[str, str]) -> None:
        # GitHub's issuer for OAuth is below its address.
        told = parameters.get("iss")
        within = told is not None and told.startswith(f"{self.server}/")
        check_issuer(self.server if within else told, self.server, needed=False)

    def exchange(self, code: str, begun: Begun, redirect_uri: str) -> Grant:
        return self._grant(
            self._tokens(
                "authorization_code", code=code, redirect_uri=redirect_uri,
                code_verifier=begun.verifier,
            )
        )  # fmt: skip

    def refresh(self, token: str, subject: str) -> Grant:
        if token.startswith(ACCESS):
            grant = self._grant({"access_token": token.removeprefix(ACCESS)})
        else:
            grant = self._grant(self._tokens("refresh_token", refresh_token=token))
        if grant.claims["sub"] != subject:
            raise SignInFailedError("userinfo")
        return grant

    def sign_out_address(self, id_token: str, back: str) -> str:
        return ""  # GitHub has no such thing

    def _tokens(self, grant: str, **parameters: str) -> Mapping[str, Any]:
        url = self.provider.token_endpoint or f"{self.server}/login/oauth/access_token"
        return ask_for_tokens(
            self.http, url, self.provider, "client_secret_post", grant, **parameters
        )

    def _grant(self, tokens: Mapping[str, Any]) -> Grant:
        access = str(tokens["access_token"])
        person = self._ask(access, "/user")
        if not isinstance(person, dict) or not isinstance(person.get("id"), int):
            raise SignInFailedError("sub")
        address, proven = self._address(access)
        groups = [str(item.get("login")) for item in self._all(access, "/user/orgs")]
        for team in self._all(access, "/user/teams"):
            organisation = team.get("organization")
            if isinstance(organisation, dict):
                groups.append(f"{organisation.get('login')}/{team.get('slug')}")
        claims = {
            "iss": self.issuer,
            "sub": str(person["id"]),
            "preferred_username": person.get("login"),
            "name": person.get("name") or person.get("login"),
            "picture": person.get("avatar_url"),
            "email": address,
            "email_verified": proven,
            "groups": groups,
        }
        again = tokens.get("refresh_token")
        return Grant(
            claims=claims, refresh_token=again if isinstance(again, str) else f"{ACCESS}{access}"
        )

    def _address(self, access: str) -> tuple[str, bool]:
        """Give the first of a person's addresses, and whether they proved that it is theirs."""
        for item in self._all(access, "/user/emails"):
            if item.get("primary") is True and isinstance(item.get("email"), str):
                return item["email"], item.get("verified") is True
        return "", False

    def _all(self, access: str, path: str) -> list[Mapping[str, Any]]:
        found: list[Mapping[str, Any]] = []
        for page in range(1, MOST_PAGES + 1):
            told = self._ask(access, f"{path}?per_page={PAGE}&page={page}")
            if not isinstance(told, list):
                raise SignInFailedError("unreachable", _("GitHub gives no list at %(path)s.",
                                                         path=path))  # fmt: skip
            found += [item for item in told if isinstance(item, dict)]
            if len(told) < PAGE:
                break
        return found

    def _ask(self, access: str, path: str) -> Any:
        try:
            answer = self.http.request(
                "GET",
                f"{self.api}{path}",
                headers={
                    "authorization": f"Bearer {access}",
                    "accept": "application/vnd.github+json",
                    "x-github-api-version": VERSION,
                },
                redirects=False,
            )
            if answer.status == 401:
                raise RefusedGrantError("refused", _("GitHub takes the token no more."))
            if answer.status != 200:
                raise SignInFailedError(
                    "unreachable",
                    _("%(url)s answered with status %(status)s.", url=answer.url,
                      status=answer.status),
                )  # fmt: skip
            return answer.json()
        except SignInFailedError:
            raise
        except CallboardError as error:
            raise SignInFailedError("unreachable", reason_of(error)) from error
