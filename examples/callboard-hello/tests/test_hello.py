"""The plugin in a running portal. It must be installed: `pip install -e .`."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from callboard.plugins import PluginState
from callboard_web.app import create_app
from callboard_web.runtime import Runtime

SETTINGS = """\
plugins:
  settings:
    hello:
      greeting: Good morning
"""


@pytest.fixture
def runtime(tmp_path: Path) -> Iterator[Runtime]:
    """Give a portal with this plugin alone, after everything that was due has run."""
    config = tmp_path / "callboard.yaml"
    config.write_text(SETTINGS)
    # Strict: a fault of the plugin fails the test, where a portal would draw an error card.
    runtime = Runtime.open(
        config,
        {"CALLBOARD_PLUGINS": "hello"},
        clock=lambda: datetime(2026, 3, 2, 8, tzinfo=UTC),
        strict=True,
    )
    runtime.upgrade()
    runtime.start(worker=False, serve=False)
    runtime.jobs.run_once()
    # The entity came by the first jobs; the greeting of it is the next.
    runtime.jobs.submit(None, "hello", "greet")
    runtime.jobs.run_once()
    yield runtime
    runtime.stop()


@pytest.fixture
def client(runtime: Runtime) -> TestClient:
    return TestClient(create_app(runtime))


def test_the_plugin_loads(runtime: Runtime) -> None:
    record = runtime.plugins.records["hello"]
    assert record.state is PluginState.LOADED, record.reason


def test_the_card_greets_the_entity_that_the_plugin_brought(client: TestClient) -> None:
    page = client.get("/catalog/default/component/hello-world").text
    assert "Brought by callboard-hello" in page
    assert "Good morning, hello-world" in page


def test_the_page_lists_greetings(client: TestClient) -> None:
    page = client.get("/hello/").text
    assert "Good morning, hello-world" in page
    assert "/catalog/default/component/hello-world" in page


def test_the_catalog_has_the_column(client: TestClient) -> None:
    assert "Greeted" in client.get("/catalog").text


def test_it_speaks_chinese(client: TestClient) -> None:
    page = client.get("/hello/", headers={"accept-language": "zh-CN"}).text
    assert "问候列表" in page
    assert "问候时间" in page


def test_running_the_job_again_changes_nothing(runtime: Runtime, client: TestClient) -> None:
    before = client.get("/hello/").text
    runtime.jobs.submit(None, "hello", "greet")
    runtime.jobs.run_once()
    assert client.get("/hello/").text.count("Good morning") == before.count("Good morning") == 1
