"""The plugin in a running portal. It must be installed: `pip install -e '.[dev]'`.

The fixture `portal` comes with Callboard. It is strict: a fault of the plugin fails the test,
where a portal would draw an error card.
"""

from typing import Any

import pytest

from callboard_web.testing import PortalUnderTest


@pytest.fixture
def portal_plugins() -> list[str]:
    return ["hello"]


@pytest.fixture
def portal_settings() -> dict[str, Any]:
    return {"plugins": {"settings": {"hello": {"greeting": "Good morning"}}}}


@pytest.fixture
def greeted(portal: PortalUnderTest) -> PortalUnderTest:
    """Give a portal after everything that was due has run."""
    portal.run_jobs()
    # The entity came by the first jobs; the greeting of it is the next.
    portal.host("hello").submit("greet")
    portal.run_jobs()
    return portal


def test_the_card_greets_the_entity_that_the_plugin_brought(greeted: PortalUnderTest) -> None:
    page = greeted.client.get("/catalog/default/component/hello-world").text
    assert "Brought by callboard-hello" in page
    assert "Good morning, hello-world" in page


def test_the_page_lists_greetings(greeted: PortalUnderTest) -> None:
    page = greeted.client.get("/hello/").text
    assert "Good morning, hello-world" in page
    assert "/catalog/default/component/hello-world" in page


def test_the_catalog_has_the_column(greeted: PortalUnderTest) -> None:
    assert "Greeted" in greeted.client.get("/catalog").text


def test_it_speaks_chinese(greeted: PortalUnderTest) -> None:
    page = greeted.client.get("/hello/", headers={"accept-language": "zh-CN"}).text
    assert "问候列表" in page
    assert "问候时间" in page


def test_running_the_job_again_changes_nothing(greeted: PortalUnderTest) -> None:
    before = greeted.client.get("/hello/").text
    greeted.host("hello").submit("greet")
    greeted.run_jobs()
    assert greeted.client.get("/hello/").text.count("Good morning") == 1
    assert before.count("Good morning") == 1
