"""The acts: asked for by a page or the API, done in the cluster, written down once.

Each asks for its permission, does the remote part outside of any transaction, and then writes what
the cluster answered, the audit entry and the event in one. What the cluster was asked for carries
who asked, so that it is known even if the portal is killed in between; asked again, the cluster is
left as it is and the rest is written.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any, Final

import orjson
from sqlalchemy import Connection, Row, select

from callboard.contributions import ObservedContext, ObservedObject
from callboard.entities import EntityRef
from callboard.errors import ConflictError, InputError, NotAllowedError, NotFoundError
from callboard.i18n import Text, Translator
from callboard.kubernetes import ClusterError, Resource, Written
from callboard_ci_tekton.acts.answering import (
    answer_approval,
    check_answer,
    reason_against,
    voter_of,
)
from callboard_ci_tekton.acts.approvals import APPROVAL_TASKS, keep_approvals
from callboard_ci_tekton.acts.creating import create_run, with_name
from callboard_ci_tekton.acts.declarations import SOURCES, UnfitError, check_values
from callboard_ci_tekton.acts.pipelines import Offered, Place, load_pipeline, pipelines_of
from callboard_ci_tekton.acts.preparing import body_of, check
from callboard_ci_tekton.acts.repeating import (
    Pipeline,
    body_again,
    has_reference,
    hidden_parameters,
    unpacked,
)
from callboard_ci_tekton.acts.stopping import release_run, stop_run, way_of
from callboard_ci_tekton.following import PIPELINE_RUNS, keep_runs
from callboard_ci_tekton.logs.saving import save_run
from callboard_ci_tekton.matching.service import hold_matching, note_start
from callboard_ci_tekton.models import approval, detail, match, run
from callboard_ci_tekton.runs.origin import OWN
from callboard_ci_tekton.runs.states import FINISHED
from callboard_ci_tekton.runs.values import items, mapping, text

if TYPE_CHECKING:
    from callboard.host import Host

_ = Translator("ci_tekton")

START: Final = "ci_tekton.run.start"
RERUN: Final = "ci_tekton.run.rerun"
RETRY: Final = "ci_tekton.run.retry"
CANCEL: Final = "ci_tekton.run.cancel"
RELEASE: Final = "ci_tekton.run.release"
APPROVE: Final = "ci_tekton.run.approve"

FAILED: Final = ("failed", "timed_out", "cancelled", "deleted")
"""States after which a run can be tried again."""

LONGEST_KEY: Final = 200
SAVING_SECONDS: Final = 2.0
"""How long whoever ends a run waits, at most, for its logs to be saved."""


@dataclass(frozen=True, slots=True)
class Done:
    """What came of an act: the run's number and name here, and what the server warned of."""

    run_id: int
    name: str
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What a run is to be started with; see `run_of_pipeline`."""

    place: Place
    parameters: Mapping[str, Any]
    workspaces: Sequence[Mapping[str, Any]] = ()
    service_account: str = ""
    timeouts: Mapping[str, str] = field(default_factory=dict)
    held: bool = False


def entities_of(connection: Connection, run_id: int) -> list[EntityRef]:
    """Give the entities a run belongs to."""
    wanted = select(match.c.entity).where(match.c.run_id == run_id).order_by(match.c.entity)
    return [EntityRef.parse(ref) for ref in connection.execute(wanted).scalars()]


def may(host: "Host", permission: str, refs: Sequence[EntityRef]) -> bool:
    """Whether the one who asks may act on a run of these entities; on any run where it has none."""
    return any(host.allows(permission, ref) for ref in refs) or (
        not refs and host.allows(permission)
    )


def require(host: "Host", permission: str, refs: Sequence[EntityRef]) -> None:
    """Raise `NotAllowedError` unless `may`. Not asked while a connection is held: it takes one."""
    if not may(host, permission, refs):
        host.require(permission, refs[0] if refs else None)


def offered_for(host: "Host", ref: EntityRef, place: Place) -> Offered:
    """Give a pipeline that an entity may start.

    Raises `NotFoundError` for an entity that is not there, and a pipeline that is not offered.
    """
    if host.catalog.get(ref) is None:
        raise NotFoundError(_("There is no entity %(ref)s.", ref=str(ref)))
    with host.read() as connection:
        for item in pipelines_of(host, connection, ref):
            if item.place == place:
                return item
    raise NotFoundError(
        _("%(ref)s has no pipeline %(place)s.", ref=str(ref), place=str(place)),
        hint=_("Those it ran before can be started, and those that carry its labels."),
    )


def start(host: "Host", ref: EntityRef, order: Order, key: str, *, dry: bool = False) -> Done:
    """Start a pipeline for an entity; with `dry` the cluster only says whether it would take it.

    Raises `UnfitError` with what does not fit the pipeline, `NotFoundError`, `NotAllowedError`,
    `ClusterError`.
    """
    host.require(START, ref)
    _check_key(key)
    found = offered_for(host, ref, order.place)
    check(found.declaration, order.parameters, order.workspaces, order.timeouts)
    _check_choices(host, found, order)
    body = body_of(
        order.place.namespace,
        order.place.name,
        order.parameters,
        order.workspaces,
        service_account=order.service_account or found.service_account,
        timeouts=order.timeouts,
        held=order.held,
        annotations={f"{OWN}entity": str(ref), **_by_person(host)},
    )
    if dry:
        return _checked(host, order.place.cluster, body)
    return _create(host, START, order.place.cluster, body, key, str(ref))


def _check_choices(host: "Host", found: Offered, order: Order) -> None:
    settings, faults = host.settings.acts, dict[str, Text]()
    account = order.service_account
    chosen = any(fnmatchcase(account, pattern) for pattern in settings.service_accounts)
    if account and account != found.service_account and not chosen:
        faults["service_account"] = _("The settings do not let people choose this one.")
    for item in order.workspaces:
        sources = [name for name in item if name in SOURCES and name in settings.workspaces]
        if len(sources) != 1 or set(item) - {"name", "subPath", *sources}:
            allowed = ", ".join(settings.workspaces)
            faults[f"workspaces.{item.get('name', '')}"] = _(
                "It takes exactly one of %(allowed)s.", allowed=allowed
            )
    if faults:
        raise UnfitError(faults)


def _by_person(host: "Host") -> dict[str, str]:
    principal = host.asker.on_behalf_of or host.asker.principal
    return {f"{OWN}trigger": "person", f"{OWN}actor": str(principal.entity or principal.name)}


def _keyed(key: str, body: Mapping[str, Any]) -> str:
    """Tell a form that is sent twice from one that was changed in between."""
    spec = orjson.dumps(mapping(body, "spec"), option=orjson.OPT_SORT_KEYS)
    return f"{key}\0{hashlib.sha256(spec).hexdigest()}"


def _check_key(key: str) -> None:
    if not key or len(key) > LONGEST_KEY:
        raise InputError(_("A key of 1 to %(most)d characters is needed.", most=LONGEST_KEY))


def _checked(host: "Host", cluster: str, body: Mapping[str, Any]) -> Done:
    named = with_name(body, "dry", str(host.asker.principal))
    written = host.clusters.get(cluster).create(PIPELINE_RUNS, named, dry=True)
    return Done(0, "", written.warnings)


def _create(
    host: "Host", act: str, cluster: str, body: Mapping[str, Any], key: str, entity: str,
    **more: Any,
) -> Done:  # fmt: skip
    keyed = _keyed(key, body)
    metadata = with_name(body, keyed, "")["metadata"]
    with host.read() as connection:
        before = _named(connection, cluster, metadata["namespace"], metadata["name"])
    if before is not None and (before.gone or before.started_for is not None):
        return Done(before.id, before.name)
    # One that is there and was not written down was created by an act that was killed then.
    written = create_run(host, cluster, body, key=keyed)
    return _written(host, act, cluster, (written, True), more, entity)


def _named(connection: Connection, cluster: str, namespace: str, name: str) -> Row[Any] | None:
    wanted = (
        select(run)
        .where(run.c.cluster == cluster, run.c.namespace == namespace, run.c.name == name)
        .order_by(run.c.id.desc())
        .limit(1)
    )
    return connection.execute(wanted).one_or_none()


def _written(
    host: "Host",
    act: str,
    cluster: str,
    answer: tuple[Written, bool],
    more: Mapping[str, Any],
    entity: str | None = None,
) -> Done:
    """Take in a run as the cluster answered it; where that is new, with audit entry and event.

    With `entity`, which may be empty, the run is one that was started here, for that one.
    """
    written, is_new = answer
    body = written.object
    metadata = mapping(body, "metadata")
    uid, name = text(metadata, "uid"), text(metadata, "name")
    with host.write() as connection:
        hold_matching(connection)
        keep_runs(_seen(host, connection, cluster, PIPELINE_RUNS, body))
        row = connection.execute(
            select(run.c.id, run.c.state, run.c.started_for).where(
                run.c.cluster == cluster, run.c.uid == uid
            )
        ).one()
        if entity is not None:
            # Of two that asked at the same moment one writes it down; the lock is held till then.
            is_new = row.started_for is None
            note_start(connection, row.id, entity)
        if is_new:
            place = f"{cluster}/{text(metadata, 'namespace')}/{name}"
            host.audit(connection, act, place, after={"run": row.id, "state": row.state, **more})
            _tell(host, connection, act, row.id)
    return Done(row.id, name, written.warnings)


def _seen(
    host: "Host", connection: Connection, cluster: str, resource: Resource, body: Mapping[str, Any]
) -> ObservedContext:
    metadata = mapping(body, "metadata")
    found = ObservedObject(
        uid=text(metadata, "uid"),
        namespace=text(metadata, "namespace"),
        name=text(metadata, "name"),
        gone=False,
        # Answers of some servers leave out what kind of object they are.
        body={"apiVersion": resource.api_version, "kind": resource.kind, **body},
    )
    return ObservedContext(host=host, connection=connection, cluster=cluster, objects=[found])


def _tell(host: "Host", connection: Connection, act: str, run_id: int) -> None:
    data = {"act": act.rpartition(".")[2]}
    principal = host.asker.principal
    host.publish(connection, "ci_tekton.run.asked", str(run_id), data, actor=principal)


def load_body(host: "Host", row: Row[Any]) -> tuple[Mapping[str, Any], bool]:
    """Give a run's object and whether it is the stored one, in which secrets are hidden.

    Remote while the cluster has it. Raises `ClusterError` where that cannot be asked.
    """
    if not row.gone:
        try:
            found = host.clusters.get(row.cluster).get(PIPELINE_RUNS, row.namespace, row.name)
            if text(mapping(found, "metadata"), "uid") == row.uid:
                return found, False
        except ClusterError as error:
            if error.state != "missing":
                raise
    return stored_body(host, row), True


def stored_body(host: "Host", row: Row[Any]) -> Mapping[str, Any]:
    """Give a run's object as it was last seen, secrets hidden."""
    with host.read() as connection:
        body = connection.execute(select(detail.c.body).where(detail.c.run_id == row.id)).scalar()
    return unpacked(body) if body else {}


def repeat(
    host: "Host", act: str, row: Row[Any], which: Pipeline, values: Mapping[str, Any], key: str
) -> Done:
    """Start a run that has the inputs of another; `values` are those that had been hidden.

    `act` is `RERUN`, or `RETRY` for a run that failed. Raises `UnfitError`, `ConflictError`,
    `NotAllowedError`, `ClusterError`.
    """
    place = Place(row.cluster, row.namespace, row.pipeline)
    with host.read() as connection:
        refs = entities_of(connection, row.id)
        today = load_pipeline(connection, place)
    require(host, act, refs)
    if row.source != "tekton":
        raise ConflictError(_("Only runs of Tekton can be started from here."))
    _check_key(key)
    if act == RETRY and row.state not in FAILED:
        raise ConflictError(_("Only a run that failed, or was ended, is tried again."))
    body, stored = load_body(host, row)
    if unknown := values.keys() - set(hidden_parameters(body) if stored else ()):
        names = ", ".join(sorted(unknown))
        raise InputError(_("These parameters are known, and stay: %(names)s.", names=names))
    again = body_again(row, body, which, values, stored=stored)
    again["metadata"]["annotations"] |= _by_person(host)
    if which == "today" and text(mapping(body, "spec", "pipelineRef"), "name"):
        _check_today(today, place, again)
    named = which if has_reference(body) else "own"
    keyed = f"{row.uid}:{which}:{key}"
    entity = row.started_for or ""
    return _create(host, act, row.cluster, again, keyed, entity, of=row.name, pipeline=named)


def _check_today(today: Offered | None, place: Place, again: Mapping[str, Any]) -> None:
    """A run that does not fit would be accepted, and fail."""
    if today is None:
        raise ConflictError(
            _("The cluster has no pipeline %(place)s any more.", place=str(place)),
            hint=_("Use the recorded one."),
        )
    given = {text(item, "name"): item.get("value")
             for item in items(mapping(again, "spec"), "params")}  # fmt: skip
    known = {item.name for item in today.declaration.parameters}
    # What it once took and takes no longer does no harm; Tekton leaves it aside.
    faults = check_values(today.declaration, {name: given[name] for name in given if name in known})
    if faults:
        raise UnfitError(faults)


def cancel(host: "Host", row: Row[Any], way_name: str) -> Done:
    """End a run in one of the three ways; what its steps have written so far is saved before."""
    way = way_of(way_name)
    _require_open(host, CANCEL, row)
    save_run(host, row.id, SAVING_SECONDS)
    return _written(host, CANCEL, row.cluster, stop_run(host, row, way), {"way": way.name})


def release(host: "Host", row: Row[Any]) -> Done:
    """Let a held run begin."""
    _require_open(host, RELEASE, row)
    return _written(host, RELEASE, row.cluster, release_run(host, row), {})


def _require_open(host: "Host", act: str, row: Row[Any]) -> None:
    with host.read() as connection:
        refs = entities_of(connection, row.id)
    require(host, act, refs)
    if row.source != "tekton":
        raise ConflictError(_("Only runs of Tekton can be ended from here."))
    if row.gone:
        raise ConflictError(_("The run is gone from the cluster; it is only kept here."))
    if row.state in FINISHED:
        raise ConflictError(_("It has ended already."))


def approve(host: "Host", row: Row[Any], approval_id: int, given: str, comment: str) -> Done:
    """Answer an approval task of a run. Raises as the others, `NotFoundError` for another's."""
    answer = check_answer(given, comment)
    with host.read() as connection:
        refs = entities_of(connection, row.id)
        found = connection.execute(
            select(approval).where(
                approval.c.id == approval_id,
                approval.c.cluster == row.cluster,
                approval.c.run_uid == row.uid,
            )
        ).one_or_none()
        notes = connection.execute(
            select(detail.c.annotations).where(detail.c.run_id == row.id)
        ).scalar()
    require(host, APPROVE, refs)
    if found is None:
        raise NotFoundError(_("The run has no such approval."))
    voter = voter_of(host)
    reason = reason_against(host, row, notes or {}, found)
    if found.gone:
        raise ConflictError(_("It is gone from the cluster."))
    if voter is None or (reason and found.state == "pending"):
        raise NotAllowedError(reason)
    written, is_new = answer_approval(host, found, voter, answer, comment)
    with host.write() as connection:
        keep_approvals(_seen(host, connection, row.cluster, APPROVAL_TASKS, written.object))
        place = f"{row.cluster}/{row.namespace}/{found.name}"
        if is_new:
            after = {"run": row.id, "task": found.task, "answer": answer, "comment": comment}
            host.audit(connection, APPROVE, place, after=after)
            _tell(host, connection, APPROVE, row.id)
    return Done(row.id, row.name, written.warnings)
