"""The pages on which runs are started, repeated, ended and approved."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, Final

from sqlalchemy import Row

from callboard.contributions import FormContext, Fragment, PageContext, SeeOther
from callboard.entities import EntityRef
from callboard.errors import CallboardError, InputError, NotFoundError, RefusedError
from callboard.i18n import Text, Translator
from callboard.kubernetes import ClusterError
from callboard_ci_tekton.acts import service
from callboard_ci_tekton.acts.declarations import SOURCES, UnfitError
from callboard_ci_tekton.acts.forms import (
    Typed,
    first_values,
    is_long,
    new_key,
    read_bindings,
    read_parameters,
    read_timeouts,
    read_values,
)
from callboard_ci_tekton.acts.offering import acts_path, lacking, offers
from callboard_ci_tekton.acts.pipelines import Offered, Place, last_inputs, pipelines_of
from callboard_ci_tekton.acts.preparing import TIMEOUTS
from callboard_ci_tekton.acts.repeating import has_recorded, has_reference, hidden_parameters
from callboard_ci_tekton.acts.stopping import WAYS
from callboard_ci_tekton.building import run_path
from callboard_ci_tekton.crumbs import PIPELINES, below_run, of_entity
from callboard_ci_tekton.library.texts import said
from callboard_ci_tekton.pages.reading import find_run

__all__ = ["draw_act", "draw_start", "offers", "submit_act", "submit_start"]

_ = Translator("ci_tekton")

START_PATH: Final = "/ci_tekton/start"
SOURCE_WORDS: Final[Mapping[str, Text]] = {
    "volumeClaimTemplate": _("A new volume, deleted with the run"),
    "emptyDir": _("An empty folder for each task"),
    "persistentVolumeClaim": _("A volume claim of the namespace"),
    "configMap": _("A ConfigMap"),
    "secret": _("A Secret"),
}
TIMEOUT_WORDS: Final[Mapping[str, Text]] = {
    "pipeline": _("Time limit of the run"),
    "tasks": _("Time limit of its tasks"),
    "finally": _("Time limit of the tasks under “finally”"),
}
_TITLES: Final[Mapping[str, Text]] = {
    "rerun": _("Run it again"),
    "retry": _("Try the run again"),
    "cancel": _("End the run"),
    "release": _("Let the run begin"),
}


def draw_start(context: PageContext) -> Fragment | None:
    """The pipelines an entity may start, or the form of one of them."""
    return _start(context, context.query.get("entity", ""), context.query.get("pipeline", ""))


def submit_start(context: FormContext) -> Fragment | SeeOther | None:
    """Start a run, or have the cluster check it, and keep what was typed if it is refused."""
    typed = read_values(context.form)
    entity = typed.get("entity", "")
    try:
        ref = EntityRef.parse(entity.strip()[:260], default_kind="component")
        shown, offered = _offered(context, ref)
        chosen = _chosen(context, ref, typed.get("pipeline", ""), offered)
    except (InputError, NotFoundError) as error:
        return replace(_chosen_entity(entity, error.message), rejected=True)
    except RefusedError as error:
        return replace(_refused(error, ref.path()), rejected=True)
    if chosen is None:
        return replace(_choices(shown, offered), rejected=True)
    return _send(context, shown, chosen, typed)


def _start(context: PageContext, entity: str, place: str) -> Fragment:
    try:
        ref = EntityRef.parse(entity.strip()[:260], default_kind="component")
    except InputError as error:
        return _chosen_entity(entity, error.message if entity else "")
    try:
        return _start_for(context, ref, place)
    except NotFoundError as error:
        return _chosen_entity(entity, error.message)
    except RefusedError as error:
        return _refused(error, ref.path())


def _chosen_entity(entity: str, fault: Text) -> Fragment:
    shown = {"entity": entity, "fault": fault, "path": START_PATH}
    return Fragment(template="ci_tekton/start_entity.html", context=shown, crumbs=(PIPELINES,))


def _start_for(context: PageContext, ref: EntityRef, place: str) -> Fragment:
    shown, offered = _offered(context, ref)
    chosen = _chosen(context, ref, place, offered)
    if chosen is None:
        return _choices(shown, offered)
    with context.host.read() as connection:
        last = last_inputs(connection, str(ref), chosen.place)
    return _form(context, shown, chosen, Typed(first_values(chosen.declaration, last)))


def _choices(shown: Mapping[str, Any], offered: Sequence[Offered]) -> Fragment:
    return Fragment(
        template="ci_tekton/start_choose.html",
        context={**shown, "offered": offered},
        crumbs=of_entity(shown["ref"], shown["title"]),
    )


def _offered(context: PageContext, ref: EntityRef) -> tuple[dict[str, Any], Sequence[Offered]]:
    """Give what the pages of an entity show, and the pipelines it may start."""
    host = context.host
    found = host.catalog.get(ref)
    if found is None:
        raise NotFoundError(_("There is no entity %(ref)s.", ref=str(ref)))
    host.require(service.START, ref)
    with host.read() as connection:
        offered = pipelines_of(host, connection, ref)
    shown: dict[str, Any] = {
        "ref": ref, "title": found.title, "path": START_PATH,
        "said": partial(said, locale=context.locale),
    }  # fmt: skip
    return shown, offered


def _chosen(
    context: PageContext, ref: EntityRef, place: str, offered: Sequence[Offered]
) -> Offered | None:
    if place:
        return service.offered_for(context.host, ref, Place.parse(place))
    return offered[0] if len(offered) == 1 else None


def _send(
    context: PageContext, shown: Mapping[str, Any], chosen: Offered, sent: Mapping[str, str]
) -> Fragment | SeeOther:
    dry = sent.get("do") == "check"
    order = service.Order(
        place=chosen.place,
        parameters=read_parameters(chosen.declaration, sent),
        workspaces=read_bindings(chosen.declaration, sent),
        service_account=sent.get("account", "").strip(),
        timeouts=read_timeouts(sent),
        held="held" in sent,
    )
    try:
        done = service.start(context.host, shown["ref"], order, sent.get("key", ""), dry=dry)
    except UnfitError as error:
        return replace(_form(context, shown, chosen, Typed(sent, error.faults)), rejected=True)
    except (CallboardError, ClusterError) as error:
        return replace(_form(context, shown, chosen, Typed(sent), error=error), rejected=True)
    if dry:
        return _form(context, shown, chosen, Typed(sent), checked=done)
    return _done(done, _("Started"))


def _form(
    context: PageContext, shown: Mapping[str, Any], chosen: Offered, typed: Typed, **more: Any
) -> Fragment:
    host, place = context.host, chosen.place
    settings = host.settings.acts
    with host.read() as connection:
        barred = lacking(host, connection, place.cluster, place.namespace, "start")
    return Fragment(
        template="ci_tekton/start.html",
        context={
            **shown, "offered": chosen, "typed": typed, "barred": barred, "is_long": is_long,
            "sources": [(name, SOURCE_WORDS[name]) for name in SOURCES
                        if name in settings.workspaces],
            "accounts": settings.service_accounts, "timeouts": [
                (name, TIMEOUT_WORDS[name]) for name in TIMEOUTS],
            "error": None, "checked": None, **more,
        },
        title=_("Start %(title)s", title=chosen.title),
        crumbs=of_entity(shown["ref"], shown["title"]),
    )  # fmt: skip


def draw_act(context: PageContext) -> Fragment | None:
    """Ask before something is done with a run, and say what it does."""
    row = _run(context, context.query)
    return None if row is None else _confirm(context, row, context.query, None)


def submit_act(context: FormContext) -> Fragment | SeeOther | None:
    """Do it."""
    sent = read_values(context.form)
    row = _run(context, sent)
    if row is None:
        return None
    try:
        return _DOING[sent["act"]](context, row, sent)
    except CallboardError as error:
        found = _confirm(context, find_run(context.host, row.id), sent, error)
        return found and replace(found, rejected=True)


def _run(context: PageContext, asked: Mapping[str, str]) -> Row[Any] | None:
    """Give the run that a form or a link is about, None where nothing such can be done."""
    try:
        row = find_run(context.host, context.path.get("id", ""))
    except NotFoundError:
        return None
    if asked.get("act", "") not in _DOING or row.source != "tekton":
        return None
    return row


def _confirm(
    context: PageContext, row: Row[Any], asked: Mapping[str, str], error: CallboardError | None
) -> Fragment | None:
    act, offered = asked["act"], offers(context, row)
    shown: dict[str, Any] = {
        "row": row, "act": act, "error": error, "path": acts_path(row.id), "typed": Typed(asked),
        "run_path": run_path(row.id), "key": asked.get("key") or new_key(),
        "barred": next((item.reason for item in offered["buttons"] if item.act == act), ""),
    }  # fmt: skip
    if act == "approve":
        wanted = asked.get("approval", "")
        found = [item for item in offered["approvals"] if str(item.row.id) == wanted]
        if not found:
            return None
        shown |= {"asked": found[0], "barred": found[0].reason}
        title: Text = _("Approve %(task)s", task=found[0].row.task)
        return _asking("approve", title, shown)
    if act in ("rerun", "retry"):
        shown |= _repeated(context, row, shown["error"])
        return _asking("repeat", _TITLES[act], shown)
    return _asking(act, _TITLES[act], {**shown, "ways": WAYS})


def _asking(page: str, title: Text, shown: Mapping[str, Any]) -> Fragment:
    row = shown["row"]
    return Fragment(
        template=f"ci_tekton/confirm_{page}.html",
        context=shown,
        title=title,
        crumbs=below_run(row.id, row.name),
    )


def _repeated(
    context: PageContext, row: Row[Any], error: CallboardError | None
) -> Mapping[str, Any]:
    body = service.stored_body(context.host, row)
    return {
        "has_reference": has_reference(body),
        "has_recorded": has_recorded(body, stored=row.gone),
        "missing": hidden_parameters(body) if row.gone or error else [],
        "faults": error.faults if isinstance(error, UnfitError) else {},
    }


def _do_repeat(context: PageContext, row: Row[Any], sent: Mapping[str, str]) -> Fragment | SeeOther:
    values = {name.removeprefix("p:"): value for name, value in sent.items()
              if name.startswith("p:") and value}  # fmt: skip
    act = service.RETRY if sent["act"] == "retry" else service.RERUN
    which = sent.get("pipeline", "today")
    if which not in ("today", "recorded"):
        raise InputError(_("The pipeline is today's or the recorded one."))
    done = service.repeat(
        context.host, act, row, "recorded" if which == "recorded" else "today", values,
        sent.get("key", ""),
    )  # fmt: skip
    return _done(done, _("Started again"))


def _do_cancel(context: PageContext, row: Row[Any], sent: Mapping[str, str]) -> Fragment | SeeOther:
    done = service.cancel(context.host, row, sent.get("way", ""))
    return _done(done, _("Asked to end"))


def _do_release(
    context: PageContext, row: Row[Any], sent: Mapping[str, str]
) -> Fragment | SeeOther:
    return _done(service.release(context.host, row), _("It may begin"))


def _do_approve(
    context: PageContext, row: Row[Any], sent: Mapping[str, str]
) -> Fragment | SeeOther:
    wanted = sent.get("approval", "")
    number = int(wanted) if wanted.isdecimal() and len(wanted) < 10 else 0
    comment = sent.get("comment", "").strip()
    done = service.approve(context.host, row, number, sent.get("answer", ""), comment)
    return _done(done, _("Answered"))


_DOING: Final = {
    "rerun": _do_repeat,
    "retry": _do_repeat,
    "cancel": _do_cancel,
    "release": _do_release,
    "approve": _do_approve,
}


def _done(done: service.Done, told: Text) -> Fragment | SeeOther:
    """Go on to the run; what the cluster warned of is read first."""
    path = run_path(done.run_id)
    if not done.warnings:
        return SeeOther(path=path, told=told)
    shown = {"done": done, "title": told, "run_path": path}
    return Fragment(template="ci_tekton/done.html", context=shown, title=told, crumbs=(PIPELINES,))


def _refused(error: RefusedError, back: str) -> Fragment:
    shown = {"error": error, "back": back}
    return Fragment(template="ci_tekton/refused.html", context=shown, crumbs=(PIPELINES,))
