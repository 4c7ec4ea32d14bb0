"""What is wrong with a descriptor is told in the reader's language."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest

import callboard_catalog
from callboard.contributions import EntityProcessor
from callboard.errors import InputError, NotFoundError
from callboard.i18n import Message, Text
from callboard.kinds import Kind
from callboard.plugins import Contributed
from callboard_catalog.descriptors import (
    BUILT_IN_KINDS,
    Fault,
    KindRegistry,
    Limits,
    Origin,
    location_targets,
    read_documents,
    relations,
)
from callboard_catalog.ingest.parse import Parser
from callboard_web.translations import TranslationStore

STORE = TranslationStore({})
ROBOT = Kind(
    name="Robot",
    api_versions=("example.com/v1",),
    title="",
    schema={
        "type": "object",
        "required": ["wheels"],
        "additionalProperties": False,
        "properties": {
            "wheels": {"type": "integer", "minimum": 2, "maximum": 8},
            "speed": {"exclusiveMinimum": 0, "exclusiveMaximum": 9, "multipleOf": 2},
            "colour": {"enum": ["red", "blue"]},
            "model": {"const": "x1"},
            "serial": {"type": ["string", "null"], "pattern": "^[0-9]+$", "minLength": 3},
            "short": {"maxLength": 2},
            "parts": {"minItems": 2, "maxItems": 3, "uniqueItems": True},
            "map": {"minProperties": 2},
            "small": {"maxProperties": 1},
            "either": {"anyOf": [{"type": "string"}, {"type": "integer"}]},
        },
    },
)
REGISTRY = KindRegistry([*BUILT_IN_KINDS, ROBOT])
SPEC = {"type": "service", "lifecycle": "production", "owner": "team"}
GOOD: dict[str, Any] = {
    "apiVersion": "backstage.io/v1alpha1",
    "kind": "Component",
    "metadata": {"name": "a"},
    "spec": SPEC,
}
LABELS = {"-bad key": "x", "A": "v", "a": "w", "n": 1, "v": "not ok!"}
METADATA: list[Any] = [
    None, 7, [], {}, {"name": 5}, {"name": "x" * 64}, {"name": "my service"}, {"name": "-"},
    {"name": "a", "namespace": "Not_OK"}, {"name": "a", "title": ""}, {"name": "a", "title": None},
    {"name": "a", "description": 3}, {"name": "a", "labels": []}, {"name": "a", "labels": LABELS},
    {"name": "a", "annotations": "x"}, {"name": "a", "annotations": {"n": True, "/": "x"}},
    {"name": "a", "tags": "x"}, {"name": "a", "tags": ["Go Lang", 3]}, {"name": "a", "links": {}},
    {"name": "a", "links": [1, {"url": "x"}, {"url": "https://a.example", "title": ""}, {}]},
]  # fmt: skip
SPECS: list[Any] = [
    None, [], "x", {"type": ""}, {**SPEC, "owner": ["a"]}, {**SPEC, "dependsOn": "resource:a"},
    {"type": "service", "lifecyle": "x", "owner": "a"}, {**SPEC, "providesApis": [1, ""]},
]  # fmt: skip
TEMPLATE = {"type": "service", "steps": [{"if": 3}], "parameters": 3, "secrets": 1}
ROBOTS: list[dict[str, Any]] = [
    {"wheels": "x", "speed": 9, "colour": "green", "model": "x2", "serial": "a", "extra": 1},
    {"wheels": 1, "speed": 0, "parts": [1], "short": "long", "map": {}, "either": []},
    {"wheels": 9, "speed": 3, "parts": [1, 1, 2, 3], "small": {"a": 1, "b": 2}, "serial": 3},
    {},
]
PLACEHOLDERS = [
    {"$text": "./missing.md"}, {"$text": "../../out.md"}, {"$text": ["x"]}, {"$text": "locked.md"},
    {"$text": "binary.md"}, {"$json": "bad.yaml"}, {"$yaml": "bad.yaml"}, {"$yaml": "two.yaml"},
    {"$openapi": "list.yaml"}, {"$text": "huge.md"}, {"$openapi": "many.yaml"},
]  # fmt: skip
FILES = {
    "binary.md": b"\xff\xfe\xfa",
    "bad.yaml": b"a: [\n",
    "two.yaml": b"a: 1\n---\nb: 2\n",
    "list.yaml": b"- 1\n",
    "huge.md": b"x" * (20 * 1024 * 1024 + 1),
    "many.yaml": orjson.dumps({"all": [{"$ref": f"part{n}.yaml"} for n in range(60)]}),
    **{f"part{n}.yaml": b"{}" for n in range(60)},
}
TEXTS = [
    b"a: [\n", b"a: 1\n b: 2\n", b"a: {{ x }}\n", b"a: %x\n", b"a: @x\n", b"a: `x\n",
    b"a: \tb: c\n", b"\ta: 1\n", b"a: !x!y z\n", b"a: 1\na: 2\n", b'a: "\\q"\n', b"a: *none\n",
    b"a: &x [*x]\n",
    b"<<: 1\n", b"a: !!int x\n", b"a: \xff\n", b"a: \x01\n", b"\xff\xfea", b"a:\n- 1\nb\n",
    b"a: 'x\n", b"- a\nb: 1\n", b"a:\n  b: 1\n c: 2\n", b"? a\n- b\n- : :\n",
    b"%YAML 9.9\n---\na\n",
    b"{a: 1, b]\n", b"[a, b}\n", b"a: b: c\n", b"a: !<x\n", b"a: |0\n  x\n", b"a: &\n", b"a: *\n",
    b"a: [" * 40 + b"1" + b"]" * 40, b"a: [[[[[[[[[[[]]]]]]]]]]]\n",
    b"a: &a [1, 2, 3]\nb: &b [*a, *a, *a]\nc: [*b, *b, *b, *b]\n",
    b"a: &a 1\nb: [" + b"*a," * 30 + b"]\n", b"a: 1\n---\n" * 6, b"x" * 5000,
]  # fmt: skip
# What stays as it is in every language: words of the format and its tools.
WORDS = set(
    re.findall(
        r"\w+",
        "API Component JSON TAG UTF Unicode URL URI YAML Za Az alpha annotations apiVersion"
        " backstage com component description example file http https icon io kind label labels"
        " limits links metadata name namespace null optional order owner path prefix presence"
        " required schema service size spec tags target tier title type url",
    )
)


def _read(path: str) -> bytes:
    if path == "locked.md":
        raise InputError("…")
    if path not in FILES:
        raise NotFoundError(path)
    return FILES[path]


def _process(document: Any, context: Any) -> Any:
    if document["metadata"]["name"] == "fails":
        raise ValueError("…")


def _parser() -> Parser:
    return Parser(
        registry=REGISTRY,
        limits=Limits(file_size=4000, documents=4, depth=8, aliases=20, nodes=40),
        origin_of=lambda path: Origin(location=f"file:{path}"),
        read=lambda base, path: _read(path),
        blob_of=lambda path: "",
        processors=[Contributed("hello", EntityProcessor(name="fail", process=_process))],
        context_for=lambda plugin, path: None,  # type: ignore[arg-type,return-value]
        report=lambda plugin, place, error: None,
    )


def _documents() -> Iterator[Any]:
    yield from ([], {}, {"kind": 1}, {"apiVersion": 1, "kind": "?"})
    yield {**GOOD, "spec2": 1, "Spec": 1}
    yield from ({**GOOD, "kind": kind} for kind in ("component", "Zebra", "API"))
    yield {**GOOD, "apiVersion": "example.com/v7"}
    yield from ({**GOOD, "metadata": metadata} for metadata in METADATA)
    yield from ({**GOOD, "spec": spec} for spec in SPECS)
    yield {key: value for key, value in GOOD.items() if key != "spec"}
    yield {**GOOD, "apiVersion": "scaffolder.backstage.io/v1beta3", "kind": "Template",
           "spec": TEMPLATE}  # fmt: skip
    yield {**GOOD, "kind": "Location", "spec": {"presence": "sometimes"}}
    robot = {**GOOD, "apiVersion": "example.com/v1", "kind": "Robot"}
    yield from ({**robot, "spec": spec} for spec in ROBOTS)
    yield from ({**GOOD, "metadata": {"name": "a", "x": item}} for item in PLACEHOLDERS)
    yield {**GOOD, "metadata": {"name": "a", "x": [{"$text": "part0.yaml"}] * 102}}
    yield {**GOOD, "metadata": {"name": "fails"}}
    yield {**GOOD, "metadata": {"name": "a", "x": "\0"}}


def _all_faults() -> Iterator[tuple[bytes, str, Text]]:
    """Yield what was given, the code and the message of every fault of many bad documents."""
    parser = _parser()
    whole = _parser()
    whole.limits = Limits()
    for data in TEXTS:
        for rejection in parser.parse("a/b.yaml", "", data).rejections:
            yield data, rejection.code, rejection.message
    for document in _documents():
        data = orjson.dumps(document)
        for rejection in whole.parse("b.yaml", "", data).rejections:
            yield data, rejection.code, rejection.message
    for fault in (*_references(), *_targets()):
        yield b"", fault.code, fault.message


def _references() -> list[Fault]:
    wrong = ["a b", "x", 7, "component:a"]
    spec = {**SPEC, "owner": "a:b:c", "dependsOn": wrong, "system": 3}
    document = {**GOOD, "spec": spec}
    return relations(document, REGISTRY).warnings


def _targets() -> list[Fault]:
    targets = ["gone.yaml", "*.none", "../../x", "/x", "*/" * 40]
    found = location_targets({"spec": {"targets": targets}}, "a/b.yaml", ["a/b.yaml"])
    typed = location_targets({"spec": {"type": "http", "target": "x"}}, "b.yaml", [])
    return [*found.faults, *typed.faults]


ALL = list(_all_faults())


def test_every_code_is_among_them() -> None:
    folder = Path(callboard_catalog.__file__).parent
    sources = [*folder.glob("descriptors/*.py"), folder / "ingest" / "parse.py"]
    named = re.compile(r'(?:Fault|DocumentError|PlaceholderError)\(\s*"([a-zA-Z0-9-]+)"')
    codes = {code for path in sources for code in named.findall(path.read_text("utf-8"))}
    assert len(codes) > 30
    assert codes - {code for _, code, _ in ALL} == set()


def _leaves(text: Text) -> Iterator[str]:
    if isinstance(text, str):
        yield text
        return
    for _, value in text.arguments:
        yield from _leaves(value) if isinstance(value, Message) else (str(value),)


def _untranslated(text: Text) -> Iterator[str]:
    if isinstance(text, Message):
        if STORE.text("zh_CN", Message(text.domain, text.text, text.context)) == text.text:
            yield text.text
        for _, value in text.arguments:
            yield from _untranslated(value)


@pytest.mark.parametrize("place", range(len(ALL)))
def test_faults_are_told_in_chinese(place: int) -> None:
    data, _code, message = ALL[place]
    assert isinstance(message, Message)
    assert [text for text in _untranslated(message) if re.search("[a-z]{3}", text)] == []
    chinese = STORE.text("zh_CN", message)
    assert re.search("[\u4e00-\u9fff]", chinese)
    assert "%(" not in chinese
    given = {*re.findall(r"[A-Za-z]+", data.decode("utf-8", "replace"))}
    own = {word for leaf in _leaves(message) for word in re.findall(r"[A-Za-z]+", leaf)}
    for leaf in _leaves(message):
        # An argument that is shown is a value, a name or a place: never a phrase in English.
        if leaf in chinese and leaf[:1] not in "'\"":
            assert not re.search(r"\b(?:is|an|the|of|expected|not)\b", leaf), leaf
    words = {*re.findall(r"[A-Za-z]{2,}", chinese)}
    assert words - given - own - WORDS == set()


def test_english_stays_as_it_was() -> None:
    document = {**GOOD, "spec": {"type": 1, "lifecyle": "x", "owner": ""}}
    found = {item.code: str(item.message) for item in
             _parser().parse("a.yaml", "", orjson.dumps(document)).rejections}  # fmt: skip
    assert found == {
        "bad-spec.type": "spec.type is a number; expected a text",
        "missing-spec.lifecycle": (
            "spec.lifecycle is missing; expected a text. Is it written 'lifecyle'?"
        ),
        "bad-spec.owner": "spec.owner is an empty text; expected a text",
    }
    [broken] = read_documents(b"a:\n- 1\nb\n")
    assert broken.fault is not None
    assert str(broken.fault.message).startswith("could not find expected ':'")


def test_a_sentence_in_chinese() -> None:
    document = {**GOOD, "kind": "Location", "spec": {"presence": "sometimes"}}
    [item] = _parser().parse("a.yaml", "", orjson.dumps(document)).rejections
    assert STORE.text("zh_CN", item.message) == (
        "spec.presence 的值：'sometimes'；应为：required 或 optional"
    )
    [item] = _parser().parse("a.yaml", "", b"a:\n- 1\nb\n").rejections
    assert STORE.text("zh_CN", item.message) == (
        "缺少应有的 ':'（读取键时，从上方第 1 行开始）；请检查上一行的缩进和 ':'"
    )
