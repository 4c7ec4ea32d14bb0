"""One cluster, as plugins use it."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from copy import copy
from dataclasses import replace
from functools import partial
from typing import Any, Final

from callboard.errors import InputError
from callboard.i18n import Translator
from callboard.kubernetes.access import AccessReviews
from callboard.kubernetes.answer import document
from callboard.kubernetes.cluster import LogQuery, Question
from callboard.kubernetes.connection import Connection
from callboard.kubernetes.discovery import Discovery
from callboard.kubernetes.failures import ClusterError
from callboard.kubernetes.following import ContainerLog
from callboard.kubernetes.listing import objects, pages
from callboard.kubernetes.model import Resource, Written
from callboard.kubernetes.patience import patiently
from callboard.kubernetes.settings import ClusterSettings

_ = Translator("callboard")

MANAGER: Final = "callboard"
CHANGES: Final = 5
"""How often a change is made anew because somebody came between."""

APPLY: Final = "application/apply-patch+yaml"
MERGE: Final = "application/merge-patch+json"
JSON: Final = "application/json-patch+json"


class ClusterClient:
    """`callboard.kubernetes.Cluster` over a connection. It may be shared by threads."""

    def __init__(
        self,
        settings: ClusterSettings,
        connection: Connection,
        *,
        sleep: Callable[[float], object] = time.sleep,
    ) -> None:
        self.settings: Final = settings
        self.connection: Final = connection
        self.discovery: Final = Discovery(connection)
        self._reviews = AccessReviews(connection)
        self._named: Mapping[str, str] = {}
        self._sleep = sleep

    @property
    def name(self) -> str:
        return self.settings.name

    @property
    def namespaces(self) -> Sequence[str]:
        """The namespaces to look at, each by requests of its own; an empty one for all at once."""
        return self.settings.namespaces or ("",)

    def version(self) -> str:
        """Ask for the version of the API server, such as `v1.33.2`."""
        found = patiently(partial(self.connection.read, "/version"), sleep=self._sleep)
        return str(found.get("gitVersion") or "")[:80]

    def serves(self, resource: Resource) -> Resource | None:
        return self.discovery.find(resource)

    def get(self, resource: Resource, namespace: str, name: str) -> Mapping[str, Any]:
        path = resource.path(namespace, name)
        return patiently(partial(self.connection.read, path), sleep=self._sleep)

    def list(
        self,
        resource: Resource,
        namespace: str = "",
        *,
        labels: Mapping[str, str] | None = None,
        fields: Mapping[str, str] | None = None,
    ) -> Iterator[Mapping[str, Any]]:
        every = [namespace] if namespace or not resource.namespaced else self.namespaces
        for one in every:
            read = partial(
                pages, self.connection, resource, one, labels, fields=fields, inconsistent=True
            )
            yield from objects(read)

    def create(self, resource: Resource, body: Mapping[str, Any], *, dry: bool = False) -> Written:
        namespace = str(body.get("metadata", {}).get("namespace") or "")
        query = [*_written(dry), ("fieldValidation", "Strict")]
        return self._write("POST", resource.path(namespace), query, body)

    def patch(
        self,
        resource: Resource,
        namespace: str,
        name: str,
        patch: Mapping[str, Any] | Sequence[Mapping[str, Any]],
        *,
        subresource: str = "",
        dry: bool = False,
    ) -> Written:
        query = [*_written(dry), ("fieldValidation", "Strict")]
        path = resource.path(namespace, name, subresource)
        # Strategic merges are not known to custom resources; these two are known everywhere.
        if isinstance(patch, Mapping):
            return self._write("PATCH", path, query, dict(patch), MERGE)
        return self._write("PATCH", path, query, [dict(step) for step in patch], JSON)

    def change(
        self,
        resource: Resource,
        namespace: str,
        name: str,
        make: Callable[[Mapping[str, Any]], Mapping[str, Any] | None],
        *,
        subresource: str = "",
    ) -> Written:
        for attempt in range(CHANGES):
            found = self.get(resource, namespace, name)
            patch = make(found)
            if patch is None:
                return Written(found)
            version = found["metadata"]["resourceVersion"]
            bound = {**patch, "metadata": {**patch.get("metadata", {}), "resourceVersion": version}}
            try:
                return self.patch(resource, namespace, name, bound, subresource=subresource)
            except ClusterError as error:
                if error.state != "conflict" or attempt == CHANGES - 1:
                    raise
        raise AssertionError("unreachable")

    def apply(
        self, resource: Resource, body: Mapping[str, Any], *, force: bool = False, dry: bool = False
    ) -> Written:
        metadata = body["metadata"]
        path = resource.path(str(metadata.get("namespace") or ""), metadata["name"])
        query = [*_written(dry), ("fieldValidation", "Strict")]
        if force:
            query.append(("force", "true"))
        full = {"apiVersion": resource.api_version, "kind": resource.kind, **body}
        return self._write("PATCH", path, query, full, APPLY)

    def acting_as(self, user: str, group: str = "") -> "ClusterClient":
        named = {"Impersonate-User": user, **({"Impersonate-Group": group} if group else {})}
        if not all(name.isascii() and name.isprintable() for name in named.values()):
            raise InputError(_("The cluster takes no such name of a person: %(name)s.", name=user))
        found = copy(self)
        found._named = named
        return found

    def delete(
        self, resource: Resource, namespace: str, name: str, *, uid: str = "", dry: bool = False
    ) -> Written:
        options: dict[str, Any] = {
            "apiVersion": "v1",
            "kind": "DeleteOptions",
            "propagationPolicy": "Background",
        }
        if uid:
            options["preconditions"] = {"uid": uid}
        if dry:
            options["dryRun"] = ["All"]
        return self._write("DELETE", resource.path(namespace, name), [], options)

    def allowed(self, questions: Sequence[Question]) -> Sequence[bool]:
        """Answer by access reviews; all namespaces are those of the settings, if they name any."""
        parts = [self._parts(question) for question in questions]
        every = [one for part in parts for one in part]
        answers = dict(zip(every, self._reviews.allowed(every), strict=True))
        return [all(answers[one] for one in part) for part in parts]

    def _parts(self, question: Question) -> Sequence[Question]:
        if question.namespace or not question.resource.namespaced:
            return [question]
        return [replace(question, namespace=namespace) for namespace in self.namespaces]

    def log(self, namespace: str, pod: str, query: LogQuery) -> ContainerLog:
        return ContainerLog(self.connection, namespace, pod, query)

    def _write(
        self,
        method: str,
        path: str,
        query: Sequence[tuple[str, str]],
        body: Any,
        content_type: str = "application/json",
    ) -> Written:
        ask = partial(self.connection.ask, method, path, query, body=body,
                      content_type=content_type, headers=self._named)  # fmt: skip
        with patiently(ask, writes=True, sleep=self._sleep) as answer:
            return Written(document(self.name, answer.read()), answer.warnings)


def _written(dry: bool) -> Sequence[tuple[str, str]]:
    query = [("fieldManager", MANAGER)]
    return [*query, ("dryRun", "All")] if dry else query
