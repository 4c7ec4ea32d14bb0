"""What a change means depends on who sends and who receives."""

import json
from typing import Any

import pytest

from callboard_apis.changes import Change, compare
from callboard_apis.documents import DocumentFaultError
from callboard_apis.shapes import Format

Told = set[tuple[str, str, str]]


def told(format_: Format, old: str, new: str) -> Told:
    found = compare(format_, old, new)
    assert found is not None
    assert [Change.from_data(one.to_data()) for one in found] == found
    return {(one.level, one.where, str(one.message)) for one in found}


def api(schema: Any, *, sent: bool, parameters: Any = (), **more: Any) -> str:
    content = {"application/json": {"schema": schema}}
    operation: dict[str, Any] = {"parameters": list(parameters), "responses": {"200": {}}, **more}
    if sent:
        operation["requestBody"] = {"content": content}
    else:
        operation["responses"]["200"] = {"content": content}
    return json.dumps({"openapi": "3.0.3", "info": {}, "paths": {"/a/{x}": {"post": operation}}})


A = {"type": "object", "properties": {"a": {"type": "string"}}}


@pytest.mark.parametrize(
    ("old", "new", "sent", "given", "words"),
    [
        (A, {"type": "object"}, "warning", "breaking", "The property was removed."),
        ({"type": "object"}, A, "ok", "ok", "A property was added."),
        ({"type": "object"}, {**A, "required": ["a"]}, "breaking", "ok", "property was added."),
        (A, {**A, "required": ["a"]}, "breaking", "ok", "The property is required now."),
        ({**A, "required": ["a"]}, A, "ok", "breaking", "The property is not required any more."),
        ({"enum": ["a", "b"]}, {"enum": ["a"]}, "breaking", "ok", "The value b was removed."),
        ({"enum": ["a"]}, {"enum": ["a", "b"]}, "ok", "warning", "The value b was added."),
        ({"type": "string"}, {"type": "integer"}, "breaking", "breaking", "from string to integer"),
        ({"type": "integer"}, {"type": "number"}, "ok", "breaking", "from integer to number"),
        ({"maxLength": 9}, {"maxLength": 5}, "breaking", "ok", "maxLength changed from 9 to 5."),
        ({"minimum": 1}, {}, "ok", "warning", "minimum changed from 1 to –."),
        ({"type": "string", "nullable": True}, {"type": "string"}, "breaking", "ok", "not be null"),
        ({"type": "string"}, {"type": ["string", "null"]}, "ok", "breaking", "may be null now"),
        ({"type": "string"}, {"type": "string", "format": "uuid"}, "warning", "warning", "format"),
        ({"oneOf": [{"title": "A"}, {"title": "B"}]}, {"oneOf": [{"title": "A"}]}, "breaking", "ok",
         "The variant B was removed."),
    ],
)  # fmt: skip
def test_schemas(old: Any, new: Any, sent: str, given: str, words: str) -> None:
    for level, is_sent in ((sent, True), (given, False)):
        found = told("openapi", api(old, sent=is_sent), api(new, sent=is_sent))
        assert [(one[0], words in one[2]) for one in found] == [(level, True)], is_sent


def test_nothing_changed() -> None:
    recursive = {"type": "object", "properties": {"next": {"$ref": "#/components/schemas/R"}}}
    document = json.dumps({
        "openapi": "3.1.0", "info": {},
        "paths": {"/a": {"get": {"responses": {"200": {"content": {"application/json": {
            "schema": {"$ref": "#/components/schemas/R"}}}}}}}},
        "components": {"schemas": {"R": recursive}},
    })  # fmt: skip
    assert told("openapi", document, document) == set()


def test_operations_and_parameters() -> None:
    old = json.dumps({"openapi": "3.0.0", "servers": [{"url": "/v1"}], "paths": {
        "/gone": {"get": {"deprecated": True, "responses": {}}},
        "/a/{id}": {"get": {
            "security": [{"key": []}],
            "parameters": [{"name": "q", "in": "query"}, {"name": "r", "in": "query"}],
            "responses": {"200": {"headers": {"X-A": {}}}, "404": {}}}},
    }})  # fmt: skip
    new = json.dumps({"openapi": "3.0.0", "servers": [{"url": "/v2"}], "paths": {
        "/a/{key}": {"get": {
            "security": [{"token": []}], "deprecated": True,
            "parameters": [{"name": "q", "in": "query", "required": True},
                           {"name": "n", "in": "header", "required": True},
                           {"name": "o", "in": "query"}],
            "responses": {"201": {}}}},
        "/new": {"get": {"responses": {}}},
    }})  # fmt: skip
    where = "GET /a/{key}"
    assert told("openapi", old, new) == {
        ("breaking", "GET /gone", "The operation was removed; it was deprecated before."),
        ("ok", "GET /new", "The operation was added."),
        ("warning", where, "The operation is deprecated now."),
        ("breaking", f"{where} · query q", "The parameter is required now."),
        ("warning", f"{where} · query r", "The parameter was removed."),
        ("breaking", f"{where} · header n", "A required parameter was added."),
        ("ok", f"{where} · query o", "A parameter was added."),
        ("breaking", f"{where} · 200", "The response was removed."),
        ("warning", f"{where} · 404", "The response was removed."),
        ("warning", f"{where} · 201", "A response was added."),
        ("breaking", where, "What one must sign in with changed."),
        ("warning", "servers", "The servers changed from /v1 to /v2."),
    }


def test_openapi_2_is_compared_with_3() -> None:
    old = json.dumps({"swagger": "2.0", "host": "a.example", "paths": {"/a": {"get": {
        "produces": ["application/json"],
        "responses": {"200": {"schema": {"$ref": "#/definitions/X"}}}}}},
        "definitions": {"X": A}})  # fmt: skip
    new = json.dumps({"openapi": "3.0.0", "servers": [{"url": "https://a.example"}],
        "paths": {"/a": {"get": {"responses": {"200": {"content": {"application/json": {
            "schema": {"$ref": "#/components/schemas/X"}}}}}}}},
        "components": {"schemas": {"X": {"type": "object"}}}})  # fmt: skip
    where = "GET /a · 200.a"
    assert told("openapi", old, new) == {("breaking", where, "The property was removed.")}


def test_asyncapi() -> None:
    def document(schema: Any, names: tuple[str, ...]) -> str:
        messages = {name: {"name": name, "payload": schema} for name in names}
        return json.dumps({"asyncapi": "3.0.0",
            "channels": {"c": {"address": "orders", "messages": messages}},
            "operations": {"tell": {"action": "send", "channel": {"$ref": "#/channels/c"}}},
        })  # fmt: skip

    found = told(
        "asyncapi", document(A, ("Paid", "Gone")), document({"type": "object"}, ("Paid", "New"))
    )
    assert found == {
        ("breaking", "SEND orders · Paid.a", "The property was removed."),
        ("breaking", "SEND orders · Gone", "The message was removed."),
        ("warning", "SEND orders · New", "A message was added."),
    }


def test_graphql() -> None:
    old = "type Query { a(x: Int): Int, b: Int } enum E { A B } type Gone { a: Int }"
    new = 'type Query { a(x: Int!): Int, b: Int @deprecated(reason: "x"), c: E } enum E { A C }'
    found = told("graphql", old, new)
    assert {(level, message) for level, _where, message in found} == {
        ("breaking", "A type was removed."), ("breaking", "The type of an argument changed."),
        ("breaking", "A value was removed."), ("warning", "A value was added."),
        ("ok", "A field was added."), ("warning", "The field is deprecated now."),
    }  # fmt: skip


def test_protobuf() -> None:
    old = """syntax = "proto3"; package a;
        message M { reserved 9; string a = 1; int32 b = 2; string c = 3; string d = 4;
          int32 e = 5; }
        enum E { X = 0; Y = 1; }
        service S { rpc A(M) returns (M); rpc B(M) returns (M); }"""
    new = """syntax = "proto3"; package a;
        message M { reserved 3; bool a = 1; int64 b = 2; string d = 6; int32 f = 5; string g = 9; }
        enum E { X = 0; Z = 1; }
        service S { rpc A(M) returns (stream M); rpc C(M) returns (M); }"""
    assert told("protobuf", old, new) == {
        ("breaking", "M.a = 1", "The type changed from string to bool."),
        ("warning", "M.b = 2", "The type changed from int32 to int64."),
        ("warning", "M.c = 3", "The field was removed; its number is reserved."),
        ("breaking", "M.d = 4", "The number changed to 6."),
        (
            "warning",
            "M.e = 5",
            "The name changed to f: the same on the wire, not in JSON and code.",
        ),
        ("breaking", "M.g = 9", "A reserved number is used again."),
        ("breaking", "E.Y", "A value was removed."),
        ("warning", "E.Z", "A value was added."),
        ("breaking", "S/A", "What is streamed changed."),
        ("breaking", "S/B", "The call was removed."),
        ("ok", "S/C", "A call was added."),
    }


def test_what_cannot_be_compared() -> None:
    assert compare("text", "a", "b") is None
    with pytest.raises(DocumentFaultError):
        compare("openapi", "openapi: 3.0.0", "- a")
    with pytest.raises(DocumentFaultError):
        compare("graphql", "type Query { a: Int }", "type Query {")


def test_hostile_schemas_are_compared_in_bounds() -> None:
    chain = {
        f"S{n}": {"allOf": [{"$ref": f"#/components/schemas/S{(n + 1) % 9}"}] * 9} for n in range(9)
    }
    answer = {"content": {"a/b": {"schema": {"$ref": "#/components/schemas/S0"}}}}
    document = {
        "openapi": "3.0.0",
        "components": {"schemas": chain},
        "paths": {"/a": {"get": {"responses": {"200": answer}}}},
    }
    assert told("openapi", json.dumps(document), json.dumps(document)) == set()
