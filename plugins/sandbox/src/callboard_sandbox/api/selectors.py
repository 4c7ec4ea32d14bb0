"""Label and field selectors, as lists and watches take them."""

import re
from collections.abc import Callable, Mapping
from typing import Any, Final

from callboard_sandbox.api.failures import ApiError
from callboard_sandbox.api.kinds import Kind

Json = dict[str, Any]
Test = Callable[[Json], bool]

_TOKEN: Final = re.compile(r"\s*(==|!=|[=,!()]|[^\s=!,()]+)")

_NAMED: Final = frozenset({"metadata.name", "metadata.namespace"})
_FIELDS: Final[Mapping[str, frozenset[str]]] = {
    "pods": frozenset(
        {
            "spec.nodeName",
            "spec.restartPolicy",
            "spec.schedulerName",
            "spec.serviceAccountName",
            "status.phase",
            "status.podIP",
        }
    ),
    "events": frozenset(
        {
            "involvedObject.kind",
            "involvedObject.namespace",
            "involvedObject.name",
            "involvedObject.uid",
            "involvedObject.apiVersion",
            "involvedObject.resourceVersion",
            "involvedObject.fieldPath",
            "reason",
            "reportingComponent",
            "source",
            "type",
        }
    ),
    "secrets": frozenset({"type"}),
    "namespaces": frozenset({"status.phase"}),
    "nodes": frozenset({"spec.unschedulable"}),
    "replicasets.apps": frozenset({"status.replicas"}),
    "jobs.batch": frozenset({"status.successful"}),
}


def selector(kind: Kind, labels: str, fields: str) -> Test | None:
    """Give what says whether an object is selected, None where all are. Raises `ApiError` 400."""
    tests = [*_label_tests(labels), *_field_tests(kind, fields)]
    if not tests:
        return None
    return lambda body: all(test(body) for test in tests)


def _label_tests(text: str) -> list[Test]:
    words = _TOKEN.findall(text)
    tests: list[Test] = []
    while words:
        tests.append(_requirement(words))
        if words and words.pop(0) != ",":
            raise _unreadable(words[0] if words else "", "',' or 'end of string'")
        if tests and not words and text.rstrip().endswith(","):
            raise _unreadable("", "identifier after ','")
    return tests


def _requirement(words: list[str]) -> Test:
    first = words.pop(0)
    if first == "!":
        name = _identifier(words)
        return lambda body: name not in _labels(body)
    if first in ("=", "==", "!=", ",", "(", ")"):
        raise _unreadable(first, "!, identifier, or 'end of string'")
    name = first
    operator = words[0] if words else ","
    if operator == ",":
        return lambda body: name in _labels(body)
    words.pop(0)
    if operator in ("=", "==", "!="):
        value = words.pop(0) if words and words[0] not in (",", "(", ")") else ""
        if operator == "!=":
            return lambda body: _labels(body).get(name) != value
        return lambda body: _labels(body).get(name) == value
    if operator not in ("in", "notin"):
        raise _unreadable(operator, "in, notin, =, ==, !=, gt, lt")
    values = _values(words)
    if operator == "in":
        return lambda body: _labels(body).get(name) in values
    return lambda body: _labels(body).get(name) not in values


def _values(words: list[str]) -> frozenset[str]:
    if not words or words.pop(0) != "(":
        raise _unreadable("", "'('")
    values: set[str] = set()
    while True:
        word = words.pop(0) if words else ""
        if word in ("", "(", "=", "==", "!="):
            raise _unreadable(word, "',', ')' or identifier")
        if word == ")":
            return frozenset(values)
        if word != ",":
            values.add(word)


def _identifier(words: list[str]) -> str:
    if not words or words[0] in ("=", "==", "!=", ",", "(", ")", "!"):
        raise _unreadable(words[0] if words else "", "identifier")
    return words.pop(0)


def _unreadable(found: str, expected: str) -> ApiError:
    return ApiError(400, f"unable to parse requirement: found '{found}', expected: {expected}")


def _labels(body: Json) -> Mapping[str, str]:
    return body["metadata"].get("labels") or {}


def _field_tests(kind: Kind, text: str) -> list[Test]:
    """Read `a=b,c!=d`. Of custom resources only name and namespace are known."""
    return [_field_test(kind, part) for part in text.split(",") if part]


def _field_test(kind: Kind, part: str) -> Test:
    path, sign, value = re.match(r"([^=!]*)(==|=|!=|)(.*)", part, re.DOTALL).groups()  # type: ignore[union-attr]
    if not sign:
        raise ApiError(400, f'invalid selector: "{part}"; can\'t understand "{part}"')
    if path not in _NAMED and path not in _FIELDS.get(kind.key, ()):
        raise ApiError(400, f"field label not supported: {path}")
    keys = path.split(".")
    wanted = sign != "!="
    return lambda body: (_text_at(body, keys) == value) == wanted


def _text_at(body: Any, keys: list[str]) -> str:
    for key in keys:
        body = body.get(key) if isinstance(body, dict) else None
    if isinstance(body, bool):
        return str(body).lower()
    return "" if body is None else str(body)
