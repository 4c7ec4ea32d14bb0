from pathlib import Path
from typing import Any

import pytest

from callboard.entities import EntityRef
from callboard_web.testing import PortalUnderTest

ORDERS = EntityRef.parse("component:default/orders").path()
CATALOG = """\
apiVersion: backstage.io/v1alpha1
kind: Component
metadata:
  name: orders
spec: {type: service, lifecycle: production, owner: shop}
"""


@pytest.fixture
def rota(tmp_path: Path) -> Path:
    path = tmp_path / "rota.json"
    path.write_text('{"shop": "Zhou Hao"}')
    return path


@pytest.fixture
def portal_plugins() -> list[str]:
    return ["oncall"]


@pytest.fixture
def portal_settings(rota: Path) -> dict[str, Any]:
    return {"plugins": {"settings": {"oncall": {"rota": str(rota)}}}}


def test_the_card_and_the_column_name_who_is_on_call(portal: PortalUnderTest) -> None:
    portal.catalog_add(CATALOG)
    portal.run_jobs()
    card = portal.client.get(ORDERS).text
    assert "Zhou Hao" in card
    assert "2 Mar 2026, 08:00" in card
    assert "Zhou Hao" in portal.client.get("/catalog").text


def test_a_changed_rota_is_seen(portal: PortalUnderTest, rota: Path) -> None:
    portal.catalog_add(CATALOG)
    portal.run_jobs()
    rota.write_text('{"shop": "李雷"}')
    portal.host("oncall").submit("rota")
    portal.run_jobs()
    page = portal.client.get(ORDERS).text
    assert "李雷" in page
    assert "Zhou Hao" not in page
