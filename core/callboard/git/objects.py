"""Files of a commit: one `ls-tree` for their names, one `cat-file` for their content."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from callboard.git.address import check_hash
from callboard.git.patterns import compile_pattern
from callboard.git.runner import GitRunner
from callboard.git.values import TreeFile
from callboard.i18n import Translator

_ = Translator("callboard")

_UNSAFE_PARTS: Final = frozenset({"", ".", "..", ".git"})


def list_files(
    runner: GitRunner, commit: str, patterns: Sequence[str], maximum_file_bytes: int
) -> list[TreeFile]:
    """List what matches any of the patterns, in the order of the tree.

    Left out are entries no honest git makes: a path with a part `..`, `.git`, or a control
    character, which could lead a careless reader out of its folder.
    """
    tests = [compile_pattern(pattern) for pattern in patterns]
    output = runner.run("ls-tree", "-r", "-z", "--long", "--full-tree", check_hash(commit))
    files = []
    for record in output.decode("utf-8", "replace").split("\0"):
        head, _, path = record.partition("\t")
        if not any(test(path) for test in tests) or not _is_safe(path):
            continue
        mode, _, blob, size = head.split()
        length = int(size) if size.isdigit() else 0
        files.append(TreeFile(path, blob, length, mode, length > maximum_file_bytes))
    return files


def _is_safe(path: str) -> bool:
    parts = path.lower().split("/")
    return path.isprintable() and _UNSAFE_PARTS.isdisjoint(parts)


def read_blobs(
    runner: GitRunner, blobs: Iterable[str], maximum_file_bytes: int
) -> Iterator[tuple[str, bytes]]:
    """Yield each blob's content, in order; what is no blob, missing or too large is left out."""
    readable = _readable(runner, [check_hash(blob) for blob in blobs], maximum_file_bytes)
    if not readable:
        return
    with runner.stream("cat-file", "--batch", data=_lines(readable)) as process:
        for blob in readable:
            header = process.output.readline(200).split()
            if len(header) != 3:
                process.stop(_("it gave no object"))
                break
            content = process.output.read(int(header[2]))
            process.output.read(1)
            yield blob, content
            process.extend()


def _readable(runner: GitRunner, blobs: Sequence[str], maximum_file_bytes: int) -> list[str]:
    """Give the blobs that may be read; sizes are known before any content is unpacked."""
    if not blobs:
        return []
    output = runner.run("cat-file", "--batch-check", data=_lines(blobs))
    readable = []
    for blob, line in zip(blobs, output.split(b"\n"), strict=False):
        fields = line.split()
        if len(fields) == 3 and fields[1] == b"blob" and int(fields[2]) <= maximum_file_bytes:
            readable.append(blob)
    return readable


def _lines(blobs: Sequence[str]) -> bytes:
    return "".join(f"{blob}\n" for blob in blobs).encode()
