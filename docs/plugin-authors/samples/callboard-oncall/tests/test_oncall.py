from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from callboard_web.app import create_app
from callboard_web.runtime import Runtime

CATALOG = """\
apiVersion: backstage.io/v1alpha1
kind: Component
metadata:
  name: orders
spec: {type: service, lifecycle: production, owner: shop}
"""
SETTINGS = """\
catalog:
  sources:
    - {name: files, type: folder, path: catalog}
plugins:
  settings:
    oncall: {rota: ROTA}
"""


@pytest.fixture
def runtime(tmp_path: Path) -> Iterator[Runtime]:
    (tmp_path / "catalog").mkdir()
    (tmp_path / "catalog/catalog-info.yaml").write_text(CATALOG)
    (tmp_path / "rota.json").write_text('{"shop": "Zhou Hao"}')
    config = tmp_path / "callboard.yaml"
    config.write_text(SETTINGS.replace("ROTA", str(tmp_path / "rota.json")))
    runtime = Runtime.open(
        config,
        {"CALLBOARD_PLUGINS": "oncall"},
        clock=lambda: datetime(2026, 3, 2, 8, tzinfo=UTC),
        strict=True,
    )
    runtime.upgrade()
    runtime.start(worker=False, serve=False)
    runtime.jobs.run_once()
    yield runtime
    runtime.stop()


def test_the_card_and_the_column_name_who_is_on_call(runtime: Runtime) -> None:
    client = TestClient(create_app(runtime))
    card = client.get("/catalog/default/component/orders").text
    assert "Zhou Hao" in card
    assert "2 Mar 2026, 08:00" in card
    assert "Zhou Hao" in client.get("/catalog").text


def test_a_changed_rota_is_seen(runtime: Runtime, tmp_path: Path) -> None:
    (tmp_path / "rota.json").write_text('{"shop": "李雷"}')
    runtime.jobs.submit(None, "oncall", "rota")
    runtime.jobs.run_once()
    page = TestClient(create_app(runtime)).get("/catalog/default/component/orders").text
    assert "李雷" in page
    assert "Zhou Hao" not in page
