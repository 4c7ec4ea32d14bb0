"""Says what is wrong with kinds and fields that plugins and the settings declare."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

from callboard.errors import InputError
from callboard.kinds import EntityField, Kind, KindRelation
from callboard_catalog.descriptors.envelope import API_VERSION, KIND, is_subdomain

RELATION: Final = re.compile(r"[a-z][A-Za-z0-9]{0,62}")
NAME: Final = re.compile(r"[a-z][a-z0-9_]{0,62}")
ICON: Final = re.compile(r"[a-z][a-z0-9-]{0,30}|")
OWN_ROOTS: Final = ("spec.", "metadata.")

Path = tuple[str | int, ...]


class DeclarationError(InputError):
    """A kind or field cannot be as it is declared; `path` leads to what is wrong with it."""

    def __init__(self, message: str, path: Path = ()) -> None:
        super().__init__(message)
        self.path = path


def check_declared(declared: Kind | EntityField, known: Iterable[Kind]) -> None:
    """Raise `DeclarationError` where a kind or field is bad; `known` are the kinds there are."""
    faults = _kind(declared, known) if isinstance(declared, Kind) else _field(declared)
    for path, message in faults:
        raise DeclarationError(message, path)


def _kind(kind: Kind, known: Iterable[Kind]) -> Iterator[tuple[Path, str]]:
    if not KIND.fullmatch(kind.name):
        yield ("name",), f"{kind.name!r} is no kind; expected 1 to 63 letters and digits"
    if not kind.api_versions:
        yield ("api_versions",), "is empty; expected such as example.com/v1"
    for index, version in enumerate(kind.api_versions):
        prefix, slash, last = version.rpartition("/")
        if not API_VERSION.fullmatch(last) or (slash and not is_subdomain(prefix)):
            yield ("api_versions", index), f"{version!r} is none; expected such as example.com/v1"
    for other in known:
        for index, version in enumerate(kind.api_versions):
            if other.name == kind.name and version in other.api_versions:
                message = f"There is a kind {kind.name} with apiVersion {version} already"
                yield ("api_versions", index), message
    if not ICON.fullmatch(kind.icon):
        yield ("icon",), f"{kind.icon!r} is no icon; expected such as box, db or flag"
    yield from _schemas(kind)
    yield from _relations(kind, known)


def _schemas(kind: Kind) -> Iterator[tuple[Path, str]]:
    if kind.schema is not None:
        yield from _schema(kind.schema, ("schema",))
    for name, rules in kind.types.items():
        yield from _schema(rules, ("types", name))


def _schema(rules: Mapping[str, Any], path: Path) -> Iterator[tuple[Path, str]]:
    # Imported here since only custom kinds need it.
    import jsonschema

    validator = jsonschema.validators.validator_for(rules, default=jsonschema.Draft202012Validator)
    try:
        validator.check_schema(dict(rules))
    except jsonschema.SchemaError as error:
        yield (*path, *error.absolute_path), f"is no JSON Schema: {error.message[:300]}"


def _relations(kind: Kind, known: Iterable[Kind]) -> Iterator[tuple[Path, str]]:
    kinds = (*known, kind)
    reverses = {
        name: other
        for relation in (relation for item in known for relation in item.relations)
        for name, other in (
            (relation.relation, relation.reverse), (relation.reverse, relation.relation),
        )
    }  # fmt: skip
    for index, relation in enumerate(kind.relations):
        for path, message in _relation(relation, [item.name.lower() for item in kinds], reverses):
            yield ("relations", index, *path), message
        reverses.setdefault(relation.relation, relation.reverse)
        reverses.setdefault(relation.reverse, relation.relation)


def _relation(
    relation: KindRelation, kinds: Sequence[str], reverses: Mapping[str, str]
) -> Iterator[tuple[Path, str]]:
    if not all(relation.path.split(".")):
        yield ("path",), f"{relation.path!r} is no path below spec, such as owner"
    for key in ("relation", "reverse"):
        name = getattr(relation, key)
        if not RELATION.fullmatch(name):
            yield (key,), f"{name!r} is no relation; expected letters and digits, such as scannedBy"
    pair = reverses.get(relation.relation, relation.reverse)
    if pair != relation.reverse:
        told = f"{relation.reverse!r} is not the way back of {relation.relation!r}"
        yield ("reverse",), f"{told}, which is {pair!r}"
    wanted = [relation.default_kind] if relation.default_kind else []
    for key, names in (("default_kind", wanted), ("allowed_kinds", relation.allowed_kinds)):
        for name in names:
            if name.lower() not in kinds:
                yield (key,), f"there is no kind {name!r}; kinds are declared before their use"


def _field(field: EntityField) -> Iterator[tuple[Path, str]]:
    if not NAME.fullmatch(field.name):
        yield ("name",), f"{field.name!r} is none; expected lower-case letters, digits and _"
    if not field.path.startswith(OWN_ROOTS) or not all(field.path.split(".")):
        yield ("path",), f"{field.path!r} leads nowhere; expected such as spec.tier"
    if field.choices and field.schema is not None:
        yield ("choices",), "stands beside schema; expected one of them"
    if field.schema is not None:
        yield from _schema(field.schema, ("schema",))
