"""A kind and a field that the settings alone declare: validated, listed, shown, related."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from typer.testing import CliRunner

from callboard.errors import SettingsError
from callboard.i18n import Message, from_data, in_languages, to_data
from callboard_catalog.descriptors import BUILT_IN_KINDS, KindRegistry
from callboard_catalog.descriptors.published import schema_of, schema_of_all
from callboard_catalog.descriptors.validation import validate
from callboard_web.runtime import Runtime
from callboard_web.testing import PortalUnderTest

SCAN = """
catalog:
  kinds:
    - name: SecretScan
      api_versions: [security.example.com/v1]
      title: {en: Secret scan, zh-CN: 密钥扫描}
      plural: {en: Secret scans, zh-CN: 密钥扫描}
      icon: flag
      schema:
        type: object
        required: [type, target, findings]
        properties:
          findings: {type: integer, minimum: 0}
      types:
        scheduled:
          required: [every]
          properties:
            every: {type: string, pattern: "^[0-9]+[hd]$"}
      relations:
        - path: target
          relation: scans
          reverse: scannedBy
          title: {en: scans, zh-CN: 扫描}
          reverse_title: {en: scanned by, zh-CN: 由其扫描}
          default_kind: Component
          allowed_kinds: [Component, Resource]
        - path: owner
          relation: ownedBy
          reverse: ownerOf
          default_kind: Group
  fields:
    - name: cost_centre
      path: spec.costCentre
      title: {en: Cost centre, zh-CN: 成本中心}
      kinds: [Component]
      schema: {type: string, pattern: "^K[0-9]{4}$"}
      column: true
    - name: tier
      path: metadata.annotations.example.com/tier
      title: {en: Service tier, zh-CN: 服务等级}
      choices: [gold, silver]
"""
SCANS = """
apiVersion: backstage.io/v1alpha1
kind: Component
metadata: {name: orders, annotations: {example.com/tier: gold}}
spec: {type: service, lifecycle: production, owner: team, costCentre: K4711}
---
apiVersion: security.example.com/v1
kind: SecretScan
metadata: {name: nightly, title: Nightly look}
spec: {type: scheduled, every: 12h, target: orders, owner: team, findings: 2}
---
apiVersion: security.example.com/v1
kind: SecretScan
metadata: {name: wrong-type}
spec: {type: scheduled, target: orders, findings: 2}
---
apiVersion: security.example.com/v1
kind: SecretScan
metadata: {name: wrong-number}
spec:
  type: once
  target: group:default/team
  findings: -1
---
apiVersion: backstage.io/v1alpha1
kind: Component
metadata: {name: free, annotations: {example.com/tier: tin}}
spec:
  type: service
  lifecycle: production
  owner: team
  costCentre: none
"""


@pytest.fixture
def portal_plugins() -> Sequence[str]:
    return []


@pytest.fixture
def portal_settings() -> Mapping[str, Any]:
    settings: Mapping[str, Any] = yaml.safe_load(SCAN)
    return settings


def registry() -> KindRegistry:
    from callboard.plugins import Contributions
    from callboard_catalog.engine import make_registry
    from callboard_catalog.settings import CatalogSettings

    settings = CatalogSettings.model_validate(yaml.safe_load(SCAN)["catalog"])
    return make_registry(settings, Contributions())


def fill(portal: PortalUnderTest) -> None:
    with pytest.raises(ValueError, match="every"):  # Three of the documents are wrong.
        portal.catalog_add(SCANS)
    portal.run_jobs()


def test_a_kind_made_by_configuration(portal: PortalUnderTest) -> None:
    fill(portal)
    client = portal.client
    page = client.get("/catalog/default/secretscan/nightly").text
    assert "Secret scan" in page
    assert "scans" in page
    there = client.get("/catalog/default/component/orders").text
    assert "scanned by" in there
    assert "Cost centre" in there
    assert "K4711" in there
    assert "Service tier" in there
    chinese = {"accept-language": "zh-CN"}
    assert "密钥扫描" in client.get("/catalog/default/secretscan/nightly", headers=chinese).text
    assert "由其扫描" in client.get("/catalog/default/component/orders", headers=chinese).text
    assert "成本中心" in client.get("/catalog/default/component/orders", headers=chinese).text
    listed = client.get("/catalog?kind=secretscan").text
    assert "Nightly look" in listed
    assert "Secret scan" in listed
    assert "wrong-type" not in listed
    column = client.get("/catalog?kind=component&columns=name,field.cost_centre").text
    assert "Cost centre" in column
    assert "K4711" in column


def test_the_api_knows_the_kind(portal: PortalUnderTest) -> None:
    fill(portal)
    client = portal.client
    found = client.get("/api/catalog/entities?filter=kind=secretscan").json()
    assert [item["metadata"]["name"] for item in found] == ["nightly"]
    related = client.get(
        "/api/catalog/entities?filter=relations.scannedby=secretscan:default/nightly"
    )
    assert [item["metadata"]["name"] for item in related.json()] == ["orders"]
    kinds = client.get("/api/catalog/kinds").json()["items"]
    scan = next(item for item in kinds if item["kind"] == "SecretScan")
    assert scan["title"] == {"en": "Secret scan", "zh-CN": "密钥扫描"}
    component = next(item for item in kinds if item["kind"] == "Component")
    assert [field["name"] for field in component["fields"]] == ["cost_centre", "tier"]
    schema = client.get("/api/catalog/schemas/secretscan").json()
    jsonschema.Draft202012Validator.check_schema(schema)
    assert client.get("/api/catalog/schemas/nothing").status_code == 404
    assert client.get("/api/catalog/schemas").status_code == 200


def test_what_is_wrong_is_rejected_with_file_and_line(portal: PortalUnderTest) -> None:
    fill(portal)
    problems = portal.runtime.catalog.problems()
    told = sorted((item.line, item.code) for item in problems if item.kind == "rejected")
    lines = SCANS.splitlines()
    tier = "metadata: {name: free, annotations: {example.com/tier: tin}}"
    assert told == [
        (lines.index("spec: {type: scheduled, target: orders, findings: 2}") + 1, "bad-spec"),
        (lines.index("  findings: -1") + 1, "bad-spec.findings"),
        (lines.index(tier) + 1, "bad-metadata.annotations"),
        (lines.index("  costCentre: none") + 1, "bad-spec.costCentre"),
    ]


KIND = "catalog.kinds[0]"
FAULTS = [
    ("icon: flag", "icon: Flag!", "catalog.kinds[0].icon"),
    ("minimum: 0", "minimum: none", "catalog.kinds[0].schema"),
    ("default_kind: Component", "default_kind: Componnt", f"{KIND}.relations[0].default_kind"),
    ("reverse: ownerOf", "reverse: hasOwner", "catalog.kinds[0].relations[1].reverse"),
    ("api_versions: [security.example.com/v1]", "api_versions: []", f"{KIND}.api_versions"),
    ("name: SecretScan", "name: secret scan", "catalog.kinds[0].name"),
    ("path: spec.costCentre", "path: status.costCentre", "catalog.fields[0].path"),
    ("name: tier", "name: cost_centre", "catalog.fields[1].name"),
    ("{en: Cost centre, zh-CN: 成本中心}", "{english: Cost centre}", "catalog.fields[0].title"),
    ("title: {en: scans, zh-CN: 扫描}", "titel: x", "catalog.kinds[0].relations[0].titel"),
]  # fmt: skip


@pytest.mark.parametrize(("good", "bad", "key"), FAULTS)
def test_a_bad_definition_is_refused_at_start(
    tmp_path: Path, good: str, bad: str, key: str
) -> None:
    text = SCAN.replace(good, bad)
    assert text != SCAN
    config = tmp_path / "callboard.yaml"
    config.write_text(text, encoding="utf-8")
    with pytest.raises(SettingsError) as caught:
        Runtime.open(config, {"CALLBOARD_PLUGINS": ""})
    fault = caught.value.faults[0]
    assert fault.key.startswith(key)
    assert fault.file == str(config)
    line = text.splitlines()[fault.line - 1]
    assert bad.split(":")[0].strip("{ ") in line or bad in line


def test_a_kind_that_is_there_already_is_refused(tmp_path: Path) -> None:
    config = tmp_path / "callboard.yaml"
    kind = {"name": "Component", "api_versions": ["backstage.io/v1alpha1"], "title": "X"}
    config.write_text(json.dumps({"catalog": {"kinds": [kind]}}), encoding="utf-8")
    with pytest.raises(SettingsError, match=r"catalog\.kinds\[0\]\.api_versions\[0\]: There is"):
        Runtime.open(config, {"CALLBOARD_PLUGINS": ""})


def test_published_schemas_say_what_the_checks_say() -> None:
    own = registry()
    one = {
        kind.name: jsonschema.Draft202012Validator(schema_of(own, kind.name))
        for kind in own.kinds()
    }
    every = jsonschema.Draft202012Validator(schema_of_all(own))
    for document in yaml.safe_load_all(SCANS):
        good = not validate(document, own)
        assert one[document["kind"]].is_valid(document) == good
        assert every.is_valid(document) == good
    assert not every.is_valid({"apiVersion": "a/v1", "kind": "Nothing", "metadata": {"name": "x"}})


@pytest.mark.parametrize("kind", BUILT_IN_KINDS, ids=lambda kind: kind.name)
def test_schemas_of_built_in_kinds_want_what_is_required(kind: Any) -> None:
    own = KindRegistry()
    schema = jsonschema.Draft202012Validator(schema_of(own, kind.name))
    document: dict[str, Any] = {
        "apiVersion": kind.api_versions[0], "kind": kind.name, "metadata": {"name": "x"},
        "spec": {},
    }  # fmt: skip
    values = {"texts": [], "objects": [{"action": "x"}], "text": "x", "object": {}}
    for field in kind.fields:
        if field.required:
            assert not schema.is_valid(document)
            assert validate(document, own)
            document["spec"][field.name] = values[field.types[0]]
    assert schema.is_valid(document)
    assert not validate(document, own)
    assert not schema.is_valid({**document, "extra": 1})
    assert not schema.is_valid({**document, "metadata": {"name": "-x"}})


def test_the_commands_know_the_kind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from callboard_web.cli import app

    config = tmp_path / "callboard.yaml"
    config.write_text(SCAN, encoding="utf-8")
    monkeypatch.setenv("CALLBOARD_CONFIG", str(config))
    monkeypatch.setenv("CALLBOARD_PLUGINS", "")
    file = tmp_path / "catalog-info.yaml"
    file.write_text(SCANS, encoding="utf-8")
    run = CliRunner()
    checked = run.invoke(app, ["catalog", "validate", str(file)])
    assert checked.exit_code == 1
    line = SCANS.splitlines().index("  findings: -1") + 1
    assert f"{file}:{line}: spec.findings" in checked.output
    printed = run.invoke(app, ["catalog", "schema", "SecretScan"])
    assert printed.exit_code == 0
    assert json.loads(printed.output)["title"] == "Secret scan"
    assert json.loads(run.invoke(app, ["catalog", "schema"]).output)["$defs"]["SecretScan"]


def test_texts_in_languages_are_kept() -> None:
    text = in_languages({"zh-CN": "扫描", "en": "Scan"})
    assert str(text) == "Scan"
    assert from_data(to_data(text)) == text
    assert isinstance(text, Message)
    assert str(in_languages({"zh-CN": "扫描"})) == "扫描"


def test_plugins_declare_the_same_by_their_hook() -> None:
    from callboard.contributions import EntityField, Kind
    from callboard.plugins import Contributed, Contributions
    from callboard.plugins.contributions import CONTRIBUTION_TYPES, check_contribution
    from callboard_catalog.engine import make_registry
    from callboard_catalog.settings import CatalogSettings

    robot = Kind(name="Robot", api_versions=("example.com/v1",), title="Robot")
    axes = EntityField(name="axes", path="spec.axes", title="Axes", kinds=("Robot",),
                       schema={"type": "integer", "maximum": 7})  # fmt: skip
    for item in (robot, axes):
        check_contribution(item, CONTRIBUTION_TYPES["kinds"])
    given = Contributions(kinds=(Contributed("plant", robot), Contributed("plant", axes)))
    own = make_registry(CatalogSettings(), given)
    document = {
        "apiVersion": "example.com/v1", "kind": "Robot", "metadata": {"name": "arm"},
        "spec": {"axes": 6},
    }  # fmt: skip
    assert validate(document, own) == []
    faults = validate({**document, "spec": {"axes": 9}}, own)
    assert [fault.path for fault in faults] == [("spec", "axes")]
