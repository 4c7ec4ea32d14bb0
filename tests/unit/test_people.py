"""Names and documents of people who are found elsewhere."""

import re
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from callboard.people import FoundGroup, FoundPeople, FoundUser, clean, documents, web_address
from callboard.people.model import mail_address
from callboard.people.names import LONGEST_NAME, give_names, wanted_name

NAME = re.compile(r"([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]")
IDS = st.text("abc123", min_size=1, max_size=3)
FOLK = st.dictionaries(IDS, st.text(st.characters() | st.sampled_from("aA-. "), max_size=70))


def wanted_by(folk: dict[str, str]) -> dict[str, str]:
    return {number: wanted_name(name, "user", number) for number, name in folk.items()}


@given(FOLK)
def test_everybody_has_a_valid_name_of_their_own(folk: dict[str, str]) -> None:
    names = give_names(wanted_by(folk), {}, keep=False)
    assert names.keys() == folk.keys()
    assert len(set(names.values())) == len(names)
    assert all(NAME.fullmatch(name) and len(name) <= LONGEST_NAME for name in names.values())


@given(FOLK, FOLK)
def test_who_stays_the_same_keeps_their_name(first: dict[str, str], then: dict[str, str]) -> None:
    before = wanted_by(first)
    given_first = give_names(before, {}, keep=False)
    known = {number: (before[number], name) for number, name in given_first.items()}
    after = wanted_by(then)
    names = give_names(after, known, keep=False)
    for number in after.keys() & before.keys():
        if after[number] == before[number]:
            assert names[number] == given_first[number]
    kept = give_names(after, known, keep=True)
    assert all(kept[number] == given_first[number] for number in after.keys() & before.keys())
    assert len(set(kept.values())) == len(kept)


@given(st.dictionaries(IDS, st.frozensets(IDS, max_size=4), max_size=12))
def test_groups_are_never_below_themselves(edges: dict[str, frozenset[str]]) -> None:
    groups = [FoundGroup(id=number, name=number, children=edges[number]) for number in edges]
    names = {("group", number): number for number in edges}
    written: dict[str, Any] = {}
    for item in documents(FoundPeople((), groups), names):
        assert isinstance(item.content, dict)
        children = item.content["spec"]["children"]
        written[item.content["metadata"]["name"]] = {ref.rpartition("/")[2] for ref in children}
    seen: set[str] = set()
    while ready := [name for name in written if name not in seen and written[name] <= seen]:
        seen.update(ready)
    assert seen == written.keys()


def test_what_is_no_address_is_left_out() -> None:
    assert mail_address(" ada@example.com ") == "ada@example.com"
    assert not any(map(mail_address, ("ada", "@x", "a b@x", "a@", None, "a\n@x", "a" * 400 + "@x")))
    assert web_address("https://example.com/a.png") == "https://example.com/a.png"
    wrong = ("javascript:alert(1)", "http://x/a.png", "https://u:p@x/", "https://[x", 7)
    assert not any(map(web_address, wrong))
    assert clean(" two\n words\0 ") == "two words"


def test_a_group_of_several_has_no_single_parent() -> None:
    groups = [
        FoundGroup(id="1", name="one", children=frozenset({"3"})),
        FoundGroup(id="2", name="two", children=frozenset({"3", "9"})),
        FoundGroup(id="3", name="three", members=frozenset({"7", "8"})),
    ]
    users = [FoundUser(id="7", name="ada"), FoundUser(id="7", name="twice")]
    names = {("group", "1"): "one", ("group", "2"): "two", ("group", "3"): "three",
             ("user", "7"): "ada"}  # fmt: skip
    found = {item.path: item.content for item in documents(FoundPeople(users, groups), names)}
    assert len(found) == 4
    three = found["groups/three.json"]
    assert isinstance(three, dict)
    assert "parent" not in three["spec"]
    ada = found["users/ada.json"]
    assert isinstance(ada, dict)
    assert ada["spec"]["memberOf"] == ["group:default/three"]
