"""Approval tasks (`openshift-pipelines.org/v1alpha1`, ApprovalTask): who may answer, who did.

The controller of the manual approval gate makes one for each CustomRun that asks for it, with one
entry for each user or group. People answer by changing the `input` of their own entry; in that of a
group each member who answered stands among `users`. One `reject` fails the task; it is approved
when as many different people as `numberOfApprovalsRequired` have answered `approve`.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, Literal

from sqlalchemy import Connection, Row, select

from callboard.contributions import ClusterWatch, ObservedContext
from callboard.kubernetes import Resource
from callboard_ci_tekton.models import approval, run
from callboard_ci_tekton.runs.values import cut, items, mapping, moment, text
from callboard_ci_tekton.store import is_older, write_rows

Answer = Literal["approve", "reject"]

APPROVAL_TASKS: Final = Resource(
    "openshift-pipelines.org", "v1alpha1", "approvaltasks", "ApprovalTask"
)
ANSWERS: Final = ("approve", "reject")
STATES: Final = ("pending", "approved", "rejected")
COMMENT: Final = 1000
"""Characters of a comment."""

MOST_APPROVERS: Final = 200


@dataclass(frozen=True, slots=True)
class Voter:
    """What a person is called in the cluster, with the groups they are in there."""

    user: str
    groups: tuple[str, ...]


def watch() -> ClusterWatch:
    """Give what is followed of approvals, in clusters that have them."""
    return ClusterWatch(name="approvals", resource=APPROVAL_TASKS, changed=keep_approvals)


def keep_approvals(context: ObservedContext) -> None:
    """Write approval tasks; the pages of their runs are told."""
    connection, cluster = context.connection, context.cluster
    given = {item.uid: item for item in context.objects}
    known = {
        row.uid: row
        for row in connection.execute(
            select(approval.c.id, approval.c.uid, approval.c.version).where(
                approval.c.cluster == cluster, approval.c.uid.in_(given)
            )
        )
    }
    new, changed = [], []
    for uid, item in given.items():
        row = {**parse_approval(item.body), "cluster": cluster, "gone": item.gone}
        had = known.get(uid)
        if had is None:
            new.append(row)
        elif not is_older(row["version"], had.version):
            changed.append({**row, "id": had.id})
    write_rows(connection, approval, new, changed)
    states = {row["run_uid"]: row["state"] for row in (*new, *changed)}
    runs = select(run.c.id, run.c.uid).where(run.c.cluster == cluster, run.c.uid.in_(states))
    for found in connection.execute(runs).all():
        data = {"state": states[found.uid]}
        context.host.publish(connection, "ci_tekton.run.approval", str(found.id), data)


def parse_approval(body: Mapping[str, Any]) -> dict[str, Any]:
    """Read an ApprovalTask as a row, without its cluster."""
    metadata, spec, status = (mapping(body, name) for name in ("metadata", "spec", "status"))
    labels = mapping(metadata, "labels")
    state, required = text(status, "state", 10), spec.get("numberOfApprovalsRequired")
    return {
        "namespace": text(metadata, "namespace", 253),
        "name": text(metadata, "name", 253),
        "uid": text(metadata, "uid", 120),
        "version": text(metadata, "resourceVersion", 100),
        "run_uid": text(labels, "tekton.dev/pipelineRunUID", 120),
        "task": text(labels, "tekton.dev/pipelineTask", 253),
        "state": state if state in STATES else "pending",
        "description": text(spec, "description", 2000),
        "required": required if isinstance(required, int) and 0 < required < 1000 else 1,
        "approvers": [_approver(item) for item in items(spec, "approvers")][:MOST_APPROVERS],
        "created_at": moment(metadata, "creationTimestamp") or datetime(1970, 1, 1, tzinfo=UTC),
    }


def _approver(item: Mapping[str, Any]) -> dict[str, Any]:
    kind = kind_of(item)
    given = [item] if kind == "User" else items(item, "users")
    answers = [
        {"name": text(one, "name", 253), "answer": one["input"],
         "comment": text(one, "message", COMMENT)}
        for one in given if one.get("input") in ANSWERS
    ]  # fmt: skip
    return {"name": text(item, "name", 253), "kind": kind, "answers": answers}


def kind_of(item: Mapping[str, Any]) -> Literal["User", "Group"]:
    """Give whether an entry is a group's; older ones do not say that they are a user's."""
    return "Group" if item.get("type") == "Group" else "User"


def approvals_of(connection: Connection, cluster: str, run_uid: str) -> Sequence[Row[Any]]:
    """Give the approval tasks of a run, the first first."""
    return connection.execute(
        select(approval)
        .where(approval.c.cluster == cluster, approval.c.run_uid == run_uid)
        .order_by(approval.c.created_at, approval.c.id)
        .limit(MOST_APPROVERS)
    ).all()


def may_vote(approvers: Sequence[Mapping[str, Any]], voter: Voter) -> bool:
    """Whether somebody is among the approvers of a row, by name or by group."""
    return any(
        item["name"] == voter.user if item["kind"] == "User" else item["name"] in voter.groups
        for item in approvers
    )


def answer_of(approvers: Sequence[Mapping[str, Any]], voter: Voter) -> str:
    """Give what somebody has answered, empty where they have not."""
    return next((one["answer"] for item in approvers for one in item["answers"]
                 if one["name"] == voter.user), "")  # fmt: skip


def count_of(approvers: Sequence[Mapping[str, Any]]) -> int:
    """Give how many different people have approved."""
    return len({one["name"] for item in approvers for one in item["answers"]
                if one["answer"] == "approve"})  # fmt: skip


def answered(
    found: Sequence[Mapping[str, Any]], voter: Voter, answer: Answer, comment: str
) -> list[dict[str, Any]]:
    """Give the entries of `spec.approvers` with somebody's answer: their own, or their groups'."""
    said = {"input": answer, **({"message": cut(comment, COMMENT)} if comment else {})}
    own = [item for item in found if kind_of(item) == "User" and item.get("name") == voter.user]
    if own:
        return [{**item, **said} if item in own else dict(item) for item in found]
    return [
        {**item, **said, "users": list(_members(item, voter.user, said))}
        if kind_of(item) == "Group" and item.get("name") in voter.groups
        else dict(item)
        for item in found
    ]


def _members(
    group: Mapping[str, Any], user: str, said: Mapping[str, Any]
) -> Iterator[Mapping[str, Any]]:
    for member in items(group, "users"):
        if member.get("name") != user:
            yield member
    yield {"name": user, **said}


def voting_group(approvers: Sequence[Mapping[str, Any]], groups: Collection[str]) -> str:
    """Give the group by which somebody may answer, the first there is."""
    return next((item["name"] for item in approvers
                 if item["kind"] == "Group" and item["name"] in groups), "")  # fmt: skip
