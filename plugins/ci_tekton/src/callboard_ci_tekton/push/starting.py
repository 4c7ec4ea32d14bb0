"""Starts what rules have answered: a run, made once, or a delivery forwarded to a listener."""

import hashlib
import hmac
import json
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import Row

from callboard.contributions import JobContext, WebhookRequest
from callboard.errors import CallboardError, InputError, NotFoundError, NotReadyError
from callboard.i18n import Text, Translator
from callboard.kubernetes import ClusterError
from callboard_ci_tekton.acts.creating import create_run
from callboard_ci_tekton.acts.preparing import run_of_pipeline
from callboard_ci_tekton.push.model import Plan
from callboard_ci_tekton.push.store import DONE, load_delivery, set_delivery
from callboard_ci_tekton.push.telling import link_event, tell_soon
from callboard_ci_tekton.runs.origin import OWN
from callboard_ci_tekton.runs.values import mapping, text

if TYPE_CHECKING:
    from callboard.host import Host

_ = Translator("ci_tekton")

ATTEMPTS: Final = 8
_LASTING: Final = frozenset({"forbidden", "invalid", "denied", "missing", "absent", "exists"})
"""States of a cluster's refusal that do not pass by themselves."""

_TOLD: Final = ("content-type", "x-gitlab-", "x-github-", "x-gitea-", "x-forgejo-", "x-gogs-",
                "x-gitee-")  # fmt: skip
"""Headers of a delivery that are passed on: those that say what it is."""


def run_start(context: JobContext) -> None:
    """The job for one answer of a rule. What may work later is tried again, with patience."""
    host, number = context.host, int(context.payload["delivery"])
    with host.read() as connection:
        row = load_delivery(connection, number)
    if row is None or row.state in DONE:
        return
    plan = Plan.of_data(row.plan)
    try:
        values = _forward(host, row, plan) if plan.listener else _start(host, row, plan)
    except CallboardError as error:
        last = context.attempt >= ATTEMPTS or not _passes(error)
        with host.write() as connection:
            set_delivery(
                connection, number, state="failed" if last else "waiting", reason=error.message
            )
            if last:
                host.publish(connection, "ci_tekton.push.failed", str(number))
        if last:
            return
        raise
    _keep(host, row, values)


def _passes(error: CallboardError) -> bool:
    if isinstance(error, ClusterError):
        return error.state not in _LASTING
    return isinstance(error, NotReadyError)


def _keep(host: "Host", row: Row[Any], values: dict[str, Any]) -> None:
    subject = f"{row.push_repository}@{row.push_commit[:12]}"
    with host.write() as connection:
        set_delivery(connection, row.id, **values)
        after = {"rule": row.rule, "delivery": row.push_delivery, **values}
        after.pop("reason", None)
        host.audit(connection, "ci_tekton.push.start", subject, after=after)
        link_event(connection, values["event"])
        tell_soon(host, connection, [row.id] if row.context else [])
        host.publish(connection, "ci_tekton.push.started", str(row.id), {"state": values["state"]})


def key_of(row: Row[Any]) -> str:
    """Name what a rule starts because of a delivery, the same each time."""
    where = row.push_branch or row.push_tag
    parts = (row.push_key, row.rule, row.push_repository, where, row.push_commit)
    return "push:" + "\0".join(parts)


def event_of(row: Row[Any]) -> str:
    """Give the number that links a run with what set it off."""
    return f"push-{hashlib.sha256(key_of(row).encode()).hexdigest()[:20]}"


def _start(host: "Host", row: Row[Any], plan: Plan) -> dict[str, Any]:
    """Create the run; asked again, it is the one that is there. Remote."""
    cluster = host.clusters.get(plan.cluster)
    event = event_of(row)
    body = run_of_pipeline(
        cluster,
        plan.namespace,
        plan.pipeline,
        plan.parameters,
        plan.workspaces,
        service_account=plan.service_account,
        annotations=_annotations(row, event),
    )
    written = create_run(host, plan.cluster, body, key=key_of(row))
    reason: Text = row.reason
    if written.warnings:
        reason = _("The cluster warns: %(warnings)s", warnings="; ".join(written.warnings)[:500])
    return {
        "state": "started",
        "reason": reason,
        "name": text(mapping(written.object, "metadata"), "name", 253),
        "event": event,
    }


def _annotations(row: Row[Any], event: str) -> dict[str, str]:
    given = {
        "trigger": row.push_kind,
        "actor": row.push_actor,
        "event": event,
        "repository": row.push_address,
        "branch": row.push_source or row.push_branch or row.push_tag,
        "change": str(row.push_number) if row.push_number else "",
        "commit": row.push_commit,
        "commit-title": row.push_title,
        "author": row.push_actor,
    }
    return {f"{OWN}{name}": value for name, value in given.items() if value}


def _forward(host: "Host", row: Row[Any], plan: Plan) -> dict[str, Any]:
    """Send a delivery on to a listener, signed anew. Remote.

    Where the answer is lost it is sent again, with the name the host gave it, so the listener may
    see it twice.
    """
    rules = {rule.name: rule for rule in host.settings.push.rules}
    rule = rules.get(row.rule)
    if rule is None or rule.listener != plan.listener or rule.listener_secret is None:
        raise NotFoundError(_("The rule %(name)s is no longer in the settings.", name=row.rule))
    sent = host.delivery(row.push_delivery) if row.push_delivery else None
    if sent is None:
        raise InputError(_("What was delivered is not kept, so it cannot be forwarded."))
    headers = forwarded_headers(sent, rule.listener_secret.get_secret_value())
    response = host.http.request(
        "POST", plan.listener, headers=headers, content=sent.body, idempotent=False, redirects=False
    )
    if response.status in (401, 403) or 300 <= response.status < 400:
        raise InputError(_("The listener answered with status %(status)s.", status=response.status))
    response.checked()
    return {"state": "forwarded", "name": "", "event": _event_in(response.body)}


def forwarded_headers(sent: WebhookRequest, secret: str) -> dict[str, str]:
    """Give the headers of a forwarded delivery, as Tekton's interceptors want them.

    `github`, for Gitea as well, and most others check X-Hub-Signature-256, `gitlab` compares
    X-Gitlab-Token. None is made for Gitee: `cel` can compare X-Gitee-Token with a secret. The
    host's own proofs are not passed on, they are made with another secret.
    """
    headers = {name: value for name, value in sent.headers.items() if name.startswith(_TOLD)}
    digest = hmac.new(secret.encode(), sent.body, hashlib.sha256).hexdigest()
    headers["x-hub-signature-256"] = f"sha256={digest}"
    if "x-gitea-event" in headers:
        headers["x-gitea-signature"] = digest
    for host in ("gitlab", "gitee"):
        if f"x-{host}-event" in headers:
            headers[f"x-{host}-token"] = secret
    return headers


def _event_in(body: bytes) -> str:
    """Give the listener's number of the event: runs bear it as a label."""
    try:
        said = json.loads(body[:100_000])
    except (ValueError, RecursionError):
        return ""
    return text(said, "eventID", 100) if isinstance(said, dict) else ""
