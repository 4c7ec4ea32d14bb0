"""One descriptor file: its good documents, its faults, and what else it points to."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import orjson

from callboard.contributions import EntityProcessor, ProcessorContext
from callboard.entities import DEFAULT_NAMESPACE, EntityRef
from callboard.errors import InputError
from callboard.i18n import Text, Translator, storable
from callboard_catalog.descriptors import (
    Document,
    Fault,
    KindRegistry,
    Limits,
    Lines,
    Origin,
    finish,
    path_text,
    read_documents,
    relations,
    resolve,
    validate,
)
from callboard_catalog.descriptors.locations import is_url
from callboard_catalog.ingest.candidate import Candidate

if TYPE_CHECKING:
    # Not loaded by the process that only parses, see `ingest.apart`.
    from callboard.plugins import Contributed

Report = Callable[[str, str, BaseException], None]
"""Is told of the plugin that raised, at which place, and what."""

_ = Translator("callboard")

MAXIMUM_FAULTS: Final = 50
_ZERO: Final = re.compile(rb"(?<!\\)(?:\\\\)*\\u0000")


@dataclass(frozen=True, slots=True)
class Rejection:
    """A fault. `ref` and `owner` are empty where they could not be read, `key` where it is of no
    key: the path of the key as people write it, such as `spec.owner`."""

    position: int
    line: int
    severity: str
    code: str
    message: Text
    ref: str = ""
    owner: str = ""
    key: str = ""


@dataclass(slots=True)
class ParsedFile:
    """What a file holds. `locations` are its Location documents: position, line, spec and
    reference; `targets` names what they point to at present, `reads` maps what its placeholders
    took in to blobs.

    `unreadable` says that some document could not even be told apart, so entities this file gave
    before are kept although it does not show them now.
    """

    path: str
    blob: str
    candidates: list[Candidate] = field(default_factory=list)
    rejections: list[Rejection] = field(default_factory=list)
    locations: list[tuple[int, int, dict[str, Any], str]] = field(default_factory=list)
    targets: str = ""
    reads: dict[str, str] = field(default_factory=dict)
    unreadable: bool = False

    @property
    def remote(self) -> bool:
        """Whether this is, or takes in, a URL."""
        return is_url(self.path) or any(map(is_url, self.reads))

    def keeps(self, ref: str) -> bool:
        """Whether what this file gave before under this reference stays, a fault being why it is
        not shown now. One in the kind itself hides nothing else of the reference."""
        name = ref.partition(":")[2]
        return self.unreadable or any(
            item.ref == ref or (item.code == "unknown-kind" and item.ref.partition(":")[2] == name)
            for item in self.rejections
            if item.severity == "error"
        )


class Parser:
    """Reads descriptor files of one source.

    `read` gives the bytes of another file of the source, for placeholders in the file named first;
    `blob_of` names its content, so that a change of it is noticed.
    """

    def __init__(
        self,
        *,
        registry: KindRegistry,
        limits: Limits,
        origin_of: Callable[[str], Origin],
        read: Callable[[str, str], bytes],
        blob_of: Callable[[str], str],
        processors: "Sequence[Contributed[EntityProcessor]]" = (),
        context_for: Callable[[str, str], ProcessorContext] | None = None,
        report: Report = lambda plugin, place, error: None,
    ) -> None:
        self.registry = registry
        self.limits = limits
        self.origin_of = origin_of
        self.read = read
        self.blob_of = blob_of
        self.processors = processors
        self.context_for = context_for
        self.report = report

    def parse(self, path: str, blob: str, data: bytes) -> ParsedFile:
        """Read one file; whatever it holds, nothing is raised."""
        parsed = ParsedFile(path, blob)
        lines = Lines(data, limits=self.limits)
        origin = self.origin_of(path)
        placeholders = may_have_placeholders(data)
        # A zero byte, which PostgreSQL has no place for, is written with a backslash in YAML.
        escaped = b"\\" in data or bool(self.processors)
        for document in read_documents(data, limits=self.limits):
            if document.fault:
                parsed.unreadable = True
                self._reject(parsed, lines, document, [document.fault], "error")
            elif not document.empty:
                self._document(parsed, lines, document, origin, escaped, placeholders)
        return parsed

    def _document(
        self,
        parsed: ParsedFile,
        lines: Lines,
        document: Document,
        origin: Origin,
        escaped: bool,
        placeholders: bool,
    ) -> None:
        value = document.value
        faults: list[Fault] = []
        if placeholders and isinstance(value, dict):
            resolved = resolve(value, partial(self.read, parsed.path), path=parsed.path)
            value = resolved.document
            faults.extend(resolved.faults)
            for target in resolved.targets:
                parsed.reads[target] = self.blob_of(target)
            escaped = escaped or bool(resolved.targets)
        faults.extend(validate(value, self.registry))
        if not faults and self.processors:
            value, warnings = self._process(value, parsed.path)
            self._reject(parsed, lines, document, warnings, "warning", ref_of(value))
            faults.extend(validate(value, self.registry))
        if not faults and escaped and _ZERO.search(orjson.dumps(value)):
            faults.append(Fault("bad-character", (), _("the document holds a zero character")))
        if faults:
            ref = ref_of(value)
            parsed.unreadable = parsed.unreadable or not ref
            self._reject(parsed, lines, document, faults, "error", ref, _owner_of(value))
            return
        self._accept(parsed, lines, document, value, origin)

    def _accept(
        self,
        parsed: ParsedFile,
        lines: Lines,
        document: Document,
        value: dict[str, Any],
        origin: Origin,
    ) -> None:
        finished = finish(value, origin)
        declared = relations(finished.document, self.registry)
        ref = str(finished.ref)
        if len(ref) > 250:
            message = _("the reference is over 250 characters")
            fault = Fault("bad-name", ("metadata", "name"), message)
            self._reject(parsed, lines, document, [fault], "error", "", "")
            return
        if declared.warnings:
            self._reject(
                parsed, lines, document, declared.warnings, "warning", ref, _owner_of(value)
            )
        parsed.candidates.append(
            Candidate(
                ref,
                document.index,
                document.line,
                finished.document,
                finished.content_hash,
                declared.pairs,
            )
        )
        if finished.ref.kind == "location":
            parsed.locations.append((document.index, document.line, value["spec"], ref))

    def _process(self, value: dict[str, Any], path: str) -> tuple[dict[str, Any], list[Fault]]:
        warnings = []
        for contributed in self.processors:
            try:
                context = self.context_for(contributed.plugin, path) if self.context_for else None
                # A copy each way: a processor that fails midway has changed nothing, and what is no
                # JSON is its failure, not that of the file.
                given = orjson.loads(orjson.dumps(value))
                changed = contributed.value.process(given, context)  # type: ignore[arg-type]
                if changed is not None:
                    value = orjson.loads(orjson.dumps(dict(changed), default=_plain))
            except Exception as error:
                self.report(contributed.plugin, f"entity processor, {path}", error)
                message = _(
                    "processor %(name)s failed: %(error)s",
                    name=contributed.key,
                    error=f"{type(error).__name__}: {error}"[:400],
                )
                warnings.append(Fault("processor-failed", (), message))
        return value, warnings

    def _reject(
        self,
        parsed: ParsedFile,
        lines: Lines,
        document: Document,
        faults: Sequence[Fault],
        severity: str,
        ref: str = "",
        owner: str = "",
    ) -> None:
        for fault in faults[:MAXIMUM_FAULTS]:
            line = fault.line or lines.line(document.index, fault.path) or document.line
            message = storable(fault.message)
            named, owned = (text.replace("\0", "\ufffd") for text in (ref, owner))
            parsed.rejections.append(
                Rejection(
                    document.index,
                    line,
                    severity,
                    fault.code,
                    message,
                    named,
                    owned,
                    path_text(fault.path),
                )
            )


def may_have_placeholders(data: bytes) -> bool:
    """Tell whether a file may take in others: it has their sign, or an escape that may be it."""
    return b"$" in data or b"\\" in data


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"{type(value).__name__} is no JSON")


def ref_of(value: Any) -> str:
    """Give the reference of a document that may have faults, or nothing."""
    if not isinstance(value, dict):
        return ""
    metadata = value.get("metadata")
    kind = value.get("kind")
    if not isinstance(metadata, dict) or not isinstance(kind, str):
        return ""
    name, namespace = metadata.get("name"), metadata.get("namespace") or "default"
    if not isinstance(name, str) or not isinstance(namespace, str):
        return ""
    try:
        return str(EntityRef.parse(f"{kind}:{namespace}/{name}"))
    except InputError:
        return ""


def _owner_of(value: Any) -> str:
    spec = value.get("spec") if isinstance(value, dict) else None
    owner = spec.get("owner") if isinstance(spec, dict) else None
    metadata = value.get("metadata") if isinstance(value, dict) else None
    namespace = metadata.get("namespace") if isinstance(metadata, dict) else None
    if not isinstance(owner, str):
        return ""
    try:
        inherited = namespace if isinstance(namespace, str) and namespace else DEFAULT_NAMESPACE
        ref = EntityRef.parse(owner.strip(), default_kind="group", default_namespace=inherited)
        # A namespace with faults of its own must not make a reference that nobody can read.
        return str(EntityRef.parse(str(ref)))
    except InputError:
        return ""
