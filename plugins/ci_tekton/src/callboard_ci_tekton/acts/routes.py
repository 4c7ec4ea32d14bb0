"""The API for acts on runs: the same checks as on the pages.

A `key` names a request: sent again with the same one, nothing is done twice. Parameters are texts,
lists of texts, or objects of texts; workspaces are bindings as in `spec.workspaces` of a
PipelineRun.
"""

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any, Literal

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field

from callboard.contributions import requires
from callboard.entities import EntityRef
from callboard_ci_tekton.acts import service
from callboard_ci_tekton.acts.pipelines import Place, pipelines_of
from callboard_ci_tekton.building import run_path
from callboard_ci_tekton.pages.reading import find_run

if TYPE_CHECKING:
    from callboard.host import Host

Value = str | list[str] | dict[str, str]
Key = Annotated[str, Field(min_length=1, max_length=service.LONGEST_KEY)]


class _Sent(BaseModel):
    model_config = ConfigDict(extra="forbid")


class StartRequest(_Sent):
    """What a run is started with; `pipeline` is `<cluster>/<namespace>/<name>`."""

    entity: Annotated[str, Field(max_length=250)]
    pipeline: Annotated[str, Field(max_length=600)]
    key: Key
    parameters: dict[str, Value] = Field(default_factory=dict)
    workspaces: list[dict[str, Any]] = Field(default_factory=list)
    service_account: Annotated[str, Field(max_length=253)] = ""
    timeouts: dict[str, str] = Field(default_factory=dict)
    held: bool = False
    dry: bool = False


class RepeatRequest(_Sent):
    """`parameters` are those whose values had been hidden in what was kept of the run."""

    key: Key
    pipeline: Literal["today", "recorded"] = "today"
    parameters: dict[str, Value] = Field(default_factory=dict)


class CancelRequest(_Sent):
    """How a run is ended, as `spec.status` of a PipelineRun names it."""

    way: Literal["Cancelled", "CancelledRunFinally", "StoppedRunFinally"] = "CancelledRunFinally"


class AnswerRequest(_Sent):
    """The answer to an approval of a run, by its number."""

    approval: int
    answer: Literal["approve", "reject"]
    comment: Annotated[str, Field(max_length=1000)] = ""


def make_router(host: "Host") -> APIRouter:
    """Give the routes."""
    router = APIRouter()
    _add_starting(router, host)
    _add_repeating(router, host)
    _add_acting(router, host)
    return router


def _add_starting(router: APIRouter, host: "Host") -> None:
    @router.get("/pipelines")
    @requires(service.START)
    def read_pipelines(entity: Annotated[str, Query(max_length=250)]) -> dict[str, Any]:
        """The pipelines an entity may start, with their parameters and workspaces."""
        ref = EntityRef.parse(entity, default_kind="component")
        host.require(service.START, ref)
        with host.read() as connection:
            found = pipelines_of(host, connection, ref)
        items = [
            {"pipeline": str(item.place), "service_account": item.service_account,
             **asdict(item.declaration)}
            for item in found
        ]  # fmt: skip
        return {"entity": str(ref), "items": items}

    @router.post("/runs")
    @requires(service.START)
    def start_run(sent: StartRequest) -> dict[str, Any]:
        """Start a pipeline for an entity; with `dry` the cluster only checks it."""
        order = service.Order(
            place=Place.parse(sent.pipeline),
            parameters=sent.parameters,
            workspaces=sent.workspaces,
            service_account=sent.service_account,
            timeouts=sent.timeouts,
            held=sent.held,
        )
        ref = EntityRef.parse(sent.entity, default_kind="component")
        return _shown(service.start(host, ref, order, sent.key, dry=sent.dry))


def _add_repeating(router: APIRouter, host: "Host") -> None:
    def repeat(act: str, number: int, sent: RepeatRequest) -> dict[str, Any]:
        row = find_run(host, number)
        return _shown(service.repeat(host, act, row, sent.pipeline, sent.parameters, sent.key))

    @router.post("/runs/{number}/rerun")
    @requires(service.RERUN)
    def rerun(number: int, sent: RepeatRequest) -> dict[str, Any]:
        """Start a new run with the inputs of this one."""
        return repeat(service.RERUN, number, sent)

    @router.post("/runs/{number}/retry")
    @requires(service.RETRY)
    def retry(number: int, sent: RepeatRequest) -> dict[str, Any]:
        """Start a new run with the inputs of this one, which failed or was ended."""
        return repeat(service.RETRY, number, sent)


def _add_acting(router: APIRouter, host: "Host") -> None:
    @router.post("/runs/{number}/cancel")
    @requires(service.CANCEL)
    def cancel(number: int, sent: CancelRequest) -> dict[str, Any]:
        """End a run; asked again, it is left as it is."""
        return _shown(service.cancel(host, find_run(host, number), sent.way))

    @router.post("/runs/{number}/release")
    @requires(service.RELEASE)
    def release(number: int) -> dict[str, Any]:
        """Let a held run begin."""
        return _shown(service.release(host, find_run(host, number)))

    @router.post("/runs/{number}/approve")
    @requires(service.APPROVE)
    def approve(number: int, sent: AnswerRequest) -> dict[str, Any]:
        """Answer an approval of a run, as the person who asks."""
        row = find_run(host, number)
        return _shown(service.approve(host, row, sent.approval, sent.answer, sent.comment.strip()))


def _shown(done: service.Done) -> dict[str, Any]:
    found: dict[str, Any] = {"warnings": list(done.warnings)}
    if done.run_id:
        found |= {"run": done.run_id, "name": done.name, "path": run_path(done.run_id)}
    return found
