"""Says what is wrong with a document as an entity: envelope, metadata and the rules of its kind."""

from difflib import get_close_matches
from typing import Any, Final

from callboard.i18n import Text, Translator
from callboard_catalog.descriptors.cases import case_faults
from callboard_catalog.descriptors.envelope import (
    API_VERSION,
    KIND,
    is_subdomain,
    metadata_faults,
)
from callboard_catalog.descriptors.faults import (
    Fault,
    Path,
    is_but_expected,
    one_of,
    path_text,
    shown,
    type_name,
)
from callboard_catalog.descriptors.fields import field_faults
from callboard_catalog.descriptors.kinds import KindRegistry, RegisteredKind, SchemaCheck

_ = Translator("callboard")

ROOT_FIELDS: Final = frozenset({"apiVersion", "kind", "metadata", "spec"})


def validate(document: Any, registry: KindRegistry) -> list[Fault]:
    """Give all faults of a document at once; none where it is an entity of a registered kind."""
    if not isinstance(document, dict):
        message = _(
            "the document is %(type)s; expected an object with kind", type=type_name(document)
        )
        return [Fault("not-an-object", (), message)]
    faults: list[Fault] = []
    if not document.keys() <= ROOT_FIELDS:
        faults.extend(_root_faults(document))
    metadata = document.get("metadata")
    if isinstance(metadata, dict):
        faults.extend(metadata_faults(metadata))
    elif "metadata" in document:
        message = _("metadata is %(type)s; expected an object with name", type=type_name(metadata))
        faults.append(Fault("bad-metadata", ("metadata",), message))
    else:
        faults.append(Fault("missing-metadata", (), _("metadata is missing; it needs a name")))
    faults.extend(_kind_faults(document, registry))
    faults.extend(_added_faults(document, registry))
    faults.extend(case_faults(document))
    return faults


def _root_faults(document: dict[str, Any]) -> list[Fault]:
    faults = []
    for field in document:
        if field in ROOT_FIELDS:
            continue
        message = _(
            "%(field)s is not allowed at the root; expected apiVersion, kind, metadata, spec",
            field=shown(field),
        )
        nearest = get_close_matches(field, ROOT_FIELDS, n=1, cutoff=0.7)
        if nearest:
            message = _("%(problem)s. Is it %(name)s?", problem=message, name=nearest[0])
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
        message = _("apiVersion is missing; expected such as backstage.io/v1alpha1")
        faults.append(Fault("missing-apiVersion", (), message))
    elif not isinstance(version, str) or not _is_api_version(version):
        message = _(
            "apiVersion is %(value)s; expected such as backstage.io/v1alpha1", value=shown(version)
        )
        faults.append(Fault("bad-apiVersion", ("apiVersion",), message))
    if kind is None:
        message = _("kind is missing; expected such as Component")
        faults.append(Fault("missing-kind", (), message))
    elif not isinstance(kind, str) or not KIND.fullmatch(kind):
        message = _(
            "kind is %(value)s; expected 1 to 63 letters and digits, such as Component",
            value=shown(kind),
        )
        faults.append(Fault("bad-kind", ("kind",), message))
    return faults


def _unknown(kind: str, version: Any, registry: KindRegistry) -> list[Fault]:
    versions = registry.versions(kind)
    if not versions:
        return [Fault("unknown-kind", ("kind",), _no_such_kind(kind, registry.nearest(kind)))]
    if not isinstance(version, str) or not _is_api_version(version):
        return []
    message = _(
        "%(kind)s has no apiVersion %(value)s; expected %(expected)s",
        kind=kind,
        value=shown(version),
        expected=one_of(versions),
    )
    return [Fault("unknown-apiVersion", ("apiVersion",), message)]


def _no_such_kind(kind: str, nearest: str) -> Text:
    if nearest:
        return _("there is no kind %(kind)s; is it %(name)s?", kind=shown(kind), name=nearest)
    return _(
        "there is no kind %(kind)s; custom kinds are declared in the settings", kind=shown(kind)
    )


def _is_api_version(text: str) -> bool:
    prefix, slash, version = text.rpartition("/")
    return API_VERSION.fullmatch(version) is not None and (not slash or is_subdomain(prefix))


def _spec_faults(document: dict[str, Any], registered: RegisteredKind) -> list[Fault]:
    spec = document.get("spec")
    if spec is None and "spec" not in document:
        if not registered.spec_required:
            return []
        message = _("spec is missing; %(kind)s needs it", kind=registered.kind.name)
        return [Fault("missing-spec", (), message)]
    if not isinstance(spec, dict):
        message = _("spec is %(type)s; expected an object", type=type_name(spec))
        return [Fault("bad-spec", ("spec",), message)]
    faults = field_faults(registered.kind.fields, spec, ("spec",))
    for check in registered.checks(spec):
        faults.extend(_schema_faults(check, spec, ("spec",)))
    return faults


def _schema_faults(check: SchemaCheck, value: Any, root: Path) -> list[Fault]:
    return [
        Fault(
            f"bad-{path_text((*root, *path)[:2])}",
            (*root, *path),
            _("%(path)s: %(problem)s", path=path_text((*root, *path)), problem=problem),
        )
        for path, problem in check(value)
    ]


def _added_faults(document: dict[str, Any], registry: KindRegistry) -> list[Fault]:
    """Check the fields that the site and plugins add to entities."""
    faults: list[Fault] = []
    for added in registry.fields(str(document.get("kind"))):
        path, value = added.value(document)
        choices = added.field.choices
        if value is None:
            continue
        if choices and value not in choices:
            message = is_but_expected(path_text(path), shown(value), one_of(choices))
            faults.append(Fault(f"bad-{path_text(path[:2])}", path, message))
        elif added.check_schema is not None:
            faults.extend(_schema_faults(added.check_schema, value, path))
    return faults
