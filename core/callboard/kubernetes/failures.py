"""What a Kubernetes API server answers when it does not do what was asked, in clear states.

A failure is a `Status` object (Kubernetes API conventions, "Response Status Kind"), but proxies,
the log endpoint and paths of kinds that are not there answer text. What it means is told by `code`
and `reason`; the message is looked at only where several failures have both in common.
"""

import re
from collections.abc import Container, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Final, Literal

import orjson

from callboard.errors import CallboardError
from callboard.i18n import Text, Translator

_ = Translator("callboard")

FailureState = Literal[
    "down",
    "slow",
    "misconfigured",
    "unauthenticated",
    "forbidden",
    "quota",
    "missing",
    "absent",
    "exists",
    "conflict",
    "invalid",
    "denied",
    "gone",
    "waiting",
    "busy",
    "failed",
]

MESSAGE_CHARACTERS: Final = 2000
NOT_ANSWERING: Final = frozenset({"down", "slow", "misconfigured", "unauthenticated", "busy"})
"""States that tell of the whole cluster; in the others it has answered one question."""

_ANY_REFUSAL: Final = range(400, 500)
_TOLD_APART: Final[tuple[tuple[Container[int], re.Pattern[str], FailureState], ...]] = (
    # Webhooks say no with 400 or a code of their own, 403 often; policies with 422, pods with 403.
    (_ANY_REFUSAL, re.compile(r'^admission webhook "[^"]+" denied the request'), "denied"),
    (_ANY_REFUSAL, re.compile(r"\bValidatingAdmissionPolicy '[^']+' .*denied request"), "denied"),
    ({403}, re.compile(r'is forbidden: violates PodSecurity "'), "denied"),
    ({403}, re.compile(r"\b(exceeded|failed) quota\b"), "quota"),
    # Who brings no token at all is somebody to the server: the anonymous user.
    ({403}, re.compile(r'User "system:anonymous"'), "unauthenticated"),
    ({400}, re.compile(r'^container "[^"]+" in pod "[^"]+" is waiting to start'), "waiting"),
    ({400}, re.compile(r'^previous terminated container "[^"]+" in pod "[^"]+" not'), "missing"),
)
"""Failures that have a code and a reason in common, told apart by their message."""

_BY_CODE: Final[Mapping[int, FailureState]] = {
    400: "invalid",
    401: "unauthenticated",
    403: "forbidden",
    405: "invalid",
    406: "invalid",
    410: "gone",
    413: "invalid",
    415: "invalid",
    422: "invalid",
    429: "busy",
    503: "busy",
    504: "slow",
}
_REDIRECTED: Final = _(
    "It leads elsewhere, and is not followed there: check the address of the cluster."
)


@dataclass(frozen=True, slots=True)
class Cause:
    """One field that was refused. `field` is a path such as `spec.params[0].name`."""

    field: str
    reason: str
    message: str


class ClusterError(CallboardError):
    """A cluster did not do what was asked.

    The message tells a person all of it. `state` says what it means; `said` is what the server
    said, word for word, empty where it said nothing; `causes` are the fields it refused.
    `retry_after` is in seconds, where the server named a time. `go_on` is the token an expired list
    may be continued with, where it gave one.
    """

    status: ClassVar[int] = 502
    name: ClassVar[str] = "ClusterError"

    def __init__(
        self,
        state: FailureState,
        message: Text,
        *,
        hint: Text = "",
        code: int = 0,
        reason: str = "",
        said: str = "",
        causes: tuple[Cause, ...] = (),
        retry_after: float | None = None,
        go_on: str = "",
    ) -> None:
        super().__init__(message, hint=hint)
        self.state: Final[FailureState] = state
        self.code = code
        self.reason = reason
        self.said = said
        self.causes = causes
        self.retry_after = retry_after
        self.go_on = go_on

    @property
    def passes(self) -> bool:
        """Whether the same may work by itself a little later."""
        return self.state in {"down", "slow", "busy", "waiting"}


def failure_of(
    cluster: str, code: int, content_type: str, body: bytes, retry_after: str = ""
) -> ClusterError:
    """Make the error of an answer that is not a success.

    A malformed resource version gives 500 as well, so a 500 is no reason to ask again.
    """
    status = _status_of(content_type, body)
    reason = str(status.get("reason") or "")
    said = str(status.get("message") or "")
    if not status and "html" not in content_type:
        said = body.decode(errors="replace").strip()
    said = said[:MESSAGE_CHARACTERS]
    details = status.get("details")
    details = details if isinstance(details, dict) else {}
    state = _state(code, reason, said, is_status=bool(status), details=details)
    return ClusterError(
        state,
        told(state, cluster, said),
        hint=_REDIRECTED if 300 <= code < 400 else hint_of(state),
        code=code,
        reason=reason,
        said=said,
        causes=_causes(details),
        retry_after=_seconds(details.get("retryAfterSeconds"), retry_after),
        go_on=_token_of(status),
    )


def failure_of_event(cluster: str, status: Mapping[str, Any]) -> ClusterError:
    """Make the error of an `ERROR` event of a watch, whose object is a `Status`."""
    code = status.get("code")
    return failure_of(
        cluster, code if isinstance(code, int) else 500, "application/json", orjson.dumps(status)
    )


def _status_of(content_type: str, body: bytes) -> dict[str, Any]:
    if "json" not in content_type:
        return {}
    try:
        found = orjson.loads(body)
    except ValueError:
        return {}
    return found if isinstance(found, dict) and found.get("kind") == "Status" else {}


def _state(
    code: int, reason: str, said: str, *, is_status: bool, details: Mapping[str, Any]
) -> FailureState:
    if 400 <= code < 500:
        for among, pattern, state in _TOLD_APART:
            if code in among and pattern.search(said):
                return state
    match code:
        case 404:
            return "missing" if is_status and details.get("name") else "absent"
        case 409:
            return "exists" if reason == "AlreadyExists" else "conflict"
        case 502:
            return "failed" if is_status else "down"
        case _:
            return _BY_CODE.get(code, "failed")


def _token_of(status: Mapping[str, Any]) -> str:
    metadata = status.get("metadata")
    found = metadata.get("continue") if isinstance(metadata, dict) else None
    return found if isinstance(found, str) else ""


def _causes(details: Mapping[str, Any]) -> tuple[Cause, ...]:
    found = details.get("causes")
    return tuple(
        Cause(str(each.get("field") or ""), str(each.get("reason") or ""),
              str(each.get("message") or "")[:MESSAGE_CHARACTERS])
        for each in (found if isinstance(found, list) else [])
        if isinstance(each, dict)
    )  # fmt: skip


def _seconds(named: Any, header: str) -> float | None:
    if isinstance(named, int) and named > 0:
        return float(named)
    return float(header) if header.isascii() and header.isdigit() else None


def told(state: FailureState, cluster: str, said: str) -> Text:
    """Say what a state means, and what the server said, word for word.

    A kind that is not there is answered with the page of any unknown address.
    """
    message = message_of(state, cluster)
    if state == "absent":
        return message
    return _("%(message)s It says: %(said)s", message=message, said=said) if said else message


def message_of(state: FailureState, cluster: str) -> Text:
    """Say in a sentence what a state means for a person."""
    texts: dict[FailureState, Text] = {
        "down": _("The cluster %(cluster)s does not answer.", cluster=cluster),
        "slow": _("The cluster %(cluster)s did not answer in time.", cluster=cluster),
        "misconfigured": _(
            "The settings of the cluster %(cluster)s cannot be used.", cluster=cluster
        ),
        "unauthenticated": _(
            "The cluster %(cluster)s does not accept the portal's credentials.", cluster=cluster
        ),
        "forbidden": _("The portal may not do this in the cluster %(cluster)s.", cluster=cluster),
        "quota": _("A quota of the cluster %(cluster)s is used up.", cluster=cluster),
        "missing": _("The cluster %(cluster)s does not have it (any more).", cluster=cluster),
        "absent": _("The cluster %(cluster)s does not know this kind.", cluster=cluster),
        "exists": _("The cluster %(cluster)s has one of this name.", cluster=cluster),
        "conflict": _("It was changed in the cluster %(cluster)s meanwhile.", cluster=cluster),
        "invalid": _("The cluster %(cluster)s does not accept it.", cluster=cluster),
        "denied": _("A rule of the cluster %(cluster)s refuses it.", cluster=cluster),
        "gone": _("The cluster %(cluster)s no longer has this state.", cluster=cluster),
        "waiting": _("It has not started yet in the cluster %(cluster)s.", cluster=cluster),
        "busy": _("The cluster %(cluster)s asks to be left alone for a while.", cluster=cluster),
        "failed": _("The cluster %(cluster)s failed at it.", cluster=cluster),
    }
    return texts[state]


def hint_of(state: FailureState) -> Text:
    """Say what to do about a state."""
    texts: dict[FailureState, Text] = {
        "down": _("Check its address, the network and the CA; it is tried again by itself."),
        "slow": _("It is tried again by itself."),
        "misconfigured": _("Mend the files that its settings name; they are read again by itself."),
        "unauthenticated": _("Renew the token or certificate in the settings of the cluster."),
        "forbidden": _("Apply the manifests that `callboard kubernetes rbac` prints."),
        "quota": _("Delete what is not used, or raise the quota of the namespace."),
        "absent": _("Install what serves this kind, or leave the cluster out for this plugin."),
        "conflict": _("Load the page again and repeat it."),
    }
    return texts.get(state, "")
