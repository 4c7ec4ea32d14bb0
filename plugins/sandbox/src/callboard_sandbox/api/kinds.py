"""The kinds of objects that are served: built-in ones, and those of resource definitions."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, Final

import orjson

Json = dict[str, Any]

DEFINITIONS: Final = Path(__file__).parent / "crds"
CRD: Final = "customresourcedefinitions.apiextensions.k8s.io"


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind. `versions` has the preferred one first; `stored` is what the store keeps.

    `schemas` and `columns` are those of a resource definition by version. `reviewed` is what is
    only created and answered, never kept.
    """

    group: str
    versions: tuple[str, ...]
    plural: str
    singular: str
    kind: str
    namespaced: bool = True
    short: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    has_status: bool = False
    has_scale: bool = False
    is_custom: bool = False
    reviewed: bool = False
    schemas: Mapping[str, Json] = field(default_factory=dict, compare=False)
    columns: Mapping[str, list[Json]] = field(default_factory=dict, compare=False)

    @property
    def key(self) -> str:
        """What the store calls it."""
        return f"{self.plural}.{self.group}" if self.group else self.plural

    @property
    def stored(self) -> str:
        """The version that is kept."""
        return self.versions[0]

    @property
    def counts_generations(self) -> bool:
        """Whether `metadata.generation` is kept for it."""
        return self.is_custom or self.group in _COUNTED_GROUPS or self.key in ("pods", CRD)

    def api_version(self, version: str = "") -> str:
        """What its objects carry as `apiVersion`."""
        version = version or self.stored
        return f"{self.group}/{version}" if self.group else version


_COUNTED_GROUPS: Final = frozenset({"apps", "batch", "networking.k8s.io", "policy"})

# plural, kind, short names, categories; `*` namespaced, `/` status, `^` scale
_CORE: Final = """
configmaps ConfigMap cm - *
endpoints Endpoints ep - *
events Event ev - *
limitranges LimitRange limits - *
namespaces Namespace ns - /
nodes Node no - /
persistentvolumeclaims PersistentVolumeClaim pvc - */
persistentvolumes PersistentVolume pv - /
pods Pod po all */
podtemplates PodTemplate - - *
replicationcontrollers ReplicationController rc all */^
resourcequotas ResourceQuota quota - */
secrets Secret - - *
serviceaccounts ServiceAccount sa - *
services Service svc all */
"""
_GROUPS: Final[Mapping[tuple[str, tuple[str, ...]], str]] = {
    ("apps", ("v1",)): """
controllerrevisions ControllerRevision - - *
daemonsets DaemonSet ds all */
deployments Deployment deploy all */^
replicasets ReplicaSet rs all */^
statefulsets StatefulSet sts all */^
""",
    ("events.k8s.io", ("v1",)): "events Event ev - *",
    ("authentication.k8s.io", ("v1",)): "selfsubjectreviews SelfSubjectReview - - !",
    ("authorization.k8s.io", ("v1",)): """
selfsubjectaccessreviews SelfSubjectAccessReview - - !
selfsubjectrulesreviews SelfSubjectRulesReview - - !
""",
    ("autoscaling", ("v2", "v1")): "horizontalpodautoscalers HorizontalPodAutoscaler hpa all */",
    ("batch", ("v1",)): """
cronjobs CronJob cj all */
jobs Job - all */
""",
    ("networking.k8s.io", ("v1",)): """
ingressclasses IngressClass - - -
ingresses Ingress ing - */
networkpolicies NetworkPolicy netpol - *
""",
    ("policy", ("v1",)): "poddisruptionbudgets PodDisruptionBudget pdb - */",
    ("rbac.authorization.k8s.io", ("v1",)): """
clusterrolebindings ClusterRoleBinding - - -
clusterroles ClusterRole - - -
rolebindings RoleBinding - - *
roles Role - - *
""",
    ("storage.k8s.io", ("v1",)): "storageclasses StorageClass sc - -",
    ("apiextensions.k8s.io", ("v1",)): (
        "customresourcedefinitions CustomResourceDefinition crd,crds api-extensions /"
    ),
    ("coordination.k8s.io", ("v1",)): "leases Lease - - *",
}


def _built_in(group: str, versions: tuple[str, ...], table: str) -> Iterator[Kind]:
    for row in table.strip().splitlines():
        plural, kind, short, categories, marks = row.split()
        yield Kind(
            group,
            versions,
            plural,
            kind.lower(),
            kind,
            namespaced="*" in marks,
            short=() if short == "-" else tuple(short.split(",")),
            categories=() if categories == "-" else tuple(categories.split(",")),
            has_status="/" in marks,
            has_scale="^" in marks,
            reviewed="!" in marks,
        )


def kind_of_definition(definition: Mapping[str, Any]) -> Kind:
    """Read a CustomResourceDefinition (apiextensions.k8s.io/v1)."""
    spec = definition["spec"]
    names = spec["names"]
    served = [version for version in spec["versions"] if version.get("served")]
    served.sort(key=lambda version: _rank(version["name"]))
    return Kind(
        spec["group"],
        tuple(version["name"] for version in served),
        names["plural"],
        names.get("singular") or names["kind"].lower(),
        names["kind"],
        namespaced=spec["scope"] == "Namespaced",
        short=tuple(names.get("shortNames") or ()),
        categories=tuple(names.get("categories") or ()),
        has_status=any("status" in (each.get("subresources") or {}) for each in served),
        has_scale=any("scale" in (each.get("subresources") or {}) for each in served),
        is_custom=True,
        schemas={
            each["name"]: (each.get("schema") or {}).get("openAPIV3Schema") or {}
            for each in served
        },
        columns={
            each["name"]: list(each.get("additionalPrinterColumns") or ()) for each in served
        },
    )  # fmt: skip


def _rank(version: str) -> tuple[int, int, int]:
    """Order versions as the API does: v2, v1, v1beta2, v1beta1, v1alpha1."""
    stage = 1 if "beta" in version else 2 if "alpha" in version else 0
    major, _, minor = version.removeprefix("v").replace("alpha", "beta").partition("beta")
    return stage, -int(major or 0), -int(minor or 0)


@cache
def definitions() -> tuple[Json, ...]:
    """Give the resource definitions that come with the sandbox."""
    return tuple(orjson.loads(path.read_bytes()) for path in sorted(DEFINITIONS.glob("*.json")))


class Kinds:
    """All kinds, found by their names. Resource definitions add to the built-in ones."""

    def __init__(self, custom: Iterable[Mapping[str, Any]] = ()) -> None:
        self._by_key: dict[str, Kind] = {}
        self._by_address: dict[tuple[str, str, str], Kind] = {}
        self.add(*_built_in("", ("v1",), _CORE))
        for (group, versions), table in _GROUPS.items():
            self.add(*_built_in(group, versions, table))
        for definition in custom:
            self.add(kind_of_definition(definition))

    def add(self, *kinds: Kind) -> None:
        """Serve kinds from now on."""
        for kind in kinds:
            self._by_key[kind.key] = kind
            for version in kind.versions:
                self._by_address[kind.group, version, kind.plural] = kind

    def remove(self, key: str) -> None:
        """Serve a kind no longer."""
        kind = self._by_key.pop(key, None)
        if kind is not None:
            for version in kind.versions:
                del self._by_address[kind.group, version, kind.plural]

    def __iter__(self) -> Iterator[Kind]:
        return iter(list(self._by_key.values()))

    def get(self, key: str) -> Kind:
        """Give a kind by what the store calls it. Raises `KeyError`."""
        return self._by_key[key]

    def find(self, group: str, version: str, plural: str) -> Kind | None:
        """Give what is served at an address, None where nothing is."""
        return self._by_address.get((group, version, plural))
