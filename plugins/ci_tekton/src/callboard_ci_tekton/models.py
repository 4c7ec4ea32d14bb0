"""The plugin's tables: runs and what they did, kept when the cluster has long forgotten them.

A run is a PipelineRun or, with the source `gitlab`, a pipeline of GitLab CI. Its tasks are
TaskRuns, CustomRuns or jobs: one row for each attempt. Times are UTC, durations whole seconds,
as the clusters give them.
"""

from typing import Final

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Date,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
)

from callboard.database import Json, TranslatedText, UtcDateTime

metadata: Final = MetaData()

# `state` is one of `callboard_ci_tekton.runs.states`. Where the source is `gitlab`, `cluster` is
# the host's name and `namespace` the project's path.
run: Final = Table(
    "ci_tekton_run",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("source", String(10), nullable=False),
    Column("cluster", String(63), nullable=False),
    Column("namespace", String(253), nullable=False),
    Column("name", String(253), nullable=False),
    Column("uid", String(120), nullable=False),
    # What the cluster called the object as it is kept here; empty where nothing does.
    Column("version", String(100), nullable=False),
    Column("pipeline", String(253), nullable=False),
    Column("title", String(300), nullable=False),
    Column("state", String(10), nullable=False),
    Column("reason", String(100), nullable=False),
    Column("message", Text, nullable=False),
    # `spec.status`: what was asked of the run, such as `StoppedRunFinally`.
    Column("asked", String(40), nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("started_at", UtcDateTime),
    Column("finished_at", UtcDateTime),
    # When the first step of any task began: the time until then was spent in a queue.
    Column("worked_at", UtcDateTime),
    Column("queued", Integer),
    Column("duration", Integer),
    Column("retries", Integer, nullable=False),
    # How many tasks have ended and how many there are, as far as it is known.
    Column("tasks_done", Integer, nullable=False),
    Column("tasks", Integer, nullable=False),
    # `push`, `tag`, `merge_request`, `person`, `schedule` or `other`
    Column("trigger", String(20), nullable=False),
    # Of work under way: a merge request, or a branch that is not the default one. It says nothing
    # of how a service fares.
    Column("aside", Boolean, nullable=False),
    # A reference such as `user:default/ada` where it is known, else a name on the code host.
    Column("actor", String(250), nullable=False),
    # The number Triggers or this portal gave to what set the run off.
    Column("event", String(100), nullable=False),
    Column("repository", String(500), nullable=False),
    Column("branch", String(250), nullable=False),
    Column("change", String(50), nullable=False),
    Column("commit", String(64), nullable=False),
    Column("commit_title", String(300), nullable=False),
    Column("author", String(200), nullable=False),
    # The uid of the run that this one repeats.
    Column("rerun_of", String(120), nullable=False),
    # The entity for which somebody who may started it from this portal.
    Column("started_for", String(250)),
    # Where it can be looked at outside of this portal.
    Column("link", String(1000), nullable=False),
    Column("gone", Boolean, nullable=False),
    Column("matched", Boolean, nullable=False),
    Column("changed_at", UtcDateTime, nullable=False),
    Index("uq_ci_tekton_run", "cluster", "uid", unique=True),
    Index("ix_ci_tekton_run_name", "cluster", "namespace", "name"),
    Index("ix_ci_tekton_run_created", "created_at", "id"),
    Index("ix_ci_tekton_run_state", "state", "created_at", "id"),
    Index("ix_ci_tekton_run_unmatched", "matched", "created_at", "id"),
    Index("ix_ci_tekton_run_pipeline", "cluster", "namespace", "pipeline", "created_at", "id"),
    Index("ix_ci_tekton_run_finished", "finished_at"),
    Index("ix_ci_tekton_run_event", "event"),
)

# What only the page of the run shows, apart from the rows that lists go through.
detail: Final = Table(
    "ci_tekton_detail",
    metadata,
    Column("run_id", ForeignKey("ci_tekton_run.id", ondelete="CASCADE"), primary_key=True),
    # [{name, value}], values of secrets hidden
    Column("parameters", Json, nullable=False),
    # [{name, type, value}]
    Column("results", Json, nullable=False),
    # [{name, kind, source}]
    Column("workspaces", Json, nullable=False),
    # [{name, reason, why}] of tasks that did not run
    Column("skipped", Json, nullable=False),
    # See `callboard_ci_tekton.runs.graph`; null while the pipeline is not resolved.
    Column("graph", Json),
    Column("labels", Json, nullable=False),
    Column("annotations", Json, nullable=False),
    # The object as it was last seen, JSON compressed by zlib, parameters redacted; for a rerun
    # after the cluster has forgotten it.
    Column("body", LargeBinary, nullable=False),
)

# One row for each attempt; that with the highest number is the current one. A task may be seen
# before its run: until then `run_id` is null.
task: Final = Table(
    "ci_tekton_task",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("run_id", ForeignKey("ci_tekton_run.id", ondelete="CASCADE")),
    Column("cluster", String(63), nullable=False),
    Column("run_uid", String(120), nullable=False),
    Column("uid", String(120), nullable=False),
    Column("version", String(100), nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("current", Boolean, nullable=False),
    # `TaskRun`, `CustomRun` or `job`
    Column("kind", String(20), nullable=False),
    Column("namespace", String(253), nullable=False),
    Column("name", String(253), nullable=False),
    # The task's name in the pipeline; several rows share it where there is a matrix.
    Column("task", String(253), nullable=False),
    # What it runs: the Task's name, or of a custom task its kind.
    Column("reference", String(253), nullable=False),
    # `tasks` or `finally`; the stage of a job
    Column("member", String(63), nullable=False),
    Column("state", String(10), nullable=False),
    Column("reason", String(100), nullable=False),
    Column("message", Text, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("started_at", UtcDateTime),
    Column("finished_at", UtcDateTime),
    # When its first step began.
    Column("worked_at", UtcDateTime),
    Column("duration", Integer),
    Column("pod", String(253), nullable=False),
    Column("parameters", Json, nullable=False),
    Column("results", Json, nullable=False),
    Column("gone", Boolean, nullable=False),
    Index("uq_ci_tekton_task", "cluster", "uid", "attempt", unique=True),
    Index("ix_ci_tekton_task_run", "run_id", "task", "attempt"),
    Index("ix_ci_tekton_task_run_uid", "cluster", "run_uid"),
    Index("ix_ci_tekton_task_created", "created_at"),
)

step: Final = Table(
    "ci_tekton_step",
    metadata,
    Column("task_id", ForeignKey("ci_tekton_task.id", ondelete="CASCADE"), primary_key=True),
    Column("position", Integer, primary_key=True),
    Column("name", String(253), nullable=False),
    # `job` for a job of GitLab, which has one log.
    Column("container", String(253), nullable=False),
    Column("sidecar", Boolean, nullable=False),
    Column("image", String(500), nullable=False),
    Column("state", String(10), nullable=False),
    Column("exit_code", Integer),
    Column("reason", String(100), nullable=False),
    Column("started_at", UtcDateTime),
    Column("finished_at", UtcDateTime),
)

# Why a task that waits does not go on, as its pod says and the events about it.
finding: Final = Table(
    "ci_tekton_finding",
    metadata,
    Column("task_id", ForeignKey("ci_tekton_task.id", ondelete="CASCADE"), primary_key=True),
    Column("reason", String(100), nullable=False),
    Column("message", Text, nullable=False),
    Column("seen_at", UtcDateTime, nullable=False),
)

# Where the log of a container of a task's attempt is kept. `state` is `waiting`, `reading`,
# `kept`, `cut` (longer than the limit, or its end is missing), `lost` (the pod was gone) or
# `expired`; `saved` while the step runs on and something of its log is at `address` already.
log: Final = Table(
    "ci_tekton_log",
    metadata,
    Column("task_id", ForeignKey("ci_tekton_task.id", ondelete="CASCADE"), primary_key=True),
    Column("container", String(253), primary_key=True),
    Column("state", String(10), nullable=False),
    Column("address", String(1000), nullable=False),
    Column("lines", Integer, nullable=False),
    # Of the text, and of what is stored of it.
    Column("bytes", BigInteger, nullable=False),
    Column("stored", BigInteger, nullable=False),
    Column("digest", String(64), nullable=False),
    Column("until", String(40), nullable=False),
    Column("kept_at", UtcDateTime),
    Column("attempts", Integer, nullable=False),
    Column("error", TranslatedText, nullable=False),
    Column("holder", String(120), nullable=False),
    Column("held_until", UtcDateTime),
    Index("ix_ci_tekton_log_state", "state", "held_until"),
    Index("ix_ci_tekton_log_kept", "kept_at"),
)

# What hosts of repositories told that runs may follow from: a push of a branch or a tag, or news of
# a merge request.
push: Final = Table(
    "ci_tekton_push",
    metadata,
    Column("id", Integer, primary_key=True),
    # `delivery:<number>` of the inbox, else `event:<number>`: the same each time it is worked.
    Column("key", String(120), nullable=False, unique=True),
    # The number of the delivery in the inbox, 0 where it came in another way.
    Column("delivery", BigInteger, nullable=False),
    # `push`, `tag` or `merge_request`
    Column("kind", String(20), nullable=False),
    # What was done with a merge request.
    Column("action", String(20), nullable=False),
    # As `callboard.repositories.pushed.comparable` gives it, and to clone it.
    Column("repository", String(500), nullable=False),
    Column("address", String(1000), nullable=False),
    # Of a merge request: the branch it is to be merged into, and the one that holds it.
    Column("branch", String(250), nullable=False),
    Column("source", String(250), nullable=False),
    Column("tag", String(250), nullable=False),
    Column("commit", String(64), nullable=False),
    Column("before", String(64), nullable=False),
    Column("number", Integer, nullable=False),
    Column("fork", Boolean, nullable=False),
    Column("actor", String(250), nullable=False),
    Column("title", String(300), nullable=False),
    # The paths that changed; null where not all are known.
    Column("files", Json),
    # `waiting`, `decided`, `ignored` (for a reason no rule can change) or `failed`
    Column("state", String(10), nullable=False),
    Column("reason", TranslatedText, nullable=False),
    Column("received_at", UtcDateTime, nullable=False),
    Index("ix_ci_tekton_push_received", "received_at", "id"),
    Index("ix_ci_tekton_push_delivery", "delivery"),
)

# What a rule said to a push, and what came of it.
delivery: Final = Table(
    "ci_tekton_delivery",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("push_id", ForeignKey("ci_tekton_push.id", ondelete="CASCADE"), nullable=False),
    Column("rule", String(200), nullable=False),
    # The place of the rule among all, for the page.
    Column("position", Integer, nullable=False),
    # `waiting`, `started`, `forwarded`, `ignored` or `failed`
    Column("state", String(10), nullable=False),
    Column("reason", TranslatedText, nullable=False),
    # What it is to start, as `callboard_ci_tekton.push.model.Plan` writes it.
    Column("plan", Json, nullable=False),
    Column("pipeline", String(253), nullable=False),
    Column("cluster", String(63), nullable=False),
    Column("namespace", String(253), nullable=False),
    # The name of the run, where this portal created it; the listener's number, where it forwarded.
    Column("name", String(253), nullable=False),
    Column("event", String(100), nullable=False),
    Column("run_id", ForeignKey("ci_tekton_run.id", ondelete="SET NULL")),
    # The status of the commit: its name, empty where none is to be written, the state that was
    # written last, and why the newest one is not.
    Column("context", String(255), nullable=False),
    Column("told", String(10), nullable=False),
    Column("told_at", UtcDateTime),
    Column("told_error", TranslatedText, nullable=False),
    Index("uq_ci_tekton_delivery", "push_id", "rule", unique=True),
    Index("ix_ci_tekton_delivery_event", "event"),
    Index("ix_ci_tekton_delivery_name", "cluster", "namespace", "name"),
    Index("ix_ci_tekton_delivery_run", "run_id"),
)

# An image that a run built, as it was told by `ci.build.finished`.
build: Final = Table(
    "ci_tekton_build",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("run_id", ForeignKey("ci_tekton_run.id", ondelete="CASCADE"), nullable=False),
    Column("repository", String(500), nullable=False),
    Column("commit", String(64), nullable=False),
    Column("image", String(500), nullable=False),
    Column("digest", String(100), nullable=False),
    Column("results", Json, nullable=False),
    # What Tekton Chains says: {signed, format, address, tasks: {name: …}}; empty without it.
    Column("provenance", Json, nullable=False),
    Column("built_at", UtcDateTime, nullable=False),
    Index("uq_ci_tekton_build", "run_id", "image", "digest", unique=True),
    Index("ix_ci_tekton_build_digest", "digest"),
    Index("ix_ci_tekton_build_commit", "commit"),
)

# By what a run can be found: `id:cart-service`, `label:team=shop`, `repository:…`, …
key: Final = Table(
    "ci_tekton_key",
    metadata,
    Column("run_id", ForeignKey("ci_tekton_run.id", ondelete="CASCADE"), primary_key=True),
    Column("key", String(600), primary_key=True),
    Index("ix_ci_tekton_key_key", "key", "run_id"),
)

# The entities that runs may belong to, with what their pages and the statistics group by.
entity: Final = Table(
    "ci_tekton_entity",
    metadata,
    Column("ref", String(250), primary_key=True),
    Column("owner", String(250), nullable=False),
    # A digest of the selectors: equal means that no run need be matched again.
    Column("state", String(64), nullable=False),
    Index("ix_ci_tekton_entity_owner", "owner"),
)

# What runs an entity asks for: those with the key, and with all of `conditions` besides.
selector: Final = Table(
    "ci_tekton_selector",
    metadata,
    Column("entity", ForeignKey("ci_tekton_entity.ref", ondelete="CASCADE"), primary_key=True),
    Column("position", Integer, primary_key=True),
    Column("key", String(600), nullable=False, index=True),
    Column("conditions", Json, nullable=False),
    # Those with the lowest rank win; see `callboard_ci_tekton.matching.keys`.
    Column("rank", Integer, nullable=False),
)

# Which runs belong to which entity. `how` is the key by which they were found.
match: Final = Table(
    "ci_tekton_match",
    metadata,
    Column("run_id", ForeignKey("ci_tekton_run.id", ondelete="CASCADE"), primary_key=True),
    Column("entity", String(250), primary_key=True),
    Column("how", String(600), nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Index("ix_ci_tekton_match_entity", "entity", "created_at", "run_id"),
)

# The newest run of each pipeline of an entity, merge requests aside: what lists and cards show.
latest: Final = Table(
    "ci_tekton_latest",
    metadata,
    Column("entity", String(250), primary_key=True),
    Column("pipeline", String(600), primary_key=True),
    Column("run_id", ForeignKey("ci_tekton_run.id", ondelete="CASCADE"), nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Index("ix_ci_tekton_latest_run", "run_id"),
)

# What ended of the runs of an entity that were created on a day, in UTC; see
# `callboard_ci_tekton.days`. Durations and times in the queue are sorted lists of seconds.
day: Final = Table(
    "ci_tekton_day",
    metadata,
    Column("entity", String(250), primary_key=True),
    Column("day", Date, primary_key=True),
    Column("runs", Integer, nullable=False),
    Column("succeeded", Integer, nullable=False),
    Column("durations", Json, nullable=False),
    Column("queues", Json, nullable=False),
)

# Keys that are asked for otherwise than before: their runs up to `after` are matched anew.
rematch: Final = Table(
    "ci_tekton_rematch",
    metadata,
    Column("key", String(600), primary_key=True),
    Column("after", Integer, nullable=False),
)

# A repository that an entity or a claim names and a configured host of type `gitlab` has.
project: Final = Table(
    "ci_tekton_project",
    metadata,
    Column("id", Integer, primary_key=True),
    # As `callboard.repositories.pushed.comparable` gives it.
    Column("address", String(500), nullable=False, unique=True),
    Column("host", String(63), nullable=False),
    Column("path", String(253), nullable=False),
    # `new`, `read`, `failed`, or `off`: the project has no CI
    Column("state", String(10), nullable=False),
    Column("error", TranslatedText, nullable=False),
    # Its default branch, empty while it is not known.
    Column("branch", String(250), nullable=False),
    Column("looked_at", UtcDateTime),
    # All that changed there until then is here, by the host's clock.
    Column("read_until", UtcDateTime),
    Column("read_at", UtcDateTime),
    Column("failing_since", UtcDateTime),
    Column("failures", Integer, nullable=False),
    Column("due_at", UtcDateTime, nullable=False),
    # What needs what, by the commit that was asked last: {commit, jobs}.
    Column("needs", Json, nullable=False),
    Index("ix_ci_tekton_project_due", "due_at"),
    Index("ix_ci_tekton_project_path", "host", "path"),
)

# What a person said of runs that nothing else matched: those with the key belong to the entity.
claim: Final = Table(
    "ci_tekton_claim",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("key", String(600), nullable=False, unique=True),
    Column("entity", String(250), nullable=False, index=True),
    Column("actor", String(250), nullable=False),
    Column("at", UtcDateTime, nullable=False),
)

# Pipelines of the clusters that can be started, with what their forms are made of.
pipeline: Final = Table(
    "ci_tekton_pipeline",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("cluster", String(63), nullable=False),
    Column("namespace", String(253), nullable=False),
    Column("name", String(253), nullable=False),
    # Of its `spec`: `displayName`, `description`, `params` and `workspaces`.
    Column("declaration", Json, nullable=False),
    Column("service_account", String(253), nullable=False),
    Index("uq_ci_tekton_pipeline", "cluster", "namespace", "name", unique=True),
)

# By what a pipeline can be found, as `key` has it of runs.
pipeline_key: Final = Table(
    "ci_tekton_pipeline_key",
    metadata,
    Column("pipeline_id", ForeignKey("ci_tekton_pipeline.id", ondelete="CASCADE"),
           primary_key=True),
    Column("key", String(600), primary_key=True),
    Index("ix_ci_tekton_pipeline_key_key", "key", "pipeline_id"),
)  # fmt: skip

# Tasks that wait for people, as objects of the kind ApprovalTask tell; kept with their run.
approval: Final = Table(
    "ci_tekton_approval",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("cluster", String(63), nullable=False),
    Column("namespace", String(253), nullable=False),
    Column("name", String(253), nullable=False),
    Column("uid", String(120), nullable=False),
    Column("version", String(100), nullable=False),
    Column("run_uid", String(120), nullable=False),
    # The task's name in the pipeline.
    Column("task", String(253), nullable=False),
    # `pending`, `approved` or `rejected`
    Column("state", String(10), nullable=False),
    Column("description", Text, nullable=False),
    Column("required", Integer, nullable=False),
    # [{name, kind: User|Group, answers: [{name, answer: approve|reject, comment}]}]
    Column("approvers", Json, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("gone", Boolean, nullable=False),
    Index("uq_ci_tekton_approval", "cluster", "uid", unique=True),
    Index("ix_ci_tekton_approval_run", "cluster", "run_uid"),
    Index("ix_ci_tekton_approval_state", "state", "gone"),
)
