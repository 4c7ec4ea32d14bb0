"""Answers of an API server whose body is read as it comes."""

import contextlib
import time
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final

import orjson

from callboard.i18n import Translator
from callboard.kubernetes.failures import ClusterError, FailureState, hint_of, message_of

if TYPE_CHECKING:
    from urllib3 import HTTPResponse

_ = Translator("callboard")

MAXIMUM_ANSWER: Final = 64 * 1024**2
"""Bytes of one answer; a page of 500 large runs has about 20 MiB."""
MAXIMUM_LINE: Final = 8 * 1024**2
"""Bytes of one line of a watch; etcd keeps no object above 1.5 MiB, JSON may be longer."""
WHOLE_SECONDS: Final = 120.0
"""How long one whole answer may take to come, however it trickles."""
PIECE: Final = 64 * 1024


class Answer:
    """A successful answer whose body is still to be read; close it, or use it as a context."""

    def __init__(self, cluster: str, response: "HTTPResponse") -> None:
        self.cluster: Final = cluster
        self.status: Final = response.status
        self.headers: Final[Mapping[str, str]] = response.headers
        self.stopped = False
        self._response = response

    def __enter__(self) -> "Answer":
        return self

    def __exit__(self, *_raised: object) -> None:
        self.close()

    @property
    def warnings(self) -> tuple[str, ...]:
        """What the server warned of: the texts of `Warning` headers (RFC 7234, section 5.5)."""
        found = self._response.headers.getlist("Warning")
        return tuple(text for header in found for text in warning_texts(header))

    def read(self, limit: int = MAXIMUM_ANSWER) -> bytes:
        """Read the whole body. Raises `ClusterError` where it breaks off or exceeds a limit."""
        pieces, size = [], 0
        until = time.monotonic() + WHOLE_SECONDS
        for piece in self.pieces():
            size += len(piece)
            if size > limit:
                raise ClusterError(
                    "failed",
                    _("The cluster %(cluster)s sent more than was asked for.",
                      cluster=self.cluster),
                )  # fmt: skip
            if time.monotonic() > until:
                raise unanswered("slow", self.cluster)
            pieces.append(piece)
        return b"".join(pieces)

    def pieces(self) -> Iterator[bytes]:
        """Yield the body as it comes. Raises `ClusterError` when it breaks off by itself."""
        import urllib3

        try:
            while piece := self._response.read1(PIECE, decode_content=True):
                yield piece
        except urllib3.exceptions.ReadTimeoutError as error:
            if not self.stopped:
                raise unanswered("slow", self.cluster, error) from error
        except (urllib3.exceptions.HTTPError, OSError, ValueError) as error:
            if not self.stopped:
                raise unanswered("down", self.cluster, error) from error
        finally:
            self.close()

    def lines(self, limit: int = MAXIMUM_LINE) -> Iterator[bytes]:
        """Yield the lines of the body as they are complete, without their ends."""
        rest = b""
        for piece in self.pieces():
            *lines, rest = (rest + piece).split(b"\n")
            yield from lines
            if len(rest) > limit:
                raise ClusterError(
                    "failed",
                    _("The cluster %(cluster)s sent a line without an end.", cluster=self.cluster),
                )
        if rest and not self.stopped:
            yield rest

    def stop(self) -> None:
        """End it now, from any thread: whoever reads it comes to its end at once."""
        self.stopped = True
        # It may have ended by itself meanwhile.
        with contextlib.suppress(Exception):
            self._response.shutdown()

    def close(self) -> None:
        """Let go of it. The connection is used again only where all of it was read."""
        with contextlib.suppress(Exception):
            self._response.close()


def document(cluster: str, body: bytes) -> dict[str, Any]:
    """Read a JSON object. Raises `ClusterError` for anything else, such as a proxy's page."""
    try:
        found = orjson.loads(body)
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise ClusterError(
            "failed",
            _("What answers for the cluster %(cluster)s is no Kubernetes API.", cluster=cluster),
            hint=_("Check the address of the cluster, and the proxy on the way."),
        )
    return found


def warning_texts(header: str) -> list[str]:
    r"""Give the texts of a `Warning` header: `299 - "unknown field \"x\""` and more, by commas."""
    texts: list[str] = []
    text: list[str] | None = None
    characters = iter(header)
    for character in characters:
        if text is None:
            text = [] if character == '"' else None
        elif character == "\\":
            text.append(next(characters, ""))
        elif character == '"':
            texts.append("".join(text))
            text = None
        else:
            text.append(character)
    return texts


def unanswered(state: FailureState, cluster: str, error: Exception | None = None) -> ClusterError:
    """Make the error of a request without an answer, or with half of one."""
    said = "" if error is None else _said(error)
    message = message_of(state, cluster)
    if said:
        message = _("%(message)s (%(said)s)", message=message, said=said)
    return ClusterError(state, message, hint=hint_of(state), said=said)


def _said(error: Exception) -> str:
    """Give what the system or the library says, without addresses of objects and of pools."""
    inner: Any = error
    while isinstance(inner, Exception) and not isinstance(inner, OSError):
        further = inner.__cause__ or getattr(inner, "reason", None)
        if not isinstance(further, Exception):
            break
        inner = further
    verify = getattr(inner, "verify_message", "")
    text = verify or getattr(inner, "strerror", "") or getattr(inner, "reason", "") or inner
    return " ".join(str(text).split())[:300]
