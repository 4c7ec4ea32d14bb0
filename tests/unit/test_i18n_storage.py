"""Texts for people keep their translation while they lie in the tables."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Column, Integer, MetaData, Table, create_engine, insert, select, update

from callboard.database import TranslatedText
from callboard.database.types import read_text, write_text
from callboard.i18n import LONGEST_TEXT, Message, Text, Translator, storable

_ = Translator("callboard")

NAMES = st.from_regex(r"[a-z]{1,8}", fullmatch=True)
WORDS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=40)
NUMBERS = st.one_of(
    st.booleans(), st.integers(-(2**53), 2**53), st.floats(allow_nan=False, allow_infinity=False)
)


def _message(arguments: dict[str, Any], words: str, context: str, number: int | None) -> Message:
    text = words.replace("%", "%%") + "".join(f" %({name})s" for name in arguments)
    return Message(
        "callboard",
        text,
        context=context,
        plural="" if number is None else f"many {text}",
        number=1 if number is None else number,
        arguments=tuple(arguments.items()),
    )


MESSAGES: st.SearchStrategy[Message] = st.recursive(
    st.builds(
        _message,
        st.dictionaries(NAMES, WORDS | NUMBERS, max_size=3),
        WORDS,
        WORDS,
        st.none() | st.integers(0, 5),
    ),
    lambda inner: st.builds(
        _message, st.dictionaries(NAMES, inner | WORDS, max_size=3), WORDS, WORDS, st.none()
    ),
    max_leaves=5,
)


@given(WORDS | MESSAGES)
def test_a_text_is_read_as_it_was_written(text: Text) -> None:
    found = read_text(write_text(text))
    assert found == text
    assert str(found) == str(text)
    assert hash(found) == hash(text)


@given(st.text() | MESSAGES)
def test_any_text_can_be_kept(text: Text) -> None:
    kept = storable(text)
    assert storable(kept) == kept
    assert read_text(write_text(text)) == kept


@given(st.text())
def test_whatever_is_in_the_column_is_read(written: str) -> None:
    assert isinstance(read_text(written), str)


@pytest.mark.parametrize(
    "data",
    [
        {},
        {"d": "callboard"},
        {"d": 1, "t": "x"},
        {"d": "callboard", "t": "%(name)s", "a": {"other": 1}},
        {"d": "callboard", "t": "%(name)s", "a": {"name": [1]}},
        {"d": "callboard", "t": "%(name)s", "a": {"name": None}},
        {"d": "callboard", "t": "%(name)s", "a": [1]},
        {"d": "callboard", "t": "x", "p": "y", "n": "2"},
        [],
        1,
        None,
    ],
)
def test_unknown_shapes_are_plain_text(data: Any) -> None:
    written = orjson.dumps(data).decode()
    assert read_text(written) == written


def test_a_deeper_message_than_any_is_plain_text() -> None:
    data: dict[str, Any] = {"d": "callboard", "t": "x"}
    for _step in range(100):
        data = {"d": "callboard", "t": "%(inner)s", "a": {"inner": data}}
    written = orjson.dumps(data).decode()
    assert read_text(written) == written


def test_strings_and_arguments_are_cut() -> None:
    text = storable(_("%(outer)s", outer=_("%(name)s", name="x" * 10_000)))
    assert str(text) == "x" * (LONGEST_TEXT - 1) + "…"
    assert len(str(storable("字" * 10_000))) == LONGEST_TEXT
    assert storable(_("%(path)s", path=Path("/a"))) == _("%(path)s", path="/a")
    assert storable("a\0b\ud800") == "a\ufffdb?"


TABLE = Table(
    "thing",
    MetaData(),
    Column("id", Integer, primary_key=True),
    Column("text", TranslatedText, nullable=False),
    Column("other", TranslatedText),
)


@pytest.fixture
def connection() -> Iterator[Any]:
    engine = create_engine("sqlite://")
    with engine.begin() as connection:
        TABLE.metadata.create_all(connection)
        yield connection
    engine.dispose()


def test_a_column_of_texts(connection: Any) -> None:
    message = _("There is no source %(name)s.", name=_("a list"))
    connection.execute(insert(TABLE).values(id=1, text=message, other=None))
    connection.execute(insert(TABLE).values(id=2, text="", other='{"d": "x", "t": "y"}'))
    rows = connection.execute(select(TABLE).order_by(TABLE.c.id)).all()
    # A string is never taken for a message, whatever it holds.
    assert rows == [(1, message, None), (2, "", '{"d": "x", "t": "y"}')]
    connection.execute(update(TABLE).where(TABLE.c.text == message).values(text="changed"))
    assert connection.scalar(select(TABLE.c.text).where(TABLE.c.id == 1)) == "changed"
