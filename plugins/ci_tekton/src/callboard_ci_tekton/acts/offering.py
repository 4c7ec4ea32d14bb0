"""What can be done with a run, as its page offers it; why not, where it cannot be."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import Connection, Row, select

from callboard.contributions import PageContext, WaitingItem
from callboard.entities import EntityRef
from callboard.i18n import Text, Translator
from callboard_ci_tekton.acts.answering import reason_against, voter_of
from callboard_ci_tekton.acts.approvals import answer_of, approvals_of, count_of, may_vote
from callboard_ci_tekton.acts.service import (
    APPROVE,
    CANCEL,
    FAILED,
    RELEASE,
    RERUN,
    RETRY,
    entities_of,
    may,
)
from callboard_ci_tekton.models import approval, detail, match, run
from callboard_ci_tekton.runs.states import FINISHED

if TYPE_CHECKING:
    from callboard.host import Host

_ = Translator("ci_tekton")

MOST_WAITING: Final = 500
"""Approvals that are looked through for those that wait for one person."""


@dataclass(frozen=True, slots=True)
class Button:
    """An act on a run. `reason` says why it cannot be done; empty where it can."""

    act: str
    title: Text
    icon: str
    main: bool
    reason: Text


@dataclass(frozen=True, slots=True)
class Asked:
    """An approval of a run: `mine` is what the reader answered, `reason` why they cannot."""

    row: Row[Any]
    count: int
    mine: str
    reason: Text


def acts_path(run_id: int) -> str:
    """Give the address of the page that does something with a run."""
    return f"/ci_tekton/runs/{run_id}/acts"


def lacking(host: "Host", connection: Connection, cluster: str, namespace: str, rule: str) -> Text:
    """Say what the portal's account lacks in a cluster for a rule of ours, empty where nothing."""
    for state in host.clusters.states(connection):
        if state.name == cluster:
            missing = state.lacks.get(f"ci_tekton.{rule}", ())
            if "" not in missing and namespace not in missing:
                return ""
            return _(
                "The portal's account may not do this in the cluster %(cluster)s: "
                "it lacks the rule ci_tekton.%(rule)s.",
                cluster=state.title,
                rule=rule,
            )
    return _("The settings name no cluster %(cluster)s any more.", cluster=cluster)


def offers(context: PageContext, row: Row[Any]) -> dict[str, Any]:
    """Give what the page of a run offers; nothing for runs that are not of Tekton."""
    if row.source != "tekton":
        return {}
    host = context.host
    with host.read() as connection:
        refs = entities_of(connection, row.id)
        buttons = list(_buttons(host, connection, row, refs))
        asked = list(_asked(host, connection, row, refs))
    return {"buttons": buttons, "approvals": asked, "act_path": acts_path(row.id)}


def _buttons(
    host: "Host", connection: Connection, row: Row[Any], refs: Sequence[EntityRef]
) -> Iterator[Button]:
    start = lacking(host, connection, row.cluster, row.namespace, "start")
    stop = lacking(host, connection, row.cluster, row.namespace, "stop")
    gone: Text = _("The run is gone from the cluster.") if row.gone else ""
    open_acts = (
        (RELEASE, _("Let it begin"), "play", row.state == "held"),
        (CANCEL, _("End…"), "x", True),
    )
    done_acts = (
        (RETRY, _("Try again…"), "sync", row.state in FAILED),
        (RERUN, _("Run again…"), "sync", row.state not in FAILED),
    )
    is_done = row.state in FINISHED
    for permission, title, icon, fits in done_acts if is_done else open_acts:
        if fits:
            reason = _denied(host, permission, refs) or (start if is_done else gone or stop)
            main = permission != CANCEL
            yield Button(permission.rpartition(".")[2], title, icon, main, reason)


def _denied(host: "Host", permission: str, refs: Sequence[EntityRef]) -> Text:
    if may(host, permission, refs):
        return ""
    return _("You lack the permission %(name)s.", name=permission)


def _asked(
    host: "Host", connection: Connection, row: Row[Any], refs: Sequence[EntityRef]
) -> Iterator[Asked]:
    found = approvals_of(connection, row.cluster, row.uid)
    if not found:
        return
    notes = connection.execute(
        select(detail.c.annotations).where(detail.c.run_id == row.id)
    ).scalar()
    voter = voter_of(host)
    general = _denied(host, APPROVE, refs) or lacking(
        host, connection, row.cluster, row.namespace, "approve"
    )
    for item in found:
        mine = answer_of(item.approvers, voter) if voter else ""
        reason = reason_against(host, row, notes or {}, item)
        if not reason and mine:
            reason = _("You have answered.")
        yield Asked(item, count_of(item.approvers), mine, reason or general)


def waiting_approvals(context: PageContext) -> list[WaitingItem]:
    """Give the approvals that wait for the reader, the newest first."""
    host, voter = context.host, voter_of(context.host)
    if voter is None:
        return []
    wanted = (
        select(approval, run.c.id.label("number"), run.c.title, run.c.pipeline, run.c.actor)
        .join(run, (run.c.cluster == approval.c.cluster) & (run.c.uid == approval.c.run_uid))
        .where(approval.c.state == "pending", approval.c.gone.is_(False))
        .order_by(approval.c.created_at.desc())
        .limit(MOST_WAITING)
    )
    with host.read() as connection:
        rows = [
            row
            for row in connection.execute(wanted)
            if may_vote(row.approvers, voter) and not answer_of(row.approvers, voter)
        ]
        refs: dict[int, list[EntityRef]] = {}
        numbers = {row.number for row in rows}
        for found in connection.execute(select(match).where(match.c.run_id.in_(numbers))):
            refs.setdefault(found.run_id, []).append(EntityRef.parse(found.entity))
    return [
        WaitingItem(
            status="wait",
            title=_("Approve %(pipeline)s: %(task)s", task=row.task,
                    pipeline=row.title or row.pipeline),
            path=f"{acts_path(row.number)}?act=approve&approval={row.id}",
            why=row.description or (_("started by %(who)s", who=row.actor) if row.actor else ""),
            verb=_("Answer"),
            at=row.created_at,
        )
        for row in rows if may(host, APPROVE, refs.get(row.number, []))
    ]  # fmt: skip
