"""The letters that open pages after the key g."""

import re

from hypothesis import given
from hypothesis import strategies as st
from starlette.testclient import TestClient

from callboard.contributions import NavItem
from callboard_web.shell import letters_of


def _item(name: str, letter: str = "") -> NavItem:
    return NavItem(name=name, title=name, path=f"/{name}", letter=letter)


def test_letters_asked_for_come_first() -> None:
    items = [_item("tags"), _item("teams", "t"), _item("types", "t"), _item("graph")]
    assert letters_of(items) == {"/teams": "t", "/tags": "a", "/types": "y", "/graph": "r"}


@given(st.lists(st.tuples(st.text(max_size=8), st.text(max_size=2)), max_size=40))
def test_no_letter_has_two_pages(given: list[tuple[str, str]]) -> None:
    items = [NavItem(name=name, title=name, path=f"/{number}", letter=letter)
             for number, (name, letter) in enumerate(given)]  # fmt: skip
    letters = letters_of(items)
    assert len({*letters.values()}) == len(letters)
    assert all(re.fullmatch("[a-fh-z]", letter) for letter in letters.values())


def test_the_list_tells_every_letter(client: TestClient) -> None:
    page = client.get("/").text
    letters = re.findall(r'data-go="(\w)"', page)
    assert {"h", "c"} <= set(letters)
    for letter in letters:
        assert f'<span class="kbd">g</span> <span class="kbd">{letter}</span>' in page
