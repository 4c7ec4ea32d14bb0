"""The typed way to contributions agrees with the hooks."""

import inspect
from collections.abc import Iterable
from dataclasses import fields
from typing import Any, get_args, get_origin

import pytest

from callboard import contributions, hookspecs
from callboard.plugins import Contributed, Contributions
from callboard.plugins.contributions import CONTRIBUTION_TYPES, check_contribution
from callboard.plugins.manager import DIRECTORY_HOOKS, PREFIX, SETTINGS_HOOK

HOOKS = {
    name: function
    for name, function in inspect.getmembers(hookspecs, inspect.isfunction)
    if name.startswith(PREFIX)
}
LIFECYCLE = {"callboard_startup", "callboard_shutdown"}
NAMES = {"c": contributions, "Iterable": Iterable}


def test_every_hook_is_known_to_the_manager() -> None:
    typed = {f"{PREFIX}{field}" for field in CONTRIBUTION_TYPES}
    assert typed | {SETTINGS_HOOK, *DIRECTORY_HOOKS} | LIFECYCLE == HOOKS.keys()


def test_every_typed_hook_has_its_field() -> None:
    assert [field.name for field in fields(Contributions)] == list(CONTRIBUTION_TYPES)


@pytest.mark.parametrize("name", CONTRIBUTION_TYPES)
def test_signatures_agree(name: str) -> None:
    signature = inspect.signature(HOOKS[f"{PREFIX}{name}"])
    assert not signature.parameters
    given = eval(signature.return_annotation, dict(NAMES))
    items, nothing = get_args(given)
    assert nothing is type(None)
    assert get_args(items) == (CONTRIBUTION_TYPES[name],)
    [held, _] = get_args({field.name: field.type for field in fields(Contributions)}[name])
    assert get_origin(held) is Contributed
    assert get_args(held) == (CONTRIBUTION_TYPES[name],)


@pytest.mark.parametrize("name", sorted(LIFECYCLE))
def test_lifecycle_hooks_are_given_the_host(name: str) -> None:
    assert list(inspect.signature(HOOKS[name]).parameters) == ["host"]


def test_keys_name_the_plugin() -> None:
    item = contributions.NavItem(name="a", title="A", path="/a")
    assert Contributed("hello", item).key == "hello.a"
    assert Contributed("hello", contributions.Routes(router=lambda host: None)).key == "hello"  # type: ignore[arg-type,return-value]


def card(**values: Any) -> contributions.EntityCard:
    given = {"name": "a", "title": "A", "render": lambda context: None, **values}
    return contributions.EntityCard(**given)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"render": None}, "render NoneType, expected Callable"),
        ({"applies": "always"}, "applies str, expected Callable"),
        ({"width": 5.0}, ""),
        ({"width": 9}, "width 9, expected 3 or 4 or 5 or 6 or 7 or 8 or 12"),
        ({"permission": None}, "permission NoneType, expected str"),
        ({"order": None}, "order NoneType, expected int"),
    ],
)
def test_fields_are_checked(values: dict[str, Any], message: str) -> None:
    if not message:
        check_contribution(card(**values), contributions.EntityCard)
        return
    with pytest.raises(TypeError, match=message):
        check_contribution(card(**values), contributions.EntityCard)


def test_a_contribution_of_a_subclass_is_one() -> None:
    class Special(contributions.NavItem):
        pass

    check_contribution(Special(name="a", title="A", path="/a"), contributions.NavItem)
