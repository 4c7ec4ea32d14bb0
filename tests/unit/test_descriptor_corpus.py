"""Every document of the corpus of real descriptors against its manifest, one by one."""

import json
from pathlib import Path
from typing import Any

import pytest

from callboard.errors import NotFoundError
from callboard.testing import absent
from callboard_catalog.descriptors import (
    Document,
    Fault,
    KindRegistry,
    Lines,
    location_targets,
    read_documents,
    relations,
    resolve,
    validate,
)

pytestmark = pytest.mark.corpus
CORPUS = Path(__file__).parents[3] / "shared/fixtures/catalog"
REGISTRY = KindRegistry()


def _manifest(name: str) -> dict[str, list[dict[str, Any]]]:
    path = CORPUS / name / "manifest.json"
    if not path.exists():
        absent(f"the corpus of real descriptors is not at {CORPUS}")
    manifest: dict[str, list[dict[str, Any]]] = json.loads(path.read_bytes())
    return manifest


class Repository:
    """The files of one repository of the corpus, as a placeholder reads them."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def __call__(self, target: str) -> bytes:
        if target.startswith("https://"):
            return b"{}"  # URLs count as reachable in the manifest.
        try:
            return (self.root / target).read_bytes()
        except OSError as error:
            raise NotFoundError(f"There is no {target}.") from error


def _repository(name: str, file: str) -> tuple[Path, str]:
    """Give the root of the file's repository and its path therein, as of its time."""
    if name == "backstage-examples":
        return CORPUS / name, file
    parts = file.split("/")
    depth = 3 if parts[1] == "_history" else 1
    return CORPUS.joinpath(name, *parts[:depth]), "/".join(parts[depth:])


def _faults(document: Document, read: Repository, path: str) -> list[Fault]:
    if document.fault:
        return [document.fault]
    if not isinstance(document.value, dict):
        return validate(document.value, REGISTRY)
    resolved = resolve(document.value, read, path=path)
    return [*resolved.faults, *validate(resolved.document, REGISTRY)]


def _codes(reason: str) -> set[str]:
    return {part.split(":")[0] for part in reason.split("; ") if part}


@pytest.mark.parametrize("name", ["real", "backstage-examples"])
def test_every_document_is_judged_as_in_the_manifest(name: str) -> None:
    wrong = []
    judged = 0
    for file, entries in _manifest(name).items():
        root, path = _repository(name, file)
        documents = read_documents((CORPUS / name / file).read_bytes())
        if [entry["doc_index"] for entry in entries] != [found.index for found in documents]:
            wrong.append(f"{file}: {len(documents)} documents, expected {len(entries)}")
            continue
        for document, entry in zip(documents, entries, strict=True):
            judged += 1
            where = f"{file} [{entry['doc_index']}]"
            if document.empty or entry["valid"] is None:
                if document.empty != (entry["valid"] is None):
                    wrong.append(f"{where}: empty is {document.empty}")
                continue
            found = _faults(document, Repository(root), path)
            if {fault.code for fault in found} != _codes(entry["reason"]):
                wrong.append(f"{where}: {found}, expected {entry['reason']!r}")
    assert not wrong, "\n".join(wrong)
    assert judged > 70


@pytest.mark.parametrize("name", ["real", "backstage-examples"])
def test_malformed_references_are_warned_of_as_in_the_manifest(name: str) -> None:
    # The manifest looks at these three fields; the others are checked as well, but not listed.
    listed = {"spec.owner", "spec.system", "spec.domain"}
    wrong = []
    for file, entries in _manifest(name).items():
        documents = read_documents((CORPUS / name / file).read_bytes())
        for document, entry in zip(documents, entries, strict=True):
            if not entry["valid"]:
                continue
            warnings = {
                ".".join(map(str, warning.path))
                for warning in relations(document.value, REGISTRY).warnings
            }
            expected = {text.split(" ")[0] for text in entry.get("warnings", ())} & listed
            if warnings & listed != expected:
                wrong.append(f"{file} [{entry['doc_index']}]: {warnings}, expected {expected}")
    assert not wrong, "\n".join(wrong)


def test_every_fault_has_a_line_inside_of_its_document() -> None:
    for file, entries in _manifest("real").items():
        if all(entry["valid"] for entry in entries):
            continue
        data = (CORPUS / "real" / file).read_bytes()
        lines = Lines(data)
        total = data.count(b"\n") + 1
        previous = 1
        for document in read_documents(data):
            if document.empty:
                continue
            assert previous <= document.line <= total
            for fault in [] if document.fault else validate(document.value, REGISTRY):
                line = lines.line(document.index, fault.path)
                assert document.line <= line <= total, (file, fault)
            previous = document.line


def test_location_targets_are_found_as_in_the_manifest() -> None:
    counted = 0
    for file, entries in _manifest("real").items():
        root, path = _repository("real", file)
        paths = [str(found.relative_to(root)) for found in root.rglob("*") if found.is_file()]
        documents = read_documents((CORPUS / "real" / file).read_bytes())
        for document, entry in zip(documents, entries, strict=True):
            if entry["kind"] != "Location" or not entry["valid"]:
                continue
            found = location_targets(document.value, path, paths)
            status = [target["status"] for target in entry.get("targets", ())]
            assert len(found.urls) <= status.count("url")
            if "_history" not in file:
                assert bool(found.paths) == bool({"local-ok", "glob"} & set(status)), file
            counted += len(found.paths)
    assert counted > 300
