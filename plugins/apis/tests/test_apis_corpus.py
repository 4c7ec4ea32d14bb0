"""Real definitions of the corpus are understood."""

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from callboard.testing import absent
from callboard_apis.changes import compare
from callboard_apis.preparing import prepare

pytestmark = pytest.mark.corpus
CORPUS = Path(__file__).parents[4] / "shared/fixtures/catalog"


def definitions() -> Iterator[tuple[Path, str, str]]:
    """Give the file, type and text of every definition, those in files beside it included."""
    for path in sorted(path for path in CORPUS.rglob("*.y*ml") if path.is_file()):
        try:
            documents = list(yaml.load_all(path.read_bytes(), Loader=yaml.CSafeLoader))
        except (yaml.YAMLError, ValueError):
            continue
        for document in documents:
            spec = document.get("spec") if isinstance(document, dict) else None
            given = spec.get("definition") if isinstance(spec, dict) else None
            if isinstance(given, dict) and isinstance(given.get("$text"), str):
                file = path.parent / given["$text"]
                given = file.read_text("utf-8", "replace") if file.is_file() else None
            if isinstance(given, str) and isinstance(spec, dict):
                yield path, str(spec.get("type", "")), given


def test_every_definition_is_drawn_and_equals_itself() -> None:
    if not CORPUS.exists():
        absent(f"the corpus of real descriptors is not at {CORPUS}")
    seen: Counter[str] = Counter()
    wrong = []
    for path, type_, text in definitions():
        made = prepare(type_, text)
        seen[made.format] += 1
        json.dumps([made.head, [item.body for item in made.items]])
        failed = [
            str(fault.message) for fault in made.faults if "could not be" in str(fault.message)
        ]
        if failed or (made.items and compare(made.format, text, text) != []):
            wrong.append((str(path), failed))
    assert wrong == []
    assert set(seen) == {"openapi", "asyncapi", "graphql", "protobuf", "text"}
    assert seen.total() > 80
