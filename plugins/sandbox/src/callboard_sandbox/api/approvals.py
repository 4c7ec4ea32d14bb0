"""What the webhook of the manual approval gate refuses (openshift-pipelines.org, ApprovalTask)."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from callboard_sandbox.api.failures import ApiError
from callboard_sandbox.api.kinds import Kind
from callboard_sandbox.api.requests import User

Json = dict[str, Any]

KEY: Final = "approvaltasks.openshift-pipelines.org"
ANSWERS: Final = ("approve", "reject")
_WEBHOOK: Final = "validation.webhook.manual-approval.openshift-pipelines.org"


def review(user: User, kind: Kind, body: Json, before: Json | None) -> None:
    """Let people answer for themselves alone, and only while it is open. Raises `ApiError` 400."""
    if kind.key != KEY:
        return
    if before is None:
        for place, approver in enumerate(approvers(body)):
            if approver.get("input") != "pending":
                given = approver.get("input", "")
                raise _denied(
                    f"validation failed: approvers[{place}].input: must be 'pending' for new"
                    f" ApprovalTask, got '{given}'"
                )
        return
    old, new = list(approvers(before)), list(approvers(body))
    if (before.get("status") or {}).get("state") in ("approved", "rejected"):
        raise _denied("ApprovalTask has already reached it's final state")
    if old == new:
        return
    if not any(_is_asked(user, approver) for approver in old):
        raise _denied("User does not exist in the approval list")
    if len(old) != len(new) or not all(map(_may_change(user), old, new)):
        raise _denied("User can only update their own approval input")


def approvers(body: Mapping[str, Any]) -> Iterator[Json]:
    """Give the entries of an approval task."""
    for approver in (body.get("spec") or {}).get("approvers") or ():
        if isinstance(approver, dict):
            yield approver


def _is_asked(user: User, approver: Json) -> bool:
    if approver.get("type") == "Group":
        return approver.get("name") in user.groups
    return bool(approver.get("name") == user.name)


def _may_change(user: User) -> Any:
    def fits(old: Json, new: Json) -> bool:
        if old == new:
            return True
        others = [_others(entry, user) for entry in (old, new)]
        return (
            _is_asked(user, old)
            and old.get("name") == new.get("name")
            and new.get("input") in ANSWERS
            and others[0] == others[1]
        )

    return fits


def _others(approver: Json, user: User) -> list[Json]:
    return [each for each in approver.get("users") or () if each.get("name") != user.name]


def _denied(said: str) -> ApiError:
    return ApiError(400, f'admission webhook "{_WEBHOOK}" denied the request: {said}')
