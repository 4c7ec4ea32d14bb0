"""The hands of a person: the keyboard alone, or a finger, with their steps counted.

A step is a press of a key that types nothing. What is typed is not counted, because it is the same
however the pages are made. Time is not measured: steps do not depend on the machine.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from playwright.sync_api import Locator, Page, expect

MOST_TABS: Final = 60
HAS_FOCUS: Final = "element => element === document.activeElement"


class Hands:
    """A person at the keyboard who reads one language."""

    def __init__(self, page: Page, language: str, work: Callable[[], object]) -> None:
        self.page = page
        self.language = language
        self.work = work
        self.steps = 0

    def say(self, english: str, chinese: str) -> str:
        """Give what this person reads or writes."""
        return chinese if self.language == "zh-CN" else english

    def press(self, *keys: str) -> None:
        """Press keys one after the other; each is a step."""
        for key in keys:
            self.page.keyboard.press(key)
            self.steps += 1

    def write(self, text: str) -> None:
        """Type text, which is no step. What no key has comes as from an input method."""
        self.page.keyboard.insert_text(text)

    def tab_to(self, target: Locator, key: str = "Tab") -> None:
        """Press Tab until the focus is on `target`."""
        expect(target).to_have_count(1)
        for _ in range(MOST_TABS):
            self.press(key)
            if target.evaluate(HAS_FOCUS):
                return
        focused = self.page.evaluate("document.activeElement.outerHTML.slice(0, 200)")
        raise AssertionError(f"{target} is not reached; the focus is on {focused}")

    def past_navigation(self) -> None:
        """Take the link that leads past the sidebar."""
        self.press("Tab", "Enter")
        expect(self.page.locator("#main")).to_be_focused()

    def find(self, text: str, address: str) -> None:
        """Search from anywhere and open the first result, which is at `address`."""
        self.press("/")
        expect(self.page.locator("#palette-text")).to_be_focused()
        self.write(text)
        self.press("Enter")
        self.page.wait_for_url(f"**{address}")

    def go(self, path: str) -> None:
        """Press `g` and the letter that the sidebar gives to a page."""
        letter = self.page.locator(f".nav a[href='{path}']").get_attribute("data-go")
        assert letter, f"{path} has no letter"
        self.press("g", letter)
        self.page.wait_for_url(f"**{path}*")

    def next_tabs(self, address: str) -> None:
        """Press `]` until the tab at `address` is open."""
        tabs = self.page.locator("main .tabs").first
        paths = tabs.locator("a").evaluate_all("links => links.map(link => link.pathname)")
        now = tabs.locator("a").evaluate_all(
            "links => links.findIndex(link => link.hasAttribute('aria-current'))"
        )
        for path in paths[now + 1 : paths.index(address) + 1]:
            self.press("]")
            self.page.wait_for_url(f"**{path}*")


@dataclass(frozen=True)
class Task:
    """Something a person does, and how many steps it may take them from the home page."""

    words: str
    steps: int
    do: Callable[[Hands], None]


def task(words: str, steps: int) -> Callable[[Callable[[Hands], None]], Task]:
    """Make a task of a function that does it."""
    return lambda do: Task(words, steps, do)
