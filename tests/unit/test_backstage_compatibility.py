"""What is said of compatibility has a row for each endpoint and each parameter there is."""

import re
from pathlib import Path

from callboard_web.catalog_api.openapi import path_of
from callboard_web.catalog_api.routes import ENDPOINTS

PAGE = Path(__file__).parents[2] / "docs" / "backstage-compatibility.md"


def rows() -> list[list[str]]:
    lines = PAGE.read_text(encoding="utf-8").splitlines()
    return [
        [cell.strip() for cell in line.strip("|").split("|")] for line in lines if line[:1] == "|"
    ]


def test_every_endpoint_has_its_row() -> None:
    said = [row[0] for row in rows() if len(row) > 1 and not re.fullmatch(r"`\w+`", row[1])]
    declared = {f"`{item.method} {path_of(item)}`" for item in ENDPOINTS}
    described = {cell for cell in said if re.match(r"`(GET|POST|PUT|DELETE) /", cell)}
    assert described == {*declared, "`GET /openapi.json`"}


def test_every_parameter_has_its_row() -> None:
    described = {
        (row[0], row[1]) for row in rows() if len(row) > 2 and re.fullmatch(r"`\w+`", row[1])
    }
    declared = {
        (f"`{item.method} {path_of(item)}`", f"`{parameter.name}`")
        for item in ENDPOINTS
        for parameter in item.parameters
    }
    assert described == declared
