"""The pages of teams, people, ownership, systems and relations answer, whatever is asked."""

import re

import pytest
from starlette.testclient import TestClient

RELATIONS = "/catalog/default/component/order-service/relations"
PAGES = (
    "/teams", "/teams?view=table", "/teams?view=table&sort=owned&from=100", "/teams?q=zzz",
    "/teams?type=team", "/teams?under=group:default/trade-core",
    "/people", "/people?q=x&letter=Z", "/people?letter=%23&from=999999999",
    "/ownership", "/ownership?gap=none&kind=component", "/ownership?gap=left",
    "/ownership?gap=nonsense&kind=nonsense", "/ownership?gap=empty",
    "/systems", "/systems?q=zzz", "/systems?view=map", "/systems?domain=nonsense",
    "/catalog/default/system/shop/inside", "/catalog/default/group/trade-core?owned=all",
    RELATIONS, f"{RELATIONS}?depth=4", f"{RELATIONS}?depth=all&direction=in",
    f"{RELATIONS}?relation=dependsOn,ownerOf&kind=resource", f"{RELATIONS}?kind=nonsense",
)  # fmt: skip


@pytest.mark.parametrize("language", ["en", "zh-CN"])
@pytest.mark.parametrize("path", PAGES)
def test_page(client: TestClient, path: str, language: str) -> None:
    response = client.get(path, headers={"accept-language": language})
    assert response.status_code == 200
    assert response.text.count("<h1") == 1
    assert "e-0" not in re.findall(r'class="note bad"[^>]*>[^<]*', response.text)
    assert 'class="slot-error' not in response.text
    assert "style=" not in response.text
    ids = re.findall(r'\sid="([^"]+)"', response.text)
    assert len(ids) == len(set(ids)), "an id is there twice"


@pytest.mark.parametrize("mark", ["%00", "%22%3E%3Cscript%3E", "%E2%80%AE", "a" * 500])
@pytest.mark.parametrize(
    "path",
    ["/teams?q=", "/people?q=", "/systems?q=", f"{RELATIONS}?kind=", f"{RELATIONS}?relation="],
)
def test_odd_questions_are_answered(client: TestClient, path: str, mark: str) -> None:
    response = client.get(f"{path}{mark}")
    assert response.status_code == 200
    assert '"><script>' not in response.text


@pytest.mark.parametrize(
    "path", ["/teams?under=group:default/none", "/ownership?gap=empty&cursor=nonsense"]
)
def test_what_cannot_be_is_said(client: TestClient, path: str) -> None:
    response = client.get(path)
    assert response.status_code in (200, 400)
    assert "Traceback" not in response.text


def test_gaps_of_the_sample_are_counted(client: TestClient) -> None:
    page = client.get("/ownership").text
    # Its one team has no members, so that all it owns is in one gap.
    assert re.search(r"Team without members (\d+)", page)
    assert "Trade Core" in page
    assert '/catalog?kind=all&amp;owner=group%3Adefault%2Ftrade-core' in page  # fmt: skip


def test_the_picture_and_the_table_say_the_same(client: TestClient) -> None:
    page = client.get(f"{RELATIONS}?depth=2").text
    svg, _, table = page.partition("</svg></div></div>")
    drawn = set(re.findall(r'<a href="(/catalog/default/[^"?]+)" data-n', svg))
    listed = set(re.findall(r'scope="row"><a href="(/catalog/default/[^"]+)"', table))
    assert drawn == listed | {"/catalog/default/component/order-service"}
    assert "/catalog/default/resource/not-there" in drawn
    assert "not in the catalog" in table


def test_filters_lead_to_addresses(client: TestClient) -> None:
    page = client.get(f"{RELATIONS}?depth=2&relation=dependsOn").text
    assert f'href="{RELATIONS}?depth=2"' in page
    assert f'href="{RELATIONS}?depth=3&amp;relation=dependsOn"' in page
    assert "<option value=\"dependsOn,consumesApi\">" in page  # fmt: skip
    assert "group:default/trade-core" not in page.partition("<tbody>")[2]
