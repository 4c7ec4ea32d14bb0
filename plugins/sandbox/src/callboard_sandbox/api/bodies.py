"""Objects before they are written: what the store itself sets, and what a door lets through."""

import secrets
import uuid
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final, Literal

import orjson

from callboard_sandbox.api.failures import conflict
from callboard_sandbox.api.kinds import CRD, Kind
from callboard_sandbox.api.stamps import stamp

Json = dict[str, Any]
Door = Literal["main", "status"]

_LETTERS: Final = "bcdfghjklmnpqrstvwxz2456789"


def new_body(kind: Kind, body: Mapping[str, Any], now: datetime) -> Json:
    """Give an object as it begins: with uid, times and a name, without a version."""
    made: Json = {"kind": kind.kind, "apiVersion": kind.api_version(), **copy_of(body)}
    given = made.get("metadata") or {}
    name = given.get("name") or f"{given.get('generateName', '')}{_suffix()}"
    metadata: Json = {"name": name}
    if kind.namespaced:
        metadata["namespace"] = given.get("namespace") or "default"
    metadata["uid"] = str(uuid.uuid4())
    metadata["resourceVersion"] = ""
    if kind.counts_generations:
        metadata["generation"] = 1
    metadata["creationTimestamp"] = stamp(now)
    left_out = {*metadata, "deletionTimestamp", "deletionGracePeriodSeconds"}
    metadata |= {key: value for key, value in given.items() if key not in left_out}
    made["metadata"] = metadata
    if kind.key == "namespaces":
        labels = metadata.setdefault("labels", {})
        labels["kubernetes.io/metadata.name"] = name
        made.setdefault("spec", {}).setdefault("finalizers", ["kubernetes"])
        made["status"] = {"phase": "Active"}
    elif kind.key == CRD:
        made["status"] = _accepted(made["spec"], stamp(now))
    return made


def _accepted(spec: Json, at: str) -> Json:
    """Give the status of a resource definition that is served."""
    conditions = [
        {
            "type": type_,
            "status": "True",
            "reason": reason,
            "message": said,
            "lastTransitionTime": at,
        }
        for type_, reason, said in (
            ("NamesAccepted", "NoConflicts", "no conflicts found"),
            ("Established", "InitialNamesAccepted", "the initial names have been accepted"),
        )
    ]
    stored = [each["name"] for each in spec["versions"] if each.get("storage")]
    return {"conditions": conditions, "acceptedNames": spec["names"], "storedVersions": stored}


def copy_of(value: Any) -> Any:
    """Give a copy of a JSON value, none of whose parts are shared."""
    return orjson.loads(orjson.dumps(value))


def _suffix() -> str:
    return "".join(secrets.choice(_LETTERS) for _ in range(5))


def through(door: Door, kind: Kind, before: Json, edited: Json) -> Json:
    """Give the object with only those changes that the door lets through."""
    if door == "status":
        after: Json = copy_of(before)
        after["status"] = edited.get("status")
        managed = edited["metadata"].get("managedFields")
        if managed is not None:
            after["metadata"]["managedFields"] = managed
    else:
        after = edited
        if kind.has_status:
            after.pop("status", None)
            if "status" in before:
                after["status"] = before["status"]
    metadata = after["metadata"]
    for key in ("uid", "name", "namespace", "generation", "creationTimestamp",
                "deletionTimestamp", "deletionGracePeriodSeconds", "resourceVersion"):  # fmt: skip
        metadata.pop(key, None)
        if key in before["metadata"]:
            metadata[key] = before["metadata"][key]
    for key in [key for key, value in metadata.items() if value in (None, [], {})]:
        del metadata[key]
    if after.get("status", "") is None:
        del after["status"]
    return after


def specification(kind: Kind, body: Json) -> Any:
    """Give what the generation counts changes of."""
    if kind.is_custom:
        left_out = {"metadata", "status"} if kind.has_status else {"metadata"}
        return {key: value for key, value in body.items() if key not in left_out}
    return body.get("spec")


def require_that(kind: Kind, metadata: Json, uid: str, version: str) -> None:
    """Raise 409 unless an object is still what a deletion is meant for."""
    name = metadata["name"]
    for given, found, what in (
        (uid, metadata["uid"], "UID"),
        (version, metadata["resourceVersion"], "ResourceVersion"),
    ):
        if given and given != found:
            raise conflict(
                kind.kind,
                name,
                f"the {what} in the precondition ({given}) does not match the {what} in record"
                f" ({found}). The object might have been deleted and then recreated",
                kind.group,
            )


def finalizers_of(kind: Kind, body: Json) -> list[str]:
    """Give what must agree before an object goes; of namespaces their specification names more."""
    found = body["metadata"].get("finalizers") or []
    if kind.key == "namespaces":
        found = [*found, *((body.get("spec") or {}).get("finalizers") or [])]
    return list(found)
