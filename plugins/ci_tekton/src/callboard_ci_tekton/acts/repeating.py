"""Makes a new run of one that was: Tekton has no verb for it.

With today's pipeline a run refers to it as the first one did. With the recorded one it carries what
the cluster had resolved (`status.pipelineSpec`): there the values of parameters are already put in,
so those cannot be changed, and Tasks it refers to by name are today's all the same.
"""

import re
import zlib
from collections.abc import Iterator, Mapping
from typing import Any, Final, Literal

import orjson
from sqlalchemy import Row

from callboard.errors import ConflictError
from callboard.i18n import Translator
from callboard.redaction import MASK
from callboard_ci_tekton.acts.creating import KEY, STARTED_BY
from callboard_ci_tekton.runs.origin import OWN
from callboard_ci_tekton.runs.values import items, mapping, text

_ = Translator("ci_tekton")

Pipeline = Literal["today", "recorded"]

_OTHERS: Final = re.compile(
    r"(tekton\.dev|triggers\.tekton\.dev|chains\.tekton\.dev|results\.tekton\.dev"
    r"|dashboard\.tekton\.dev|pipelinesascode\.tekton\.dev|kubectl\.kubernetes\.io)/"
)
"""Labels and annotations that belong to the first run alone, or to those who made it."""

_OF_ONE: Final = frozenset(
    {KEY, STARTED_BY, "app.kubernetes.io/managed-by",
     *(f"{OWN}{name}" for name in ("actor", "trigger", "event", "rerun-of"))}
)  # fmt: skip
_OF_COMMIT: Final = frozenset(f"{OWN}{name}" for name in ("commit", "commit-title", "author"))
_KEYED: Final = re.compile(r"-[0-9a-f]{10}$")


def unpacked(body: bytes) -> Mapping[str, Any]:
    """Read a body as `ci_tekton_detail` keeps it."""
    return mapping(orjson.loads(zlib.decompress(body)))


def hidden_parameters(body: Mapping[str, Any]) -> list[str]:
    """Give the parameters whose values were hidden, so that somebody has to give them again."""
    spec = mapping(body, "spec")
    return [text(item, "name", 253) for item in items(spec, "params")
            if any(MASK in found for found in _texts(item.get("value")))]  # fmt: skip


def has_recorded(body: Mapping[str, Any], *, stored: bool) -> bool:
    """Whether the pipeline as it was then is known, and nothing in it was hidden."""
    recorded = _recorded(body)
    return bool(recorded) and not (stored and any(MASK in found for found in _texts(recorded)))


def has_reference(body: Mapping[str, Any]) -> bool:
    """Whether the run refers to a pipeline, which may have changed; else it carries its own."""
    return bool(mapping(body, "spec", "pipelineRef"))


def _recorded(body: Mapping[str, Any]) -> Mapping[str, Any]:
    return mapping(body, "spec", "pipelineSpec") or mapping(body, "status", "pipelineSpec")


def body_again(
    row: Row[Any],
    body: Mapping[str, Any],
    which: Pipeline,
    values: Mapping[str, Any],
    *,
    stored: bool,
) -> dict[str, Any]:
    """Give the body of a run that repeats another; `values` take the place of its parameters.

    `row` is that of the first run, `body` the object, `stored` whether it comes from the table,
    where values are hidden. Raises `ConflictError` where the recorded pipeline is wanted and not
    known, or a value would be sent as the mask that hides it.
    """
    spec = {name: value for name, value in mapping(body, "spec").items() if name != "status"}
    notes: dict[str, str] = {}
    if which == "recorded" and has_reference(body):
        if not has_recorded(body, stored=stored):
            raise ConflictError(
                _("The pipeline as it was then is not known, or holds what was hidden."),
                hint=_("Use today's pipeline."),
            )
        del spec["pipelineRef"]
        spec["pipelineSpec"] = _recorded(body)
        notes[f"{OWN}pipeline"] = row.pipeline
    given = {text(item, "name", 253): item.get("value") for item in items(spec, "params")}
    spec["params"] = [{"name": name, "value": value} for name, value in {**given, **values}.items()]
    spec["workspaces"] = [_unbound(item) for item in items(spec, "workspaces")]
    spec = {name: value for name, value in spec.items() if value != []}
    if stored and any(MASK in found for found in _texts(spec)):
        names = ", ".join(hidden_parameters(body)) or "spec"
        raise ConflictError(
            _("Values that were hidden have to be given again: %(names)s.", names=names)
        )
    return {
        "apiVersion": "tekton.dev/v1",
        "kind": "PipelineRun",
        "metadata": {
            "generateName": f"{_KEYED.sub('', row.name)}-",
            "namespace": row.namespace,
            "labels": _kept(mapping(body, "metadata", "labels")),
            "annotations": _annotations(row, body) | notes,
        },
        "spec": spec,
    }


def _annotations(row: Row[Any], body: Mapping[str, Any]) -> dict[str, Any]:
    """Give the first run's annotations, and what it was known by from those of others."""
    notes = _kept(mapping(body, "metadata", "annotations"))
    told = {"repository": row.repository, "branch": row.branch, "change": row.change}
    # A branch may have moved on: the commit is the same one only where it was asked for.
    if row.commit and row.commit in set(_texts(mapping(body, "spec").get("params"))):
        told |= {"commit": row.commit, "commit-title": row.commit_title, "author": row.author}
    else:
        notes = {name: value for name, value in notes.items() if name not in _OF_COMMIT}
    for name, value in told.items():
        if value:
            notes.setdefault(f"{OWN}{name}", value)
    return {**notes, f"{OWN}rerun-of": row.uid}


def _kept(given: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: value
        for name, value in given.items()
        if not _OTHERS.match(name) and name not in _OF_ONE
    }


def _unbound(workspace: Mapping[str, Any]) -> dict[str, Any]:
    """Give a workspace whose claim is made anew, without what the server had filled in."""
    kept = dict(workspace)
    template = mapping(workspace, "volumeClaimTemplate")
    if template:
        kept["volumeClaimTemplate"] = {
            name: value for name, value in template.items() if name in ("spec", "metadata")
        }
    return kept


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        for item in value:
            yield from _texts(item)
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from _texts(item)
