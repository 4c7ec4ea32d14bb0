"""Relations of each kind, with the defaults of their references."""

from typing import Any

import pytest

from callboard.kinds import Kind, KindRelation
from callboard_catalog.descriptors import BUILT_IN_KINDS, KindRegistry, relations

REGISTRY = KindRegistry()


def entity(kind: str, namespace: str = "shop", **spec: Any) -> dict[str, Any]:
    template = kind == "Template"
    return {
        "apiVersion": "scaffolder.backstage.io/v1beta3" if template else "backstage.io/v1alpha1",
        "kind": kind,
        "metadata": {"name": "It", "namespace": namespace},
        "spec": spec,
    }


@pytest.mark.parametrize(
    ("kind", "field", "value", "expected"),
    [
        ("Component", "owner", "A", "ownedBy ownerOf group:shop/a"),
        ("Component", "owner", "user:B", "ownedBy ownerOf user:shop/b"),
        ("Component", "owner", "user:default/b", "ownedBy ownerOf user:default/b"),
        ("Component", "system", "s", "partOf hasPart system:shop/s"),
        ("Component", "subcomponentOf", "c", "partOf hasPart component:shop/c"),
        ("Component", "providesApis", ["p"], "providesApi apiProvidedBy api:shop/p"),
        ("Component", "consumesApis", ["x/p"], "consumesApi apiConsumedBy api:x/p"),
        ("Component", "dependsOn", ["resource:r"], "dependsOn dependencyOf resource:shop/r"),
        ("Component", "dependencyOf", ["API:r"], "dependencyOf dependsOn api:shop/r"),
        ("API", "owner", "a", "ownedBy ownerOf group:shop/a"),
        ("API", "system", "s", "partOf hasPart system:shop/s"),
        ("Resource", "owner", "a", "ownedBy ownerOf group:shop/a"),
        ("Resource", "system", "s", "partOf hasPart system:shop/s"),
        ("Resource", "dependsOn", ["component:c"], "dependsOn dependencyOf component:shop/c"),
        ("Resource", "dependencyOf", "component:c", "dependencyOf dependsOn component:shop/c"),
        ("System", "owner", "a", "ownedBy ownerOf group:shop/a"),
        ("System", "domain", "d", "partOf hasPart domain:shop/d"),
        ("Domain", "owner", "a", "ownedBy ownerOf group:shop/a"),
        ("Domain", "subdomainOf", "d", "partOf hasPart domain:shop/d"),
        ("Group", "parent", "g", "childOf parentOf group:shop/g"),
        ("Group", "children", ["g"], "parentOf childOf group:shop/g"),
        ("Group", "members", ["u"], "hasMember memberOf user:shop/u"),
        ("User", "memberOf", ["g"], "memberOf hasMember group:shop/g"),
        ("Template", "owner", "a", "ownedBy ownerOf group:shop/a"),
    ],
)
def test_each_relation_field(kind: str, field: str, value: Any, expected: str) -> None:
    found = relations(entity(kind, **{field: value}), REGISTRY)
    assert found.warnings == []
    [pair] = found.pairs
    assert f"{pair.type} {pair.reverse_type} {pair.target}" == expected
    assert str(pair.source) == f"{kind.lower()}:shop/it"


def test_a_location_has_none() -> None:
    assert relations(entity("Location", targets=["./a.yaml"]), REGISTRY).pairs == []


def test_malformed_references_are_left_out_and_the_others_kept() -> None:
    depends_on = ["component:a", "b", "${{ values.x }}", "component:支付", {"x": 1}, "component:A"]
    found = relations(entity("Component", owner="${{x}}", dependsOn=depends_on), REGISTRY)
    assert [str(pair.target) for pair in found.pairs] == ["component:shop/a"]
    assert [warning.path for warning in found.warnings] == [
        ("spec", "owner"), *(("spec", "dependsOn", position) for position in (1, 2, 3, 4)),
    ]  # fmt: skip
    assert "names no kind" in str(found.warnings[1].message)
    assert {warning.code for warning in found.warnings} == {"bad-reference"}


def test_custom_kinds_have_relations_of_their_own() -> None:
    kind = Kind(
        name="Robot",
        api_versions=("backstage.io/v1alpha1",),
        title="Robot",
        relations=(
            KindRelation(
                path="deployment.cluster",
                relation="runsOn",
                reverse="runs",
                default_kind="Resource",
                default_namespace="default",
                allowed_kinds=("Resource",),
            ),
        ),
    )
    registry = KindRegistry([*BUILT_IN_KINDS, kind])
    found = relations(entity("Robot", deployment={"cluster": ["c1", "system:s"]}), registry)
    assert [str(pair.target) for pair in found.pairs] == ["resource:default/c1"]
    assert "expected Resource" in str(found.warnings[0].message)
    assert relations(entity("Robot", deployment="x"), registry).pairs == []
