"""Chinese by how it is read, and passages of texts."""

import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callboard_catalog.search import Words
from callboard_catalog.search.passages import PASSAGE, beginning, passage
from callboard_catalog.search.pinyin import MOST_WORDS, pinyin_words, spoken_place


@pytest.mark.parametrize(
    ("text", "typed"),
    [
        ("支付网关", "zhifuwangguan zhifu wangguan zfwg wg zhi guan"),
        ("重庆银行", "chongqing zhongqing yinhang cqyh"),
        ("重试队列", "chongshi csdl"),
        ("单雄信", "shanxiongxin sxx"),
        ("曾国藩", "zengguofan zgf"),
        ("用户中心 v2", "yonghu zhongxin yhzx"),
        ("行情 Service", "hangqing"),
        ("長城", "changcheng"),
        ("绿色通道", "lvsetongdao"),
    ],
)
def test_readings(text: str, typed: str) -> None:
    assert set(typed.split()) <= set(pinyin_words(text))


@given(st.text())
def test_words_of_readings_are_letters_and_bounded(text: str) -> None:
    words = pinyin_words(text)
    assert len(words) <= MOST_WORDS
    assert all(word.isascii() and word.isalpha() and word == word.lower() for word in words)
    assert pinyin_words("order-service がぎ 결제") == []


@pytest.mark.parametrize(
    ("typed", "marked"),
    [("zf", "[支付]网关 Pay"), ("zhifuw", "[支付网]关 Pay"), ("wg", "支付[网关] Pay"),
     ("pay", "支付网关 [Pay]"), ("x", "支付网关 Pay")],
)  # fmt: skip
def test_what_is_read_like_the_query_is_marked(typed: str, marked: str) -> None:
    found = Words.of_query(typed).mark("支付网关 Pay")
    assert found.replace("\ue000", "[").replace("\ue001", "]") == marked
    assert spoken_place("Pay", typed) is None


def test_nothing_is_loaded_for_names_without_chinese() -> None:
    code = (
        "import sys; from callboard_catalog.search.pinyin import pinyin_words as read; "
        "assert read('order') == [] == read('がぎ é'); assert 'pypinyin' not in sys.modules; "
        "assert read('支'); assert 'pypinyin' in sys.modules; "
        "assert 'pypinyin.phrases_dict' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


def shown(text: str, query: str) -> str:
    found = passage(text, Words.of_query(query))
    return found.replace("\ue000", "[").replace("\ue001", "]")


def test_passages() -> None:
    filler = "lorem ipsum dolor sit amet " * 40
    text = (
        f"{filler}rollback once. {filler}How to do a rollback of the plan,\nstep by step. {filler}"
    )
    found = shown(text, "rollback plan")
    assert "do a [rollback] of the [plan], step by step." in found
    assert found.startswith("…")
    assert found.endswith("…")
    assert "\n" not in found
    assert shown("short rollback", "rollback") == "short [rollback]"
    assert shown("nothing here", "rollback") == ""
    assert shown("subset", "set") == ""
    assert "[回滚]" in shown("部署手册。" * 80 + "回滚的步骤" + "其他。" * 80, "回滚")
    assert beginning("word " * 100).endswith("word…")
    assert beginning("short") == "short"


@given(st.text(max_size=600), st.text(max_size=20))
def test_a_passage_is_a_part_of_its_text(text: str, query: str) -> None:
    found = passage(text, Words.of_query(query))
    plain = found.replace("\ue000", "").replace("\ue001", "").strip("…")
    squeezed = "".join(text.translate({0xE000: None, 0xE001: None}).split())
    assert "".join(plain.split()) in squeezed
    assert len(plain) <= PASSAGE
