"""Texts that anybody may have written are read within limits, or refused with a line."""

import json
import re
import string
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callboard_apis.documents import DocumentFaultError, read_document
from callboard_apis.packing import CHUNK_LINES, chunks, pack_text, unpack_text
from callboard_apis.shapes import Keys, Lines
from callboard_apis.texts import first_line, html_of, name_of, plain


def test_yaml_has_the_core_schema() -> None:
    text = "a: on\nb: 2026-01-02\nc: 0o17\nd: 1.5\ne: [~, true, -3]\nresponses:\n  200: ok\n"
    assert read_document(text) == {
        "a": "on", "b": "2026-01-02", "c": "0o17", "d": 1.5, "e": [None, True, -3],
        "responses": {"200": "ok"},
    }  # fmt: skip


def test_aliases_and_merges_are_expanded() -> None:
    text = "x: &x {a: 1, b: 2}\ny: {<<: *x, b: 3}\nz: *x\n"
    assert read_document(text) == {
        "x": {"a": 1, "b": 2}, "y": {"a": 1, "b": 3}, "z": {"a": 1, "b": 2}
    }  # fmt: skip


BOMB = "a: &a [x,x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"{name}: &{name} [{','.join([f'*{before}'] * 10)}]\n"
    for before, name in zip("abcdefg", "bcdefgh", strict=True)
)


@pytest.mark.parametrize(
    ("text", "words", "line"),
    [
        (BOMB, "values once aliases", 7),
        ("a: &a [*a]", "names nothing above it", 1),
        ("a: 1\nb:\n  c: 2\n  c: 3\n", "there twice", 4),
        ("a: 1\n b: 2\n", "cannot be read", 2),
        ('{"a": 1,\n"b": ]', "cannot be read", 2),
        ("[" * 5_000, "cannot be read|levels", 1),
        ("{\"a\":" * 900 + "1" + "}" * 900, "levels", 0),
        ("", "nothing in it", 0),
        ("a: *x\n", "names nothing above it", 1),
        ("a: \x00", "cannot be read", 0),
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_refused(text: str, words: str, line: int) -> None:
    with pytest.raises(DocumentFaultError, match=words) as caught:
        read_document(text)
    assert caught.value.line == line


def test_a_text_that_is_too_large_is_not_read() -> None:
    with pytest.raises(DocumentFaultError, match="larger than"):
        read_document("x" * (12 * 2**20 + 1))


values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(string.printable),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(string.ascii_letters), inner),
    max_leaves=20,
)


@given(values)
def test_json_is_read_as_it_is(value: object) -> None:
    if isinstance(value, dict | list):
        assert read_document(json.dumps(value)) == value


@given(st.text())
def test_nothing_but_a_fault_is_raised(text: str) -> None:
    with suppress(DocumentFaultError):
        read_document(text)


@pytest.mark.parametrize(
    ("text", "gone"),
    [
        ("<script>alert(1)</script>", "<script"),
        ("<img src=x onerror=alert(1)>", "<img"),
        ("![x](https://evil.example/x.png)", "<img"),
        ("[x](javascript:alert(1))", "javascript:alert(1)\""),
        ("[x](data:text/html,hi)", "href"),
        ("[x](/catalog)", "href"),
        ("`<b>`", "<b>"),
        ("<div style='position:fixed'>", "<div"),
        ("# Title", "<h1"),
    ],
)  # fmt: skip
def test_markdown_is_safe(text: str, gone: str) -> None:
    html = html_of(text)
    assert gone not in html
    assert not re.search(r"<[^>]+\s(on\w+|style|src|class|id)=", html)


def test_markdown_is_drawn() -> None:
    html = html_of(
        "**Bold**, `code` and [a link](https://example.com/?a=1&b=2)\n\n| a |\n|---|\n| 1 |"
    )
    assert "<strong>Bold</strong>" in html
    assert "<code>code</code>" in html
    assert 'rel="noopener noreferrer nofollow"' in html
    assert "<td>1</td>" in html
    assert html_of("plain & <simple>") == "<p>plain &amp; &lt;simple&gt;</p>"
    assert html_of(None) == html_of("  ") == html_of({"a": 1}) == ""


def test_tables_that_would_be_filled_up_without_end_stay_text() -> None:
    wide = "|a" * 3000 + "\n" + "|-" * 3000 + "\n" + "|b\n" * 5000
    html = html_of(wide)
    assert "<td" not in html
    assert len(html) < 2 * len(wide)
    assert "<td>b</td>" in html_of("|a|a|\n|-|-|\n" + "|b|\n" * 500)


def test_hidden_characters_in_names_are_spelled_out() -> None:
    assert name_of("pay\u202etxt") == "pay<U+202E>txt"
    assert name_of("ad\u200bmin") == "ad<U+200B>min"
    assert name_of("a\x00\n b") == "a\ufffd b"
    assert plain("a\u2066b") == "ab"
    assert len(name_of("x" * 10_000)) == 300
    assert first_line("\n\n## Heading\nmore") == "Heading"


@given(st.text())
def test_no_text_breaks_out(text: str) -> None:
    assert "\x00" not in html_of(text)
    assert not re.search(
        r"<(?!/?(a|blockquote|br|code|del|em|hr|li|ol|p|pre|strong|ul)\b)", html_of(text)
    )


@given(st.text(), st.integers(0, 3))
def test_pieces_are_the_text(text: str, times: int) -> None:
    whole = text + "line\n" * (CHUNK_LINES * times) + text
    pieces = list(chunks(whole))
    assert "".join(part for _line, part in pieces) == whole
    for line, part in pieces:
        assert whole.startswith(part, _offset(whole, line)) or "\n" not in part
        assert unpack_text(pack_text(part)) == part


def _offset(text: str, line: int) -> int:
    return sum(len(part) + 1 for part in text.split("\n")[: line - 1])


def test_a_single_long_line_is_cut_into_pieces() -> None:
    pieces = list(chunks("x" * 450_000))
    assert [(line, len(part)) for line, part in pieces] == [(1, 200_000), (1, 200_000), (1, 50_000)]


def test_keys_are_addresses_of_their_own() -> None:
    keys = Keys()
    assert [keys.key(*choices) for choices in (
        ("getOrder",), ("GetOrder",), (None, "get /a/{b}"), ("../..",), ("//", ""), ("订单 查询",)
    )] == ["getOrder", "GetOrder-2", "get-a-b", "item", "item-2", "订单-查询"]  # fmt: skip


def test_lines_are_those_of_keys() -> None:
    lines = Lines('a:\n  b: 1\n  "c d": 2\nlist:\n  - b: 3\n')
    assert (lines.after("b"), lines.after("b", 2), lines.after("c d"), lines.after("x")) == (
        2,
        5,
        3,
        0,
    )
