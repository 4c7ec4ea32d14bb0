"""Answers that are kept as they were sent, until the catalog changes.

An answer is found by what was asked, by what the one who asks may see, and by the generation of
the catalog it was made from; see `Endpoint.kept`. Whoever looks one up has asked the database for
the generation after the request came, so that no answer is older than the last change before it.
"""

import hashlib
import threading
from collections import Counter, OrderedDict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, Final, NamedTuple

import orjson
from sqlalchemy import Connection, func, select

from callboard.access import EntityFilter
from callboard.access.filters import FIELDS
from callboard.identity import Selector
from callboard_catalog import models
from callboard_catalog.rest.service import InMemory
from callboard_web.compression import COMPRESS_FROM, Compressor

OVERHEAD: Final = 1_000
"""Bytes that an answer takes beside its body."""

LONGEST_QUESTION: Final = 64 * 1024
PIECE: Final = 4 * 1024 * 1024
"""Bytes handed to the server at once. They are not copied: each client is sent the same ones."""

CODINGS: Final = ("", "br", "gzip")
VARY: Final = (b"vary", b"Accept-Encoding")


class Question(NamedTuple):
    """A request as it was written: `path` is decoded, `query` and `body` are as they came."""

    method: str
    path: str
    query: bytes
    body: bytes = b""


@dataclass(slots=True)
class KeptAnswer:
    """An answer of status 200.

    `forms` has its pieces by content coding; that of the empty name is always there. `route` is
    what metrics know its view by. `is_short` says that its endpoint asks for nothing but that one
    may see some entity.
    """

    tag: str
    headers: Sequence[tuple[bytes, bytes]]
    forms: dict[str, tuple[bytes, ...]]
    route: Any = None
    is_short: bool = False

    @property
    def size(self) -> int:
        """The bytes that it takes."""
        return OVERHEAD + sum(len(piece) for form in self.forms.values() for piece in form)

    def coding(self, accepted: str) -> str:
        """Give the coding it is sent in: the one that is accepted, but for what is small."""
        return accepted if len(self.forms[""][0]) >= COMPRESS_FROM else ""

    def compress(self, coding: str) -> None:
        """Make a form of it, a large one piece by piece."""
        compressor = Compressor(coding)
        pieces = self.forms[""]
        last = len(pieces) - 1
        self.forms[coding] = tuple(
            compressor.add(piece, last=at == last) for at, piece in enumerate(pieces)
        )

    def head(self, coding: str) -> list[tuple[bytes, bytes]]:
        """Give the headers of a form."""
        length = sum(map(len, self.forms[coding]))
        found = [*self.headers, (b"content-length", b"%d" % length), *tag_head(self.tag, coding)]
        return [*found, (b"content-encoding", coding.encode())] if coding else found


def tag_head(tag: str, coding: str) -> list[tuple[bytes, bytes]]:
    """Give the headers of an answer that need not be sent again (RFC 9110, 15.4.5)."""
    return [(b"etag", etag(tag, coding).encode()), VARY]


def etag(tag: str, coding: str) -> str:
    """Give the entity tag of a form: strong ones differ by coding (RFC 9110, 8.8.3.3)."""
    return f'"{tag}-{coding}"' if coding else f'"{tag}"'


def known_form(tag: str, if_none_match: str) -> str | None:
    """Give the coding of the form that the client has already, if it has one."""
    if tag in if_none_match:
        for coding in CODINGS:
            if etag(tag, coding) in if_none_match:
                return coding
    return None


class Kept:
    """The answers of one process to one generation of the catalog, the least used left out first.

    `most` is the number of bytes they may take. `secret` makes tags the same in all processes.
    `memory` is what further ones can be made of, as far as anyone has noted it.
    """

    def __init__(self, most: int, secret: str) -> None:
        self.most = most
        self.generation = -1
        self.memory: InMemory | None = None
        self._stamp = b""
        self._secret = secret.encode()[:64]
        self._answers: OrderedDict[tuple[EntityFilter, Question], KeptAnswer] = OrderedDict()
        self._questions: Counter[Question] = Counter()
        self._size = 0
        self._lock = threading.Lock()
        self._collecting = threading.Lock()

    def holds(self, asked: Question) -> bool:
        """Say whether there is an answer for anyone at all; asks nothing else."""
        return asked in self._questions

    def find(self, generation: int, sees: EntityFilter, asked: Question) -> KeptAnswer | None:
        """Give the answer of this generation, if it is kept."""
        with self._lock:
            if generation != self.generation:
                return None
            found = self._answers.get((sees, asked))
            if found is not None:
                self._answers.move_to_end((sees, asked))
            return found

    def keep(
        self, generation: int, sees: EntityFilter, asked: Question, answer: KeptAnswer
    ) -> None:
        """Keep an answer, unless a newer generation is known or it is too large."""
        if answer.size > self.most // 2 or len(asked.query) + len(asked.body) > LONGEST_QUESTION:
            return
        with self._lock:
            if generation != self.generation:
                return
            self._forget((sees, asked))
            self._answers[(sees, asked)] = answer
            self._questions[asked] += 1
            self._size += answer.size
            while self._size > self.most:
                self._forget(next(iter(self._answers)))

    def _forget(self, key: tuple[EntityFilter, Question]) -> None:
        before = self._answers.pop(key, None)
        if before is None:
            return
        self._size -= before.size
        self._questions[key[1]] -= 1
        if not self._questions[key[1]]:
            del self._questions[key[1]]

    def compressed(
        self, generation: int, sees: EntityFilter, asked: Question, answer: KeptAnswer, coding: str
    ) -> KeptAnswer:
        """Give the answer with a further form, which is kept with it."""
        made = replace(answer, forms=dict(answer.forms))
        made.compress(coding)
        self.keep(generation, sees, asked, made)
        return made

    def tag(
        self, connection: Connection, generation: int, sees: EntityFilter, asked: Question
    ) -> str:
        """Give the tag of an answer, which need not be made for it."""
        return self._tag(self._begin(connection, generation), sees, asked)

    def tag_of(self, generation: int, sees: EntityFilter, asked: Question) -> str | None:
        """Give the same without the database; None for a generation of which nothing is known."""
        with self._lock:
            stamp = self._stamp if generation == self.generation else None
        return None if stamp is None else self._tag(stamp, sees, asked)

    def _tag(self, stamp: bytes, sees: EntityFilter, asked: Question) -> str:
        digest = hashlib.blake2b(digest_size=15, key=self._secret)
        for part in (
            stamp, written_filter(sees), asked.method.encode(), asked.path.encode(), asked.query,
            asked.body,
        ):  # fmt: skip
            digest.update(b"%d:" % len(part))
            digest.update(part)
        return digest.hexdigest()

    def _begin(self, connection: Connection, generation: int) -> bytes:
        """Forget what is of an earlier generation; give what tells this one from all others.

        The number alone would not: a database that was restored from a copy counts on from there.
        """
        with self._lock:
            if generation == self.generation:
                return self._stamp
        stamp = _stamp(connection, generation)
        with self._lock:
            if generation > self.generation:
                self.generation, self._stamp, self._size = generation, stamp, 0
                self._answers.clear()
                self._questions.clear()
        return stamp

    def collected(
        self, generation: int, sees: EntityFilter, asked: Question, made: KeptAnswer,
        pieces: Iterator[bytes], now: Callable[[], int],
    ) -> Iterator[bytes]:  # fmt: skip
        """Pass on the pieces of a large answer and keep them, if nothing has changed meanwhile.

        `now` gives the generation of the catalog as it is.

        One at a time is collected, so that many slow clients take no more memory than one.
        """
        collecting = self._collecting.acquire(blocking=False)
        found: list[bytes] = []
        size = 0
        try:
            for piece in pieces:
                size += len(piece)
                if collecting and size <= self.most // 2:
                    found.append(piece)
                else:
                    found.clear()
                yield piece
            if collecting and size <= self.most // 2 and now() == generation:
                made.forms[""] = tuple(_joined(found)) or (b"",)
                self.keep(generation, sees, asked, made)
        finally:
            if collecting:
                self._collecting.release()
            close = getattr(pieces, "close", None)
            if close is not None:
                close()


def _joined(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """Give fewer and larger pieces: between two of them the client is waited for."""
    waiting: list[bytes] = []
    size = 0
    for piece in pieces:
        waiting.append(piece)
        size += len(piece)
        if size >= PIECE:
            yield b"".join(waiting)
            waiting, size = [], 0
    if waiting:
        yield b"".join(waiting)


def _stamp(connection: Connection, generation: int) -> bytes:
    entity, version = models.entity, models.entity_version
    changed = connection.scalar(select(func.max(entity.c.updated_at)))
    noted = connection.scalar(select(func.max(version.c.at)))
    return f"{generation} {changed} {noted}".encode()


@lru_cache(maxsize=512)
def written_filter(sees: EntityFilter) -> bytes:
    """Give a filter as bytes, the same in every process."""
    groups = (sees.allow, sees.deny, sees.within)
    parts = [None if group is None else sorted(map(_written, group)) for group in groups]
    return orjson.dumps([parts, sorted(sees.mine)])


def _written(selector: Selector) -> list[Any]:
    return [*(sorted(getattr(selector, name)) for name in FIELDS), selector.owned]
