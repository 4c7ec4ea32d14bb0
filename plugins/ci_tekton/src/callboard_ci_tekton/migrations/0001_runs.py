"""Runs, tasks, steps and logs; deliveries and builds; and what matches runs to entities."""

import sqlalchemy as sa
from alembic import op

from callboard.database import Json, TranslatedText, UtcDateTime

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    _create_run()
    _create_detail()
    _create_task()
    _create_step()
    _create_finding()
    _create_log()
    _create_push()
    _create_delivery()
    _create_build()
    _create_key()
    _create_entity()
    _create_selector()
    _create_match()
    _create_latest()
    _create_rematch()
    _create_project()
    _create_claim()
    _create_pipeline()
    _create_approval()


def _create_run() -> None:
    op.create_table(
        "ci_tekton_run",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("source", sa.String(10), nullable=False),
        sa.Column("cluster", sa.String(63), nullable=False),
        sa.Column("namespace", sa.String(253), nullable=False),
        sa.Column("name", sa.String(253), nullable=False),
        sa.Column("uid", sa.String(120), nullable=False),
        sa.Column("version", sa.String(100), nullable=False),
        sa.Column("pipeline", sa.String(253), nullable=False),
        sa.Column("title", sa.String(300), nullable=False),
        sa.Column("state", sa.String(10), nullable=False),
        sa.Column("reason", sa.String(100), nullable=False),
        sa.Column("message", sa.Text, nullable=False),
        sa.Column("asked", sa.String(40), nullable=False),
        sa.Column("created_at", UtcDateTime, nullable=False),
        sa.Column("started_at", UtcDateTime),
        sa.Column("finished_at", UtcDateTime),
        sa.Column("worked_at", UtcDateTime),
        sa.Column("queued", sa.Integer),
        sa.Column("duration", sa.Integer),
        sa.Column("retries", sa.Integer, nullable=False),
        sa.Column("tasks_done", sa.Integer, nullable=False),
        sa.Column("tasks", sa.Integer, nullable=False),
        sa.Column("trigger", sa.String(20), nullable=False),
        sa.Column("aside", sa.Boolean, nullable=False),
        sa.Column("actor", sa.String(250), nullable=False),
        sa.Column("event", sa.String(100), nullable=False),
        sa.Column("repository", sa.String(500), nullable=False),
        sa.Column("branch", sa.String(250), nullable=False),
        sa.Column("change", sa.String(50), nullable=False),
        sa.Column("commit", sa.String(64), nullable=False),
        sa.Column("commit_title", sa.String(300), nullable=False),
        sa.Column("author", sa.String(200), nullable=False),
        sa.Column("rerun_of", sa.String(120), nullable=False),
        sa.Column("started_for", sa.String(250)),
        sa.Column("link", sa.String(1000), nullable=False),
        sa.Column("gone", sa.Boolean, nullable=False),
        sa.Column("matched", sa.Boolean, nullable=False),
        sa.Column("changed_at", UtcDateTime, nullable=False),
    )
    op.create_index("ix_ci_tekton_run_created", "ci_tekton_run", ["created_at", "id"])
    op.create_index("ix_ci_tekton_run_event", "ci_tekton_run", ["event"])
    op.create_index("ix_ci_tekton_run_finished", "ci_tekton_run", ["finished_at"])
    op.create_index("ix_ci_tekton_run_name", "ci_tekton_run", ["cluster", "namespace", "name"])
    op.create_index(
        "ix_ci_tekton_run_pipeline",
        "ci_tekton_run",
        ["cluster", "namespace", "pipeline", "created_at", "id"],
    )
    op.create_index("ix_ci_tekton_run_state", "ci_tekton_run", ["state", "created_at", "id"])
    op.create_index("ix_ci_tekton_run_unmatched", "ci_tekton_run", ["matched", "created_at", "id"])
    op.create_index("uq_ci_tekton_run", "ci_tekton_run", ["cluster", "uid"], unique=True)


def _create_detail() -> None:
    op.create_table(
        "ci_tekton_detail",
        sa.Column(
            "run_id",
            sa.Integer,
            sa.ForeignKey("ci_tekton_run.id", ondelete="CASCADE"),
            primary_key=True,
        ),
        sa.Column("parameters", Json, nullable=False),
        sa.Column("results", Json, nullable=False),
        sa.Column("workspaces", Json, nullable=False),
        sa.Column("skipped", Json, nullable=False),
        sa.Column("graph", Json),
        sa.Column("labels", Json, nullable=False),
        sa.Column("annotations", Json, nullable=False),
        sa.Column("body", sa.LargeBinary, nullable=False),
    )


def _create_task() -> None:
    op.create_table(
        "ci_tekton_task",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("run_id", sa.Integer, sa.ForeignKey("ci_tekton_run.id", ondelete="CASCADE")),
        sa.Column("cluster", sa.String(63), nullable=False),
        sa.Column("run_uid", sa.String(120), nullable=False),
        sa.Column("uid", sa.String(120), nullable=False),
        sa.Column("version", sa.String(100), nullable=False),
        sa.Column("attempt", sa.Integer, nullable=False),
        sa.Column("current", sa.Boolean, nullable=False),
        sa.Column("kind", sa.String(20), nullable=False),
        sa.Column("namespace", sa.String(253), nullable=False),
        sa.Column("name", sa.String(253), nullable=False),
        sa.Column("task", sa.String(253), nullable=False),
        sa.Column("reference", sa.String(253), nullable=False),
        sa.Column("member", sa.String(63), nullable=False),
        sa.Column("state", sa.String(10), nullable=False),
        sa.Column("reason", sa.String(100), nullable=False),
        sa.Column("message", sa.Text, nullable=False),
        sa.Column("created_at", UtcDateTime, nullable=False),
        sa.Column("started_at", UtcDateTime),
        sa.Column("finished_at", UtcDateTime),
        sa.Column("worked_at", UtcDateTime),
        sa.Column("duration", sa.Integer),
        sa.Column("pod", sa.String(253), nullable=False),
        sa.Column("parameters", Json, nullable=False),
        sa.Column("results", Json, nullable=False),
        sa.Column("gone", sa.Boolean, nullable=False),
    )
    op.create_index("ix_ci_tekton_task_created", "ci_tekton_task", ["created_at"])
    op.create_index("ix_ci_tekton_task_run", "ci_tekton_task", ["run_id", "task", "attempt"])
    op.create_index("ix_ci_tekton_task_run_uid", "ci_tekton_task", ["cluster", "run_uid"])
    op.create_index(
        "uq_ci_tekton_task", "ci_tekton_task", ["cluster", "uid", "attempt"], unique=True
    )


def _create_step() -> None:
    op.create_table(
        "ci_tekton_step",
        sa.Column(
            "task_id",
            sa.Integer,
            sa.ForeignKey("ci_tekton_task.id", ondelete="CASCADE"),
            primary_key=True,
        ),
        sa.Column("position", sa.Integer, primary_key=True),
        sa.Column("name", sa.String(253), nullable=False),
        sa.Column("container", sa.String(253), nullable=False),
        sa.Column("sidecar", sa.Boolean, nullable=False),
        sa.Column("image", sa.String(500), nullable=False),
        sa.Column("state", sa.String(10), nullable=False),
        sa.Column("exit_code", sa.Integer),
        sa.Column("reason", sa.String(100), nullable=False),
        sa.Column("started_at", UtcDateTime),
        sa.Column("finished_at", UtcDateTime),
    )


def _create_finding() -> None:
    op.create_table(
        "ci_tekton_finding",
        sa.Column(
            "task_id",
            sa.Integer,
            sa.ForeignKey("ci_tekton_task.id", ondelete="CASCADE"),
            primary_key=True,
        ),
        sa.Column("reason", sa.String(100), nullable=False),
        sa.Column("message", sa.Text, nullable=False),
        sa.Column("seen_at", UtcDateTime, nullable=False),
    )


def _create_log() -> None:
    op.create_table(
        "ci_tekton_log",
        sa.Column(
            "task_id",
            sa.Integer,
            sa.ForeignKey("ci_tekton_task.id", ondelete="CASCADE"),
            primary_key=True,
        ),
        sa.Column("container", sa.String(253), primary_key=True),
        sa.Column("state", sa.String(10), nullable=False),
        sa.Column("address", sa.String(1000), nullable=False),
        sa.Column("lines", sa.Integer, nullable=False),
        sa.Column("bytes", sa.BigInteger, nullable=False),
        sa.Column("stored", sa.BigInteger, nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("until", sa.String(40), nullable=False),
        sa.Column("kept_at", UtcDateTime),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("error", TranslatedText, nullable=False),
        sa.Column("holder", sa.String(120), nullable=False),
        sa.Column("held_until", UtcDateTime),
    )
    op.create_index("ix_ci_tekton_log_kept", "ci_tekton_log", ["kept_at"])
    op.create_index("ix_ci_tekton_log_state", "ci_tekton_log", ["state", "held_until"])


def _create_push() -> None:
    op.create_table(
        "ci_tekton_push",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("key", sa.String(120), nullable=False, unique=True),
        sa.Column("delivery", sa.BigInteger, nullable=False),
        sa.Column("kind", sa.String(20), nullable=False),
        sa.Column("action", sa.String(20), nullable=False),
        sa.Column("repository", sa.String(500), nullable=False),
        sa.Column("address", sa.String(1000), nullable=False),
        sa.Column("branch", sa.String(250), nullable=False),
        sa.Column("source", sa.String(250), nullable=False),
        sa.Column("tag", sa.String(250), nullable=False),
        sa.Column("commit", sa.String(64), nullable=False),
        sa.Column("before", sa.String(64), nullable=False),
        sa.Column("number", sa.Integer, nullable=False),
        sa.Column("fork", sa.Boolean, nullable=False),
        sa.Column("actor", sa.String(250), nullable=False),
        sa.Column("title", sa.String(300), nullable=False),
        sa.Column("files", Json),
        sa.Column("state", sa.String(10), nullable=False),
        sa.Column("reason", TranslatedText, nullable=False),
        sa.Column("received_at", UtcDateTime, nullable=False),
    )
    op.create_index("ix_ci_tekton_push_delivery", "ci_tekton_push", ["delivery"])
    op.create_index("ix_ci_tekton_push_received", "ci_tekton_push", ["received_at", "id"])


def _create_delivery() -> None:
    op.create_table(
        "ci_tekton_delivery",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column(
            "push_id",
            sa.Integer,
            sa.ForeignKey("ci_tekton_push.id", ondelete="CASCADE"),
            nullable=False,
        ),
        sa.Column("rule", sa.String(200), nullable=False),
        sa.Column("position", sa.Integer, nullable=False),
        sa.Column("state", sa.String(10), nullable=False),
        sa.Column("reason", TranslatedText, nullable=False),
        sa.Column("plan", Json, nullable=False),
        sa.Column("pipeline", sa.String(253), nullable=False),
        sa.Column("cluster", sa.String(63), nullable=False),
        sa.Column("namespace", sa.String(253), nullable=False),
        sa.Column("name", sa.String(253), nullable=False),
        sa.Column("event", sa.String(100), nullable=False),
        sa.Column("run_id", sa.Integer, sa.ForeignKey("ci_tekton_run.id", ondelete="SET NULL")),
        sa.Column("context", sa.String(255), nullable=False),
        sa.Column("told", sa.String(10), nullable=False),
        sa.Column("told_at", UtcDateTime),
        sa.Column("told_error", TranslatedText, nullable=False),
    )
    op.create_index("ix_ci_tekton_delivery_event", "ci_tekton_delivery", ["event"])
    op.create_index(
        "ix_ci_tekton_delivery_name", "ci_tekton_delivery", ["cluster", "namespace", "name"]
    )
    op.create_index("ix_ci_tekton_delivery_run", "ci_tekton_delivery", ["run_id"])
    op.create_index("uq_ci_tekton_delivery", "ci_tekton_delivery", ["push_id", "rule"], unique=True)


def _create_build() -> None:
    op.create_table(
        "ci_tekton_build",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column(
            "run_id",
            sa.Integer,
            sa.ForeignKey("ci_tekton_run.id", ondelete="CASCADE"),
            nullable=False,
        ),
        sa.Column("repository", sa.String(500), nullable=False),
        sa.Column("commit", sa.String(64), nullable=False),
        sa.Column("image", sa.String(500), nullable=False),
        sa.Column("digest", sa.String(100), nullable=False),
        sa.Column("results", Json, nullable=False),
        sa.Column("provenance", Json, nullable=False),
        sa.Column("built_at", UtcDateTime, nullable=False),
    )
    op.create_index("ix_ci_tekton_build_commit", "ci_tekton_build", ["commit"])
    op.create_index("ix_ci_tekton_build_digest", "ci_tekton_build", ["digest"])
    op.create_index(
        "uq_ci_tekton_build", "ci_tekton_build", ["run_id", "image", "digest"], unique=True
    )


def _create_key() -> None:
    op.create_table(
        "ci_tekton_key",
        sa.Column(
            "run_id",
            sa.Integer,
            sa.ForeignKey("ci_tekton_run.id", ondelete="CASCADE"),
            primary_key=True,
        ),
        sa.Column("key", sa.String(600), primary_key=True),
    )
    op.create_index("ix_ci_tekton_key_key", "ci_tekton_key", ["key", "run_id"])


def _create_entity() -> None:
    op.create_table(
        "ci_tekton_entity",
        sa.Column("ref", sa.String(250), primary_key=True),
        sa.Column("owner", sa.String(250), nullable=False),
        sa.Column("state", sa.String(64), nullable=False),
    )
    op.create_index("ix_ci_tekton_entity_owner", "ci_tekton_entity", ["owner"])


def _create_selector() -> None:
    op.create_table(
        "ci_tekton_selector",
        sa.Column(
            "entity",
            sa.String(250),
            sa.ForeignKey("ci_tekton_entity.ref", ondelete="CASCADE"),
            primary_key=True,
        ),
        sa.Column("position", sa.Integer, primary_key=True),
        sa.Column("key", sa.String(600), nullable=False),
        sa.Column("conditions", Json, nullable=False),
        sa.Column("rank", sa.Integer, nullable=False),
    )
    op.create_index("ix_ci_tekton_selector_key", "ci_tekton_selector", ["key"])


def _create_match() -> None:
    op.create_table(
        "ci_tekton_match",
        sa.Column(
            "run_id",
            sa.Integer,
            sa.ForeignKey("ci_tekton_run.id", ondelete="CASCADE"),
            primary_key=True,
        ),
        sa.Column("entity", sa.String(250), primary_key=True),
        sa.Column("how", sa.String(600), nullable=False),
        sa.Column("created_at", UtcDateTime, nullable=False),
    )
    op.create_index(
        "ix_ci_tekton_match_entity", "ci_tekton_match", ["entity", "created_at", "run_id"]
    )


def _create_latest() -> None:
    op.create_table(
        "ci_tekton_latest",
        sa.Column("entity", sa.String(250), primary_key=True),
        sa.Column("pipeline", sa.String(600), primary_key=True),
        sa.Column(
            "run_id",
            sa.Integer,
            sa.ForeignKey("ci_tekton_run.id", ondelete="CASCADE"),
            nullable=False,
        ),
        sa.Column("created_at", UtcDateTime, nullable=False),
    )
    op.create_index("ix_ci_tekton_latest_run", "ci_tekton_latest", ["run_id"])


def _create_rematch() -> None:
    op.create_table(
        "ci_tekton_rematch",
        sa.Column("key", sa.String(600), primary_key=True),
        sa.Column("after", sa.Integer, nullable=False),
    )


def _create_project() -> None:
    op.create_table(
        "ci_tekton_project",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("address", sa.String(500), nullable=False, unique=True),
        sa.Column("host", sa.String(63), nullable=False),
        sa.Column("path", sa.String(253), nullable=False),
        sa.Column("state", sa.String(10), nullable=False),
        sa.Column("error", TranslatedText, nullable=False),
        sa.Column("branch", sa.String(250), nullable=False),
        sa.Column("looked_at", UtcDateTime),
        sa.Column("read_until", UtcDateTime),
        sa.Column("read_at", UtcDateTime),
        sa.Column("failing_since", UtcDateTime),
        sa.Column("failures", sa.Integer, nullable=False),
        sa.Column("due_at", UtcDateTime, nullable=False),
        sa.Column("needs", Json, nullable=False),
    )
    op.create_index("ix_ci_tekton_project_due", "ci_tekton_project", ["due_at"])
    op.create_index("ix_ci_tekton_project_path", "ci_tekton_project", ["host", "path"])


def _create_claim() -> None:
    op.create_table(
        "ci_tekton_claim",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("key", sa.String(600), nullable=False, unique=True),
        sa.Column("entity", sa.String(250), nullable=False),
        sa.Column("actor", sa.String(250), nullable=False),
        sa.Column("at", UtcDateTime, nullable=False),
    )
    op.create_index("ix_ci_tekton_claim_entity", "ci_tekton_claim", ["entity"])


def _create_pipeline() -> None:
    op.create_table(
        "ci_tekton_pipeline",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("cluster", sa.String(63), nullable=False),
        sa.Column("namespace", sa.String(253), nullable=False),
        sa.Column("name", sa.String(253), nullable=False),
        sa.Column("declaration", Json, nullable=False),
        sa.Column("service_account", sa.String(253), nullable=False),
    )
    op.create_index(
        "uq_ci_tekton_pipeline",
        "ci_tekton_pipeline",
        ["cluster", "namespace", "name"],
        unique=True,
    )
    op.create_table(
        "ci_tekton_pipeline_key",
        sa.Column(
            "pipeline_id",
            sa.Integer,
            sa.ForeignKey("ci_tekton_pipeline.id", ondelete="CASCADE"),
            primary_key=True,
        ),
        sa.Column("key", sa.String(600), primary_key=True),
    )
    op.create_index(
        "ix_ci_tekton_pipeline_key_key", "ci_tekton_pipeline_key", ["key", "pipeline_id"]
    )


def _create_approval() -> None:
    op.create_table(
        "ci_tekton_approval",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("cluster", sa.String(63), nullable=False),
        sa.Column("namespace", sa.String(253), nullable=False),
        sa.Column("name", sa.String(253), nullable=False),
        sa.Column("uid", sa.String(120), nullable=False),
        sa.Column("version", sa.String(100), nullable=False),
        sa.Column("run_uid", sa.String(120), nullable=False),
        sa.Column("task", sa.String(253), nullable=False),
        sa.Column("state", sa.String(10), nullable=False),
        sa.Column("description", sa.Text, nullable=False),
        sa.Column("required", sa.Integer, nullable=False),
        sa.Column("approvers", Json, nullable=False),
        sa.Column("created_at", UtcDateTime, nullable=False),
        sa.Column("gone", sa.Boolean, nullable=False),
    )
    op.create_index("uq_ci_tekton_approval", "ci_tekton_approval", ["cluster", "uid"], unique=True)
    op.create_index("ix_ci_tekton_approval_run", "ci_tekton_approval", ["cluster", "run_uid"])
    op.create_index("ix_ci_tekton_approval_state", "ci_tekton_approval", ["state", "gone"])
