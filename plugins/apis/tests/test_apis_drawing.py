"""Definitions of every kind are understood as their specifications say."""

import json
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callboard_apis.preparing import format_of, prepare
from callboard_apis.shapes import Definition, Item, Node


def item(made: Definition, title: str, verb: str = "") -> Item:
    return next(one for one in made.items if one.title == title and verb in ("", one.verb))


def section(one: Item, name: str) -> dict[str, Any]:
    found: dict[str, Any] = next(part for part in one.body["sections"] if part["id"] == name)
    return found


def named(tree: list[Node], name: str) -> Node:
    return next(node for node in tree if node.get("n") == name)


OPENAPI_3 = """\
openapi: 3.0.3
info: {title: Orders, version: 1.2.0}
servers: [{url: 'https://{region}.example.com/v1', variables: {region: {default: eu}}}]
security: [{token: [read]}]
paths:
  /orders/{id}:
    parameters: [{$ref: '#/components/parameters/Id'}]
    get:
      tags: [Orders]
      operationId: getOrder
      summary: Read an order
      parameters: [{name: fields, in: query, required: true, schema: {type: string, default: all}}]
      responses:
        '200':
          description: Found
          content: {application/json: {schema: {$ref: '#/components/schemas/Order'}}}
    put:
      deprecated: true
      security: []
      requestBody:
        required: true
        content:
          application/json:
            schema: {$ref: '#/components/schemas/Order'}
            examples: {one: {value: {id: 7}}}
      responses: {'204': {description: Done}}
components:
  securitySchemes: {token: {type: http, scheme: bearer}}
  parameters: {Id: {name: id, in: path, required: true, schema: {type: integer, minimum: 1}}}
  schemas:
    Order:
      type: object
      required: [id]
      properties:
        id: {type: integer, format: int64, readOnly: true}
        state: {type: string, enum: [open, closed], nullable: true, deprecated: true}
        parts: {type: array, maxItems: 5, items: {$ref: '#/components/schemas/Order'}}
        payment:
          oneOf: [{$ref: '#/components/schemas/Card'}, {type: string}]
          discriminator: {propertyName: kind}
        far: {$ref: 'https://example.com/schema.json'}
        gone: {$ref: '#/components/schemas/Nothing'}
        any: {}
    Card:
      allOf:
        - type: object
          required: [number]
          properties: {number: {type: string, pattern: '^[0-9]+$'}}
        - {type: object, properties: {holder: {type: string, minLength: 1}}}
"""


def test_openapi_operations() -> None:
    made = prepare("openapi", OPENAPI_3)
    assert (made.format, made.dialect, made.title, made.version) == (
        "openapi", "3.0.3", "Orders", "1.2.0"
    )  # fmt: skip
    assert made.head["servers"][0]["url"] == "https://eu.example.com/v1"
    one = item(made, "/orders/{id}", "GET")
    assert (one.key, one.group, one.summary, one.line) == ("getOrder", "Orders", "Read an order", 8)
    parameters = section(one, "parameters")["tree"]
    assert named(parameters, "id") == {
        "n": "id", "t": "integer", "c": [("minimum", "1")], "i": "path", "q": True
    }  # fmt: skip
    assert named(parameters, "fields")["v"] == "all"
    assert section(one, "responses")["answers"][0]["media"][0]["tree"][0]["k"] == "Order"
    assert one.body["snippets"][0][1] == (
        "curl -X GET 'https://eu.example.com/v1/orders/1?fields=all' \\\n"
        "  -H 'Authorization: Bearer $TOKEN'"
    )
    assert one.body["security"] == [[{"name": "token", "scopes": ["read"]}]]
    put = item(made, "/orders/{id}", "PUT")
    assert put.deprecated
    assert put.key == "put-orders-id"
    assert put.body["security"] == []
    assert section(put, "request")["media"][0]["examples"] == [["one", '{\n  "id": 7\n}']]


def test_openapi_schemas_are_trees() -> None:
    made = prepare("openapi", OPENAPI_3)
    tree = section(item(made, "Order"), "fields")["tree"]
    assert named(tree, "id") == {"n": "id", "t": "integer", "f": "int64", "w": "read", "q": True}
    state = named(tree, "state")
    assert (state["e"], state["z"], state["d"]) == (["open", "closed"], True, True)
    parts = named(tree, "parts")
    assert (parts["t"], parts["k"], parts["r"]) == ("Order[]", "Order", "recursive")
    assert ("maxItems", "5") in parts["c"]
    payment = named(tree, "payment")
    assert ("discriminator", "kind") in payment["c"]
    assert [kid["m"] for kid in payment["kids"]] == ["oneOf", "oneOf"]
    card = payment["kids"][0]["kids"]
    assert named(card, "number")["q"]
    assert ("minLength", "1") in named(card, "holder")["c"]
    assert named(tree, "far")["r"] == "remote"
    assert named(tree, "gone")["r"] == "missing"
    assert [(str(fault.message), fault.line) for fault in made.faults] == [
        ("#/components/schemas/Nothing names nothing in this text.", 42)
    ]


def test_openapi_2_and_3_1() -> None:
    old = prepare("openapi", json.dumps({
        "swagger": "2.0", "info": {"title": "Old", "version": "1"},
        "host": "a.example", "basePath": "/b", "consumes": ["application/json"],
        "paths": {"/x": {
            "post": {
                "parameters": [
                    {"in": "body", "name": "b", "required": True,
                     "schema": {"$ref": "#/definitions/X"}},
                    {"in": "query", "name": "n", "type": "integer", "maximum": 9},
                ],
                "responses": {"200": {"description": "ok", "schema": {"$ref": "#/definitions/X"}}},
            },
            "put": {"parameters": [{"in": "formData", "name": "f", "type": "file"}],
                    "responses": {}},
        }},
        "definitions": {"X": {"type": "object", "properties": {"a": {"type": "string"}}}},
    }))  # fmt: skip
    post = item(old, "/x", "POST")
    assert named(section(post, "parameters")["tree"], "n")["c"] == [("maximum", "9")]
    assert section(post, "request")["media"][0]["type"] == "application/json"
    assert section(item(old, "/x", "PUT"), "request")["media"][0]["type"] == "multipart/form-data"
    assert old.head["servers"] == [{"url": "https://a.example/b", "note": ""}]
    new = prepare("openapi", json.dumps({
        "openapi": "3.1.0", "info": {"title": "New", "version": "1"},
        "webhooks": {"moved": {"post": {"responses": {"200": {"description": "ok"}}}}},
        "components": {"schemas": {"X": {"type": "object", "properties": {
            "a": {"type": ["string", "null"], "const": "x"},
            "b": {"anyOf": [{"type": "integer"}, {"type": "null"}]},
        }}}},
    }))  # fmt: skip
    assert item(new, "moved").group == ":webhooks"
    tree = section(item(new, "X"), "fields")["tree"]
    assert (named(tree, "a")["z"], named(tree, "a")["t"]) == (True, "string")
    assert (named(tree, "b")["z"], named(tree, "b")["t"]) == (True, "integer")
    assert new.faults == []


def test_asyncapi_2_and_3() -> None:
    common = {
        "info": {"title": "Events", "version": "1"},
        "components": {"messages": {"Paid": {"name": "Paid", "payload": {
            "type": "object", "properties": {"id": {"type": "string"}}}}}},
    }  # fmt: skip
    old = prepare("asyncapi", json.dumps({
        **common, "asyncapi": "2.6.0",
        "channels": {"orders/{id}": {
            "parameters": {"id": {"schema": {"type": "string"}}},
            "subscribe": {"message": {"$ref": "#/components/messages/Paid"}},
            "publish": {"operationId": "take",
                        "message": {"oneOf": [{"name": "A", "payload": {"type": "integer"}}]}},
        }},
    }))  # fmt: skip
    assert [(one.verb, one.title) for one in old.items if one.kind == "operation"] == [
        ("RECEIVE", "orders/{id}"), ("SEND", "orders/{id}")
    ]  # fmt: skip
    new = prepare("asyncapi", json.dumps({
        **common, "asyncapi": "3.0.0",
        "channels": {"c": {"address": "orders.v1", "bindings": {"kafka": {"partitions": 3}},
                           "messages": {"Paid": {"$ref": "#/components/messages/Paid"}}}},
        "operations": {"tell": {"action": "send", "channel": {"$ref": "#/channels/c"}}},
    }))  # fmt: skip
    sent = item(new, "orders.v1", "SEND")
    assert section(sent, "messages")["messages"][0]["name"] == "Paid"
    channel = next(one for one in new.items if one.group == ":channels")
    assert section(channel, "bindings")["rows"] == [["kafka", "partitions", "3"]]
    assert (
        named(section(item(new, "Paid"), "payload")["messages"][0]["tree"], "id")["t"] == "string"
    )
    assert new.faults == old.faults == []


GRAPHQL = """
"An order" type Order implements Node {
  id: ID!
  old(first: Int = 3): [String!] @deprecated(reason: "use new")
}
interface Node { id: ID! }
union Found = Order | Thing
enum State { OPEN "gone soon" CLOSED @deprecated }
input New { name: String!, note: String = "x" }
scalar Date
directive @cached(seconds: Int) on FIELD_DEFINITION
type Query { order(id: ID!): Order }
type Mutation { add(new: New!): Order! @deprecated(reason: "no") }
"""


def test_graphql() -> None:
    made = prepare("graphql", GRAPHQL)
    query, mutation = item(made, "order"), item(made, "add")
    assert (query.verb, query.body["signature"]) == ("QUERY", "order(id: ID!): Order")
    assert (mutation.deprecated, mutation.body["reason"]) == (True, "no")
    assert section(query, "result")["tree"][0]["k"] == "Order"
    order = section(item(made, "Order"), "fields")["tree"]
    assert (named(order, "old")["d"], named(order, "old")["kids"][0]["v"]) == ("use new", "3")
    assert named(section(item(made, "State"), "values")["tree"], "CLOSED")["d"]
    assert named(section(item(made, "New"), "fields")["tree"], "name")["q"]
    assert section(item(made, "Found"), "members")["links"][0] == ["Order", "Order"]
    assert {one.group for one in made.items} >= {":scalars", ":directives", ":interfaces"}
    assert [str(fault.message) for fault in made.faults] == []


PROTO = """
// The licence of the file.

syntax = "proto3";
package shop.v1;
import public "google/protobuf/empty.proto";
option (custom).thing = { a: 1 b: [ "}" ] };

// Takes orders.
service Orders {
  option deprecated = true;
  // Places one.
  rpc Place(stream Order) returns (.shop.v1.Order) { option (google.api.http) = { post: "/v1" }; }
  rpc Watch(Order.Line) returns (stream Order);
}
/* An order. */
message Order {
  reserved 4, 10 to 12; reserved "old";
  string id = 1 [deprecated = true, json_name = "orderId"];
  repeated Line lines = 2; // trailing
  map<string, Order> others = 3;
  oneof payment { string card = 5; Kind kind = 6; }
  optional int32 count = 7;
  message Line { string sku = 1; Order parent = 2; }
  enum Kind { NONE = 0; SOME = -1; }
}
"""


def test_protobuf() -> None:
    made = prepare("grpc", PROTO)
    assert made.faults == []
    assert (made.dialect, made.title) == ("proto3", "shop.v1")
    place = item(made, "Orders/Place")
    assert place.body["signature"] == "rpc Place(stream Order) returns (shop.v1.Order)"
    assert (place.deprecated, place.summary) == (True, "Places one.")
    assert [section(place, name)["streams"] for name in ("rpc_request", "rpc_response")] == [
        True,
        False,
    ]
    assert section(place, "rpc_response")["tree"][0]["k"] == "Order"
    order = section(item(made, "Order"), "fields")["tree"]
    assert (named(order, "id")["d"], named(order, "id")["i"]) == (True, "= 1")
    assert (named(order, "lines")["t"], named(order, "lines")["k"]) == ("Line[]", "Order.Line")
    assert named(order, "card")["m"] == "oneof payment"
    assert named(order, "others")["r"] == "recursive"
    assert named(named(order, "lines")["kids"], "parent")["r"] == "recursive"
    assert section(item(made, "Order"), "reserved")["text"] == "4, 10 to 12, old"
    assert [node["t"] for node in section(item(made, "Order.Kind"), "values")["tree"]] == [
        "0",
        "-1",
    ]


@pytest.mark.parametrize(
    ("type_", "text", "words", "line"),
    [
        ("openapi", "openapi: 3.0.0\n bad: 1", "cannot be read", 2),
        ("openapi", "just: yaml", "says neither", 1),
        ("openapi", "- a", "no object", 1),
        ("graphql", "type Query {\n  a: \n}", "cannot be read", 3),
        ("grpc", 'syntax = "proto3";\nmessage A {\n  string a 1;\n}', "Expected =", 3),
        ("grpc", "message A {", "found the end", 1),
        ("graphql", "{" * 100_000, "GraphQL|deeply", 1),
    ],
)
def test_faults_have_lines(type_: str, text: str, words: str, line: int) -> None:
    made = prepare(type_, text)
    assert made.items == []
    (fault,) = made.faults
    assert re.search(words, str(fault.message))
    assert fault.line in (line, 0)


@pytest.mark.parametrize(
    ("type_", "text", "format_"),
    [
        ("openapi", "swagger: '2.0'", "openapi"), ("", "asyncapi: 2.0.0", "asyncapi"),
        ("openapi", "asyncapi: 3.0.0", "asyncapi"), ("GraphQL", "x", "graphql"),
        ("trpc", "export const x = 1", "text"), ("wsdl", "<definitions/>", "text"),
        ("rpc", 'syntax = "proto3";', "protobuf"), ("", "type Query { a: Int }", "graphql"),
        ("openrpc", '{"openrpc": "1.0"}', "text"), ("avro", '{"type": "record"}', "text"),
        ("", "type A implements B &\n  C\n{ a: Int }", "graphql"),
        ("", "message Order\n{ }", "protobuf"), ("", "\n" * 20_000, "text"),
    ],
)  # fmt: skip
def test_the_type_decides_and_the_text_helps(type_: str, text: str, format_: str) -> None:
    assert format_of(type_, text) == format_


def hostile() -> dict[str, Any]:
    chain = {
        f"S{n}": {"allOf": [{"$ref": f"#/components/schemas/S{(n + 1) % 9}"}] * 9} for n in range(9)
    }
    wide = {
        "type": "object",
        "properties": {f"p{n}": {"$ref": "#/components/schemas/W"} for n in range(500)},
    }
    return {
        "openapi": "3.0.0", "info": {"title": "<script>", "version": ["x"], "description": 7},
        "tags": "x", "servers": [{"url": "javascript:alert(1)"}, 3, {"variables": []}],
        "security": [3, {"a": "b"}],
        "paths": {
            "/\u202e<b>": {"get": {"tags": [{}, "<i>"],
                                   "parameters": [3, {"name": "a"}, {"$ref": 5}],
                                   "responses": {"200": [], "x": {"content": {"a": 3}}}}},
            "/self": {"$ref": "#/paths/~1self"},
            "/none": None,
        },
        "components": {"schemas": {**chain, "W": wide, "N": 3,
                                   "L": {"$ref": "#/components/schemas/L"},
                                   "E": {"enum": list(range(10_000))}, "B": True}},
    }  # fmt: skip


def test_hostile_openapi_is_bounded() -> None:
    made = prepare("openapi", json.dumps(hostile()))
    assert made.count("operation") == 1
    assert made.count("schema") == 14
    assert len(json.dumps([one.body for one in made.items])) < 2_000_000


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(
        st.sampled_from((
            "$ref", "type", "properties", "items", "allOf", "oneOf", "paths", "/a", "get", "post",
            "parameters", "name", "in", "schema", "responses", "200", "content", "application/json",
            "components", "schemas", "enum", "required", "requestBody", "channels", "operations",
            "messages", "payload", "subscribe", "publish", "message", "bindings", "servers", "url",
        )) | st.text(max_size=3), inner, max_size=5,
    ),
    max_leaves=30,
)  # fmt: skip


@given(st.dictionaries(st.sampled_from(("paths", "components", "info", "servers", "channels",
                                        "operations", "definitions", "webhooks", "tags")),
                       json_values),
       st.sampled_from(("openapi", "swagger", "asyncapi")))  # fmt: skip
def test_any_json_is_drawn(parts: dict[str, Any], kind: str) -> None:
    version = {"openapi": "3.1.0", "swagger": "2.0", "asyncapi": "3.0.0"}[kind]
    made = prepare(kind, json.dumps({kind: version, **parts}))
    assert not any("could not be drawn" in str(fault.message) for fault in made.faults)
    json.dumps([made.head, [one.body for one in made.items]])


@given(st.text(alphabet='{}()[]=;"/*.\n messagenurpcthoiof123', max_size=80))
def test_any_proto_is_read_or_refused(text: str) -> None:
    made = prepare("grpc", f'syntax = "proto3";\n{text}')
    assert not any("could not be drawn" in str(fault.message) for fault in made.faults)
