"""The same objects at other versions and under other groups than they are kept."""

from typing import Any, Final

from callboard_sandbox.api.kinds import Kind

Json = dict[str, Any]

# tekton.dev/v1 gathers in one field what v1beta1 has beside each other.
_GATHERED: Final = ("serviceAccountName", "podTemplate")
_EVENT: Final = {
    "regarding": "involvedObject",
    "note": "message",
    "reportingController": "reportingComponent",
    "deprecatedSource": "source",
    "deprecatedFirstTimestamp": "firstTimestamp",
    "deprecatedLastTimestamp": "lastTimestamp",
    "deprecatedCount": "count",
}
"""Fields of events.k8s.io/v1 by their names in the core group."""


def store_key(kind: Kind) -> str:
    """Give what the store calls a kind: events have two groups and are kept once."""
    return "events" if kind.key == "events.events.k8s.io" else kind.key


def shown(kind: Kind, version: str, body: Json) -> Json:
    """Give a kept object at the version that was asked for."""
    if kind.key == "events.events.k8s.io":
        names = {old: new for new, old in _EVENT.items()}
        return {names.get(key, key): value for key, value in body.items()} | {
            "apiVersion": "events.k8s.io/v1"
        }
    if version == kind.stored:
        return body
    body = {**body, "apiVersion": kind.api_version(version)}
    template = (body.get("spec") or {}).get("taskRunTemplate")
    if kind.key == "pipelineruns.tekton.dev" and template is not None:
        spec = {key: value for key, value in body["spec"].items() if key != "taskRunTemplate"}
        body["spec"] = {**spec, **template}
    return body


def kept(kind: Kind, version: str, body: Json) -> Json:
    """Give an object that was sent as it is kept."""
    if kind.key == "events.events.k8s.io":
        return {_EVENT.get(key, key): value for key, value in body.items()} | {"apiVersion": "v1"}
    if version == kind.stored:
        return body
    body = {**body, "apiVersion": kind.api_version()}
    if kind.key == "pipelineruns.tekton.dev" and isinstance(body.get("spec"), dict):
        spec = dict(body["spec"])
        template = {key: spec.pop(key) for key in _GATHERED if key in spec}
        body["spec"] = {**spec, "taskRunTemplate": template} if template else spec
    return body
