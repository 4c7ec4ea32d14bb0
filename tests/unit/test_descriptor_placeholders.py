"""Placeholders: what is read, what replaces them, and what is refused."""

import json
from typing import Any

import pytest

from callboard.errors import NotAllowedError, NotFoundError
from callboard_catalog.descriptors import Resolved, resolve
from callboard_catalog.descriptors.placeholders import has_placeholder


class Files:
    """A repository that remembers what was read."""

    def __init__(self, **files: bytes) -> None:
        self.files = {name.replace("__", "/"): data for name, data in files.items()}
        self.read: list[str] = []

    def __call__(self, target: str) -> bytes:
        self.read.append(target)
        if target.startswith("https://private"):
            raise NotAllowedError("private.example is not allowed.")
        if target not in self.files:
            raise NotFoundError(f"There is no {target}.")
        return self.files[target]


def api(definition: Any) -> dict[str, Any]:
    return {"kind": "API", "spec": {"definition": definition, "list": [{"a": 1}]}}


def resolved(files: dict[str, bytes], definition: Any, path: str = "apis/a.yaml") -> Resolved:
    reader = Files()
    reader.files = files
    return resolve(api(definition), reader, path=path)


def test_text_json_and_yaml() -> None:
    files = {
        "apis/x.txt": "\ufeff支付".encode(),
        "x.json": b'{"a": [1, null], "b": "\\ud83d\\ude00 \\u652f"}',
        "apis/b/x.yaml": b"a: on\n",
        "https://e.com/x": b"remote",
    }
    definition = {
        "text": {"$text": "./x.txt"},
        "json": {"$json": "../x.json"},
        "list": [{"$yaml": "b/x.yaml"}],
        "url": {"$text": "https://e.com/x"},
    }
    found = resolved(files, definition)
    assert found.faults == ()
    assert found.document["spec"]["definition"] == {
        "text": "支付",
        "json": {"a": [1, None], "b": "\U0001f600 支"},
        "list": [{"a": "on"}],
        "url": "remote",
    }
    assert set(found.targets) == set(files)


def test_unknown_names_and_larger_objects_pass_through() -> None:
    definition = {"a": {"$ref": "#/x"}, "b": {"$text": "x", "other": 1}, "c": {"$eq": [{"d": 1}]}}
    found = resolved({}, definition)
    assert found == Resolved(api(definition))
    plain = api("text")
    assert resolve(plain, Files(), path="a.yaml").document is plain
    assert not has_placeholder(plain)


@pytest.mark.parametrize(
    ("definition", "code"),
    [
        ({"$text": "./missing"}, "placeholder-target-missing"),
        ({"$text": '{\n "openapi": "3.0.0" }'}, "placeholder-target-missing"),
        ({"$text": "../../etc/passwd"}, "placeholder-bad-target"),
        ({"$text": "/etc/passwd"}, "placeholder-bad-target"),
        ({"$text": "..\\x"}, "placeholder-bad-target"),
        ({"$text": "javascript:x"}, "placeholder-bad-target"),
        ({"$text": ["x"]}, "placeholder-bad-target"),
        ({"$text": "https://private/x"}, "placeholder-unreadable"),
        ({"$text": "bad"}, "placeholder-bad-content"),
        ({"$json": "x.yaml"}, "placeholder-bad-content"),
        ({"$yaml": "two.yaml"}, "placeholder-bad-content"),
        ({"$yaml": "empty.yaml"}, "placeholder-bad-content"),
        ({"$yaml": "broken.yaml"}, "placeholder-bad-content"),
        ({"$openapi": "list.yaml"}, "placeholder-bad-content"),
        ({"$openapi": "to-missing.yaml"}, "placeholder-target-missing"),
        ({"$openapi": "to-outside.yaml"}, "placeholder-bad-target"),
        ({"$json": "deep.json"}, "placeholder-bad-content"),
    ],
)
def test_what_cannot_be_replaced_is_one_fault(definition: dict[str, Any], code: str) -> None:
    files = {
        "apis/bad": b"\xff", "apis/x.yaml": b"a: 1", "apis/two.yaml": b"a: 1\n---\nb: 2",
        "apis/empty.yaml": b"", "apis/broken.yaml": b"a: [", "apis/list.yaml": b"- 1",
        "apis/to-missing.yaml": b"a: {$ref: './no.yaml#/x'}",
        "apis/to-outside.yaml": b"a: {$ref: '../../../no.yaml#/x'}",
        "apis/deep.json": b"[" * 200 + b"]" * 200,
    }  # fmt: skip
    found = resolved(files, definition)
    [fault] = found.faults
    assert fault.code == code
    assert fault.path == ("spec", "definition")
    assert "spec.definition" in str(fault.message)
    assert isinstance(found.document["spec"]["definition"], str)


def test_a_missing_target_is_still_a_target() -> None:
    found = resolved({}, {"$text": "./missing"})
    assert found.targets == ("apis/missing",)


def test_targets_are_read_once_and_bounded() -> None:
    reader = Files(x=b"text")
    found = resolve(api([{"$text": "x"}] * 150), reader, path="a.yaml")
    assert reader.read == ["x"]
    assert {fault.code for fault in found.faults} == {"too-many-placeholders"}
    reader = Files(x=b"t" * (8 * 1024 * 1024))
    found = resolve(api([{"$text": "x"}] * 4), reader, path="a.yaml")
    assert [fault.path[2] for fault in found.faults] == [2, 3]


def test_an_api_description_without_other_files_is_left_as_it_is() -> None:
    text = b"openapi: 3.0.0  # kept\npaths:\n  /a: {$ref: '#/x'}\n"
    for name in ("$openapi", "$asyncapi"):
        found = resolved({"apis/o.yaml": text}, {name: "o.yaml"})
        assert found.document["spec"]["definition"] == text.decode()


def test_other_files_of_an_api_description_are_brought_inside() -> None:
    files = {
        "apis/o.yaml": b"openapi: 3.0.0\n"
        b"a: {$ref: 'schemas/p.json#/defs/Pet'}\nb: {$ref: '#/a'}\nc: {$ref: 'schemas/p.json'}\n",
        "apis/schemas/p.json": b'{"defs": {"Pet": {"own": {"$ref": "#/defs/Tag"}, '
        b'"back": {"$ref": "../o.yaml#/a"}, "far": {"$ref": "https://e.com/t.yaml#/T"}}, '
        b'"Tag": {}}}',
        "https://e.com/t.yaml": b"T: {$ref: 'u.yaml'}",
        "https://e.com/u.yaml": b"type: string",
    }
    found = resolved(files, {"$openapi": "./o.yaml"})
    assert found.faults == ()
    assert set(found.targets) == set(files)
    bundled = json.loads(found.document["spec"]["definition"])

    def follow(reference: str) -> Any:
        value = bundled
        for part in reference.removeprefix("#").split("/")[1:]:
            value = value[part]
        return value

    pet = follow(bundled["a"]["$ref"])
    assert follow(bundled["b"]["$ref"]) == bundled["a"]
    assert follow(bundled["c"]["$ref"])["defs"]["Pet"] == pet
    assert follow(pet["own"]["$ref"]) == {}
    assert pet["back"]["$ref"] == "#/a"
    assert follow(follow(pet["far"]["$ref"])["$ref"]) == {"type": "string"}


def test_a_bundle_of_too_many_files_is_refused() -> None:
    files = {f"apis/{n}.yaml": f"next: {{$ref: '{n + 1}.yaml'}}".encode() for n in range(99)}
    [fault] = resolved(files, {"$openapi": "0.yaml"}).faults
    assert fault.code == "too-many-placeholders"
