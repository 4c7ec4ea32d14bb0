"""The character NUL, which PostgreSQL takes in no text: whoever sends it is told so."""

import pytest
from starlette.testclient import TestClient

ADDRESSES = (
    "/catalog?q=%00", "/catalog?owner=%00&sort=%00", "/catalog/default/component/a%00b",
    "/catalog/default/component/order-service/x%00", "/search?q=a%00", "/jobs?state=%00",
    "/problems?kind=%00", "/activity?q=%00", "/audit?actor=%00", "/audit?subject=%00",
    "/sources/%00", "/access/explain?subject=%00", "/views/%00",
    "/api/catalog/entities?filter=metadata.name=%00",
    "/api/catalog/entities/by-name/component/default/%00",
)  # fmt: skip


@pytest.mark.parametrize("address", ADDRESSES)
def test_it_is_nobodys_fault_but_the_senders(client: TestClient, address: str) -> None:
    answer = client.get(address)
    assert answer.status_code in (200, 400, 404)
    assert "Traceback" not in answer.text
