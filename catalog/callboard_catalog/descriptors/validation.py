"""Says what is wrong with a document as an entity: envelope, metadata and the rules of its kind."""

from difflib import get_close_matches
from typing import Any, Final

from callboard_catalog.descriptors.envelope import (
    API_VERSION,
    KIND,
    is_subdomain,
    metadata_faults,
)
from callboard_catalog.descriptors.faults import Fault, path_text, shown, type_name
from callboard_catalog.descriptors.fields import field_faults
from callboard_catalog.descriptors.kinds import KindRegistry, RegisteredKind

ROOT_FIELDS: Final = frozenset({"apiVersion", "kind", "metadata", "spec"})
_EXAMPLE_VERSION: Final = "expected such as backstage.io/v1alpha1"


def validate(document: Any, registry: KindRegistry) -> list[Fault]:
    """Give all faults of a document at once; none where it is an entity of a registered kind."""
    if not isinstance(document, dict):
        message = f"the document is {type_name(document)}; expected an object with kind"
        return [Fault("not-an-object", (), message)]
    faults: list[Fault] = []
    if not document.keys() <= ROOT_FIELDS:
        faults.extend(_root_faults(document))
    metadata = document.get("metadata")
    if isinstance(metadata, dict):
        faults.extend(metadata_faults(metadata))
    elif "metadata" in document:
        message = f"metadata is {type_name(metadata)}; expected an object with name"
        faults.append(Fault("bad-metadata", ("metadata",), message))
    else:
        faults.append(Fault("missing-metadata", (), "metadata is missing; it needs a name"))
    faults.extend(_kind_faults(document, registry))
    return faults


def _root_faults(document: dict[str, Any]) -> list[Fault]:
    faults = []
    for field in document:
        if field in ROOT_FIELDS:
            continue
        message = (
            f"{shown(field)} is not allowed at the root; expected apiVersion, kind, metadata, spec"
        )
        nearest = get_close_matches(field, ROOT_FIELDS, n=1, cutoff=0.7)
        if nearest:
            message += f". Is it {nearest[0]}?"
        faults.append(Fault("unknown-root-field", (field,), message))
    return faults


def _kind_faults(document: dict[str, Any], registry: KindRegistry) -> list[Fault]:
    kind, version = document.get("kind"), document.get("apiVersion")
    if isinstance(kind, str) and isinstance(version, str):
        registered = registry.get(kind, version)
        if registered is not None:
            return _spec_faults(document, registered)
    faults = _word_faults(document)
    if isinstance(kind, str) and not any(fault.code.endswith("kind") for fault in faults):
        faults.extend(_unknown(kind, version, registry))
        for other in registry.versions(kind)[:1]:
            # With a foreign version the author still sees what the kind asks for.
            nearest = registry.get(kind, other)
            faults.extend(_spec_faults(document, nearest) if nearest else [])
    return faults


def _word_faults(document: dict[str, Any]) -> list[Fault]:
    faults = []
    kind, version = document.get("kind"), document.get("apiVersion")
    if version is None:
        faults.append(Fault("missing-apiVersion", (), f"apiVersion is missing; {_EXAMPLE_VERSION}"))
    elif not isinstance(version, str) or not _is_api_version(version):
        message = f"apiVersion is {shown(version)}; {_EXAMPLE_VERSION}"
        faults.append(Fault("bad-apiVersion", ("apiVersion",), message))
    if kind is None:
        faults.append(Fault("missing-kind", (), "kind is missing; expected such as Component"))
    elif not isinstance(kind, str) or not KIND.fullmatch(kind):
        message = f"kind is {shown(kind)}; expected 1 to 63 letters and digits, such as Component"
        faults.append(Fault("bad-kind", ("kind",), message))
    return faults


def _unknown(kind: str, version: Any, registry: KindRegistry) -> list[Fault]:
    versions = registry.versions(kind)
    if not versions:
        nearest = registry.nearest(kind)
        hint = f"is it {nearest}?" if nearest else "custom kinds are declared in the settings"
        return [Fault("unknown-kind", ("kind",), f"there is no kind {shown(kind)}; {hint}")]
    if not isinstance(version, str) or not _is_api_version(version):
        return []
    message = f"{kind} has no apiVersion {shown(version)}; expected {' or '.join(versions)}"
    return [Fault("unknown-apiVersion", ("apiVersion",), message)]


def _is_api_version(text: str) -> bool:
    prefix, slash, version = text.rpartition("/")
    return API_VERSION.fullmatch(version) is not None and (not slash or is_subdomain(prefix))


def _spec_faults(document: dict[str, Any], registered: RegisteredKind) -> list[Fault]:
    spec = document.get("spec")
    if spec is None and "spec" not in document:
        if not registered.spec_required:
            return []
        message = f"spec is missing; {registered.kind.name} needs it"
        return [Fault("missing-spec", (), message)]
    if not isinstance(spec, dict):
        return [Fault("bad-spec", ("spec",), f"spec is {type_name(spec)}; expected an object")]
    faults = field_faults(registered.kind.fields, spec, ("spec",))
    if registered.check_schema is not None:
        for path, message in registered.check_schema(spec):
            code = f"bad-{path_text(('spec', *path)[:2])}"
            faults.append(Fault(code, ("spec", *path), f"{path_text(('spec', *path))}: {message}"))
    return faults
