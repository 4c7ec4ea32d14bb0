"""Problems and failing sources are told in the reader's language, to machines in English."""

import pytest
from starlette.testclient import TestClient

CHINESE = {"accept-language": "zh"}
FOLDER = "does not exist or cannot be entered"


def test_problems_in_both_languages(client: TestClient) -> None:
    [item] = client.get("/api/catalog/problems?kind=rejected").json()["items"]
    english = client.get("/problems?kind=rejected").text
    chinese = client.get("/problems?kind=rejected", headers=CHINESE).text
    assert item["message"] == "spec.owner is missing; expected a text"
    assert item["message"] in english
    assert "缺少 spec.owner；应为：文本" in chinese
    assert "expected" not in chinese


@pytest.mark.parametrize("path", ["/", "/sources/gone"])
def test_a_failing_source_in_both_languages(client: TestClient, path: str) -> None:
    english = client.get(path).text
    chinese = client.get(path, headers=CHINESE).text
    assert FOLDER in english
    assert FOLDER not in chinese
    assert "不存在或无法进入。" in chinese


def test_the_api_stays_english(client: TestClient) -> None:
    items = client.get("/api/catalog/sources", headers=CHINESE).json()["items"]
    gone = next(item for item in items if item["name"] == "gone")
    assert FOLDER in gone["error"]
    assert gone["hint"].startswith("Correct `path` of this source")
