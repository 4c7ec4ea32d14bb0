"""Archives and spools of logs: whatever the lines, they are found again by their numbers."""

import gzip
import io
import random
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from callboard.redaction import LineRedactor
from callboard_ci_tekton.logs import archive
from callboard_ci_tekton.logs.archive import Archive, ArchiveWriter, DamagedError
from callboard_ci_tekton.logs.objects import Signer
from callboard_ci_tekton.logs.places import Folder
from callboard_ci_tekton.logs.settings import LogSettings
from callboard_ci_tekton.logs.sources import MARGIN, Part, hidden
from callboard_ci_tekton.logs.spool import Spool

AT = "2026-03-02T07:00:00.000000001Z"
TEXTS = st.lists(st.text(st.characters(blacklist_characters="\n", blacklist_categories=["Cs"])))


def packed(lines: list[tuple[str, str]], limit: int = 10**6) -> tuple[bytes, str]:
    writer, file = ArchiveWriter(limit), io.BytesIO()
    for at, text in lines:
        writer.add(at, text)
    _index, digest, stored = writer.write(file)
    assert len(file.getvalue()) == stored
    return file.getvalue(), digest


def opened(data: bytes, digest: str) -> Archive:
    return Archive(lambda offset, length: data[offset : offset + length], len(data), digest)


@settings(max_examples=40, deadline=None)
@given(texts=TEXTS, first=st.integers(1, 30), count=st.integers(1, 20))
def test_lines_are_read_by_their_numbers(texts: list[str], first: int, count: int) -> None:
    lines = [(AT if number % 3 else "", text) for number, text in enumerate(texts)]
    data, digest = packed(lines)
    found = opened(data, digest)
    numbered = [(number, at, text) for number, (at, text) in enumerate(lines, 1)]
    assert list(found.iterate()) == numbered
    assert found.lines(first, count) == numbered[first - 1 :][:count]
    assert found.index.lines == len(lines)
    assert gzip.decompress(data).decode() == "".join(f"{at} {text}\n" for at, text in lines)


def test_a_long_log_loses_its_middle_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "CHUNK", 1000)
    lines = [(AT, f"line {number}") for number in range(1, 5001)]
    data, digest = packed(lines, limit=64 * 1024)
    found = opened(data, digest)
    assert found.index.lines == 5000
    assert found.index.gap is not None
    begin, end = found.index.gap
    kept = [number for number, _at, _text in found.iterate()]
    assert kept == [*range(1, begin), *range(end + 1, 5001)]
    assert all(text == f"line {number}" for number, _at, text in found.iterate())
    assert found.lines(begin, 1)[0][0] == end + 1
    size = sum(len(f"{AT} line {number}\n") for number in kept)
    assert 60_000 < size < 70_000


def test_any_damage_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "CHUNK", 2000)
    data, digest = packed([(AT, f"line {number}") for number in range(400)])
    chance = random.Random(7)
    for _ in range(60):
        place = chance.randrange(len(data))
        broken = bytearray(data)
        broken[place] ^= 1 << chance.randrange(8)
        with pytest.raises(DamagedError):
            list(opened(bytes(broken), digest).iterate())
    for length in (0, 5, len(data) - 1):
        with pytest.raises(DamagedError):
            opened(data[:length], digest)


@settings(max_examples=40, deadline=None)
@given(sizes=st.lists(st.integers(1, 150), max_size=12), first=st.integers(1, 900))
def test_a_spool_gives_what_was_added(
    tmp_path_factory: pytest.TempPathFactory, sizes: list[int], first: int
) -> None:
    spool = Spool(tmp_path_factory.getbasetemp() / "spool", 10**6)
    try:
        lines: list[tuple[str, str]] = []
        for size in sizes:
            new = [(AT, "ä" * (number % 90)) for number in range(size)]
            spool.add(new)
            lines += new
        numbered = [(number, *line) for number, line in enumerate(lines, 1)]
        assert spool.total == len(lines)
        assert spool.read(first, 300) == numbered[first - 1 :][:300]
        assert list(spool.iterate()) == numbered
    finally:
        spool.close()


def test_a_spool_is_bounded(tmp_path: Path) -> None:
    spool = Spool(tmp_path, 640 * 1024)
    try:
        for part in range(400):
            spool.add([(AT, f"{part:05} {'x' * 1000}")] * 4)
        assert spool.total == 1600
        assert spool.gap is not None
        begin, end = spool.gap
        numbers = [number for number, _at, _text in spool.iterate()]
        assert numbers == [*range(1, begin), *range(end + 1, 1601)]
        assert spool.read(begin, 1)[0][2].startswith(f"{(end) // 4:05} ")
        assert len(numbers) * 1040 < 12 * 64 * 1024
    finally:
        spool.close()


def test_secrets_are_hidden_across_lines_and_parts() -> None:
    redactor = LineRedactor(["hunter2-hunter2", "first line of it\nsecond line of it"])
    said = redactor.hide(["a hunter2-hunter2 b", "no secret", "x second line of it"])
    assert said == ["a *** b", "no secret", "x ***"]
    key = ["-----BEGIN RSA PRIVATE KEY-----", "MIIEow", "AAAA", "-----END RSA PRIVATE KEY-----"]
    assert redactor.hide(["before", *key[:2]]) == ["before", "***", "***"]
    assert redactor.hide([*key[2:], "after", f"t glpat-{'a' * 20}"]) == [
        "***", "***", "after", "t ***",
    ]  # fmt: skip
    # A token at the very end of a part may go on in the next one, which is left out.
    long = "x" * 65_000 + " hunter2-hun"
    [(_at, text)] = hidden(LineRedactor(["hunter2-hunter2"]), [Part(AT, long, cut=True)])
    assert "hunter2" not in text
    assert 65_000 - MARGIN < len(text) < 65_200 - MARGIN + 100


def test_requests_are_signed_as_the_reference_of_amazon_has_it() -> None:
    """The examples of "Signature Calculations for the Authorization Header", Amazon S3 API."""
    signer = Signer("AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", "us-east-1")
    at, empty = (
        datetime(2013, 5, 24, tzinfo=UTC),
        ("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
    )
    base = "https://examplebucket.s3.amazonaws.com"
    read = signer.headers("GET", f"{base}/test.txt", {"Range": "bytes=0-9"}, empty, at)
    listed = signer.headers("GET", f"{base}/?max-keys=2&prefix=J", {}, empty, at)
    assert read["authorization"].endswith(
        "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41"
    )
    assert listed["authorization"].endswith(
        "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7"
    )


def test_a_folder_has_files_whole_or_not_at_all(tmp_path: Path) -> None:
    folder, given = Folder(tmp_path / "logs"), tmp_path / "given"
    given.write_bytes(b"0123456789")
    folder.put("build/ab/uid-1/step.0a.gz", given)
    (tmp_path / "logs/build/ab/uid-1/.x.part").write_bytes(b"left by somebody who was killed")
    assert folder.names("build/ab/uid-1/step.") == ["build/ab/uid-1/step.0a.gz"]
    assert folder.read("build/ab/uid-1/step.0a.gz", 2, 3) == b"234"
    folder.delete("build/ab/uid-1/step.0a.gz")
    folder.delete("build/ab/uid-1/step.0a.gz")
    with pytest.raises(DamagedError):
        folder.size("build/ab/uid-1/step.0a.gz")


@pytest.mark.parametrize(
    "wrong",
    [
        {"place": "logs"},
        {"place": "s3://Bucket"},
        {"place": "s3://bucket/a b"},
        {"place": "s3://bucket"},
        {"endpoint": "minio.example.com"},
    ],
)
def test_places_that_cannot_be_are_refused(wrong: dict[str, str]) -> None:
    with pytest.raises(ValueError, match=r"expected|needs"):
        LogSettings.model_validate(wrong)
    given = {"access_key": "key", "secret_key": "secret"}
    found = LogSettings.model_validate({"place": "s3://bucket/ci/logs", **given})
    assert (found.bucket, found.prefix) == ("bucket", "ci/logs/")
