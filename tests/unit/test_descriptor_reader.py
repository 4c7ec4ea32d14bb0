"""The reader of descriptor files: YAML 1.2 core, errors kept apart, limits."""

import math
import time
from typing import Any

import pytest

from callboard_catalog.descriptors import Document, Limits, Lines, locate, read_documents


def value(text: str) -> Any:
    [document] = read_documents(text.encode())
    assert document.fault is None
    return document.value


def codes(documents: list[Document]) -> list[str]:
    return [document.fault.code if document.fault else "" for document in documents]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("on", "on"), ("yes", "yes"), ("No", "No"), ("2024-01-31", "2024-01-31"),
        ("12:30:45", "12:30:45"), ("1_000", "1_000"), ("0b11", "0b11"), ("=", "="),
        ("null", None), ("~", None), ("Null", None), ("nULL", "nULL"), ("", None),
        ("true", True), ("FALSE", False), ("tRue", "tRue"), ("12", 12), ("-3", -3), ("+3", 3),
        ("0o17", 15), ("0755", 755), ("0x1F", 31), ("1.5", 1.5), (".5", 0.5), ("1.", 1.0),
        ("1e3", 1000.0), ("-.INF", -math.inf), (".inf", math.inf), ("1.2.3", "1.2.3"),
        ("'12'", "12"), ('"null"', "null"), ("!!str 12", "12"), ("!!float 3", 3),
        ("!custom 12", "12"), ("9223372036854775807", 2**63 - 1),
        ("18446744073709551616", float(2**64)), ("0x" + "f" * 99, math.inf),
    ],
)  # fmt: skip
def test_plain_scalars_follow_the_core_schema(text: str, expected: object) -> None:
    found = value(f"key: {text}\n")["key"]
    assert found == expected
    assert type(found) is type(expected)


def test_not_a_number_and_huge_numbers() -> None:
    assert math.isnan(value("a: .NaN")["a"])
    assert value(f"a: {'9' * 10_000}")["a"] == math.inf


@pytest.mark.parametrize("tag", ["!!int x", "!!bool 1", "!!float x", "!!null x"])
def test_a_tag_that_the_scalar_is_not_of_is_an_error(tag: str) -> None:
    assert codes(read_documents(f"a: {tag}".encode())) == ["yaml-error"]


def test_keys_become_texts() -> None:
    text = "on: 1\n12: 2\nnull: 3\n? [a, b]\n: 4\n? {x: y}\n: 5\n"
    assert value(text) == {"on": 1, "12": 2, "null": 3, '["a", "b"]': 4, '{"x": "y"}': 5}
    assert value("a: {{ x }}") == {"a": {'{"x": null}': None}}


def test_merge_keys_are_honoured_and_do_not_override() -> None:
    text = "base: &b {x: 1, y: 2}\none: {<<: *b, y: 3}\ntwo: {<<: [{x: 0}, *b]}\n'<<': 4\n"
    found = value(text)
    assert found["one"] == {"x": 1, "y": 3}
    assert found["two"] == {"x": 0, "y": 2}
    assert found["<<"] == 4


@pytest.mark.parametrize("text", ["<<: 1", "<<: [1]", "a: *b", "a: &a [*a]", "a: &a {b: *a}"])
def test_merges_and_aliases_that_mean_nothing_are_errors(text: str) -> None:
    assert codes(read_documents(text.encode())) == ["yaml-error"]


def test_an_anchor_may_be_given_again() -> None:
    assert value("a: &x 1\nb: &x 2\nc: *x\n*x : 3") == {"a": 1, "b": 2, "c": 2, "2": 3}


def test_a_duplicate_key_is_an_error_with_its_line() -> None:
    [document] = read_documents(b"a: 1\nb: {c: 1}\na: 2\n")
    assert document.fault
    assert (document.fault.code, document.fault.line) == ("yaml-duplicate-key", 3)
    assert "'a'" in str(document.fault.message)


def test_documents_and_their_lines() -> None:
    text = b"# first\na: 1\n---\n---\n# c\n\nb: 2\n...\n---\nc: 3\n---\n"
    documents = read_documents(text)
    assert [document.value for document in documents] == [
        {"a": 1}, None, {"b": 2}, {"c": 3}, None,
    ]  # fmt: skip
    assert [document.index for document in documents] == [0, 1, 2, 3, 4]
    assert [documents[position].line for position in (0, 2, 3)] == [2, 7, 10]
    assert [document.empty for document in documents] == [False, True, False, False, True]


@pytest.mark.parametrize("text", [b"", b"\n\n", b"# only a comment\n", b"\xef\xbb\xbf"])
def test_a_file_of_nothing_has_no_documents(text: bytes) -> None:
    assert read_documents(text) == []


@pytest.mark.parametrize(
    "data",
    [
        "a: 支付\nb: 2\n".encode("utf-8-sig"),
        "a: 支付\nb: 2\n".encode("utf-16"),
        b"\xfe\xff" + "a: 支付\nb: 2\n".encode("utf-16-be"),
        "a: 支付\r\nb: 2\r\n".encode(),
    ],
)
def test_byte_order_marks_and_line_ends(data: bytes) -> None:
    [document] = read_documents(data)
    assert document.value == {"a": "支付", "b": 2}


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_a_syntax_error_spoils_no_neighbour(encoding: str) -> None:
    text = "a: 1\n---\nb: [1\n---\n# c\nc: 3\n---\nd: {{ x }\n...\n%YAML 1.2\n---\ne: 5\n"
    documents = read_documents(text.encode(encoding))
    assert codes(documents) == ["", "yaml-error", "", "yaml-error", ""]
    assert [document.value for document in documents][::2] == [{"a": 1}, {"c": 3}, {"e": 5}]
    assert documents[2].line == 6
    assert documents[4].line == 12


def test_an_error_says_where_it_is_and_what_to_do() -> None:
    text = b"a: 1\n---\nb: 2\nc: x: y\n---\n{% if x %}\n---\na:\n\tb: 1\n"
    faults = [document.fault for document in read_documents(text)]
    assert [fault and fault.line for fault in faults] == [None, 4, 6, 9]
    assert "quotes" in str(faults[1])
    assert "template" in str(faults[2])
    assert "spaces" in str(faults[3])


def test_tabs_that_separate_are_allowed() -> None:
    assert value("a:\t1\nb:\n\t\t# comment\n  -\tx\n\t\nc: [1,\t2]\t# end\n") == {
        "a": 1, "b": ["x"], "c": [1, 2],
    }  # fmt: skip


def test_tabs_in_texts_are_kept() -> None:
    text = 'a: |\n  x\ty\n  \tz\nb:\n\t# comment\n  "p\tq"\n'
    assert value(text) == {"a": "x\ty\n\tz\n", "b": "p\tq"}


def test_text_that_is_not_utf8_is_rejected_alone() -> None:
    documents = read_documents(b"a: 1\n---\nb: \xff\n---\nc: 3\n")
    assert codes(documents) == ["", "not-utf8", ""]
    assert documents[1].line == 3
    assert codes(read_documents(b"\xff\xfea")) == ["not-utf8"]


def test_control_characters_are_an_error() -> None:
    documents = read_documents(b"a: 1\n---\nb: \x00\n")
    assert codes(documents) == ["", "yaml-error"]
    assert documents[1].line == 3


def test_limits_reject_the_part_that_passes_them() -> None:
    limits = Limits(file_size=100, documents=3, depth=3, aliases=2, nodes=10)
    read = [
        ("#" * 101, ["too-large"]),
        ("a: 1\n---\nb: [[[1]]]\n---\nc: [[1]]", ["", "too-deep", ""]),
        ("[&a 1, *a, *a]\n---\n[&a 1, *a, *a, *a]\n", ["", "too-many-aliases"]),
        (str(list(range(11))), ["too-many-values"]),
        ("- 1\n---\n- 2\n---\n- 3\n---\n- 4\n---\n- 5", ["", "", "", "too-many-documents"]),
        ("- &a [1]\n- &b [*a]\n- [*b]", ["too-deep"]),
        ("- &a [1, 2, 3, 4]\n- [*a, *a]", ["too-many-values"]),
    ]
    for text, expected in read:
        assert codes(read_documents(text.encode(), limits=limits)) == expected, text


def test_billion_laughs_costs_nothing() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 10)]
    started = time.process_time()
    assert codes(read_documents("\n".join(lines).encode())) == ["too-many-values"]
    assert codes(read_documents(b"[" * 1_000_000)) == ["too-deep"]
    assert codes(read_documents(b"- " * 1_000_000)) == ["too-deep"]
    assert time.process_time() - started < 2


def test_lines_of_keys_and_values() -> None:
    data = b"# c\nkind: X\nmetadata:\n  name: y\n  tags:\n    - a\n    - {b: 1,\n       c: 2}\n"
    lines = Lines(data)
    assert lines.line(0, ()) == 2
    assert lines.line(0, ("metadata", "name")) == 4
    assert lines.line(0, ("metadata", "tags", 0)) == 6
    assert lines.line(0, ("metadata", "tags", 1, "c")) == 8
    assert lines.line(0, ("metadata", "missing", "deeper")) == 3
    assert lines.line(7, ()) == 1


def test_lines_of_a_file_with_a_broken_document() -> None:
    data = b"a: 1\n---\nb: [\n---\n\nc: &x\n  d: 1\n? [k]\n: 2\ne: *x\n"
    assert locate(data, 0, ("a",)) == 1
    assert locate(data, 2, ("c", "d")) == 7
    assert locate(data, 2, ('["k"]',)) == 8
    assert locate(data, 2, ("e", "d")) == 10
