"""Reads files with roles and bindings: YAML of our own, and Argo CD's policies."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any, Final

from pydantic import Field, ValidationError

from callboard.access.argocd import Project, convert
from callboard.access.argocd_csv import Line, read_lines
from callboard.access.assembly import PolicyPart, binding_of, role_of
from callboard.access.model import PolicyFault
from callboard.access.settings import BindingSettings, RoleSettings
from callboard.i18n import Text, Translator
from callboard.settings.document import MAXIMUM_BYTES, Document, read_document
from callboard.settings.keys import KeyPath
from callboard.settings.messages import Explainer
from callboard.settings.schema import Layout, at
from callboard.settings.types import SettingsModel

_ = Translator("callboard")

SUFFIXES: Final = (".yaml", ".yml", ".csv")
CONFIG_MAP: Final = "ConfigMap"
NOTHING: Final = PolicyPart()


class PolicyFileSettings(SettingsModel):
    """A file with roles and bindings, as in `access:` of the settings."""

    roles: list[RoleSettings] = Field(default=[], description="Roles beside the default ones.")
    bindings: list[BindingSettings] = Field(default=[], description="Who has which role.")


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadFile:
    """What one file says: a part of a policy, or rules of Argo CD. Nothing where it has errors.

    `default_role` is the `policy.default` of a ConfigMap of Argo CD.
    """

    part: PolicyPart = NOTHING
    lines: tuple[Line, ...] = ()
    default_role: str = ""
    faults: tuple[PolicyFault, ...] = ()

    @property
    def refused(self) -> bool:
        """Whether the file has errors, so that nothing of it counts."""
        return any(fault.severity == "error" for fault in self.faults)


def read_file(data: bytes, name: str) -> ReadFile:
    """Read a file; `name` is told in faults and reasons. Its suffix says what it is."""
    if len(data) > MAXIMUM_BYTES:
        return _refused(name, _("The file is larger than %(limit)s KiB.",
                                limit=MAXIMUM_BYTES // 1024))  # fmt: skip
    if PurePosixPath(name).suffix.lower() == ".csv":
        try:
            text = data.decode("utf-8-sig")
        except UnicodeDecodeError:
            return _refused(name, _("The text is not UTF-8; save the file in that encoding."))
        lines, faults = read_lines(text, name)
        return ReadFile(lines=() if faults else tuple(lines), faults=tuple(faults))
    document = read_document(data, name)
    if document.faults:
        return ReadFile(
            faults=tuple(
                PolicyFault(file=name, line=fault.line, message=fault.message)
                for fault in document.faults
            )
        )
    value = document.value
    if isinstance(value, dict) and value.get("kind") == CONFIG_MAP:
        return _config_map(value, document, name)
    return _own(document, name)


def _refused(name: str, message: Text, line: int = 0) -> ReadFile:
    return ReadFile(faults=(PolicyFault(file=name, line=line, message=message),))


def _own(document: Document, name: str) -> ReadFile:
    value = {} if document.value is None else document.value
    if not isinstance(value, dict):
        return _refused(name, _("The file is not a mapping; expected roles: and bindings:."), 1)
    try:
        settings = PolicyFileSettings.model_validate(value)
    except ValidationError as error:
        explainer = Explainer(_FileLayout(), value, secrets=(), is_secret=lambda path: False)
        sentences = explainer.explain(error.errors(include_url=False), ())
        faults = [
            PolicyFault(file=name, line=_line(document, path), message=sentence)
            for path, sentence in sentences.items()
        ]
        return ReadFile(faults=tuple(sorted(faults, key=lambda fault: fault.line)))
    roles = [
        role_of(item, source=_place(document, name, "roles", index), origin="repository")
        for index, item in enumerate(settings.roles)
    ]
    bindings = [
        binding_of(item, source=_place(document, name, "bindings", index), origin="repository")
        for index, item in enumerate(settings.bindings)
    ]
    return ReadFile(part=PolicyPart(roles=tuple(roles), bindings=tuple(bindings)))


class _FileLayout(Layout):
    """The keys of a policy file."""

    def __init__(self) -> None:
        super().__init__({}, {})

    def at(self, path: KeyPath) -> list[Any]:
        return at([PolicyFileSettings], path)


def _line(document: Document, path: KeyPath) -> int:
    lines = (document.lines.get(path[:length]) for length in range(len(path), 0, -1))
    return next(filter(None, lines), 0)


def _place(document: Document, name: str, *path: str | int) -> str:
    line = _line(document, path)
    return f"{name}:{line}" if line else name


def _config_map(value: Mapping[str, Any], document: Document, name: str) -> ReadFile:
    """Read `argocd-rbac-cm`: its `policy.csv`, and all `policy.*.csv` after it."""
    data = value.get("data")
    if not isinstance(data, dict):
        return _refused(name, _("The ConfigMap has no data."), 1)
    mode = data.get("policy.matchMode", "glob")
    if mode not in ("glob", ""):
        line = _line(document, ("data", "policy.matchMode"))
        return _refused(name, _("Patterns that are regular expressions are not read: "
                                "policy.matchMode must be glob."), line)  # fmt: skip
    keys = sorted(
        (key for key in data if key == "policy.csv"
         or (key.startswith("policy.") and key.endswith(".csv"))),
        key=lambda key: (key != "policy.csv", key),
    )  # fmt: skip
    found: list[Line] = []
    faults: list[PolicyFault] = []
    for key in keys:
        lines, wrong = read_lines(str(data[key]), name, _line(document, ("data", key)) + 1)
        found += lines
        faults += wrong
    default = str(data.get("policy.default") or "")
    return ReadFile(
        lines=() if faults else tuple(found),
        default_role="" if faults else default,
        faults=tuple(faults),
    )


def policy_of_files(
    files: Sequence[ReadFile], *, default_role: str = "", project: Project = "system"
) -> PolicyPart:
    """Put together what the files of one source say; rules of Argo CD count across its files."""
    lines = [line for file in files for line in file.lines]
    default = default_role or next((file.default_role for file in files if file.default_role), "")
    converted = convert(lines, default_role=default, project=project)
    parts = [*(file.part for file in files if not file.refused), converted]
    return PolicyPart(
        roles=tuple(role for part in parts for role in part.roles),
        bindings=tuple(binding for part in parts for binding in part.bindings),
        faults=(*(fault for file in files for fault in file.faults), *converted.faults),
    )
