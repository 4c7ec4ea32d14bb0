"""Create, update, patch, apply and delete."""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any, Final, cast

import orjson

from callboard_sandbox.api import admission, approvals, quotas, schemas
from callboard_sandbox.api.apply import applied, touched
from callboard_sandbox.api.conversion import kept, shown, store_key
from callboard_sandbox.api.failures import ApiError, conflict, details_of, invalid, not_found
from callboard_sandbox.api.kinds import Kind
from callboard_sandbox.api.patches import merged, merged_by_name, patched
from callboard_sandbox.api.requests import Asked, Target, name_fault
from callboard_sandbox.api.stamps import stamp
from callboard_sandbox.api.store import Door, Propagation, Store

Json = dict[str, Any]

_APPLY: Final = "application/apply-patch+yaml"
_STRATEGIC: Final = "application/strategic-merge-patch+json"
_MERGES: Final[Mapping[str, Callable[[Any, Any], Any]]] = {
    "application/merge-patch+json": merged,
    "application/json-patch+json": patched,
    _STRATEGIC: merged_by_name,
}
_CONFLICT: Final = (
    "the object has been modified; please apply your changes to the latest version and try again"
)
# Deleting one of these answers with the object (observed); others answer with a Status.
_ANSWERED_WHOLE: Final = frozenset({"pods", "namespaces", "services", "serviceaccounts"})


def create(store: Store, target: Target, asked: Asked) -> Json:
    """Answer a POST to a list."""
    kind = target.kind
    body = _sent(target, asked)
    metadata = body.setdefault("metadata", {})
    given = metadata.get("namespace")
    if kind.namespaced:
        if given and given != target.namespace:
            raise ApiError(
                400,
                f"the namespace of the provided object does not match the namespace sent on the"
                f" request ({given} does not match {target.namespace})",
            )
        metadata["namespace"] = target.namespace
    if not metadata.get("name") and not metadata.get("generateName"):
        said = "Required value: name or generateName is required"
        raise invalid(kind.kind, "", [("metadata.name", "FieldValueRequired", said)], kind.group)
    if kind.has_status:
        body.pop("status", None)
    if kind.namespaced and store.find("namespaces", "", target.namespace) is None:
        raise not_found("namespaces", target.namespace)
    _prepare(target, asked, body, None)
    if kind.key == "pods":
        body["status"] = {"phase": "Pending"}
    quotas.check(store, kind, target.namespace, body)
    metadata.pop("resourceVersion", None)
    metadata.pop("managedFields", None)
    touched({"metadata": {}}, body, asked.manager, at=stamp(store.clock()))
    made = store.create(store_key(kind), body, dry=asked.is_dry)
    if asked.is_dry:
        del made["metadata"]["resourceVersion"]
    return shown(kind, target.version, made)


def _sent(target: Target, asked: Asked) -> Json:
    """Read the object of a request, as it is kept. Raises `ApiError` 400 for another kind."""
    kind = target.kind
    body = asked.document()
    if not isinstance(body, dict):
        raise ApiError(400, "the object provided is unrecognized (must be of type Object)")
    expected = kind.api_version(target.version)
    sent = body.get("apiVersion") or expected, body.get("kind") or kind.kind
    if sent != (expected, kind.kind):
        raise ApiError(
            400,
            f"the API version in the data ({sent[0]}, Kind={sent[1]}) does not match the expected"
            f" API version ({expected}, Kind={kind.kind})",
        )
    body["apiVersion"], body["kind"] = expected, kind.kind
    if not isinstance(body.get("metadata", {}), dict):
        raise ApiError(400, f"{kind.kind} in version \"{target.version}\" cannot be handled as a"
                       f" {kind.kind}: metadata is no object")  # fmt: skip
    return body


def _prepare(target: Target, asked: Asked, body: Json, before: Json | None) -> None:
    """Prune, fill in and check an object that is to be kept, in place."""
    kind = target.kind
    unknown = schemas.prune(kind, target.version, body)
    chosen = asked.query.get("fieldValidation") or "Warn"
    if unknown and chosen == "Strict":
        said = ", ".join(f'unknown field "{path}"' for path in unknown)
        raise ApiError(
            400,
            f'{kind.kind} in version "{target.version}" cannot be handled as a {kind.kind}:'
            f" strict decoding error: {said}",
        )
    if chosen == "Warn":
        asked.warnings += [f'unknown field "{path}"' for path in unknown]
    schemas.fill(kind, target.version, body)
    converted = kept(kind, target.version, body)
    if converted is not body:
        body.clear()
        body.update(converted)
    admission.fill_in(kind, body)
    _check(kind, body, is_new=before is None)
    admission.review(kind, body, before)
    approvals.review(asked.user, kind, body, before)


def _check(kind: Kind, body: Json, *, is_new: bool) -> None:
    name = body["metadata"].get("name") or ""
    causes = []
    fault = name_fault(name) if name and is_new else ""
    if fault:
        said = f'Invalid value: "{name}": {fault}'
        causes.append(("metadata.name", "FieldValueInvalid", said))
    causes += schemas.faults(kind, kind.stored, body)
    if kind.key == "pods" and not (body.get("spec") or {}).get("containers"):
        causes.append(("spec.containers", "FieldValueRequired", "Required value"))
    if causes:
        raise invalid(kind.kind, name, causes, kind.group)


def replace(store: Store, target: Target, asked: Asked) -> Json:
    """Answer a PUT of an object or its status."""
    body = _sent(target, asked)
    if body.get("metadata", {}).get("name") != target.name:
        raise ApiError(
            400,
            "the name of the object"
            f" ({body.get('metadata', {}).get('name', '')}) does not match the name on the URL"
            f" ({target.name})",
        )
    sent = body["metadata"].get("resourceVersion")
    if not sent and target.kind.is_custom:
        said = "Invalid value: 0x0: must be specified for an update"
        raise invalid(
            target.kind.kind,
            target.name,
            [("metadata.resourceVersion", "FieldValueInvalid", said)],
            target.kind.group,
        )
    return _change(store, target, asked, lambda _: body)


def patch(store: Store, target: Target, asked: Asked) -> tuple[Json, bool]:
    """Answer a PATCH of an object or its status; True where it was created by an apply."""
    if asked.content_type == _APPLY:
        return _apply(store, target, asked)
    change = _MERGES.get(asked.content_type)
    if change is None or (asked.content_type == _STRATEGIC and target.kind.is_custom):
        raise unsupported(target.kind)
    document = asked.document()
    return _change(store, target, asked, lambda body: change(body, document)), False


def unsupported(kind: Kind) -> ApiError:
    """Refuse a form of patches, as built-in and custom kinds do."""
    if not kind.is_custom:
        return ApiError(415, "415: Unsupported Media Type", details={})
    accepted = f"application/json-patch+json, application/merge-patch+json, {_APPLY}"
    return ApiError(
        415,
        "the body of the request was in an unknown format - accepted media types include:"
        f" {accepted}",
    )


def _change(store: Store, target: Target, asked: Asked, change: Callable[[Json], Any]) -> Json:
    kind, version = target.kind, target.version
    door: Door = "status" if target.subresource == "status" else "main"

    def edit(body: Json) -> None:
        before = orjson.loads(orjson.dumps(body))
        after = change(shown(kind, version, body))
        if not isinstance(after, dict) or not isinstance(after.get("metadata"), dict):
            raise ApiError(422, "the server rejected our request due to an error in our request",
                           details={})  # fmt: skip
        sent = after["metadata"].get("resourceVersion") or before["metadata"]["resourceVersion"]
        if sent != before["metadata"]["resourceVersion"]:
            raise conflict(kind.plural, target.name, _CONFLICT, kind.group)
        _keep_identity(after, before)
        if door == "main" and kind.has_status:
            after["status"] = before.get("status")
            if after["status"] is None:
                del after["status"]
        _prepare(target, asked, after, before if door == "main" else None)
        if door == "status":
            after = {**before, "status": after.get("status"), "metadata": dict(before["metadata"])}
        touched(before, after, asked.manager, at=stamp(store.clock()), subresource=_door(target))
        body.clear()
        body.update(after)

    made = store.update(
        store_key(kind), target.namespace, target.name, edit, door=door, dry=asked.is_dry
    )
    return shown(kind, version, made)


def _door(target: Target) -> str:
    return target.subresource if target.subresource == "status" else ""


def _keep_identity(after: Json, before: Json) -> None:
    for key in ("name", "namespace", "uid", "creationTimestamp", "generation", "resourceVersion"):
        after["metadata"].pop(key, None)
        if key in before["metadata"]:
            after["metadata"][key] = before["metadata"][key]


def _apply(store: Store, target: Target, asked: Asked) -> tuple[Json, bool]:
    manager = asked.query.get("fieldManager", "")
    if not manager:
        said = "Required value: is required for apply patch"
        raise invalid(
            "PatchOptions", "", [("fieldManager", "FieldValueRequired", said)], "meta.k8s.io"
        )
    body = _sent(target, asked)
    body.setdefault("metadata", {})["name"] = target.name
    if target.kind.namespaced:
        body["metadata"]["namespace"] = target.namespace
    body["metadata"].pop("managedFields", None)
    at = stamp(store.clock())
    force = asked.is_on("force")
    door: Door = "status" if target.subresource == "status" else "main"
    if store.find(store_key(target.kind), target.namespace, target.name) is None:
        return _applied_first(store, target, asked, body, manager), True
    _prune_applied(target, asked, body)
    body = kept(target.kind, target.version, body)
    kept_target = dataclasses.replace(target, version=target.kind.stored)

    def edit(current: Json) -> None:
        after = applied(current, body, manager, force=force, at=at)
        managed = after["metadata"]["managedFields"]
        _prepare(kept_target, asked, after, current if door == "main" else None)
        after["metadata"]["managedFields"] = managed
        current.clear()
        current.update(after)

    made = store.update(
        store_key(target.kind), target.namespace, target.name, edit, door=door, dry=asked.is_dry
    )
    return shown(target.kind, target.version, made), False


def _prune_applied(target: Target, asked: Asked, body: Json) -> None:
    """Take out what is not known before it is noted who manages it."""
    unknown = schemas.prune(target.kind, target.version, body)
    if unknown and asked.query.get("fieldValidation") == "Strict":
        said = ", ".join(f'unknown field "{path}"' for path in unknown)
        raise ApiError(400, f"failed to create typed patch object: strict decoding error: {said}")
    asked.warnings += [f'unknown field "{path}"' for path in unknown]


def _applied_first(store: Store, target: Target, asked: Asked, body: Json, manager: str) -> Json:
    kind = target.kind
    if target.subresource:
        raise not_found(kind.plural, target.name, kind.group)
    if kind.namespaced and store.find("namespaces", "", target.namespace) is None:
        raise not_found("namespaces", target.namespace)
    if kind.has_status:
        body.pop("status", None)
    _prune_applied(target, asked, body)
    at = stamp(store.clock())
    empty: Json = {"apiVersion": body["apiVersion"], "kind": body["kind"], "metadata": {}}
    managed = applied(empty, body, manager, force=True, at=at)["metadata"]["managedFields"]
    _prepare(target, asked, body, None)
    quotas.check(store, kind, target.namespace, body)
    body["metadata"]["managedFields"] = managed
    made = store.create(store_key(kind), body, dry=asked.is_dry)
    return shown(kind, target.version, made)


def delete(store: Store, target: Target, asked: Asked) -> Json:
    """Answer a DELETE of an object."""
    kind = target.kind
    options = asked.document() if asked.body else {}
    if not isinstance(options, dict):
        raise ApiError(400, "the object provided is unrecognized (must be of type Object)")
    preconditions = options.get("preconditions") or {}
    propagation = (
        options.get("propagationPolicy") or asked.query.get("propagationPolicy") or "Background"
    )
    if propagation not in ("Background", "Foreground", "Orphan"):
        said = f'Invalid value: "{propagation}": must be "Foreground", "Background" or "Orphan"'
        raise invalid(
            "DeleteOptions", "", [("propagationPolicy", "FieldValueInvalid", said)], "meta.k8s.io"
        )
    is_dry = asked.is_dry or options.get("dryRun") == ["All"]
    key = store_key(kind)
    found = store.get(key, target.namespace, target.name)
    held = store.delete(
        key,
        target.namespace,
        target.name,
        propagation=cast("Propagation", propagation),
        uid=preconditions.get("uid") or "",
        version=preconditions.get("resourceVersion") or "",
        dry=is_dry,
    )
    if held is not None or kind.key in _ANSWERED_WHOLE:
        return shown(kind, target.version, held or found)
    return success(kind, found["metadata"])


def success(kind: Kind, metadata: Json) -> Json:
    """Give the Status that says that something was done to an object."""
    details = details_of(kind.plural, metadata["name"], kind.group, uid=metadata["uid"])
    return {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Success",
        "details": details,
    }


def evict(store: Store, target: Target, asked: Asked) -> Json:
    """Answer a POST to the eviction of a pod."""
    store.delete("pods", target.namespace, target.name, dry=asked.is_dry)
    return {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Success",
        "code": 201,
    }


def scale(store: Store, target: Target, asked: Asked) -> Json:
    """Answer a GET, PUT or PATCH of how many there are of something."""
    key = store_key(target.kind)
    if asked.method == "GET":
        return _scale_of(store.get(key, target.namespace, target.name))

    def edit(body: Json) -> None:
        now = _scale_of(body)
        if asked.method == "PUT":
            wanted = asked.document()
        else:
            change = _MERGES.get(asked.content_type)
            if change is None:
                raise unsupported(target.kind)
            wanted = change(now, asked.document())
        replicas = (wanted.get("spec") or {}).get("replicas")
        if not isinstance(replicas, int) or replicas < 0:
            said = f"Invalid value: {replicas}: must be greater than or equal to 0"
            raise invalid("Scale", target.name, [("spec.replicas", "FieldValueInvalid", said)],
                          "autoscaling")  # fmt: skip
        body.setdefault("spec", {})["replicas"] = replicas

    made = store.update(key, target.namespace, target.name, edit, dry=asked.is_dry)
    return _scale_of(made)


def _scale_of(body: Json) -> Json:
    metadata, spec, status = body["metadata"], body.get("spec") or {}, body.get("status") or {}
    kept_ = ("name", "namespace", "uid", "resourceVersion", "creationTimestamp")
    labels = (spec.get("selector") or {}).get("matchLabels") or {}
    return {
        "kind": "Scale",
        "apiVersion": "autoscaling/v1",
        "metadata": {key: metadata[key] for key in kept_ if key in metadata},
        "spec": {"replicas": spec.get("replicas", 1)},
        "status": {
            "replicas": status.get("replicas", 0),
            "selector": ",".join(f"{key}={value}" for key, value in labels.items()),
        },
    }
