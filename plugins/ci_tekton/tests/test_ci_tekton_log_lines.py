"""What is shown of the lines of a log: by the browser's modules, in Node.js, and by the server."""

import json
import shutil
import subprocess
from bisect import bisect_right
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from itertools import accumulate
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from callboard.testing import absent
from callboard_ci_tekton.logs import showing
from callboard_ci_tekton.logs.showing import level, plain, show

MODULES = Path(showing.__file__).parents[1] / "static/ci_tekton/log"
ASKED = """
import { createInterface } from "node:readline";
import * as lines from "./lines.js";
import * as places from "./places.js";

const acts = {
  ...lines, ...places,
  marked: (line, query) => lines.mark(lines.read(line).pieces, lines.patternOf(query)),
  rows: (total, gap, numbers) => {
    const rows = new places.Rows(total, gap);
    return [rows.count, numbers.map((number) => rows.lineOf(rows.rowOf(number)))];
  },
  heights: (count, sizes, rows, tops) => {
    const heights = new places.Heights(19);
    heights.grow(Math.min(3, count));
    heights.grow(count);
    for (const [row, size] of sizes) heights.set(row, size);
    const above = rows.map((row) => heights.above(row));
    return [heights.whole, above, tops.map((top) => heights.at(top))];
  },
};
for await (const line of createInterface({ input: process.stdin })) {
  const [name, ...given] = JSON.parse(line);
  console.log(JSON.stringify(acts[name](...given) ?? null));
}
"""
Ask = Callable[..., Any]
MANY = settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture(scope="module")
def ask(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ask]:
    """Give a function that calls one of the modules' by its name, in one process for all tests."""
    if not shutil.which("node"):
        absent("No Node.js: install the package nodejs.")
    folder = tmp_path_factory.mktemp("modules")
    shutil.copytree(MODULES, folder, dirs_exist_ok=True)
    (folder / "package.json").write_text('{"type": "module"}')
    (folder / "asked.js").write_text(ASKED)
    command = ["node", str(folder / "asked.js")]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, encoding="utf-8"
    ) as process:

        def call(*asked: Any) -> Any:
            assert process.stdin
            assert process.stdout
            process.stdin.write(json.dumps(asked) + "\n")
            process.stdin.flush()
            return json.loads(process.stdout.readline())

        yield call
        assert process.stdin
        process.stdin.close()


def pieces(ask: Ask, line: str) -> list[tuple[str, str]]:
    return [(piece["text"], piece["classes"]) for piece in ask("read", line)["pieces"]]


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("plain", [("plain", "")]),
        ("\x1b[31mred\x1b[0m and not", [("red", "log-red"), (" and not", "")]),
        ("\x1b[1;92mok\x1b[22m still", [("ok", "log-bold log-green"), (" still", "log-green")]),
        ("\x1b[38;5;196mred\x1b[39m.", [("red", "log-red"), (".", "")]),
        ("\x1b[38;5;240mgrey", [("grey", "log-grey")]),
        ("\x1b[38;2;10;200;30mgreen", [("green", "log-green")]),
        ("\x1b[38:2::200:0:220mmagenta", [("magenta", "log-magenta")]),
        ("\x1b[48;5;4;97mon blue", [("on blue", "log-on-blue")]),
        ("\x1b[7;31mback\x1b[27mfront", [("back", "log-on-red"), ("front", "log-red")]),
        ("\x1b[7mback", [("back", "log-inverse")]),
        ("\x1b[4munder\x1b[4:0mnot", [("under", "log-underline"), ("not", "")]),
        ("\x1b[>4;2mno colours\x1b[?25l", [("no colours", "")]),
        ("\x1b[38;5;999mno such", [("no such", "")]),
        ("\x1b[36m10 %\r20 %\r", [("20 %", "log-cyan")]),
        ("Downloading\x1b[2K\x1b[1GDone", [("Done", "")]),
        ("\x1b]8;;https://example.test\x1b\\link\x1b]8;;\x07", [("link", "")]),
        ("\x1b]0;title never ends", []),
        ("<b onclick='x'>&amp;</b>", [("<b onclick='x'>&amp;</b>", "")]),
        ("\x1b[3", []),
    ],
)
def test_a_terminals_colours_are_classes(
    ask: Ask, line: str, expected: list[tuple[str, str]]
) -> None:
    assert pieces(ask, line) == expected


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("ERROR policy: not allowed", "e"),
        ("2026-03-02 08:00:01.123 ERROR 1 --- [main] x", "e"),
        ("[ERROR] Failed to execute goal", "e"),
        ("CRITICAL  CVE-2025-24813  tomcat", "e"),
        ("npm ERR! missing script", "e"),
        ("error: pathspec did not match", "e"),
        ("Traceback (most recent call last):", "e"),
        ("java.lang.IllegalStateException: closed", "e"),
        ('time="1" level=error msg="x"', "e"),
        ('{"level":"fatal","msg":"x"}', "e"),
        ("E0302 08:00:01.1 1 x.go:1] x", "e"),
        ("WARN  OS packages are not covered", "w"),
        ("npm warn deprecated", "w"),
        ("W0302 08:00:01.1 1 x.go:1] x", "w"),
        ("+ trivy image --exit-code 1", "m"),
        ("Total: 10 (HIGH: 9, CRITICAL: 1)", ""),
        ("WARNINGS: 3", ""),
        ("errors=0 ERROR=0", ""),
        ("no error at all", ""),
        ("error-handler.ts compiled", ""),
        ("", ""),
    ],
)
def test_lines_that_tell_of_errors_are_known(ask: Ask, line: str, expected: str) -> None:
    assert level(line) == expected
    assert ask("level", line) == expected


BITS = st.sampled_from(
    ["\x1b[", "\x1b]", "\x1b", "\x9b", "31", ";", ":", "m", "K", "2K", "1G", "G", "\r", "\x07",
     "\t", "\b", "\x90", "\x1b\\", "ERROR", " WARN ", ": 0", "error", "a", "错误", "é", " ",
     "38;5;1m", "+ "]
)  # fmt: skip


@MANY
@given(bits=st.lists(BITS, max_size=14))
def test_the_browser_and_the_server_read_lines_alike(ask: Ask, bits: list[str]) -> None:
    line = "".join(bits)
    text = "".join(text for text, _ in pieces(ask, line))
    assert text == plain(line)
    assert "\x1b" not in text
    assert ask("level", text) == level(text)


def test_long_lines_are_cut(ask: Ask) -> None:
    line = f"\x1b[31m{'x' * 3000}\x1b[0m{'y' * 3000}"
    found = ask("read", line)
    assert [len(piece["text"]) for piece in found["pieces"]] == [3000, 1000]
    assert found["rest"] == 2000
    (shown,) = show([(1, None, line)], "UTC")
    assert shown.text == f"{'x' * 3000}{'y' * 1000}…"


def test_times_are_those_of_the_reader() -> None:
    at = datetime(2026, 3, 2, 23, 30, 5, 120_000, tzinfo=UTC)
    (line,) = show([(7, at, "\x1b[33mWARN\x1b[0m late\r")], "Asia/Shanghai")
    assert (line.number, line.clock, line.text, line.level) == (7, "07:30:05", "WARN late", "w")
    assert line.at == "2026-03-02T23:30:05.120Z"


@MANY
@given(parts=st.lists(st.sampled_from(["a", "A", "b", ".", "\x1b[1m", "\x1b[0m"]), max_size=20))
def test_what_is_searched_for_is_marked_and_nothing_else(ask: Ask, parts: list[str]) -> None:
    line = "".join(parts)
    for query in ("a", "a.", "ab", "\\"):
        found = ask("marked", line, query)
        assert "".join(piece["text"] for piece in found) == plain(line)
        marked = "".join(piece["text"] for piece in found if piece.get("marked"))
        assert len(marked) == plain(line).lower().count(query) * len(query)


def test_addresses_name_lines(ask: Ask) -> None:
    assert ask("placeIn", "#L12") == {"first": 12, "last": 12}
    assert ask("placeIn", "#L20-L10") == {"first": 10, "last": 20}
    assert ask("hashOf", {"first": 10, "last": 20}) == "#L10-L20"
    assert ask("hashOf", {"first": 3, "last": 3}) == "#L3"
    for other in ("", "#steps", "#L0", "#L1-", "#L99999999999", "#L1-L2x", "#l1"):
        assert ask("placeIn", other) is None


def test_lines_that_were_left_out_share_a_row(ask: Ask) -> None:
    count, lines = ask("rows", 100, [11, 90], [1, 10, 11, 50, 90, 91, 100])
    assert count == 21
    assert lines == [1, 10, 11, 11, 11, 91, 100]


@MANY
@given(data=st.data())
def test_rows_of_any_height_are_found(ask: Ask, data: st.DataObject) -> None:
    count = data.draw(st.sampled_from([1, 2, 5, 1023, 1024, 1025, 5000]))
    row = st.integers(0, count - 1)
    sizes = data.draw(st.dictionaries(row, st.integers(19, 200), max_size=8))
    rows = data.draw(st.lists(row, max_size=5))
    bottoms = list(accumulate(sizes.get(number, 19) for number in range(count)))
    tops = data.draw(st.lists(st.integers(0, bottoms[-1] + 50), max_size=5))
    whole, above, at = ask("heights", count, list(sizes.items()), rows, tops)
    assert whole == bottoms[-1]
    assert above == [bottoms[number - 1] if number else 0 for number in rows]
    assert at == [min(bisect_right(bottoms, top), count - 1) for top in tops]
