"""What git's messages mean, in the words and error classes of Callboard."""

import re
from collections.abc import Iterable
from typing import Final

from callboard.errors import (
    CallboardError,
    ConflictError,
    InputError,
    NotFoundError,
    NotReadyError,
    UnauthorisedError,
)
from callboard.git.runner import GitFailedError
from callboard.i18n import Message, Text, Translator
from callboard.redaction import redact

_ = Translator("callboard")

MAXIMUM_MESSAGE: Final = 400

_KNOWN: Final[tuple[tuple[str, type[CallboardError], Message], ...]] = (
    (
        r"host key verification failed|no .* host key is known",
        UnauthorisedError,
        _("Add the server's host key to the known_hosts file."),
    ),
    (
        (
            r"authentication failed|could not read (?:username|password)|permission denied"
            r"|returned error: 40[13]|access denied|invalid credentials"
        ),
        UnauthorisedError,
        _("Check the credentials of this repository and that they may read it."),
    ),
    (
        r"dubious ownership",
        InputError,
        _("Give the local repository to the user Callboard runs as."),
    ),
    (
        r"transport '.*' not allowed|strange (?:hostname|pathname)|not supported",
        InputError,
        _("Only https, ssh, git and allowed local addresses are read."),
    ),
    (
        r"returned error: 30\d|unable to update url base from redirection",
        NotReadyError,
        _("Give the new address: with credentials no redirect is followed."),
    ),
    (
        (
            r"couldn't find remote ref|returned error: 404|repository '?.*'? not found"
            r"|repository not found|does not appear to be a git repository"
        ),
        NotFoundError,
        _("Check the address and, for a private repository, the credentials."),
    ),
    (
        r"no space left on device|disk quota exceeded",
        NotReadyError,
        _("Free disk space in the data folder."),
    ),
    (
        (
            r"could not resolve|connection refused|timed out|failed to connect|unable to access"
            r"|early eof|hung up|connection reset|unable to connect|returned error: (?:429|5\d\d)"
            r"|rpc failed|network is unreachable|no route to host|operation too slow"
        ),
        NotReadyError,
        _("Check the address, the network, the proxy and the CA bundle; it is tried again later."),
    ),
)


def is_remote_fault(failure: GitFailedError) -> bool:
    """Whether the other side (or a limit) is at fault, so that a rebuilt mirror would not help."""
    return bool(failure.stopped) or _known(failure) is not None


def explain(failure: GitFailedError, what: Text, secrets: Iterable[str] = ()) -> CallboardError:
    """Give the error a person reads; `what` names the action and the repository."""
    if failure.stopped:
        message = _("%(action)s was stopped: %(reason)s.", action=what, reason=failure.stopped)
        if failure.is_too_large:
            hint = _("Raise the limit, or read a smaller repository or fewer commits (depth).")
            return InputError(message, hint=hint)
        hint = _("Raise the time limit if the repository is large; it is tried again later.")
        return NotReadyError(message, hint=hint)
    said = _readable(failure.messages, secrets)
    known = _known(failure)
    reason = said or _("git ended with %(status)s", status=failure.status)
    message = _("%(action)s failed: %(reason)s.", action=what, reason=reason)
    if known is None:
        return NotReadyError(message)
    kind, hint = known
    return kind(message, hint=hint)


def is_rejected_push(failure: GitFailedError) -> bool:
    """Whether a push was refused only since the branch has moved meanwhile."""
    return bool(
        re.search(
            r"non-fast-forward|fetch first|stale info|cannot lock ref|reference already exists",
            failure.messages,
        )
    )


def push_refused(failure: GitFailedError, what: Text, secrets: Iterable[str]) -> CallboardError:
    """Give the error of a push that the server declined for reasons of its own."""
    if re.search(r"protected branch|pre-receive hook declined|remote rejected", failure.messages):
        return ConflictError(
            _(
                "%(action)s was declined by the server: %(reason)s.",
                action=what,
                reason=_readable(failure.messages, secrets),
            ),
            hint=_("The branch may be protected: allow this account to push to it."),
        )
    return explain(failure, what, secrets)


def _known(failure: GitFailedError) -> tuple[type[CallboardError], Message] | None:
    for pattern, kind, hint in _KNOWN:
        if re.search(pattern, failure.messages, re.IGNORECASE):
            return kind, hint
    return None


def _readable(messages: str, secrets: Iterable[str]) -> str:
    """Give the telling lines without terminal codes: a server writes part of them."""
    clean = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", messages)
    lines = [
        re.sub(r"[^\S ]|[\x00-\x1f\x7f-\x9f]", " ", line).strip() for line in clean.split("\n")
    ]
    telling = [line for line in lines if re.match(r"(fatal|error|remote|ERROR|ssh|!)", line)]
    text = "; ".join(line for line in telling or lines if line)
    return redact(text, secrets)[:MAXIMUM_MESSAGE].rstrip(".")
