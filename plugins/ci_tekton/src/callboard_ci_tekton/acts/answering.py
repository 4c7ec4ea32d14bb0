"""Answers approval tasks for the person who asks."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from sqlalchemy import Row

from callboard.errors import ConflictError, InputError, NotAllowedError
from callboard.i18n import Text, Translator
from callboard_ci_tekton.acts.approvals import (
    ANSWERS,
    APPROVAL_TASKS,
    COMMENT,
    Answer,
    Voter,
    answer_of,
    answered,
    may_vote,
    parse_approval,
    voting_group,
)
from callboard_ci_tekton.acts.creating import STARTED_BY
from callboard_ci_tekton.runs.values import items, mapping, text

if TYPE_CHECKING:
    from callboard.entities import EntityRef
    from callboard.host import Host
    from callboard.kubernetes import Written

_ = Translator("ci_tekton")


def voter_of(host: "Host") -> Voter | None:
    """Give what the person who asks is called in clusters; None for who is no person known here."""
    asker, settings = host.asker, host.settings.acts.approvals
    person = next((ref for ref in asker.mine if ref.kind == "user"), None)
    if person is None:
        return None
    groups = [ref for ref in asker.mine if ref.kind == "group"]
    return Voter(
        _called(settings.user, person), tuple(_called(settings.group, ref) for ref in groups)
    )


def _called(pattern: str, ref: "EntityRef") -> str:
    return pattern.replace("{name}", ref.name).replace("{namespace}", ref.namespace)


def reason_against(
    host: "Host", run_row: Row[Any], annotations: Mapping[str, Any], approval_row: Row[Any]
) -> Text:
    """Say why the one who asks cannot answer an approval, empty where they can."""
    if approval_row.state == "approved":
        return _("It is approved.")
    if approval_row.state == "rejected":
        return _("It is rejected.")
    if approval_row.gone:
        return _("It is gone from the cluster.")
    voter = voter_of(host)
    if voter is None:
        return _("Only people of the catalog can answer.")
    if not may_vote(approval_row.approvers, voter):
        return _("You are not among its approvers, neither by name nor by a team.")
    if host.settings.acts.approvals.four_eyes and _started(host, run_row, annotations):
        return _("You started this run; somebody else has to approve.")
    return ""


def _started(host: "Host", run_row: Row[Any], annotations: Mapping[str, Any]) -> bool:
    asker = host.asker
    people = {str(ref) for ref in asker.mine if ref.kind == "user"}
    names = {ref.name for ref in asker.mine if ref.kind == "user"}
    own = {str(asker.principal), str(asker.on_behalf_of or asker.principal)}
    return text(annotations, STARTED_BY) in own or run_row.actor in people | names


def check_answer(answer: str, comment: str) -> Answer:
    """Read an answer. Raises `InputError`."""
    if answer not in ANSWERS:
        raise InputError(_("An answer is one of %(answers)s.", answers=", ".join(ANSWERS)))
    if len(comment) > COMMENT:
        raise InputError(_("A comment has at most %(most)d characters.", most=COMMENT))
    return "approve" if answer == "approve" else "reject"


def answer_approval(
    host: "Host", row: Row[Any], voter: Voter, answer: Answer, comment: str
) -> tuple["Written", bool]:
    """Write somebody's answer into an approval task, and say whether it was not there already.

    Remote. Raises `ConflictError` where it is decided, or they have answered otherwise,
    `NotAllowedError` where they are no approver any more, `ClusterError`.
    """

    patches: list[Mapping[str, Any]] = []

    def make(found: Mapping[str, Any]) -> Mapping[str, Any] | None:
        patches.clear()
        now = parse_approval(found)
        if now["uid"] != row.uid:
            raise ConflictError(_("It is gone from the cluster."))
        before = answer_of(now["approvers"], voter)
        if before == answer:
            return None
        if now["state"] != "pending":
            raise ConflictError(_("It was decided meanwhile: %(state)s.", state=now["state"]))
        if before:
            raise ConflictError(_("You have answered already: %(answer)s.", answer=before))
        if not may_vote(now["approvers"], voter):
            raise NotAllowedError(_("You are not among its approvers any more."))
        given = list(items(mapping(found, "spec"), "approvers"))
        patches.append({"spec": {"approvers": answered(given, voter, answer, comment)}})
        return patches[0]

    client = host.clusters.get(row.cluster)
    if host.settings.acts.approvals.impersonate:
        client = client.acting_as(voter.user, voting_group(row.approvers, voter.groups))
    written = client.change(APPROVAL_TASKS, row.namespace, row.name, make)
    return written, bool(patches)
