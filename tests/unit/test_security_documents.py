"""What the pages on security name is there: tests, files, each requirement once."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SECURITY = ROOT / "docs" / "security.md"
ASVS = ROOT / "docs" / "asvs.md"
PATH = re.compile(r"\b(?:tests|core|catalog|web|plugins|tools|docs)/[\w./-]*[\w/]")

pytestmark = pytest.mark.skipif(
    not SECURITY.exists(), reason="Only a checkout of the repository has the documents."
)


def _rows(text: str, columns: int) -> list[list[str]]:
    rows = [
        [cell.strip() for cell in line.strip("|").split(" | ")]
        for line in text.splitlines()
        if line.startswith("| ") and not line.startswith("|---")
    ]
    return [row for row in rows if len(row) == columns]


@pytest.mark.parametrize("page", [SECURITY, ASVS], ids=lambda path: path.name)
def test_every_file_that_is_named_exists(page: Path) -> None:
    named = set(PATH.findall(page.read_text("utf-8")))
    assert len(named) > 20
    assert [path for path in sorted(named) if not (ROOT / path).exists()] == []


def test_every_threat_has_a_test_or_a_check() -> None:
    threats = [row for row in _rows(SECURITY.read_text("utf-8"), 4) if len(row[0]) == 1]
    assert {row[0] for row in threats} >= set("STRIDE")
    assert [row[1] for row in threats if not PATH.search(row[3])] == []


def test_every_requirement_is_judged_once() -> None:
    rows = [row for row in _rows(ASVS.read_text("utf-8"), 5) if re.match(r"\d+\.\d+\.\d+$", row[0])]
    numbers = [row[0] for row in rows]
    assert len(numbers) == len(set(numbers)) == 253
    assert {row[1] for row in rows} == {"1", "2"}
    judged = {row[3] for row in rows}
    assert judged <= {"yes", "**partly**", "**no**", "operator", "–"}
    assert [row[0] for row in rows if not row[4]] == []
    counted = re.search(r"Of 253 requirements: (\d+) yes, (\d+) partly, (\d+) no", ASVS.read_text())
    assert counted is not None
    marks = ("yes", "**partly**", "**no**")
    assert [int(number) for number in counted.groups()] == [
        sum(row[3] == mark for row in rows) for mark in marks
    ]
