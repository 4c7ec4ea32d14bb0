"""Runs as a year of them leaves behind, written to the tables of the plugin at once."""

import itertools
import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from sqlalchemy import Connection, Table, insert, text

from callboard.database import Database
from callboard_ci_tekton import models
from callboard_ci_tekton.matching.keys import keys_of_run
from callboard_ci_tekton.runs.parsing import parse_run, parse_task

SERVICES: Final = 100
RUNS: Final = 20_000
TASKS: Final = ("clone", "unit-test", "lint", "build", "scan", "sign", "package", "deploy",
                "smoke-test", "notify")  # fmt: skip
DAYS: Final = 40
CLUSTER: Final = "past"
NAMESPACE: Final = "builds"
TOGETHER: Final = 1_000

Json = dict[str, Any]


def service(number: int) -> int:
    """Give whose run it is: every fifth is the first service's, which is the busiest one."""
    return 0 if number % 5 == 0 else 1 + number % (SERVICES - 1)


def descriptors(folder: Path) -> None:
    """Write the services' descriptors."""
    folder.mkdir()
    documents = [
        {
            "apiVersion": "backstage.io/v1alpha1",
            "kind": "Component",
            "metadata": {
                "name": f"service-{number}",
                "annotations": {"backstage.io/kubernetes-id": f"service-{number}"},
            },
            "spec": {"type": "service", "lifecycle": "production", "owner": f"team-{number % 10}"},
        }
        for number in range(SERVICES)
    ]
    text = "---\n".join(json.dumps(item) + "\n" for item in documents)
    (folder / "services.yaml").write_text(text, encoding="utf-8")


def run_body(name: str, of: int, created: datetime, *, state: str = "True") -> Json:
    """Give a PipelineRun of ten tasks, resolved; `state` is that of its condition."""
    begun, ended = created + timedelta(seconds=4), created + timedelta(seconds=304)
    reason = {"True": "Succeeded", "False": "Failed", "Unknown": "Running"}[state]
    status: Json = {
        "startTime": _stamp(begun),
        "conditions": [{"type": "Succeeded", "status": state, "reason": reason,
                        "message": "Tasks Completed: 10 (Failed: 0, Cancelled 0), Skipped: 0"}],
        "childReferences": [
            {"apiVersion": "tekton.dev/v1", "kind": "TaskRun", "name": f"{name}-{task}",
             "pipelineTaskName": task}
            for task in TASKS
        ],
        "pipelineSpec": {
            "params": [{"name": "revision", "type": "string", "default": "main"}],
            "tasks": [
                {"name": task, "taskRef": {"kind": "Task", "name": task},
                 "runAfter": [TASKS[max(0, place - 1)]] if place else [],
                 "params": [{"name": "revision", "value": "$(params.revision)"}]}
                for place, task in enumerate(TASKS[:-1])
            ],
            "finally": [{"name": TASKS[-1], "taskRef": {"kind": "Task", "name": TASKS[-1]}}],
        },
    }  # fmt: skip
    if state != "Unknown":
        status["completionTime"] = _stamp(ended)
        status["results"] = [
            {"name": "IMAGE_URL", "value": f"registry.example.test/service-{of}:{name}"},
            {"name": "IMAGE_DIGEST", "value": f"sha256:{of:064x}"},
        ]
    return {
        "apiVersion": "tekton.dev/v1",
        "kind": "PipelineRun",
        "metadata": {
            "name": name, "namespace": NAMESPACE, "uid": f"uid-{name}", "resourceVersion": "7",
            "creationTimestamp": _stamp(created),
            "labels": {"tekton.dev/pipeline": f"service-{of}",
                       "backstage.io/kubernetes-id": f"service-{of}",
                       "app.kubernetes.io/managed-by": "tekton-pipelines"},
        },
        "spec": {
            "pipelineRef": {"name": f"service-{of}"},
            "params": [{"name": "revision", "value": f"{of:040x}"},
                       {"name": "repo-url", "value": f"https://git.example.test/shop/{of}.git"}],
            "timeouts": {"pipeline": "1h0m0s"},
        },
        "status": status,
    }  # fmt: skip


def task_body(run: Mapping[str, Any], place: int, *, state: str = "True") -> Json:
    """Give the TaskRun of a run's task, of two steps; its pod has the name of it."""
    created = datetime.fromisoformat(run["metadata"]["creationTimestamp"])
    begun, ended = (created + timedelta(seconds=30 * place + more) for more in (6, 32))
    name = f"{run['metadata']['name']}-{TASKS[place]}"
    span = {"startedAt": _stamp(begun)}
    done = {"terminated": {**span, "finishedAt": _stamp(ended), "exitCode": 0,
                           "reason": "Completed"}}  # fmt: skip
    status: Json = {
        "startTime": _stamp(begun),
        "podName": f"{name}-pod",
        "conditions": [{"type": "Succeeded", "status": state,
                        "reason": "Running" if state == "Unknown" else "Succeeded"}],
        "steps": [
            {"name": step, "container": f"step-{step}",
             "imageID": f"registry.example.test/{step}@sha256:{place:064x}",
             **({"running": span} if state == "Unknown" else done)}
            for step in ("prepare", "work")
        ],
    }  # fmt: skip
    if state != "Unknown":
        status["completionTime"] = _stamp(ended)
    return {
        "apiVersion": "tekton.dev/v1",
        "kind": "TaskRun",
        "metadata": {
            "name": name, "namespace": NAMESPACE, "uid": f"uid-{name}", "resourceVersion": "9",
            "creationTimestamp": _stamp(begun),
            "labels": {
                "tekton.dev/pipelineRun": run["metadata"]["name"],
                "tekton.dev/pipelineRunUID": run["metadata"]["uid"],
                "tekton.dev/pipelineTask": TASKS[place],
                "tekton.dev/memberOf": "finally" if place == len(TASKS) - 1 else "tasks",
            },
        },
        "spec": {"taskRef": {"kind": "Task", "name": TASKS[place]},
                 "params": [{"name": "revision", "value": "main"}]},
        "status": status,
    }  # fmt: skip


def _stamp(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def write_past(url: str) -> None:
    """Write 20,000 runs with 200,000 task runs, of which nobody has said yet whose they are."""
    database = Database(url)
    numbers = iter(range(1, RUNS + 1))
    now = datetime.now(UTC)
    while part := list(itertools.islice(numbers, TOGETHER)):
        with database.write() as connection:
            _write(connection, part, now)
    with database.write() as connection:
        if database.dialect == "postgresql":
            for table in (models.run, models.task):
                connection.execute(text(
                    f"SELECT setval(pg_get_serial_sequence('{table.name}', 'id'), "
                    f"(SELECT max(id) FROM {table.name}))"
                ))  # fmt: skip
        connection.execute(text("ANALYZE"))
    database.close()


def _write(connection: Connection, numbers: list[int], now: datetime) -> None:
    rows: dict[Table, list[Json]] = {
        table: [] for table in (models.run, models.detail, models.key, models.task, models.step)
    }
    for number in numbers:
        created = now - timedelta(days=DAYS) * ((RUNS - number) / RUNS) - timedelta(hours=1)
        state = "False" if number % 9 == 0 else "True"
        body = run_body(f"run-{number}", service(number), created, state=state)
        _add_run(rows, number, body, now)
        for place in range(len(TASKS)):
            _add_task(rows, number, len(TASKS) * number + place, task_body(body, place))
    for table, found in rows.items():
        connection.execute(insert(table), found)


def _add_run(rows: Mapping[Table, list[Json]], number: int, body: Json, now: datetime) -> None:
    parsed = parse_run(body)
    more = {"id": number, "cluster": CLUSTER, "gone": True, "changed_at": now, "matched": False,
            "retries": 0, "tasks_done": len(TASKS), "queued": 2}  # fmt: skip
    rows[models.run].append({**parsed.row, **more})
    rows[models.detail].append({**parsed.detail, "run_id": number})
    keys = keys_of_run(CLUSTER, parsed.row, parsed.detail)
    rows[models.key].extend({"run_id": number, "key": key} for key in keys)


def _add_task(rows: Mapping[Table, list[Json]], run: int, number: int, body: Json) -> None:
    for parsed in parse_task(body):
        more = {"id": number, "run_id": run, "cluster": CLUSTER, "gone": True}
        rows[models.task].append({**parsed.row, **more})
        rows[models.step].extend({**step, "task_id": number} for step in parsed.steps)


def newest(of: int, count: int) -> Iterator[int]:
    """Give the numbers of a service's newest runs."""
    found = (number for number in range(RUNS, 0, -1) if service(number) == of)
    return itertools.islice(found, count)
