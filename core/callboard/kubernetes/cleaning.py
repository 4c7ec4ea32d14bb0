"""What of an object is kept: without the server's bookkeeping, and without secrets."""

from collections.abc import Mapping
from typing import Any, Final

from callboard.kubernetes.secrets import without_secrets
from callboard.redaction import redact

_DROPPED_ANNOTATIONS: Final = frozenset({"kubectl.kubernetes.io/last-applied-configuration"})
HIDDEN: Final = "***"


def cleaned(item: Mapping[str, Any], *, kind: str, api_version: str) -> dict[str, Any]:
    """Give an object as it is kept: `managedFields` and copies of its manifest are left out.

    Values of a Secret are replaced, and values named like secrets in all other objects, see
    `without_secrets`. Items of a typed list have neither kind nor version; they get them here
    (observed with the built-in kinds).
    """
    found = {"apiVersion": api_version, "kind": kind, **item}
    metadata = found.get("metadata")
    if isinstance(metadata, Mapping):
        found["metadata"] = _metadata(metadata)
    if kind == "Secret":
        for key in ("data", "stringData"):
            values = found.get(key)
            if isinstance(values, Mapping):
                found[key] = dict.fromkeys(values, HIDDEN)
        return found
    return dict(without_secrets(found))


def _metadata(metadata: Mapping[str, Any]) -> dict[str, Any]:
    kept = {key: value for key, value in metadata.items() if key != "managedFields"}
    annotations = kept.get("annotations")
    if isinstance(annotations, Mapping):
        kept["annotations"] = {
            key: redact(value) if isinstance(value, str) else value
            for key, value in annotations.items()
            if key not in _DROPPED_ANNOTATIONS
        }
    return kept
