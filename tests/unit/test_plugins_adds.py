"""The page of plugins has a word for whatever a plugin may add."""

from dataclasses import fields

from callboard.plugins.contributions import Contributions
from callboard_web.views.plugins import ADDS


def test_every_sort_of_contribution_has_a_word() -> None:
    assert set(ADDS) == {field.name for field in fields(Contributions)}
