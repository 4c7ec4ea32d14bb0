"""What a request asks for: the parts of its path, its options, and who sends it."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import orjson
import yaml

from callboard_sandbox.api.failures import ApiError
from callboard_sandbox.api.kinds import Kind, Kinds

Json = dict[str, Any]

MAXIMUM_BODY: Final = 3 * 1024**2
"""Bytes of an object that is sent; etcd keeps no larger ones."""
_VERBS: Final = {"POST": "create", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}


@dataclass(frozen=True, slots=True)
class User:
    """Who asks, as the token says."""

    name: str
    uid: str = ""
    groups: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Target:
    """The part of a path behind the group and version."""

    kind: Kind
    version: str
    namespace: str = ""
    name: str = ""
    subresource: str = ""

    @property
    def resource(self) -> str:
        """What rights are given for."""
        plural = self.kind.plural
        return f"{plural}/{self.subresource}" if self.subresource else plural


@dataclass(slots=True)
class Asked:
    """One request. `headers` are in lower case."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    user: User
    body: bytes = b""
    warnings: list[str] = field(default_factory=list)

    def is_on(self, option: str) -> bool:
        """Say whether an option of the query is set."""
        return self.query.get(option, "") in ("true", "1")

    @property
    def is_dry(self) -> bool:
        """Say whether nothing is to be written. Raises `ApiError` 422 for an unknown value."""
        given = self.query.get("dryRun", "")
        if given not in ("", "All"):
            raise ApiError(
                422,
                f'CreateOptions.meta.k8s.io "" is invalid: dryRun: Unsupported value: "{given}":'
                ' supported values: "All"',
                details={"group": "meta.k8s.io", "kind": "CreateOptions"},
            )
        return given == "All"

    @property
    def content_type(self) -> str:
        """The media type of the body, without parameters."""
        return self.headers.get("content-type", "").partition(";")[0].strip().lower()

    @property
    def manager(self) -> str:
        """Who is noted for the fields that are written: named, or the client's name."""
        agent = self.headers.get("user-agent", "").partition("/")[0]
        return self.query.get("fieldManager") or agent or "unknown"

    def verb(self, target: Target) -> str:
        """Give the verb that rights are given for."""
        if self.method in ("GET", "HEAD"):
            if target.name:
                return "get"
            return "watch" if self.is_on("watch") else "list"
        if self.method == "DELETE" and not target.name:
            return "deletecollection"
        return _VERBS.get(self.method, self.method.lower())

    def document(self) -> Any:
        """Read the body. Raises `ApiError` 400 for what is neither JSON nor YAML."""
        try:
            if self.content_type.endswith("yaml"):
                # JSON is YAML; but the faster reader is tried first.
                try:
                    return orjson.loads(self.body)
                except ValueError:
                    return yaml.safe_load(self.body)
            return orjson.loads(self.body)
        except (ValueError, yaml.YAMLError) as error:
            raise ApiError(
                400, "the object provided is unrecognized (must be of type Object): couldn't get"
                " version/kind; json parse error"
            ) from error  # fmt: skip


def target_of(kinds: Kinds, path: str) -> Target | None:
    """Read the path of objects, None where nothing is served there."""
    match path.strip("/").split("/"):
        case ["api", version, *rest]:
            group = ""
        case ["apis", group, version, *rest]:
            pass
        case _:
            return None
    namespace = ""
    if len(rest) >= 3 and rest[0] == "namespaces" and rest[2] not in ("status", "finalize"):
        namespace, rest = rest[1], rest[2:]
    if not 1 <= len(rest) <= 3:
        return None
    kind = kinds.find(group, version, rest[0])
    if kind is None or (namespace and not kind.namespaced):
        return None
    name, subresource = [*rest[1:], "", ""][:2]
    return Target(kind, version, namespace, name, subresource)


_NAME: Final = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
_NAME_FAULT: Final = (
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or"
    " '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used"
    " for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"
)


def name_fault(name: str) -> str:
    """Say what is wrong with an object's name, nothing if it may be used."""
    if len(name) > 253:
        return "must be no more than 253 characters"
    return "" if _NAME.fullmatch(name) else _NAME_FAULT
