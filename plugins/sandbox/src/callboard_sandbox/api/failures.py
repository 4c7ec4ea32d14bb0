"""Refusals, as the API server words them: a `Status` with code, reason, message and details."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

Json = dict[str, Any]

REASONS: Final[Mapping[int, str]] = {
    400: "BadRequest",
    401: "Unauthorized",
    403: "Forbidden",
    404: "NotFound",
    405: "MethodNotAllowed",
    406: "NotAcceptable",
    410: "Expired",
    415: "UnsupportedMediaType",
    422: "Invalid",
    429: "TooManyRequests",
    504: "Timeout",
}


class ApiError(Exception):
    """What the server answers instead of doing what it was asked for."""

    def __init__(
        self,
        code: int,
        message: str,
        *,
        reason: str | None = None,
        details: Mapping[str, Any] | None = None,
        metadata: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.code: Final = code
        self.reason: Final = REASONS.get(code, "") if reason is None else reason
        self.message: Final = message
        self.details: Final = details
        self.metadata: Final = metadata or {}
        self.headers: Final[Mapping[str, str]] = headers or {}

    def status(self) -> Json:
        """Give the body of the answer."""
        body: Json = {
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": dict(self.metadata),
            "status": "Failure",
            "message": self.message,
        }
        if self.reason:
            body["reason"] = self.reason
        if self.details is not None:
            body["details"] = dict(self.details)
        body["code"] = self.code
        return body


def details_of(kind: str, name: str = "", group: str = "", **more: Any) -> Json:
    """Give the `details` of a Status, leaving out what is empty."""
    found = {"name": name, "group": group, "kind": kind, **more}
    return {key: value for key, value in found.items() if value}


def not_found(plural: str, name: str, group: str = "") -> ApiError:
    """There is no such object."""
    return ApiError(
        404,
        f'{_qualified(plural, group)} "{name}" not found',
        details=details_of(plural, name, group),
    )


def already_exists(plural: str, name: str, group: str = "") -> ApiError:
    """The name is taken."""
    return ApiError(
        409,
        f'{_qualified(plural, group)} "{name}" already exists',
        reason="AlreadyExists",
        details=details_of(plural, name, group),
    )


def conflict(what: str, name: str, why: str, group: str = "") -> ApiError:
    """It is not what the request takes it for."""
    return ApiError(
        409,
        f'Operation cannot be fulfilled on {_qualified(what, group)} "{name}": {why}',
        reason="Conflict",
        details=details_of(what, name, group),
    )


def invalid(
    kind: str, name: str, causes: Sequence[tuple[str, str, str]], group: str = ""
) -> ApiError:
    """Fields have values they must not have: (field, reason, message) of each."""
    said = [f"{field}: {message}" for field, _, message in causes]
    listed = said[0] if len(said) == 1 else f"[{', '.join(said)}]"
    return ApiError(
        422,
        f'{f"{kind}.{group}" if group else kind} "{name}" is invalid: {listed}',
        details=details_of(
            kind,
            name,
            group,
            causes=[
                {"reason": reason, "message": message, "field": field}
                for field, reason, message in causes
            ],
        ),
    )


def _qualified(plural: str, group: str) -> str:
    return f"{plural}.{group}" if group else plural
