"""Location references, targets and globs."""

import time
from typing import Any

import pytest

from callboard.errors import InputError
from callboard_catalog.descriptors import (
    Targets,
    location_targets,
    matching,
    parse_location,
    resolve_path,
)

PATHS = ["all.yaml", "a/x.yaml", "a/y.yaml", "a/b/z.yaml", "a/b/c/z.yaml", "other/x.yaml"]


def targets(spec: dict[str, Any], base: str = "a/index.yaml") -> Targets:
    return location_targets({"kind": "Location", "spec": spec}, base, PATHS)


def test_location_references() -> None:
    ref = parse_location("url:https://example.com/a.yaml")
    assert (ref.type, ref.target) == ("url", "https://example.com/a.yaml")
    assert str(parse_location(" file:./a.yaml ")) == "file:./a.yaml"
    for text in ("https://example.com", "http:x", "HTTPS://x", "a", "", ":x", "url:", "url: ",
                 "javascript:x", "url:javascript:x", "url: java\tscript:x"):  # fmt: skip
        with pytest.raises(InputError):
            parse_location(text)


@pytest.mark.parametrize(
    ("target", "base", "expected"),
    [
        ("./x.yaml", "a/i.yaml", "a/x.yaml"),
        ("x.yaml", "i.yaml", "x.yaml"),
        ("../x.yaml", "a/i.yaml", "x.yaml"),
        ("./b/../c//x.yaml", "a/i.yaml", "a/c/x.yaml"),
    ],
)
def test_paths_are_relative_to_their_file(target: str, base: str, expected: str) -> None:
    assert resolve_path(target, base) == expected


@pytest.mark.parametrize(
    "target",
    ["../x", "a/../../x", "/etc/passwd", "..", "a\\..\\x", "x\0", "javascript:x", "//e.com/x"],
)
def test_paths_never_leave_the_repository(target: str) -> None:
    with pytest.raises(InputError):
        resolve_path(target, "i.yaml")


def test_targets_of_a_location() -> None:
    found = targets(
        {
            "target": "./x.yaml",
            "targets": ["../all.yaml", "https://e.com/c.yaml", "./x.yaml", "./no.yaml", "../../x"],
            "presence": "optional",
        }
    )
    assert found.paths == ["a/x.yaml", "all.yaml"]
    assert found.urls == ["https://e.com/c.yaml"]
    assert found.optional
    assert [(fault.code, fault.path) for fault in found.faults] == [
        ("target-missing", ("spec", "targets", 3)),
        ("bad-target", ("spec", "targets", 4)),
    ]
    assert not targets({}).optional


def test_a_location_of_type_http_is_refused() -> None:
    [fault] = targets({"type": "https", "target": "https://e.com"}).faults
    assert fault.code == "bad-target"


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("./*.yaml", ["a/x.yaml", "a/y.yaml"]),
        ("./[xz].yaml", ["a/x.yaml"]),
        ("./?.yaml", ["a/x.yaml", "a/y.yaml"]),
        ("./*/z.yaml", ["a/b/z.yaml"]),
        ("./**/z.yaml", ["a/b/c/z.yaml", "a/b/z.yaml"]),
        ("../**/x.yaml", ["a/x.yaml", "other/x.yaml"]),
        ("../**", PATHS),
        ("../*", ["all.yaml"]),
    ],
)
def test_globs(pattern: str, expected: list[str]) -> None:
    assert targets({"targets": [pattern]}).paths == sorted(expected)


def test_a_glob_without_a_match_and_a_hostile_one() -> None:
    [fault] = targets({"target": "./*.yml"}).faults
    assert fault.code == "target-matches-nothing"
    started = time.process_time()
    assert matching("**/*a*a*a*a*a*a*b/" * 15 + "x", ["a" * 60 + "/" + "a/" * 60 + "y"] * 50) == []
    assert time.process_time() - started < 2
    with pytest.raises(InputError):
        matching("**/" * 33, PATHS)
