"""What a manifest of the library is checked against: schemas, and references within it."""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from jsonschema import Draft7Validator

Json = dict[str, Any]

_REFERENCE = re.compile(r"\$\(((?:params|tasks|workspaces|results|context)\b[^()\s]*)\)")
_CONTEXT = {
    "context.pipeline.name", "context.pipelineRun.name", "context.taskRun.name",
    "context.task.name", "tasks.status",
}  # fmt: skip


def validator(folder: Path, resource: str) -> Draft7Validator:
    """Give the schema of `v1` of a resource definition; unknown fields are faults."""
    path = next(folder.rglob(f"{resource}.json"))
    versions = json.loads(path.read_text("utf-8"))["spec"]["versions"]
    [schema] = [each["schema"] for each in versions if each["name"] == "v1"]
    return Draft7Validator(_closed(schema["openAPIV3Schema"]))


def _closed(schema: Any) -> Any:
    """Close objects whose fields are named, as a server does that is asked to be strict."""
    if isinstance(schema, list):
        return [_closed(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    new = {key: _closed(value) for key, value in schema.items() if key != "format"}
    if schema.get("x-kubernetes-int-or-string"):
        new["type"] = ["integer", "string"]
    is_open = schema.get("x-kubernetes-preserve-unknown-fields")
    if isinstance(schema.get("properties"), dict) and "type" in schema and not is_open:
        new.setdefault("additionalProperties", False)
    return new


def faults(checker: Draft7Validator, body: Json) -> list[str]:
    """Give what is wrong with an object; its metadata are the API's own matter."""
    given = {**body, "metadata": {}}
    return [f"{error.json_path}: {error.message}" for error in checker.iter_errors(given)]


def unresolved(bodies: Iterable[Mapping[str, Any]]) -> list[str]:
    """Give each reference that leads nowhere, and each thing that a task is given in vain."""
    named = {body["metadata"]["name"]: body for body in bodies}
    found: list[str] = []
    for name, body in named.items():
        if body["kind"] == "Task":
            found += [f"{name}: {each}" for each in _in_task(body["spec"])]
        elif body["kind"] == "Pipeline":
            found += [f"{name}: {each}" for each in _in_pipeline(body["spec"], named)]
    return found


def _in_task(spec: Json) -> Iterator[str]:
    known = set(_CONTEXT)
    known |= {f"params.{each['name']}" for each in spec.get("params", ())}
    known |= {f"params.{each['name']}[*]" for each in spec.get("params", ())
              if each.get("type") == "array"}  # fmt: skip
    known |= {f"results.{each['name']}.path" for each in spec.get("results", ())}
    known |= {f"workspaces.{each['name']}.{what}" for each in spec.get("workspaces", ())
              for what in ("path", "bound")}  # fmt: skip
    volumes = {each["name"] for each in spec.get("volumes", ())}
    containers = [*spec["steps"], *spec.get("sidecars", ()), spec.get("stepTemplate", {})]
    for container in containers:
        yield from (f"volume {mount['name']}" for mount in container.get("volumeMounts", ())
                    if mount["name"] not in volumes)  # fmt: skip
    yield from sorted(set(_references(spec)) - known)
    text = json.dumps(spec)
    for each in spec.get("params", ()):
        if f"$(params.{each['name']}" not in text:
            yield f"parameter {each['name']} is not used"
    for each in spec.get("results", ()):
        if f"$(results.{each['name']}.path)" not in text:
            yield f"result {each['name']} is not written"


def _in_pipeline(spec: Json, named: Mapping[str, Any]) -> Iterator[str]:
    tasks = [*spec["tasks"], *spec.get("finally", ())]
    own = {task["name"] for task in tasks}
    known = set(_CONTEXT) | {f"params.{each['name']}" for each in spec["params"]}
    known |= {f"params.{each['name']}[*]" for each in spec["params"] if each["type"] == "array"}
    workspaces = {each["name"] for each in spec["workspaces"]}
    for task in tasks:
        body = named.get(task["taskRef"]["name"])
        if body is None:
            yield f"task {task['taskRef']['name']}"
            continue
        known |= {f"tasks.{task['name']}.results.{each['name']}"
                  for each in body["spec"].get("results", ())}  # fmt: skip
        yield from (f"{task['name']} runs after {each}" for each in task.get("runAfter", ())
                    if each not in own)  # fmt: skip
        yield from _given(task, body["spec"], workspaces)
    yield from sorted(set(_references(spec)) - known)
    text = json.dumps(spec)
    for each in spec["params"]:
        if f"$(params.{each['name']}" not in text:
            yield f"parameter {each['name']} is not used"


def _given(task: Json, spec: Json, workspaces: set[str]) -> Iterator[str]:
    given = {each["name"] for each in task.get("params", ())}
    taken = {each["name"]: each for each in spec.get("params", ())}
    yield from (f"{task['name']} has no parameter {each}" for each in given - taken.keys())
    yield from (f"{task['name']} lacks {name}" for name, each in taken.items()
                if "default" not in each and name not in given)  # fmt: skip
    bound = {each["name"]: each["workspace"] for each in task.get("workspaces", ())}
    wanted = {each["name"]: each for each in spec.get("workspaces", ())}
    yield from (f"{task['name']} has no workspace {each}" for each in bound.keys() - wanted.keys())
    yield from (f"{task['name']} lacks workspace {name}" for name, each in wanted.items()
                if not each.get("optional") and name not in bound)  # fmt: skip
    yield from (f"workspace {each}" for each in bound.values() if each not in workspaces)


def _references(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield from _REFERENCE.findall(value)
    elif isinstance(value, dict):
        for inner in value.values():
            yield from _references(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _references(inner)
