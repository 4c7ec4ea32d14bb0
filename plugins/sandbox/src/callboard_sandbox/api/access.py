"""Who may do what: tokens, the roles they have, and reviews of them."""

import hmac
import os
import secrets
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import orjson

from callboard_sandbox.api.failures import ApiError, details_of
from callboard_sandbox.api.requests import Asked, Target, User

Json = dict[str, Any]

ANONYMOUS: Final = User("system:anonymous", groups=("system:unauthenticated",))
_READ: Final = ("get", "list", "watch")
_WRITE: Final = ("create", "patch", "update", "delete")


@dataclass(frozen=True, slots=True)
class Rule:
    """What may be done with resources; `*` is every one."""

    verbs: tuple[str, ...]
    groups: tuple[str, ...]
    resources: tuple[str, ...]

    def allows(self, verb: str, group: str, resource: str) -> bool:
        """Say whether the rule lets this happen."""
        return (
            _has(self.verbs, verb) and _has(self.groups, group) and _has(self.resources, resource)
        )

    def shown(self) -> Json:
        """Give it as a review of rules lists it."""
        return {
            "verbs": list(self.verbs),
            "apiGroups": list(self.groups),
            "resources": list(self.resources),
        }


def _has(values: Sequence[str], value: str) -> bool:
    return "*" in values or value in values


_REVIEWS: Final = (
    Rule(
        ("create",),
        ("authorization.k8s.io",),
        ("selfsubjectaccessreviews", "selfsubjectrulesreviews"),
    ),
    Rule(("create",), ("authentication.k8s.io",), ("selfsubjectreviews",)),
)
_PUBLIC: Final = ("/healthz", "/livez", "/readyz", "/version", "/version/")
_DISCOVERY: Final = (
    "/api", "/api/*", "/apis", "/apis/*", "/healthz", "/livez", "/openapi", "/openapi/*",
    "/readyz", "/version", "/version/",
)  # fmt: skip
_ADDRESSES: Final = (_DISCOVERY, ("/.well-known", "/.well-known/*"), _PUBLIC)
_TEKTON: Final = (
    "tekton.dev", "triggers.tekton.dev", "resolution.tekton.dev", "openshift-pipelines.org",
)  # fmt: skip
_CORE_READ: Final = (
    "configmaps", "endpoints", "events", "limitranges", "namespaces", "persistentvolumeclaims",
    "pods", "pods/log", "replicationcontrollers", "resourcequotas", "serviceaccounts", "services",
)  # fmt: skip
_VIEW: Final = (
    Rule(_READ, ("",), _CORE_READ),
    Rule(
        _READ,
        ("apps", "autoscaling", "batch", "events.k8s.io", "networking.k8s.io", "policy", *_TEKTON),
        ("*",),
    ),
)
_PORTAL: Final = (
    *_VIEW,
    Rule(_READ, ("",), ("nodes", "persistentvolumes")),
    Rule(_READ, ("storage.k8s.io", "apiextensions.k8s.io"), ("*",)),
    Rule(
        _WRITE,
        ("tekton.dev",),
        ("pipelineruns", "taskruns", "customruns", "customruns/status", "pipelines", "tasks"),
    ),
    Rule(("create", "patch"), ("",), ("serviceaccounts",)),
    Rule(_WRITE, ("openshift-pipelines.org",), ("approvaltasks",)),
    Rule(("impersonate",), ("",), ("users", "groups")),
)
_PEOPLE: Final = (*_VIEW, Rule(("patch",), ("openshift-pipelines.org",), ("approvaltasks",)))
"""What those may do in whose name somebody asks."""

ROLES: Final[Mapping[str, tuple[User, tuple[Rule, ...]]]] = {
    "admin": (
        User("admin", "u-admin", ("system:masters", "system:authenticated")),
        (Rule(("*",), ("*",), ("*",)),),
    ),
    "portal": (
        User(
            "system:serviceaccount:callboard:callboard",
            "u-portal",
            ("system:serviceaccounts", "system:authenticated"),
        ),
        _PORTAL,
    ),
    "viewer": (User("viewer", "u-viewer", ("system:authenticated",)), _VIEW),
    "nobody": (User("nobody", "u-nobody", ("system:authenticated",)), ()),
}
"""What a token may stand for: who it is, and what that may do."""


class Access:
    """The tokens of a sandbox and their roles; tests give and take rules."""

    def __init__(self, tokens: Mapping[str, str]) -> None:
        """Take the tokens by their roles. Raises `KeyError` for a role there is none of."""
        self.tokens: dict[str, str] = dict(tokens)
        self.admin = self.tokens.pop("faults", "")
        self.rules: dict[str, tuple[Rule, ...]] = {
            user.name: rules for user, rules in ROLES.values()
        }
        self.users = {role: user for role, (user, _) in ROLES.items()}

    def who(self, headers: Mapping[str, str]) -> User:
        """Give who sends a request. Raises `ApiError` 401 for a token that is none."""
        scheme, _, token = headers.get("authorization", "").partition(" ")
        if not scheme:
            return ANONYMOUS
        for role, known in self.tokens.items():
            if scheme.lower() == "bearer" and hmac.compare_digest(token.encode(), known.encode()):
                return self._in_name_of(self.users[role], headers)
        raise ApiError(401, "Unauthorized")

    def _in_name_of(self, user: User, headers: Mapping[str, str]) -> User:
        """Give the one a user asks to be (Kubernetes, "User impersonation")."""
        name, group = headers.get("impersonate-user", ""), headers.get("impersonate-group", "")
        for resource, wanted in (("users", name), ("groups", group)):
            if wanted and not self.allows(user, "impersonate", "", resource):
                raise ApiError(
                    403,
                    f'{resource} "{wanted}" is forbidden: User "{user.name}" cannot impersonate'
                    f' resource "{resource}" in API group "" at the cluster scope',
                    details=details_of(resource, wanted, ""),
                )
        if not name:
            return user
        return User(name, groups=(*([group] if group else []), "system:authenticated"))

    def _rules(self, user: User) -> Iterable[Rule]:
        if "system:authenticated" in user.groups:
            yield from _REVIEWS
            yield from self.rules.get(user.name, _PEOPLE)
        else:
            yield from self.rules.get(user.name, ())

    def allows(self, user: User, verb: str, group: str, resource: str) -> bool:
        """Say whether someone may do this with a resource, `pods/log` for a subresource."""
        return any(rule.allows(verb, group, resource) for rule in self._rules(user))

    def require(self, asked: Asked, target: Target) -> None:
        """Raise `ApiError` 403 unless the one who asks may do what is asked for."""
        verb, kind = asked.verb(target), target.kind
        if self.allows(asked.user, verb, kind.group, target.resource):
            return
        where = (
            f'in the namespace "{target.namespace}"' if target.namespace else "at the cluster scope"
        )
        name = f' "{target.name}"' if target.name else ""
        what = f"{kind.plural}.{kind.group}" if kind.group else kind.plural
        raise ApiError(
            403,
            f'{what}{name} is forbidden: User "{asked.user.name}" cannot {verb} resource'
            f' "{target.resource}" in API group "{kind.group}" {where}',
            details=details_of(kind.plural, target.name, kind.group),
        )

    def require_address(self, asked: Asked) -> None:
        """Raise `ApiError` 403 unless the path, which is none of a resource, may be read."""
        known = _ADDRESSES if "system:authenticated" in asked.user.groups else (_PUBLIC,)
        if "system:masters" in asked.user.groups or any(
            asked.path == each or (each.endswith("*") and asked.path.startswith(each[:-1]))
            for addresses in known
            for each in addresses
        ):
            return
        raise ApiError(
            403,
            f'forbidden: User "{asked.user.name}" cannot {asked.method.lower()} path'
            f' "{asked.path}"',
            details={},
        )

    def review(self, kind: str, asked: Asked, stamp: str) -> Json:
        """Answer what the one who asks wants to know about itself."""
        sent = asked.document() if asked.body else {}
        spec = sent.get("spec") or {}
        if kind == "SelfSubjectReview":
            user = {"username": asked.user.name, "uid": asked.user.uid}
            status: Json = {"userInfo": {**user, "groups": list(asked.user.groups)}}
            metadata = {"creationTimestamp": stamp}
            return {
                "kind": kind,
                "apiVersion": "authentication.k8s.io/v1",
                "metadata": metadata,
                "status": status,
            }
        if kind == "SelfSubjectRulesReview":
            status = self._listed(asked.user)
            spec = {}
        else:
            status = {"allowed": self._allowed(asked, spec)}
        return {
            "kind": kind,
            "apiVersion": "authorization.k8s.io/v1",
            "metadata": {},
            "spec": spec,
            "status": status,
        }

    def _allowed(self, asked: Asked, spec: Json) -> bool:
        wanted = spec.get("resourceAttributes")
        if wanted is None:
            return False
        resource = wanted.get("resource", "")
        if wanted.get("subresource"):
            resource += f"/{wanted['subresource']}"
        return self.allows(asked.user, wanted.get("verb", ""), wanted.get("group", ""), resource)

    def _listed(self, user: User) -> Json:
        return {
            "resourceRules": [rule.shown() for rule in self._rules(user)],
            "nonResourceRules": [
                {"verbs": ["get"], "nonResourceURLs": list(each)} for each in _ADDRESSES
            ],
            "incomplete": False,
        }


def kept_tokens(folder: Path) -> dict[str, str]:
    """Give the tokens of a sandbox by role; they are made at first. Only its owner reads them."""
    path = folder / "tokens.json"
    if path.exists():
        return dict(orjson.loads(path.read_bytes()))
    tokens = {role: secrets.token_urlsafe(32) for role in (*ROLES, "faults")}
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    write_privately(path, orjson.dumps(tokens))
    return tokens


def write_privately(path: Path, content: bytes) -> None:
    """Write a file that only its owner can read, whole or not at all."""
    new = path.with_suffix(".new")
    new.unlink(missing_ok=True)
    handle = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "wb") as file:
        file.write(content)
    new.replace(path)
