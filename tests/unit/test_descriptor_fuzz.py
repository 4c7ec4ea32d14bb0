"""Whatever the bytes are: documents or faults, soon, and never an exception."""

import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from callboard.entities import EntityRef
from callboard.errors import InputError
from callboard.testing import absent
from callboard_catalog.descriptors import (
    Document,
    KindRegistry,
    Limits,
    Lines,
    Origin,
    finish,
    read_documents,
    relations,
    stable_json,
    validate,
)

CORPUS = Path(__file__).parents[3] / "shared/fixtures/catalog/real"
REGISTRY = KindRegistry()
SEEDS = [
    (b"apiVersion: backstage.io/v1alpha1\nkind: Component\nmetadata:\n  name: a\n  tags: [x]\n"
    b"spec:\n  type: service\n  lifecycle: production\n  owner: group:team-a\n---\n# empty\n---\n"
    b"apiVersion: backstage.io/v1alpha1\nkind: Group\nmetadata: &m {name: b, labels: {x/y: z}}\n"
    b"spec: {type: team, children: [], <<: {parent: c}, profile: {email: \"q\\x41\"}}\n"),
    (b"apiVersion: scaffolder.backstage.io/v1beta3\nkind: Template\nmetadata:\n  name: t\n"
    b"spec:\n  type: x\n  steps:\n  - {action: 'fetch:template', if: true}\n"),
]  # fmt: skip
PIECES = st.sampled_from(
    [b"---\n", b"...\n", b"\t", b"- ", b": ", b"? ", b"&a ", b"*a ", b"<<: ", b"{", b"}", b"[",
     b"]", b"|\n", b">-\n", b"'", b'"', b"#", b"%YAML 1.2\n", b"!!int ", b"!x ", b"\r\n",
     b"\n", b"  ", b"\xff", b"\x00", b"\xef\xbb\xbf", b"\xff\xfe", b"kind", b"1", b"null",
     b"a", "支".encode(), b"\\ud800"]
)  # fmt: skip
QUICK = settings(
    max_examples=300, deadline=2000, suppress_health_check=[HealthCheck.too_slow], derandomize=True
)


def check(data: bytes, limits: Limits | None = None) -> None:
    """Take the bytes through every step, as ingestion does."""
    documents = read_documents(data, limits=limits) if limits else read_documents(data)
    assert [document.index for document in documents] == list(range(len(documents)))
    lines = Lines(data)
    total = data.count(b"\n") + data.count(b"\r") + data.count(b"\n\x00") + 2
    for document in documents:
        assert document.line >= 1
        if document.fault:
            assert document.fault.line >= 1
            assert document.fault.message
        elif document.value is not None:
            check_document(document, lines, total)


def check_document(document: Document, lines: Lines, total: int) -> None:
    faults = validate(document.value, REGISTRY)
    for fault in faults:
        assert 1 <= lines.line(document.index, fault.path) <= max(total, document.line)
    if not faults:
        finished = finish(document.value, Origin(location="url:https://example.com/x"))
        assert stable_json(finished.document)
        assert all(
            pair.source == finished.ref for pair in relations(document.value, REGISTRY).pairs
        )


@given(st.binary(max_size=400))
@QUICK
def test_arbitrary_bytes(data: bytes) -> None:
    check(data)


@given(st.lists(PIECES, max_size=60).map(b"".join))
@QUICK
def test_arbitrary_pieces_of_yaml(data: bytes) -> None:
    check(data)
    check(data, Limits(documents=2, depth=3, aliases=1, nodes=5))


def mutated(data: bytes, cuts: list[tuple[int, int, bytes]]) -> bytes:
    for start, length, piece in cuts:
        at = start % (len(data) + 1)
        data = data[:at] + piece + data[at + length :]
    return data


CUTS = st.lists(st.tuples(st.integers(0, 5000), st.integers(0, 8), PIECES), min_size=1, max_size=6)


@given(st.sampled_from(SEEDS), CUTS)
@QUICK
def test_mutated_descriptors(data: bytes, cuts: list[tuple[int, int, bytes]]) -> None:
    check(mutated(data, cuts))


@pytest.mark.corpus
@given(st.data())
@settings(QUICK, max_examples=150)
def test_mutated_real_files(data: st.DataObject) -> None:
    files = sorted(CORPUS.glob("*/catalog-info.yaml"))
    if not files:
        absent(f"the corpus of real descriptors is not at {CORPUS}")
    content = data.draw(st.sampled_from(files)).read_bytes()
    check(mutated(content, data.draw(CUTS)))


@pytest.mark.parametrize(
    "unit",
    [b"---\n", b"...\n", b"- a\n---\n", b"{", b"a: [\n---\n", b"\t\n", b"-\t", b"a:\t\tb\n", b"? ",
     b"&a ", b"'", b"a: b: c\n", b"%x\n", b"# c\n", b"|\n", b"\xff", b"a\t\n--- \n", b"!",
     b"- -\t# x\n", b"{a: \t#\n"],
)  # fmt: skip
def test_repeated_input_takes_bounded_time(unit: bytes) -> None:
    data = unit * (200_000 // len(unit))
    started = time.process_time()
    documents = read_documents(data)
    assert time.process_time() - started < 5
    assert len(documents) <= Limits().documents + 1


parts = st.from_regex(r"[A-Za-z0-9][-A-Za-z0-9_.]{0,20}", fullmatch=True)


@given(kind=parts, namespace=parts, name=parts)
@QUICK
def test_references_read_back(kind: str, namespace: str, name: str) -> None:
    ref = EntityRef.of(kind, namespace, name)
    assert EntityRef.parse(str(ref)) == ref
    assert EntityRef.parse(str(ref).upper()) == ref
    short = ref.relative(kind=ref.kind, namespace=ref.namespace)
    assert EntityRef.parse(short, default_kind=kind, default_namespace=namespace) == ref


@given(st.one_of(st.text(max_size=300), st.text(alphabet="ab:/ \n.-", max_size=12)))
@QUICK
def test_a_reference_is_read_or_refused(text: str) -> None:
    for default_kind in (None, "component"):
        try:
            ref = EntityRef.parse(text, default_kind=default_kind)
        except InputError:
            continue
        assert ref.kind
        assert ref.namespace
        assert ref.name
        assert EntityRef.parse(str(ref)) == ref
