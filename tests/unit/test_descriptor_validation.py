"""The rules of the envelope, the metadata and the kinds, one by one."""

from typing import Any

import pytest

from callboard.errors import InputError
from callboard.kinds import Kind, KindField, KindRelation
from callboard_catalog.descriptors import BUILT_IN_KINDS, Fault, KindRegistry, validate

REGISTRY = KindRegistry()
SPECS: dict[str, dict[str, Any]] = {
    "Component": {"type": "service", "lifecycle": "production", "owner": "a"},
    "API": {"type": "openapi", "lifecycle": "production", "owner": "a", "definition": "x"},
    "Resource": {"type": "database", "owner": "a"},
    "System": {"owner": "a"},
    "Domain": {"owner": "a"},
    "Group": {"type": "team", "children": []},
    "User": {"memberOf": []},
    "Location": {},
    "Template": {"type": "service", "steps": [{"action": "x"}]},
}


def component(**metadata: Any) -> dict[str, Any]:
    return {
        "apiVersion": "backstage.io/v1alpha1",
        "kind": "Component",
        "metadata": {"name": "a", **metadata},
        "spec": dict(SPECS["Component"]),
    }


def of_kind(kind: str, **spec: Any) -> dict[str, Any]:
    template = kind == "Template"
    version = "scaffolder.backstage.io/v1beta3" if template else "backstage.io/v1beta1"
    document = component()
    return {**document, "apiVersion": version, "kind": kind, "spec": {**SPECS[kind], **spec}}


def faults(document: Any) -> list[Fault]:
    return validate(document, REGISTRY)


def codes(document: Any) -> list[str]:
    return [fault.code for fault in faults(document)]


@pytest.mark.parametrize("kind", SPECS)
def test_the_smallest_entity_of_each_kind_is_valid(kind: str) -> None:
    assert codes(of_kind(kind)) == []
    assert codes(of_kind(kind, other={"free": [1]})) == []


@pytest.mark.parametrize(
    ("kind", "field"), [(kind, field) for kind in SPECS for field in SPECS[kind]]
)
def test_each_required_field(kind: str, field: str) -> None:
    document = of_kind(kind)
    del document["spec"][field]
    assert codes(document) == [f"missing-spec.{field}"]
    assert codes(of_kind(kind, **{field: None})) == [f"bad-spec.{field}"]
    assert codes(of_kind(kind, **{field: 1})) == [f"bad-spec.{field}"]


@pytest.mark.parametrize("kind", SPECS)
def test_each_declared_field_has_its_type(kind: str) -> None:
    declared = next(known for known in BUILT_IN_KINDS if known.name == kind)
    for field in declared.fields:
        assert codes(of_kind(kind, **{field.name: 3.5})) == [f"bad-spec.{field.name}"]
        if field.types == ("text",):
            assert codes(of_kind(kind, **{field.name: ""})) == [f"bad-spec.{field.name}"]
        if field.types == ("texts",):
            assert codes(of_kind(kind, **{field.name: ["a", "b"]})) == []
            assert codes(of_kind(kind, **{field.name: "a"})) == [f"bad-spec.{field.name}"]


def test_items_of_lists_are_told_apart() -> None:
    found = faults(of_kind("Component", dependsOn=["component:a", "", {"b": None}]))
    assert [fault.path for fault in found] == [("spec", "dependsOn", 1), ("spec", "dependsOn", 2)]
    assert {fault.code for fault in found} == {"bad-spec.dependsOn"}


def test_fields_within_fields() -> None:
    assert codes(of_kind("User", profile={"displayName": "A", "other": 1})) == []
    assert codes(of_kind("User", profile={"email": ""})) == ["bad-spec.profile"]
    assert codes(of_kind("Template", steps=[{"id": "x"}])) == ["bad-spec.steps"]
    assert codes(of_kind("Template", steps=[{"action": "x", "if": True, "input": []}])) == [
        "bad-spec.steps"
    ]
    assert codes(of_kind("Template", parameters={"a": 1})) == []
    assert codes(of_kind("Template", parameters=[{"a": 1}])) == []
    assert codes(of_kind("Location", presence="sometimes")) == ["bad-spec.presence"]
    assert codes(of_kind("API", type="mcp-server", remotes=[])) == []


def test_the_root_is_closed_and_complete() -> None:
    assert codes([1]) == codes("text") == codes(7) == ["not-an-object"]
    assert codes({}) == ["missing-metadata", "missing-apiVersion", "missing-kind"]
    found = faults({**component(), "relations": [], "specs": {}})
    assert [fault.code for fault in found] == ["unknown-root-field"] * 2
    assert "Is it spec?" in str(found[1].message)
    assert codes({**component(), "metadata": []}) == ["bad-metadata"]
    assert codes({**component(), "spec": None}) == ["bad-spec"]
    document = component()
    del document["spec"]
    assert codes(document) == ["missing-spec"]


def test_keys_that_differ_only_in_case() -> None:
    document = component()
    document["metadata"] |= {"extra": {"tier": "1", "Tier": "2", "other": "3"}}
    document["spec"]["ports"] = [{"http": 80}, {"http": 80, "HTTP": 81}]
    found = faults(document)
    assert [(fault.code, fault.path) for fault in found] == [
        ("same-key", ("metadata", "extra", "Tier")),
        ("same-key", ("spec", "ports", 1, "HTTP")),
    ]
    assert "spec.ports[1].HTTP and spec.ports[1].http" in str(found[1].message)


def test_kinds_and_versions() -> None:
    [fault] = faults({**component(), "kind": "component"})
    assert (fault.code, fault.path) == ("unknown-kind", ("kind",))
    assert "Component" in str(fault.message)
    assert codes({**component(), "kind": "Component!"}) == ["bad-kind"]
    assert codes({**component(), "kind": "K" * 64}) == ["bad-kind"]
    [fault] = faults({**component(), "apiVersion": "example.com/v1"})
    assert fault.code == "unknown-apiVersion"
    assert "backstage.io/v1alpha1" in str(fault.message)
    for version in ("", "a/b/c", "Upper.io/v1", f"{'a' * 64}/v1", "v1!", 1):
        assert codes({**component(), "apiVersion": version}) == ["bad-apiVersion"]


@pytest.mark.parametrize("name", ["a", "A-b_c.d", "1", "a" * 63, "a--b"])
def test_good_names(name: str) -> None:
    assert codes(component(name=name)) == []


@pytest.mark.parametrize("name", ["", "a" * 64, "-a", "a.", "a b", "支付", "a/b", "a\n", 1, [], {}])
def test_bad_names(name: object) -> None:
    assert codes(component(name=name)) == ["bad-name"]


def test_a_missing_name() -> None:
    assert codes(component(name=None)) == ["missing-name"]
    assert codes({**component(), "metadata": {}}) == ["missing-name"]


def test_messages_give_the_nearest_right_value() -> None:
    [fault] = faults(component(name="my service!"))
    assert "'my-service'" in str(fault.message)
    [fault] = faults(component(tags=["Go Lang"]))
    assert "'go-lang'" in str(fault.message)
    document = of_kind("Component")
    document["spec"]["lifecyle"] = document["spec"].pop("lifecycle")
    [fault] = faults(document)
    assert "lifecyle" in str(fault.message)


RULES: list[tuple[str, list[object], list[object], str]] = [
    ("namespace", ["default", "a-b", "a--b", "1"], ["A", "-a", "a_b", "", "a" * 64, None, 1],
     "bad-namespace"),
    ("title", ["支付网关", " "], ["", None, 1], "bad-title"),
    ("description", ["", "long\n" * 999], [None, 1, {}], "bad-description"),
    ("labels", [{}, {"a": ""}, {"example.com/a": "B.c"}], [None, [], "a"], "bad-labels"),
    ("labels", [{"a": "x" * 63}], [{"a": "x y"}, {"a": "x" * 64}, {"a": 1}, {"a": None}],
     "bad-labels-value"),
    ("labels", [{"a.b.c/x": "y"}, {f"{'a.' * 120}b/x": ""}],
     [{"A.com/x": "y"}, {"a/b/c": "d"}, {"/x": "y"}, {"x/": "y"}, {"": "y"}, {"a": "", "A": ""},
      {f"{'a.' * 130}b/x": ""}, {"支": "y"}], "bad-labels-key"),
    ("annotations", [{}, {"a.b/c": "任何 text\n"}], [None, [], "a"], "bad-annotations"),
    ("annotations", [{"a": ""}], [{"a": True}, {"a": {}}, {"a": None}], "bad-annotations-value"),
    ("annotations", [{"a/x": "1", "b/x": "2"}], [{"a b": "c"}, {"a/x": "1", "a/X": "2"}],
     "bad-annotations-key"),
    ("tags", [[], ["a", "c++", "c#", "a:b", "a-b"]], ["a", None, {}], "bad-tags"),
    ("tags", [["x" * 63]], [["A"], ["a--b"], ["-a"], [""], ["标签"], [1], ["x" * 64]], "bad-tag"),
    ("links", [[], [{"url": "https://e.com", "title": "T", "icon": "i", "type": "t"}]],
     [None, {}, "https://e.com"], "bad-links"),
    ("links", [[{"url": "mailto:a@b"}], [{"url": "https:/e.com"}], [{"url": "HTTP://e:80/"}]],
     [[{}], ["x"], [{"url": ""}], [{"url": "/a"}], [{"url": "e.com"}], [{"url": "https://"}],
      [{"url": "https://a b"}], [{"url": 1}], [{"url": "https://e.com", "title": " "}],
      [{"url": "https://e.com", "icon": None}], [{"url": "https://e.com", "type": ""}]],
     "bad-link"),
]  # fmt: skip


@pytest.mark.parametrize(("field", "good", "bad", "code"), RULES)
def test_metadata_rules(field: str, good: list[object], bad: list[object], code: str) -> None:
    for value in good:
        assert codes(component(**{field: value})) == [], value
    for value in bad:
        assert codes(component(**{field: value})) == [code], value


def test_all_faults_are_given_at_once() -> None:
    document = {**component(name="a b", tags=["A", "B"], labels={"x": 1}), "extra": 1}
    document["spec"] = {"type": "", "owner": "a"}
    found = faults(document)
    assert {fault.code for fault in found} == {
        "unknown-root-field", "bad-name", "bad-tag", "bad-labels-value", "bad-spec.type",
        "missing-spec.lifecycle",
    }  # fmt: skip
    assert len(found) == 7
    assert ("metadata", "tags", 1) in {fault.path for fault in found}


ROBOT = Kind(
    name="Robot",
    api_versions=("example.com/v1",),
    title="Robot",
    fields=(KindField(name="model", required=True),),
    relations=(KindRelation(path="owner", relation="ownedBy", reverse="ownerOf"),),
    schema={
        "type": "object",
        "properties": {"arms": {"type": "array", "items": {"type": "integer"}}},
        "additionalProperties": {"type": ["string", "array"]},
    },
)


def robot(**spec: Any) -> dict[str, Any]:
    return {**component(), "apiVersion": "example.com/v1", "kind": "Robot", "spec": spec}


def test_a_custom_kind_is_data() -> None:
    assert codes(robot(model="x")) == ["unknown-kind"]
    registry = KindRegistry([*BUILT_IN_KINDS, ROBOT])
    assert validate(robot(model="x", arms=[1]), registry) == []
    found = validate(robot(arms=[1, "two"], legs=2), registry)
    assert [(fault.code, fault.path) for fault in found] == [
        ("missing-spec.model", ("spec",)),
        ("bad-spec.arms", ("spec", "arms", 1)),
        ("bad-spec.legs", ("spec", "legs")),
    ]
    assert ROBOT in registry.kinds()


def test_a_kind_that_cannot_be_is_refused() -> None:
    with pytest.raises(InputError, match="Component"):
        KindRegistry([*BUILT_IN_KINDS, BUILT_IN_KINDS[0]])
    with pytest.raises(InputError, match="apiVersion"):
        KindRegistry([Kind(name="X", api_versions=(), title="X")])
    with pytest.raises(InputError, match="JSON Schema"):
        KindRegistry([Kind(name="X", api_versions=("v1",), title="X", schema={"type": 7})])


def test_the_schema_of_a_kind_is_never_fetched() -> None:
    schema = {"$ref": "http://127.0.0.1:9/schema.json"}
    registry = KindRegistry(
        [Kind(name="Robot", api_versions=("example.com/v1",), title="", schema=schema)]
    )
    [fault] = validate(robot(), registry)
    assert fault.code == "bad-spec"
    assert "http://127.0.0.1:9/schema.json" in str(fault.message)
