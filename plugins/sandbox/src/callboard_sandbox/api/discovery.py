"""What is served: the legacy lists and the aggregated form (KEP-3352)."""

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

import orjson

from callboard_sandbox.api.kinds import Kind, Kinds

Json = dict[str, Any]

AGGREGATED: Final = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
VERSION: Final = {
    "major": "1",
    "minor": "36",
    "emulationMajor": "1",
    "emulationMinor": "36",
    "minCompatibilityMajor": "1",
    "minCompatibilityMinor": "35",
    "gitVersion": "v1.36.2",
    "gitCommit": "0" * 40,
    "gitTreeState": "clean",
    "buildDate": "2026-08-21T00:00:00Z",
    "goVersion": "go1.26.6",
    "compiler": "gc",
    "platform": "linux/amd64",
}
_VERBS: Final = ("create", "delete", "deletecollection", "get", "list", "patch", "update", "watch")
_CUSTOM: Final = ("delete", "deletecollection", "get", "list", "patch", "create", "update", "watch")
_CHANGES: Final = ("get", "patch", "update")
_Subresource = tuple[str, str, str, tuple[str, ...]]
_OF_PODS: Final[Mapping[str, _Subresource]] = {
    "eviction": ("policy", "v1", "Eviction", ("create",)),
    "log": ("", "", "Pod", ("get",)),
}


def versions(address: str) -> Json:
    """Answer `/api`."""
    return {
        "kind": "APIVersions",
        "versions": ["v1"],
        "serverAddressByClientCIDRs": [{"clientCIDR": "0.0.0.0/0", "serverAddress": address}],
    }


def groups(kinds: Kinds) -> Json:
    """Answer `/apis`."""
    listed = [_group(name, found) for name, found in _grouped(kinds).items() if name]
    return {"kind": "APIGroupList", "apiVersion": "v1", "groups": listed}


def group(kinds: Kinds, name: str) -> Json | None:
    """Answer `/apis/<group>`, None where there is none."""
    found = _grouped(kinds).get(name)
    return {"kind": "APIGroup", "apiVersion": "v1", **_group(name, found)} if found else None


def _grouped(kinds: Kinds) -> dict[str, dict[str, list[Kind]]]:
    """Give the kinds by group and version, the preferred version of a group first."""
    found: dict[str, dict[str, list[Kind]]] = {}
    for kind in kinds:
        of_group = found.setdefault(kind.group, {})
        for version in kind.versions:
            of_group.setdefault(version, []).append(kind)
    return {name: dict(sorted(each.items(), key=_order)) for name, each in found.items()}


def _order(item: tuple[str, Any]) -> tuple[bool, bool, int]:
    version = item[0]
    digits = version.removeprefix("v").partition("alpha")[0].partition("beta")[0]
    return "alpha" in version, "beta" in version, -int(digits)


def _group(name: str, found: dict[str, list[Kind]]) -> Json:
    listed = [{"groupVersion": f"{name}/{version}", "version": version} for version in found]
    return {"name": name, "versions": listed, "preferredVersion": listed[0]}


def resources(kinds: Kinds, name: str, version: str) -> Json | None:
    """Answer `/api/v1` and `/apis/<group>/<version>`, None where there is none."""
    found = _grouped(kinds).get(name, {}).get(version)
    if found is None:
        return None
    listed = [row for kind in found for row in _rows(kind)]
    if not name:
        # The core group says less of itself (observed).
        return {"kind": "APIResourceList", "groupVersion": version, "resources": listed}
    return {
        "kind": "APIResourceList",
        "apiVersion": "v1",
        "groupVersion": f"{name}/{version}",
        "resources": listed,
    }


def _rows(kind: Kind) -> Iterator[Json]:
    row: Json = {
        "name": kind.plural,
        "singularName": kind.singular,
        "namespaced": kind.namespaced,
        "kind": kind.kind,
        "verbs": list(_verbs(kind)),
    }
    if kind.short:
        row["shortNames"] = list(kind.short)
    if kind.categories:
        row["categories"] = list(kind.categories)
    if not kind.reviewed:
        digest = hashlib.sha256(kind.key.encode()).hexdigest()
        row["storageVersionHash"] = f"{digest[:11]}="
    yield row
    for name, (group_, version, made, verbs) in _subresources(kind).items():
        more: Json = {
            "name": f"{kind.plural}/{name}",
            "singularName": "",
            "namespaced": kind.namespaced,
        }
        if group_:
            more |= {"group": group_, "version": version}
        yield more | {"kind": made, "verbs": list(verbs)}


def _verbs(kind: Kind) -> tuple[str, ...]:
    if kind.key == "namespaces":
        return tuple(verb for verb in _VERBS if verb != "deletecollection")
    return ("create",) if kind.reviewed else _CUSTOM if kind.is_custom else _VERBS


def _subresources(kind: Kind) -> dict[str, _Subresource]:
    found: dict[str, _Subresource] = dict(_OF_PODS) if kind.key == "pods" else {}
    if kind.has_scale:
        found["scale"] = ("autoscaling", "v1", "Scale", _CHANGES)
    if kind.has_status:
        found["status"] = ("", "", kind.kind, _CHANGES)
    return found


def aggregated(kinds: Kinds, *, core: bool) -> tuple[bytes, str]:
    """Answer `/api` or `/apis` with all resources, and give the answer's ETag."""
    items = [
        {
            "metadata": {"name": name} if name else {},
            "versions": [
                {
                    "version": version,
                    "resources": _described(of_version, version),
                    "freshness": "Current",
                }
                for version, of_version in found.items()
            ],
        }
        for name, found in _grouped(kinds).items()
        if (not name) == core
    ]
    body = orjson.dumps(
        {
            "kind": "APIGroupDiscoveryList",
            "apiVersion": "apidiscovery.k8s.io/v2",
            "metadata": {},
            "items": items,
        }
    )
    return body, f'"{hashlib.sha512(body).hexdigest().upper()}"'


def _described(kinds: Iterable[Kind], version: str) -> list[Json]:
    found = []
    for kind in sorted(kinds, key=lambda each: each.plural):
        row: Json = {
            "resource": kind.plural,
            "responseKind": _response(kind, version),
            "scope": "Namespaced" if kind.namespaced else "Cluster",
            "singularResource": kind.singular,
            "verbs": list(_verbs(kind)),
        }
        if kind.short:
            row["shortNames"] = list(kind.short)
        if kind.categories:
            row["categories"] = list(kind.categories)
        subresources = [
            {
                "subresource": name,
                "responseKind": {"group": group_, "version": made_version, "kind": made}
                if group_
                else _response(kind, version),
                "verbs": list(verbs),
            }
            for name, (group_, made_version, made, verbs) in sorted(_subresources(kind).items())
        ]
        if subresources:
            row["subresources"] = subresources
        found.append(row)
    return found


def _response(kind: Kind, version: str) -> Json:
    """Name the kind; built-in ones leave out group and version, which are those asked for."""
    if kind.is_custom:
        return {"group": kind.group, "version": version, "kind": kind.kind}
    return {"group": "", "version": "", "kind": kind.kind}


def paths(kinds: Kinds) -> Json:
    """Answer `/`."""
    found = ["/.well-known/openid-configuration", "/api", "/api/v1", "/apis", "/apis/"]
    for name, of_group in sorted(_grouped(kinds).items()):
        if name:
            found += [f"/apis/{name}", *(f"/apis/{name}/{version}" for version in sorted(of_group))]
    return {"paths": [*found, "/healthz", "/livez", "/readyz", "/version"]}


def openid(address: str) -> Json:
    """Answer `/.well-known/openid-configuration`."""
    return {
        "issuer": "https://kubernetes.default.svc",
        "jwks_uri": f"http://{address}/openid/v1/jwks",
        "response_types_supported": ["id_token"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["RS256"],
    }
