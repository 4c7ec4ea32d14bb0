"""Ends runs in the three ways of Tekton (`spec.status`), and lets held ones begin."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import Row

from callboard.errors import ConflictError, InputError
from callboard.i18n import Text, Translator
from callboard_ci_tekton.following import PIPELINE_RUNS
from callboard_ci_tekton.runs.states import FINISHED, condition_of, run_state
from callboard_ci_tekton.runs.values import mapping, text

if TYPE_CHECKING:
    from callboard.host import Host
    from callboard.kubernetes import Written

_ = Translator("ci_tekton")

HELD: Final = "PipelineRunPending"


@dataclass(frozen=True, slots=True)
class Way:
    """A way to end a run, as `spec.status` names it, and what it does."""

    name: str
    title: Text
    effect: Text


WAYS: Final = (
    Way(
        "CancelledRunFinally",
        _("Stop, then clean up"),
        _("Running tasks are ended and no more are started; then the tasks under “finally” run."),
    ),
    Way(
        "StoppedRunFinally",
        _("Let running tasks end"),
        _("No more tasks are started. When those that run have ended, the tasks under “finally” "
          "run."),
    ),
    Way(
        "Cancelled",
        _("Stop at once"),
        _("Running tasks are ended, no more are started, and nothing is cleaned up: the tasks "
          "under “finally” do not run."),
    ),
)  # fmt: skip


def way_of(name: str) -> Way:
    """Give a way by its name. Raises `InputError`."""
    for way in WAYS:
        if way.name == name:
            return way
    names = ", ".join(way.name for way in WAYS)
    raise InputError(_("A run is ended in one of these ways: %(names)s.", names=names))


def stop_run(host: "Host", row: Row[Any], way: Way) -> tuple["Written", bool]:
    """Ask a run to end, and say whether it was not asked the same already: then it stays as it is.

    Remote. Raises `ConflictError` where it has ended meanwhile, `ClusterError`.
    """

    def make(found: Mapping[str, Any]) -> Mapping[str, Any] | None:
        _check_open(row, found)
        if text(mapping(found, "spec"), "status") == way.name:
            return None
        return {"spec": {"status": way.name}}

    return _change(host, row, make)


def release_run(host: "Host", row: Row[Any]) -> tuple["Written", bool]:
    """Let a run begin that is held, and say whether it still was.

    Remote. Raises `ConflictError` where it has ended, or is not held any more, `ClusterError`.
    """

    def make(found: Mapping[str, Any]) -> Mapping[str, Any] | None:
        _check_open(row, found)
        asked = text(mapping(found, "spec"), "status")
        if asked == HELD:
            return {"spec": {"status": None}}
        if asked:
            raise ConflictError(_("It was asked to end meanwhile (%(asked)s).", asked=asked))
        return None

    return _change(host, row, make)


def _change(
    host: "Host", row: Row[Any], make: Callable[[Mapping[str, Any]], Mapping[str, Any] | None]
) -> tuple["Written", bool]:
    patches: list[Mapping[str, Any] | None] = []

    def noted(found: Mapping[str, Any]) -> Mapping[str, Any] | None:
        patches.append(make(found))
        return patches[-1]

    client = host.clusters.get(row.cluster)
    written = client.change(PIPELINE_RUNS, row.namespace, row.name, noted)
    return written, patches[-1] is not None


def _check_open(row: Row[Any], found: Mapping[str, Any]) -> None:
    if text(mapping(found, "metadata"), "uid") != row.uid:
        raise ConflictError(_("The cluster has another run of this name now; this one is gone."))
    condition = condition_of(mapping(found, "status"))
    if run_state(condition, "") in FINISHED:
        raise ConflictError(
            _("It has ended meanwhile: %(reason)s.", reason=text(condition, "reason", 100))
        )
