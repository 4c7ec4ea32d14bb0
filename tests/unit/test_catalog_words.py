"""Words of texts and of queries."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callboard_catalog.search import Words, words_of


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", []),
        ("order-service_v2", ["order", "service", "v2"]),
        ("orderService", ["orderservice", "order", "service"]),
        ("HTTP", ["http"]),
        ("支付", ["支付", "付"]),
        ("付", ["付"]),
        ("支付API网关", ["支付", "付", "api", "网关", "关"]),
        ("Ｃafé", ["cafe"]),
        ("が", ["が"]),
        ("한국어", ["한국", "국어", "어"]),
        ("a a A", ["a"]),
        ("! ?\0\ud800", []),
        ("x" * 100, ["x" * 64]),
    ],
)
def test_words_of_texts(text: str, words: list[str]) -> None:
    assert words_of(text) == words


def test_words_are_bounded() -> None:
    assert len(words_of(" ".join(map(str, range(10_000))))) == 400
    assert words_of("a b c", 2) == ["a", "b"]
    assert len(words_of("".join(map(chr, range(0x4E00, 0x6000))))) == 400
    query = Words.of_query("".join(map(chr, range(0x4E00, 0x6000))))
    assert len(query.whole) < 100
    assert len(Words.of_query(" ".join(map(str, range(100)))).whole) < 20


@pytest.mark.parametrize(
    ("query", "text", "marked"),
    [
        ("order", "Order service", "[Order] service"),
        ("支付网", "支付网关", "[支付网]关"),
        ("网关 支付", "支付网关", "[支付网关]"),
        ("a.b", "a.b a+b", "[a].[b] [a]+[b]"),
        ("", "x", "x"),
        ("x", "<b>x</b>", "<b>[x]</b>"),
    ],
)
def test_marks(query: str, text: str, marked: str) -> None:
    found = Words.of_query(query).mark(text)
    assert found.replace("\ue000", "[").replace("\ue001", "]") == marked


@given(st.text())
def test_words_have_no_mark_that_a_query_language_knows(text: str) -> None:
    words = Words.of_query(text)
    for word in (*words_of(text), *words.whole, *words.prefixes):
        assert word.isalnum()
        assert word == word.lower()
        assert 0 < len(word) <= 64
    assert words.mark(text).replace("\ue000", "").replace("\ue001", "") == text.replace(
        "\ue000", ""
    ).replace("\ue001", "")
