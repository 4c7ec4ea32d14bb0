"""What the sandbox keeps: objects with their history, and the logs of containers, in SQLite.

The API server and the controllers work on one `Store`, which any thread may use. Every write is a
transaction of its own and has a version, as `metadata.resourceVersion`. The history is kept until
it is compacted; watches, pages of lists and lists of the past are read from it. All of it is there
again after a restart.

Resources are named as in `callboard.kubernetes.Resource.key`: `pods`, `pipelineruns.tekton.dev`.
Objects are plain JSON with `apiVersion`, `kind` and `metadata`; what is handed out may be changed
by the caller.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Final, Literal, cast

import orjson

from callboard_sandbox.api.bodies import (
    Door,
    copy_of,
    finalizers_of,
    new_body,
    require_that,
    specification,
    through,
)
from callboard_sandbox.api.collecting import FOREGROUND, collect
from callboard_sandbox.api.failures import already_exists, not_found
from callboard_sandbox.api.history import Change, History
from callboard_sandbox.api.kinds import CRD, Kind, Kinds, definitions, kind_of_definition
from callboard_sandbox.api.logbook import Line
from callboard_sandbox.api.stamps import stamp

Json = dict[str, Any]
Clock = Callable[[], datetime]
Propagation = Literal["Background", "Foreground", "Orphan"]
# The class has a method `list`, so that its lists need names of their own.
Objects = list[Json]
Named = list[tuple[str, Json]]
Keys = list[tuple[str, str, str]]
Rows = list[tuple[str, str, bytes]]

__all__ = ["Change", "Clock", "Door", "Line", "Propagation", "Store"]

NAMESPACES: Final = ("default", "kube-system")


class Store(History):
    """Objects and logs in a folder of the sandbox's own."""

    def __init__(self, folder: Path, *, clock: Clock, history: int = 10_000) -> None:
        """Open it, or begin it. At least `history` changes are kept when it compacts itself."""
        super().__init__(folder, history)
        self.clock: Final = clock
        self.kinds: Final = Kinds()
        self._begin()

    def _begin(self) -> None:
        for namespace in NAMESPACES:
            if self.find("namespaces", "", namespace) is None:
                self.create("namespaces", {"metadata": {"name": namespace}})
        for definition in definitions():
            if self.find(CRD, "", definition["metadata"]["name"]) is None:
                self.create(CRD, definition)
        for definition in self.list(CRD):
            self.kinds.add(kind_of_definition(definition))

    # reading

    def find(self, resource: str, namespace: str, name: str) -> Json | None:
        """Give an object, None where there is none. Of cluster-wide ones the namespace is ''."""
        with self._lock:
            row = self._connection.execute(
                "select body from object where resource = ? and namespace = ? and name = ?",
                (resource, namespace, name),
            ).fetchone()
        return cast("Json", orjson.loads(row[0])) if row else None

    def get(self, resource: str, namespace: str, name: str) -> Json:
        """Give an object. Raises `ApiError` 404."""
        found = self.find(resource, namespace, name)
        if found is None:
            kind = self.kinds.get(resource)
            raise not_found(kind.plural, name, kind.group)
        return found

    def list(
        self, resource: str, namespace: str = "", *, labels: Mapping[str, str] | None = None
    ) -> Objects:
        """Give the objects of a namespace, or of all, that have these labels, by name."""
        return [
            body
            for body in self.scan(resource, namespace)
            if not labels or labels.items() <= (body["metadata"].get("labels") or {}).items()
        ]

    def scan(
        self,
        resource: str,
        namespace: str = "",
        *,
        after: tuple[str, str] = ("", ""),
        version: int | None = None,
    ) -> Iterator[Json]:
        """Yield objects after (namespace, name), as they were at a version that is not forgotten.

        Rows are read in pieces, so that a long list does not keep writers waiting.
        """
        while rows := self._piece(resource, namespace, after, version):
            for _, _, body in rows:
                yield orjson.loads(body)
            after = rows[-1][0], rows[-1][1]

    def _piece(
        self, resource: str, namespace: str, after: tuple[str, str], version: int | None
    ) -> Rows:
        bound = {"resource": resource, "namespace": namespace, "after": after[0], "name": after[1],
                 "version": self._version if version is None else version}  # fmt: skip
        where = (
            "resource = :resource and (namespace, name) > (:after, :name)"
            " and (:namespace = '' or namespace = :namespace)"
        )
        now = f"select namespace, name, body from object where {where}"
        # What changed since was, before the first of its changes, what that one replaced.
        first = (
            "select min(version) from change where resource = :resource and version > :version"
            " group by namespace, name"
        )
        then = (
            f"{now} and version <= :version union all select namespace, name, previous from change"
            f" where version in ({first}) and previous is not null and {where}"
        )
        with self._lock:
            current = version is None or version >= self._version
            return self._connection.execute(
                f"{now if current else then} order by namespace, name limit 500", bound
            ).fetchall()

    def count(self, resource: str, namespace: str = "", after: tuple[str, str] = ("", "")) -> int:
        """Count the objects that come after (namespace, name)."""
        with self._lock:
            (found,) = self._connection.execute(
                "select count(*) from object where resource = ? and (namespace, name) > (?, ?)"
                " and (? = '' or namespace = ?)",
                (resource, *after, namespace, namespace),
            ).fetchone()
        return int(found)

    def children(self, uid: str) -> Named:
        """Give (resource, object) of what names this uid among its owners."""
        with self._lock:
            rows = self._connection.execute(
                "select resource, body from owner join object using (resource, namespace, name)"
                " where owner = ? order by object.version",
                (uid,),
            ).fetchall()
        return [(resource, orjson.loads(body)) for resource, body in rows]

    # writing

    def create(self, resource: str, body: Mapping[str, Any], *, dry: bool = False) -> Json:
        """Add an object: its uid, times, generation and version are set, `generateName` is used.

        Status is kept as given (controllers only; the API drops it where it is a subresource).
        Raises `ApiError` 409 AlreadyExists, 404 for a namespace that is not there. When `dry`,
        nothing is written.
        """
        kind = self.kinds.get(resource)
        with self._transaction(dry=dry):
            made = new_body(kind, body, self.clock())
            metadata = made["metadata"]
            namespace, name = metadata.get("namespace", ""), metadata["name"]
            if kind.namespaced and self.find("namespaces", "", namespace) is None:
                raise not_found("namespaces", namespace)
            if self.find(resource, namespace, name) is not None:
                raise already_exists(kind.plural, name, kind.group)
            if not dry:
                self._put(kind, made, None)
        if not dry:
            self._wake()
        return made

    def update(
        self,
        resource: str,
        namespace: str,
        name: str,
        change: Callable[[Json], None],
        *,
        door: Door = "main",
        dry: bool = False,
    ) -> Json:
        """Let `change` edit the object in place, in one transaction, and give what it became.

        Through the door `status` only the status changes, through `main` everything else (of kinds
        with a status subresource). Nothing is written where nothing differs. The generation counts
        changes of the specification. An object that waits for finalizers goes with the last of
        them. Raises `ApiError` 404, and what `change` raises. When `dry`, nothing is written.
        """
        kind = self.kinds.get(resource)
        with self._transaction(dry=dry):
            before = self.get(resource, namespace, name)
            edited = copy_of(before)
            change(edited)
            after = through(door, kind, before, edited)
            if after == before:
                return before
            if kind.counts_generations and specification(kind, after) != specification(
                kind, before
            ):
                after["metadata"]["generation"] = before["metadata"].get("generation", 1) + 1
            held = finalizers_of(kind, after)
            if not dry:
                if after["metadata"].get("deletionTimestamp") and not held:
                    self._drop(kind, after)
                else:
                    self._put(kind, after, before)
        if not dry:
            self._wake()
        return after

    def set_status(
        self, resource: str, namespace: str, name: str, status: Mapping[str, Any]
    ) -> Json:
        """Put a whole status; short for `update(..., door="status")`."""

        def put(body: Json) -> None:
            body["status"] = copy_of(status)

        return self.update(resource, namespace, name, put, door="status")

    def delete(
        self,
        resource: str,
        namespace: str,
        name: str,
        *,
        propagation: Propagation = "Background",
        uid: str = "",
        version: str = "",
        dry: bool = False,
    ) -> Json | None:
        """Delete an object; give it back where finalizers still hold it, None when it is gone.

        Its children go by `collect`. Raises `ApiError` 404, or 409 when it is not that uid or
        version any more.
        """
        kind = self.kinds.get(resource)
        with self._transaction(dry=dry):
            found = self.get(resource, namespace, name)
            require_that(kind, found["metadata"], uid, version)
            if propagation == "Orphan" and not dry:
                self._orphan(found["metadata"]["uid"])
            if dry:
                return None
            held = self._held(kind, found, propagation)
            if held is None:
                self._drop(kind, found)
        self._wake()
        return held

    def _held(self, kind: Kind, found: Json, propagation: str) -> Json | None:
        """Mark an object as being deleted, and give it, unless nothing holds it."""
        marked: Json = copy_of(found)
        metadata = marked["metadata"]
        finalizers = [*(metadata.get("finalizers") or ())]
        if propagation == "Foreground" and FOREGROUND not in finalizers:
            finalizers.append(FOREGROUND)
        if not finalizers and kind.key != "namespaces":
            return None
        if metadata.get("deletionTimestamp") is None:
            metadata["deletionTimestamp"] = stamp(self.clock())
            metadata["deletionGracePeriodSeconds"] = 0
            if kind.counts_generations:
                metadata["generation"] = metadata.get("generation", 1) + 1
        if finalizers:
            metadata["finalizers"] = finalizers
        if kind.key == "namespaces":
            marked["status"] = {"phase": "Terminating"}
        if marked != found:
            self._put(kind, marked, found)
        return marked

    def collect(self) -> int:
        """Delete what has lost its owners, and finish deletions; give how many objects went.

        The server calls it every few seconds; tests call it themselves.
        """
        return collect(self)

    def orphans(self) -> Keys:
        """Give (resource, namespace, name) of some objects none of whose owners is there."""
        with self._lock:
            return self._connection.execute(
                "select resource, namespace, name from object where not deleting"
                " and (resource, namespace, name) in (select resource, namespace, name from owner)"
                " and not exists (select 1 from owner join object as above on above.uid = owner"
                " where owner.resource = object.resource and owner.namespace = object.namespace"
                " and owner.name = object.name) limit 500"
            ).fetchall()

    def deleting(self) -> Named:
        """Give (resource, object) of what is being deleted and held by something."""
        with self._lock:
            rows = self._connection.execute(
                "select resource, body from object where deleting"
            ).fetchall()
        return [(resource, orjson.loads(body)) for resource, body in rows]

    def oldest(self, resource: str, limit: int) -> Objects:
        """Give the objects of a kind that were not written for longest."""
        with self._lock:
            rows = self._connection.execute(
                "select body from object where resource = ? order by version limit ?",
                (resource, limit),
            ).fetchall()
        return [orjson.loads(body) for (body,) in rows]

    def content(self, namespace: str) -> Keys:
        """Give (resource, namespace, name) of all that is in a namespace."""
        with self._lock:
            return self._connection.execute(
                "select resource, namespace, name from object where namespace = ?", (namespace,)
            ).fetchall()

    def _orphan(self, uid: str) -> None:
        for resource, body in self.children(uid):
            after = copy_of(body)
            kept = [each for each in after["metadata"]["ownerReferences"] if each["uid"] != uid]
            after["metadata"]["ownerReferences"] = kept
            self._put(self.kinds.get(resource), after, body)

    def _put(self, kind: Kind, body: Json, before: Json | None) -> None:
        """Write an object within a transaction, and its change."""
        metadata = body["metadata"]
        version = self._next()
        metadata["resourceVersion"] = str(version)
        key = (kind.key, metadata.get("namespace", ""), metadata["name"])
        text = orjson.dumps(body)
        self._connection.execute(
            "insert into object (resource, namespace, name, uid, version, deleting, body)"
            " values (?, ?, ?, ?, ?, ?, ?) on conflict (resource, namespace, name) do update"
            " set version = excluded.version, deleting = excluded.deleting, body = excluded.body",
            (*key, metadata["uid"], version, bool(metadata.get("deletionTimestamp")), text),
        )
        before_text = None if before is None else orjson.dumps(before)
        self._note(version, "ADDED" if before is None else "MODIFIED", key, text, before_text)
        self._own(key, metadata, None if before is None else before["metadata"])
        if kind.key == CRD:
            self.kinds.add(kind_of_definition(body))

    def _drop(self, kind: Kind, body: Json) -> None:
        """Take an object away within a transaction."""
        metadata = body["metadata"]
        key = (kind.key, metadata.get("namespace", ""), metadata["name"])
        before = orjson.dumps(body)
        version = self._next()
        metadata["resourceVersion"] = str(version)
        self._connection.execute(
            "delete from object where resource = ? and namespace = ? and name = ?", key
        )
        self._connection.execute(
            "delete from owner where resource = ? and namespace = ? and name = ?", key
        )
        self._note(version, "DELETED", key, orjson.dumps(body), before)
        if kind.key == "pods":
            self._forget_logs(metadata["uid"])
        if kind.key == CRD:
            self.kinds.remove(metadata["name"])

    def _own(self, key: tuple[str, str, str], metadata: Json, before: Json | None) -> None:
        owners = {each["uid"] for each in metadata.get("ownerReferences") or ()}
        known = {each["uid"] for each in (before or {}).get("ownerReferences") or ()}
        if owners == known:
            return
        self._connection.execute(
            "delete from owner where resource = ? and namespace = ? and name = ?", key
        )
        self._connection.executemany(
            "insert into owner (owner, resource, namespace, name) values (?, ?, ?, ?)",
            [(owner, *key) for owner in owners],
        )

    # logs of containers

    def append_log(
        self,
        namespace: str,
        pod: str,
        container: str,
        lines: Sequence[str],
        *,
        at: datetime | None = None,
        restart: int = 0,
    ) -> None:
        """Add lines to a container's log, now or at a time given; `restart` is its restartCount.

        A follower ends when the pod's status says that the container has terminated, so write the
        last lines before that status. Raises `ApiError` 404 for a pod that is not there.
        """
        with self._transaction():
            uid = self.get("pods", namespace, pod)["metadata"]["uid"]
            self._append(uid, container, restart, lines, at or self.clock())
        self._wake()
