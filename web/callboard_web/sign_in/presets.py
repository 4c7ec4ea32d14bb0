"""What is usual at a kind of provider, so that few settings are needed."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Literal

ProviderType = Literal["oidc", "gitlab", "keycloak", "dex", "authing", "github"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Preset:
    """Defaults of a kind of provider. `annotations` maps an annotation of a User to a claim."""

    scopes: tuple[str, ...] = ("openid", "profile", "email")
    groups_claim: str = "groups"
    annotations: Mapping[str, str] = field(default_factory=dict)
    issuer: str = ""


PRESETS: Final[Mapping[ProviderType, Preset]] = {
    "oidc": Preset(annotations={"callboard.dev/subject": "sub"}),
    # GitLab gives the groups of a person in `groups` to clients with the scope openid.
    "gitlab": Preset(
        annotations={"gitlab.com/user-id": "sub", "gitlab.com/user-login": "preferred_username"},
    ),
    # The scope offline_access would give tokens that outlive the session at Keycloak.
    "keycloak": Preset(annotations={"keycloak.org/id": "sub"}),
    "dex": Preset(
        scopes=("openid", "profile", "email", "groups", "offline_access"),
        annotations={"callboard.dev/subject": "sub"},
    ),
    "authing": Preset(
        scopes=("openid", "profile", "email", "roles", "offline_access"),
        groups_claim="roles",
        annotations={"callboard.dev/subject": "sub"},
    ),
    "github": Preset(
        scopes=("read:user", "user:email", "read:org"),
        annotations={"github.com/user-id": "sub", "github.com/user-login": "preferred_username"},
        issuer="https://github.com",
    ),
}
