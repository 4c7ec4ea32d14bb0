"""Parses files in a process of its own, while this one writes what was parsed before.

It pays for many files where there is more than one core. The process gets the files' bytes and
gives what `Parser.parse` gives; it opens nothing itself and ends when its input does, which is also
when the one that began it is killed. Whatever goes wrong with it, the files are parsed here.
"""

import logging
import os
import pickle
import subprocess
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from functools import partial
from typing import IO, Any, Final

from callboard.threads import DaemonPool
from callboard_catalog.descriptors import Limits, Origin
from callboard_catalog.descriptors.kinds import KindRegistry
from callboard_catalog.ingest.parse import ParsedFile, Parser, may_have_placeholders

log = logging.getLogger(__name__)

FEWEST: Final = 1_000
"""Files for which a process is begun: it takes about 0.2 s to be ready."""

AHEAD: Final = 3
"""Lots of files that are parsed while the first of them is waited for."""

SECONDS_TO_END: Final = 5
OBJECTS_BETWEEN_COLLECTIONS: Final = 50_000

File = tuple[str, str, bytes]
"""Path, blob and content."""

Parsed = Callable[[], Sequence[ParsedFile]]
"""Gives the files of a lot in order, when they are ready."""


class Here:
    """Parses in this process, when the files are asked for."""

    ahead: Final = 0

    def __init__(self, parser: Parser) -> None:
        self.parser = parser

    def begin(self, files: Sequence[File]) -> Parsed:
        """Begin with a lot."""
        return lambda: [self.parser.parse(*file) for file in files]

    def close(self) -> None:
        """End it."""


class Apart:
    """Parses in another process, but for files with placeholders, which need other files."""

    ahead: Final = AHEAD

    def __init__(self, parser: Parser) -> None:
        self.parser = parser
        registry = parser.registry
        rules = pickle.dumps((registry.kinds(), registry.entity_fields(), parser.limits))
        self._pool = DaemonPool(1, "parse")
        self._lost = False
        # The path is that of this process: the folder it was started in adds nothing to it.
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", __name__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        self._pool.submit(partial(self._send, rules))

    def begin(self, files: Sequence[File]) -> Parsed:
        """Begin with a lot; what it needs of other files is read now."""
        near = {
            file[0]: self.parser.parse(*file) for file in files if may_have_placeholders(file[2])
        }
        far = [(*file, self.parser.origin_of(file[0])) for file in files if file[0] not in near]
        answer = self._pool.submit(partial(self._ask, pickle.dumps(far)))
        return partial(self._all, files, near, answer)

    def _all(
        self, files: Sequence[File], near: dict[str, ParsedFile], answer: Future[bytes]
    ) -> list[ParsedFile]:
        parsed = near | {file.path: file for file in self._given(answer)}
        return [parsed.get(file[0]) or self.parser.parse(*file) for file in files]

    def _given(self, answer: Future[bytes]) -> list[ParsedFile]:
        try:
            given: list[ParsedFile] = pickle.loads(answer.result())  # noqa: S301
        except (OSError, EOFError, pickle.UnpicklingError) as error:
            if not self._lost:
                log.warning("Files are parsed in one process only: %r", error)
            self._lost = True
            return []
        return given

    def _ask(self, question: bytes) -> bytes:
        if self._lost:
            raise EOFError
        self._send(question)
        return received(self._process.stdout)

    def _send(self, data: bytes) -> None:
        send(self._process.stdin, data)

    def close(self) -> None:
        """End the process."""
        self._lost = True
        self._pool.close()
        self._process.kill()
        self._process.wait(SECONDS_TO_END)
        for stream in (self._process.stdin, self._process.stdout):
            try:
                stream.close()  # type: ignore[union-attr]
            except OSError:
                continue


def place_for(parser: Parser, files: int) -> Here | Apart:
    """Give where so many files are best parsed; `close` it when they are."""
    # What plugins process needs the portal.
    if files >= FEWEST and not parser.processors and len(_cores()) > 1:
        try:
            return Apart(parser)
        except (OSError, pickle.PicklingError, TypeError, AttributeError) as error:
            log.warning("Files are parsed in one process only: %r", error)
    return Here(parser)


def _cores() -> Sequence[int]:
    if hasattr(os, "sched_getaffinity"):
        return list(os.sched_getaffinity(0))
    return range(os.cpu_count() or 1)


def send(stream: IO[bytes] | None, data: bytes) -> None:
    """Write data with its length before it."""
    if stream is None:
        raise EOFError
    stream.write(len(data).to_bytes(8, "big"))
    stream.write(data)
    stream.flush()


def received(stream: IO[bytes] | None) -> bytes:
    """Read what `send` wrote; raises `EOFError` where there is no more."""
    size = _exactly(stream, 8)
    return _exactly(stream, int.from_bytes(size, "big"))


def _exactly(stream: IO[bytes] | None, size: int) -> bytes:
    data = stream.read(size) if stream else b""
    if len(data) < size:
        raise EOFError
    return data


# The other process


def serve(requests: IO[bytes], answers: IO[bytes]) -> None:
    """Parse lot after lot, until there are no more."""
    kinds, fields, limits = pickle.loads(received(requests))  # noqa: S301
    registry = KindRegistry(kinds)
    for added in fields:
        registry.add_field(added)
    while True:
        lot = pickle.loads(received(requests))  # noqa: S301
        origins = {path: origin for path, _, _, origin in lot}
        parser = _parser(registry, limits, origins.__getitem__)
        parsed = [parser.parse(path, blob, data) for path, blob, data, _ in lot]
        send(answers, pickle.dumps(parsed, pickle.HIGHEST_PROTOCOL))


def _parser(registry: KindRegistry, limits: Limits, origin_of: Callable[[str], Origin]) -> Parser:
    def missing(*_: Any) -> Any:
        raise LookupError("A file with placeholders is parsed where files are.")

    return Parser(
        registry=registry, limits=limits, origin_of=origin_of, read=missing, blob_of=missing
    )


def main() -> None:
    """Serve on the standard streams."""
    import gc
    import signal

    # What is loaded stays, and what is parsed has hardly any cycles.
    gc.freeze()
    gc.set_threshold(OBJECTS_BETWEEN_COLLECTIONS)
    # The one that began it decides what an interruption means.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    try:
        serve(sys.stdin.buffer, answers)
    except (EOFError, OSError):
        os._exit(0)


if __name__ == "__main__":
    main()
