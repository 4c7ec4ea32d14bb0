"""The published description: it is whole, it is good, and what it says is what is answered."""

import json
import re
from collections import Counter
from collections.abc import Iterator
from typing import Any, Final

import pytest
from api_portal import ApiPortal, Described, open_portal
from hypothesis import HealthCheck, Phase, settings
from hypothesis import given as sent
from jsonschema import Draft202012Validator

from callboard_web.catalog_api.openapi import path_of
from callboard_web.catalog_api.routes import ENDPOINTS, ROUTES

given = pytest.fixture(open_portal, scope="module", params=["sqlite"], name="given")

EXAMPLES: Final = 25
"""Requests that are made up for each operation; the whole takes about a minute."""


@pytest.fixture(scope="module")
def api(given: ApiPortal) -> Described:
    return given.api


def operations(description: Any) -> Iterator[tuple[str, str, Any]]:
    for path, methods in description["paths"].items():
        for method, operation in methods.items():
            yield method.upper(), path, operation


def schemas(value: Any) -> Iterator[Any]:
    """Give every schema in the description."""
    if isinstance(value, dict):
        if isinstance(value.get("schema"), dict):
            yield value["schema"]
        for item in value.values():
            yield from schemas(item)
    elif isinstance(value, list):
        for item in value:
            yield from schemas(item)


def test_every_endpoint_is_described_with_all_it_takes_and_answers(api: Described) -> None:
    described = {(method, path): told for method, path, told in operations(api.description)}
    routed = {
        (method, re.sub(r":\w+}", "}", route.path.removeprefix("/api/catalog")))
        for route in ROUTES
        for method in (route.methods or set()) - {"HEAD"}
    }
    assert described.keys() == routed
    for endpoint in ENDPOINTS:
        told = described[endpoint.method, path_of(endpoint)]
        assert told["summary"] == endpoint.about
        in_query = {item["name"] for item in told["parameters"] if item["in"] == "query"}
        assert in_query == {item.name for item in endpoint.parameters}
        in_path = {item["name"] for item in told["parameters"] if item["in"] == "path"}
        assert in_path == set(re.findall(r"{(\w+)", endpoint.path))
        assert ("requestBody" in told) == (endpoint.body is not None)
        assert {str(status) for status in endpoint.answers} <= told["responses"].keys()
        assert any(status.startswith("2") for status in told["responses"])
    names = [told["operationId"] for told in described.values()]
    assert len(set(names)) == len(names)


def test_its_schemas_are_good_and_its_references_lead_somewhere(api: Described) -> None:
    description = api.description
    assert description["openapi"] == "3.1.0"
    named = description["components"]["schemas"]
    found = [*named.values(), *schemas(description["paths"])]
    assert len(found) > len(ENDPOINTS)
    for schema in found:
        Draft202012Validator.check_schema(schema)
    text = json.dumps(description)
    assert set(re.findall(r'"#/components/schemas/(\w+)"', text)) <= named.keys()


def test_what_stops_a_request_before_its_endpoint_is_described(api: Described) -> None:
    for method, path, told in operations(api.description):
        answers = told["responses"]
        assert answers.keys() >= {"400", "401", "403", "408", "413", "429", "503"}, path
        assert answers["408"]["content"].keys() == {"application/json", "text/plain"}
        assert answers["429"]["headers"].keys() == {"Retry-After"}
        assert ("415" in answers) == ("requestBody" in told), f"{method} {path}"
    large = {"content-length": str(6 * 1024 * 1024)}
    assert api.get("/entities", headers=large).status_code == 413
    sent = {"content": b"x" * (5 * 1024 * 1024 + 1), "headers": {"content-type": "text/plain"}}
    assert api.ask("POST", "/entities/by-refs", **sent).status_code == 413
    sent["content"] = b"entityRefs"
    assert api.ask("POST", "/entities/by-refs", **sent).status_code == 415


def test_what_a_client_has_already_is_not_sent_again(api: Described) -> None:
    for path in ("/entities", "/entities/by-query", "/entity-facets?facet=kind", "/openapi.json"):
        tag = api.get(path).headers["etag"]
        again = api.get(path, headers={"if-none-match": tag})
        assert (again.status_code, again.content) == (304, b"")


@pytest.mark.slow
def test_made_up_requests_find_no_fault_and_nothing_undescribed(given: ApiPortal) -> None:
    import schemathesis  # it takes a second
    from schemathesis.checks import CHECKS, load_all_checks
    from schemathesis.core.result import Ok

    load_all_checks()
    names = ("not_a_server_error", "status_code_conformance", "response_schema_conformance")
    checks = [CHECKS.get_one(name) for name in names]
    described = schemathesis.openapi.from_asgi("/api/catalog/openapi.json", given.client().app)
    seen: Counter[int] = Counter()

    def ask(case: Any) -> None:
        seen[case.call_and_validate(checks=checks).status_code] += 1

    bounded = settings(
        max_examples=EXAMPLES, deadline=None, database=None, derandomize=True,
        phases=[Phase.generate], suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    for found in described.get_all_operations():
        assert isinstance(found, Ok)
        operation = found.ok()
        print(operation.label)  # shown where it fails
        bounded(sent(case=operation.as_strategy())(ask))()
    assert seen.keys() >= {200, 400, 404}
    assert sum(seen.values()) > EXAMPLES * len(ENDPOINTS) / 2
