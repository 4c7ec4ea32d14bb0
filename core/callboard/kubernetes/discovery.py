"""Which kinds a cluster serves, in which versions, from the aggregated form of discovery."""

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from callboard.kubernetes.answer import document
from callboard.kubernetes.connection import Connection
from callboard.kubernetes.failures import NOT_ANSWERING, ClusterError
from callboard.kubernetes.model import Resource
from callboard.kubernetes.patience import patiently

KEEP_SECONDS: Final = 300.0
ROOTS: Final = ("/api", "/apis")

_FORM: Final = "application/json;g=apidiscovery.k8s.io;v={};as=APIGroupDiscoveryList"
ACCEPT: Final = ",".join((_FORM.format("v2"), _FORM.format("v2beta1"), "application/json"))
"""The form of Kubernetes 1.30, that of 1.26, and the one before, which takes many requests."""


@dataclass(frozen=True, slots=True)
class Served:
    """A kind that a cluster serves; the version it prefers is the first."""

    kind: str
    namespaced: bool
    versions: tuple[str, ...]


Kinds = dict[str, Served]
"""By the key of a resource, such as `pipelineruns.tekton.dev`."""


class Discovery:
    """What one cluster serves, kept for some minutes. It may be shared by threads."""

    def __init__(self, connection: Connection, clock: Callable[[], float] = time.monotonic) -> None:
        self._connection = connection
        self._clock = clock
        self._lock = threading.Lock()
        self._known: dict[str, tuple[str, Kinds]] = {}
        self._until = 0.0

    def find(self, resource: Resource) -> Resource | None:
        """Give a resource at the version that is served, its own if it is; None for an absent one.

        Raises `ClusterError` where the cluster does not answer and has never been asked.
        """
        served = self.kinds().get(resource.key)
        if served is None:
            return None
        own = resource.version in served.versions
        version = resource.version if own else served.versions[0]
        return replace(resource, version=version, kind=served.kind, namespaced=served.namespaced)

    def kinds(self, *, anew: bool = False) -> Mapping[str, Served]:
        """Give all kinds. Without `anew`, what is known is enough while nobody answers."""
        with self._lock:
            if anew or self._clock() >= self._until:
                self._look(anew)
            return {
                key: served for _tag, kinds in self._known.values() for key, served in kinds.items()
            }

    def _look(self, anew: bool) -> None:
        try:
            for root in ROOTS:
                self._known[root] = self._read(root)
        except ClusterError as error:
            known = len(self._known) == len(ROOTS)
            if anew or not known or error.state not in NOT_ANSWERING:
                raise
        else:
            self._until = self._clock() + KEEP_SECONDS

    def _read(self, root: str) -> tuple[str, Kinds]:
        tag, before = self._known.get(root, ("", {}))
        headers = {"If-None-Match": tag} if tag else {}
        answer = patiently(
            lambda: self._connection.ask("GET", root, accept=ACCEPT, headers=headers)
        )
        with answer:
            if answer.status == 304:
                return tag, before
            body = document(self._connection.name, answer.read())
        if body.get("kind") == "APIGroupDiscoveryList":
            return answer.headers.get("ETag", ""), _aggregated(body, before)
        return "", self._one_by_one(root, body)

    def _one_by_one(self, root: str, body: Mapping[str, Any]) -> Kinds:
        """Ask for the kinds of each group and version, as servers before 1.26 want it."""
        found: Kinds = {}
        for group, version in _group_versions(body):
            path = f"{root}/{group}/{version}" if group else f"{root}/{version}"
            try:
                listed = self._connection.read(path)
            except ClusterError as error:
                if error.state in NOT_ANSWERING and error.state != "busy":
                    raise
                continue  # a server behind this one, which serves the group, is away
            for item in listed.get("resources") or ():
                if "/" not in item["name"]:
                    _add(found, group, version, item["name"], item["kind"], item["namespaced"])
        return found


def _aggregated(body: Mapping[str, Any], before: Kinds) -> Kinds:
    found: Kinds = {}
    for item in body.get("items") or ():
        group = item.get("metadata", {}).get("name") or ""
        for version in item.get("versions") or ():
            if version.get("freshness") == "Stale":
                _keep(found, before, group, version["version"])
            for resource in version.get("resources") or ():
                kind = (resource.get("responseKind") or {}).get("kind") or ""
                namespaced = resource.get("scope") == "Namespaced"
                _add(found, group, version["version"], resource["resource"], kind, namespaced)
    return found


def _group_versions(body: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for version in body.get("versions") or ():
        if isinstance(version, str):
            yield "", version
    for group in body.get("groups") or ():
        for version in group.get("versions") or ():
            yield group["name"], version["version"]


def _add(found: Kinds, group: str, version: str, name: str, kind: str, namespaced: bool) -> None:
    key = f"{name}.{group}" if group else name
    served = found.get(key)
    if served is None:
        found[key] = Served(kind, namespaced, (version,))
    elif version not in served.versions:
        found[key] = replace(served, versions=(*served.versions, version))


def _keep(found: Kinds, before: Kinds, group: str, version: str) -> None:
    """Keep what a group served before, while the server that serves it is away."""
    for key, served in before.items():
        name, _dot, of = key.partition(".")
        if of == group and version in served.versions:
            _add(found, group, version, name, served.kind, served.namespaced)
